//! What there is to say about a machine, as one tree of values.

mod acpi;
mod counters;
mod faults;
mod processor;
mod sharing;

use serde_json::{Map, Value, json};
use umbra_hw::cpuid::{Inventory, Reader, Topology};

use crate::machine::Machine;

/// Sections in the order they are printed, and what was found on the way.
#[derive(Default)]
struct Builder {
    sections: Map<String, Value>,
    /// What is wrong.
    problems: Vec<String>,
    /// What is missing and what is done instead.
    fallbacks: Vec<String>,
}

/// Everything there is to say.
pub(crate) fn build(machine: &Machine) -> Value {
    let mut builder = Builder { problems: machine.problems.clone(), ..Builder::default() };
    let mut topology = None;
    if let Some(dump) = machine.processors.first() {
        let inventory = Inventory::read(dump);
        let reader = Reader::new(dump);
        builder.processor(&inventory, machine);
        builder.counters(&reader, &inventory);
        builder.sharing(dump, &reader, &inventory);
        topology = Some(inventory.topology);
    }
    if machine.has_acpi {
        builder.acpi(machine, topology.as_ref());
    }
    builder.sections.insert("fallbacks".into(), json!(builder.fallbacks));
    builder.sections.insert("problems".into(), json!(builder.problems));
    Value::Object(builder.sections)
}

impl Builder {
    fn section(&mut self, name: &str, value: Value) {
        self.sections.insert(name.into(), value);
    }

    fn fallback(&mut self, text: &str) {
        self.fallbacks.push(text.into());
    }
}

/// Where a processor with this APIC id is.
fn place(topology: Option<&Topology>, apic_id: u32) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("apic_id".into(), json!(apic_id));
    if let Some(topology) = topology {
        let place = topology.place(apic_id);
        for (name, number) in [
            ("package", place.package),
            ("die", place.die),
            ("cluster", place.cluster),
            ("core", place.core),
            ("thread", place.thread),
        ] {
            fields.insert(name.into(), json!(number));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{arguments::Arguments, machine, text};
    use std::path::PathBuf;

    fn report(paths: &[&str]) -> Value {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures"));
        let paths = paths.iter().map(|path| folder.join(path)).collect();
        build(&machine::read(&Arguments { paths, ..Arguments::default() }).expect("readable"))
    }

    fn names(folder: &str) -> Vec<String> {
        let path = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/{}"), folder);
        let entries = std::fs::read_dir(path).expect("folder").map(|entry| entry.expect("entry").file_name());
        entries.map(|name| format!("{folder}/{}", name.to_string_lossy())).collect()
    }

    #[test]
    fn a_server_is_described_whole() {
        let report = report(&[
            "cpuid_rustcpuid/xeon_gold_6252.cpu0.txt",
            "acpi/Desktop_Supermicro_X10DAi_4A64A6094FE3",
        ]);
        for (path, expected) in [
            ("/processor/vendor", json!("GenuineIntel")),
            ("/counters/version", json!(4)),
            ("/counters/fixed", json!(3)),
            ("/sharing/level_3/ways", json!(11)),
            ("/sharing/level_3/classes", json!(16)),
            ("/sharing/bandwidth_throttle/step_percent", json!(10)),
            ("/sharing/monitoring/max_rmid", json!(0xcf)),
            ("/sharing/bandwidth_can_be_held_by", json!("throttle, corrected by monitoring")),
            ("/colours/colours", json!(32)),
            ("/clock/tsc_hz", json!(2_100_000_000u64)),
            ("/processors/enabled", json!(40)),
            ("/processors/list/10/apic_id", json!(32)),
            ("/processors/list/10/domain", json!(1)),
            ("/memory/nodes/1/distances", json!([21, 10])),
            ("/interrupts/io_apics/2/first_interrupt", json!(48)),
            ("/timers/pm_timer", json!("port 0x408")),
            ("/problems", json!([])),
        ] {
            assert_eq!(report.pointer(path), Some(&expected), "{path}");
        }
    }

    #[test]
    fn every_machine_gets_a_report_in_both_forms() {
        let dumps = names("cpuid_libcpuid").into_iter().chain(names("cpuid_rustcpuid"));
        let folders = names("acpi").into_iter().filter(|name| !name.ends_with(".txt"));
        for path in dumps.chain(folders) {
            let report = report(&[&path]);
            let text = text::render(&report);
            assert!(text.contains("problems\n"), "{path}");
            let has_64_bits = report
                .pointer("/processor/features")
                .is_none_or(|names| names.to_string().contains("\"lm\""));
            let whole = !path.contains("libcpuid/amd");
            assert_eq!(report["problems"] == json!([]), has_64_bits && whole, "{path}: {text}");
        }
    }

    #[test]
    fn what_a_dump_lacks_is_said() {
        let report = report(&["cpuid_libcpuid/amd-ryzen-7-5800x3d-8-core-processor.cpu0.txt"]);
        let expected = "the dump has no subleaf 1 of leaf 0x80000020: bandwidth limits are not known";
        assert_eq!(report["problems"], json!([expected]));
        assert_eq!(report.pointer("/sharing/level_3/gaps_allowed"), Some(&json!(true)));
    }

    #[test]
    fn every_broken_table_is_found() {
        let report = report(&["acpi_corrupt"]);
        let problems: Vec<&str> =
            report["problems"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let harmless = ["APIC_lapic_override.bin", "APIC_x2apic_id_fffffffe.bin", "SRAT_domain_ffffffff.bin"];
        for name in names("acpi_corrupt").iter().filter_map(|path| path.split('/').next_back()) {
            let found = problems.iter().any(|problem| problem.starts_with(&format!("{name}: ")));
            assert_eq!(found, !harmless.contains(&name) && name != "expected.tsv", "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_said_with_what_is_done_instead() {
        let report = report(&["cpuid_libcpuid/qemu-virtual-cpu-version.cpu0.txt"]);
        let fallbacks = report["fallbacks"].to_string();
        for text in
            ["no performance counters", "no cache allocation", "no bandwidth allocation", "no TSC deadline"]
        {
            assert!(fallbacks.contains(text), "{text} in {fallbacks}");
        }
        assert_eq!(report["counters"], Value::Null);
    }
}
