//! Test data: dumps of real machines.
use std::{collections::HashMap, fs, path::PathBuf, string::String, vec::Vec};

/// The path of a fixture.
pub(crate) fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(relative)
}

/// The bytes of a fixture.
pub(crate) fn bytes(relative: &str) -> Vec<u8> {
    fs::read(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// The text of a fixture.
pub(crate) fn text(relative: &str) -> String {
    fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// A dump: leaf, subleaf and four registers a line, in hexadecimal.
#[derive(Clone)]
pub(crate) struct Dump(pub(crate) HashMap<(u32, u32), [u32; 4]>);

impl Dump {
    pub(crate) fn read(relative: &str) -> Self {
        let number = |field: &str| u32::from_str_radix(field, 16).expect("hexadecimal");
        let lines = text(relative);
        let entries = lines.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let fields: Vec<u32> = line.split_whitespace().map(number).collect();
            ((fields[0], fields[1]), [fields[2], fields[3], fields[4], fields[5]])
        });
        Self(entries.collect())
    }
}

/// Subleaf 0 answers for leaves that have no subleaves.
impl crate::cpuid::Leaf for Dump {
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        self.0.get(&(leaf, subleaf)).copied().unwrap_or_default()
    }
}

/// Every CPUID dump.
pub(crate) fn dumps() -> Vec<(String, Dump)> {
    let mut found = Vec::new();
    for folder in ["cpuid_libcpuid", "cpuid_rustcpuid"] {
        for entry in fs::read_dir(path(folder)).expect("folder") {
            let name = entry.expect("entry").file_name().into_string().expect("name");
            let relative = std::format!("{folder}/{name}");
            found.push((relative.clone(), Dump::read(&relative)));
        }
    }
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found
}
