//! ACPI tables from files: raw binaries, or the text that `acpidump` prints.

use std::{fs, path::Path};

use umbra_hw::acpi::{Physical, Table};

/// The bytes of a table and where they came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Reads a folder, a raw table or an `acpidump` text.
///
/// # Errors
/// Nothing readable is there.
pub(crate) fn read(path: &Path) -> Result<Vec<Source>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    if !path.is_dir() {
        return Ok(from_file(path, fs::read(path).map_err(failed)?));
    }
    let mut sources = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.is_file()
            && let Ok(bytes) = fs::read(&file)
        {
            sources.extend(from_file(&file, bytes));
        }
    }
    // APIC.bin before APIC-2.bin: the first table of a name is the one firmware lists first.
    sources.sort_by(|left, right| (left.name.len(), &left.name).cmp(&(right.name.len(), &right.name)));
    Ok(sources)
}

fn from_file(path: &Path, bytes: Vec<u8>) -> Vec<Source> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let tables = std::str::from_utf8(&bytes).map(from_text).unwrap_or_default();
    if !tables.is_empty() {
        return tables;
    }
    if looks_like_a_table(&bytes) { vec![Source { name, bytes }] } else { Vec::new() }
}

/// A table begins with four letters; the file may be cut off anywhere.
fn looks_like_a_table(bytes: &[u8]) -> bool {
    let letters = bytes.first_chunk::<4>();
    letters.is_some_and(|name| {
        name.iter().all(|byte| byte.is_ascii_uppercase() || b" _0123456789!".contains(byte))
    }) && bytes.iter().any(|byte| !byte.is_ascii())
        || bytes.starts_with(b"RSD PTR ")
        || bytes.get(4..8).is_some_and(|length| {
            let length: [u8; 4] = length.try_into().unwrap_or_default();
            usize::try_from(u32::from_le_bytes(length)).is_ok_and(|length| length == bytes.len())
        })
}

/// The tables of an `acpidump` text: `NAME @ address`, then lines of an offset
/// and up to 16 bytes in hexadecimal.
pub(crate) fn from_text(text: &str) -> Vec<Source> {
    let mut tables: Vec<Source> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [name, "@", ..] = fields.as_slice() {
            tables.push(Source { name: (*name).into(), bytes: Vec::new() });
            inside = true;
        } else if let (true, Some(table)) = (inside, tables.last_mut()) {
            inside = !fields.is_empty();
            table.bytes.extend(bytes_of_line(line));
        }
    }
    tables
}

/// `    0010: 41 20 4D  ...  A M`: after the colon, pairs of digits up to two
/// blanks or 16 of them.
fn bytes_of_line(line: &str) -> Vec<u8> {
    let Some((offset, rest)) = line.split_once(": ") else { return Vec::new() };
    if offset.trim().is_empty() || !offset.trim().bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Vec::new();
    }
    let columns = rest.trim_start().split(' ').take(16);
    columns.map_while(|pair| (pair.len() == 2).then(|| u8::from_str_radix(pair, 16).ok()).flatten()).collect()
}

/// Tables of a name whose length and checksum are right, in order.
pub(crate) fn tables<'s>(sources: &'s [Source], signature: &'s [u8; 4]) -> impl Iterator<Item = Table<'s>> {
    let named = sources.iter().filter(|source| source.bytes.starts_with(signature));
    named.filter_map(|source| Table::check(&source.bytes).ok())
}

/// Memory that holds one thing at address 0.
pub(crate) struct Alone<'b>(pub(crate) &'b [u8]);

impl Physical for Alone<'_> {
    fn bytes(&self, address: u64, length: usize) -> Option<&[u8]> {
        let start = usize::try_from(address).ok()?;
        self.0.get(start..start.checked_add(length)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    fn fixture(name: &str) -> Vec<u8> {
        fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/acpi/").to_owned() + name)
            .expect("fixture")
    }

    fn acpidump(name: &str, bytes: &[u8]) -> String {
        let mut text = format!("{name} @ 0x0000000000000000\n");
        for (number, line) in bytes.chunks(16).enumerate() {
            let pairs: Vec<String> = line.iter().map(|byte| format!("{byte:02X}")).collect();
            let letters: String = line
                .iter()
                .map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' })
                .collect();
            writeln!(text, "    {:04X}: {:<48} {letters}", number * 16, pairs.join(" ")).expect("text");
        }
        text + "\n"
    }

    #[test]
    fn the_text_of_a_table_is_the_table() {
        let apic = fixture("Notebook_Framework_Laptop_13_717EDB7C4975/APIC.bin");
        let hpet = fixture("Notebook_Framework_Laptop_13_717EDB7C4975/HPET.bin");
        let tables = from_text(&(acpidump("APIC", &apic) + &acpidump("HPET", &hpet)));
        assert_eq!(tables.len(), 2);
        assert_eq!((&tables[0].bytes, &tables[1].bytes), (&apic, &hpet));
        assert_eq!(tables[0].name, "APIC");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in any::<String>(), line in "A @ 0\n([0-9A-F]{4}: [0-9A-F ]{0,50}\n){0,5}") {
            let _ = (from_text(&text), from_text(&line));
        }
    }
}
