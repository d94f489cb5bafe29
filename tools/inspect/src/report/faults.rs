//! Looks for what is wrong in every table, whether it is used or not.

use umbra_hw::acpi::{Fadt, Hmat, Hpet, Madt, Mcfg, Problem, Root, Slit, Srat, Table};

use super::acpi::{MAX_NODES, MAX_PROCESSORS};
use crate::acpi_folder::{Alone, Source};

/// What is wrong, each with the name of its file.
pub(super) fn all(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .flat_map(|source| of(&source.bytes).into_iter().map(|problem| format!("{}: {problem}", source.name)))
        .collect()
}

fn of(bytes: &[u8]) -> Vec<Problem> {
    if bytes.starts_with(b"RSD PTR ") {
        return match Root::read(&Alone(bytes), 0) {
            Ok(root) => root.truncated.then_some(Problem::RootTruncated).into_iter().collect(),
            Err(problem) => vec![problem],
        };
    }
    let table = match Table::check(bytes) {
        Ok(table) => table,
        Err(problem) => return vec![problem],
    };
    let mut problems = Vec::new();
    inside(table, &mut |problem| problems.push(problem)).unwrap_or_else(|problem| problems.push(problem));
    problems
}

fn inside(table: Table<'_>, report: &mut dyn FnMut(Problem)) -> Result<(), Problem> {
    match &table.signature().0 {
        b"APIC" => drop(Madt::parse(table)?.processors::<MAX_PROCESSORS>(report)),
        b"FACP" => drop(Fadt::parse(table)?),
        b"HPET" => drop(Hpet::parse(table)?),
        b"MCFG" => Mcfg::parse(table)?.segments().filter_map(Result::err).for_each(report),
        b"SLIT" => drop(Slit::parse(table)?),
        b"HMAT" => Hmat::parse(table)?.matrices().filter_map(Result::err).for_each(report),
        b"SRAT" => {
            let srat = Srat::parse(table)?;
            srat.memory().filter_map(Result::err).for_each(&mut *report);
            drop(srat.domains::<MAX_NODES>(report));
        }
        _ => {}
    }
    Ok(())
}
