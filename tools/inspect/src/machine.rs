//! Gathers what is known of a machine from the files that were named.

use std::{fs, path::Path};

use crate::{
    acpi_folder::{self, Source},
    arguments::Arguments,
    dump::{self, Dump},
};

/// What is known of a machine.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    /// What each logical processor in the dump answers.
    pub(crate) processors: Vec<Dump>,
    /// ACPI tables.
    pub(crate) tables: Vec<Source>,
    /// Whether ACPI tables were looked for.
    pub(crate) has_acpi: bool,
    /// What went wrong while gathering, without stopping it.
    pub(crate) problems: Vec<String>,
}

/// Reads everything that was named.
///
/// # Errors
/// A file cannot be read or is nothing known, or nothing was named.
pub(crate) fn read(arguments: &Arguments) -> Result<Machine, String> {
    let mut machine = Machine::default();
    if arguments.this {
        machine.read_this()?;
    }
    if let Some(path) = &arguments.cpuid {
        machine.read_dump(path)?;
    }
    if let Some(path) = &arguments.acpi {
        machine.read_tables(path)?;
    }
    for path in &arguments.paths {
        machine.read_any(path)?;
    }
    if machine.processors.is_empty() && !machine.has_acpi {
        return Err("nothing to inspect; name a CPUID dump or a folder of ACPI tables, or use --this".into());
    }
    Ok(machine)
}

impl Machine {
    /// A folder or what looks like tables is ACPI, any other file a dump.
    fn read_any(&mut self, path: &Path) -> Result<(), String> {
        if path.is_dir() {
            return self.read_tables(path);
        }
        let tables = acpi_folder::read(path)?;
        if tables.is_empty() { self.read_dump(path) } else { self.read_tables(path) }
    }

    fn read_dump(&mut self, path: &Path) -> Result<(), String> {
        let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        self.processors = dump::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(())
    }

    fn read_tables(&mut self, path: &Path) -> Result<(), String> {
        self.has_acpi = true;
        let tables = acpi_folder::read(path)?;
        if tables.is_empty() {
            return Err(format!("{}: no ACPI table in it", path.display()));
        }
        self.tables.extend(tables);
        Ok(())
    }

    /// CPUID is executed here; Linux shows the ACPI tables to root only.
    #[cfg(target_arch = "x86_64")]
    fn read_this(&mut self) -> Result<(), String> {
        const FOLDER: &str = "/sys/firmware/acpi/tables";
        let ask = |leaf: u32, subleaf: u32| {
            let answer = core::arch::x86_64::__cpuid_count(leaf, subleaf);
            [answer.eax, answer.ebx, answer.ecx, answer.edx]
        };
        self.processors = vec![Dump::ask(&ask)];
        match acpi_folder::read(Path::new(FOLDER)) {
            Ok(tables) if !tables.is_empty() => {
                self.tables = tables;
                self.has_acpi = true;
            }
            _ => self.problems.push(format!("{FOLDER} cannot be read (only root may); ACPI left out")),
        }
        Ok(())
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn read_this(&mut self) -> Result<(), String> {
        Err("--this needs an x86-64 machine".into())
    }
}
