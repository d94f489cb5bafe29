use serde_json::{Value, json};
use umbra_hw::{
    acpi::{
        Entry, Fadt, Hmat, Hpet, Madt, Mcfg, MemoryAffinity, Override, Problem, Register, Slit, Space, Srat,
        Table, soft_off,
    },
    cpuid::Topology,
};

use super::{Builder, faults, place};
use crate::{
    acpi_folder::{self, Source},
    machine::Machine,
};

/// Processors and nodes that are listed at most.
pub(super) const MAX_PROCESSORS: usize = 4096;
pub(super) const MAX_NODES: usize = 64;

impl Builder {
    /// Processors, memory, interrupts, timers, PCI and power.
    pub(super) fn acpi(&mut self, machine: &Machine, topology: Option<&Topology>) {
        let tables = &machine.tables;
        self.problems.extend(faults::all(tables));
        let srat = first(tables, b"SRAT", Srat::parse);
        self.processors(tables, topology, srat.as_ref());
        self.memory(tables, srat.as_ref());
        self.timers(tables);
        self.pci(tables);
        self.power(tables);
    }

    fn processors(&mut self, tables: &[Source], topology: Option<&Topology>, srat: Option<&Srat<'_>>) {
        let Some(madt) = first(tables, b"APIC", Madt::parse) else {
            self.fallback("no sound APIC table: the boot processor alone runs");
            return;
        };
        let found = madt.processors::<MAX_PROCESSORS>(&mut |_| {});
        let entries = madt.entries().filter(|entry| matches!(entry, Entry::Processor(_))).count();
        let ids = || found.iter().map(|processor| processor.apic_id);
        let cores: std::collections::BTreeSet<_> = topology
            .map(|topology| ids().map(|id| id >> topology.core_shift().min(31)).collect())
            .unwrap_or_default();
        let list: Vec<Value> = ids()
            .map(|id| {
                let mut fields = place(topology, id);
                fields.insert("domain".into(), json!(srat.and_then(|srat| srat.domain_of(id))));
                Value::Object(fields)
            })
            .collect();
        if found.is_empty() {
            self.fallback("the APIC table lists no processor: the boot processor alone runs");
        }
        self.section(
            "processors",
            json!({
                "enabled": found.len(),
                "not_enabled": entries.saturating_sub(found.len()),
                "cores": topology.map(|_| cores.len()),
                "need_x2apic": found.iter().any(|processor| processor.apic_id > 254),
                "list": list,
            }),
        );
        self.interrupts(&madt);
    }

    fn interrupts(&mut self, madt: &Madt<'_>) {
        let io_apics: Vec<Value> = madt
            .entries()
            .filter_map(|entry| match entry {
                Entry::IoApic { id, address, first_gsi } => Some(
                    json!({ "id": id, "address": format!("{address:#x}"), "first_interrupt": first_gsi }),
                ),
                _ => None,
            })
            .collect();
        let overrides: Vec<Value> = madt
            .overrides()
            .map(|Override { source, gsi, flags }| json!({ "isa": source, "interrupt": gsi, "flags": flags }))
            .collect();
        self.section(
            "interrupts",
            json!({
                "local_apic": format!("{:#x}", madt.local_apic_address),
                "has_8259": madt.has_8259,
                "io_apics": io_apics,
                "overrides": overrides,
            }),
        );
    }

    fn memory(&mut self, tables: &[Source], srat: Option<&Srat<'_>>) {
        let slit = first(tables, b"SLIT", Slit::parse);
        let hmat = first(tables, b"HMAT", Hmat::parse);
        let Some(srat) = srat else {
            self.fallback("no sound SRAT: all memory counts as one node");
            return;
        };
        let domains = srat.domains::<MAX_NODES>(&mut |_| {});
        let ranges: Vec<MemoryAffinity> = srat.memory().filter_map(Result::ok).collect();
        let nodes: Vec<Value> = domains
            .iter()
            .enumerate()
            .map(|(node, domain)| {
                node_of(node, *domain, srat, &ranges, &distances(*domain, &domains, slit.as_ref()))
            })
            .collect();
        let matrices: Vec<Value> = hmat
            .iter()
            .flat_map(Hmat::matrices)
            .filter_map(Result::ok)
            .map(|matrix| {
                let rows: Vec<Vec<Option<u64>>> = domains
                    .iter()
                    .map(|from| domains.iter().map(|to| matrix.value(*from, *to)).collect())
                    .collect();
                json!({ "kind": format!("{:?}", matrix.kind), "hierarchy": matrix.hierarchy, "rows": rows })
            })
            .collect();
        if slit.is_none() && domains.len() > 1 {
            self.fallback("no sound SLIT: distances between nodes are taken as 20");
        }
        self.section("memory", json!({ "nodes": nodes, "measured": matrices }));
    }

    fn timers(&mut self, tables: &[Source]) {
        let hpet = first(tables, b"HPET", Hpet::parse);
        let fadt = first(tables, b"FACP", Fadt::parse);
        let pm_timer = fadt.filter(|fadt| !fadt.is_hardware_reduced()).and_then(|fadt| fadt.pm_timer);
        if hpet.is_none() {
            self.fallback("no sound HPET table: PM timer or PIT calibrate");
        }
        self.section(
            "timers",
            json!({
                "hpet": hpet.map(|hpet| format!("{:#x}", hpet.address)),
                "pm_timer": pm_timer.map(register),
                "pm_timer_bits": fadt.map(|fadt| if fadt.pm_timer_is_32_bit { 32 } else { 24 }),
            }),
        );
    }

    fn pci(&mut self, tables: &[Source]) {
        let Some(mcfg) = first(tables, b"MCFG", Mcfg::parse) else {
            self.fallback("no sound MCFG: PCI configuration only through ports");
            return;
        };
        let segments: Vec<Value> = mcfg
            .segments()
            .filter_map(Result::ok)
            .map(|segment| {
                json!({
                    "segment": segment.number,
                    "base": format!("{:#x}", segment.base),
                    "buses": format!("{}..{}", segment.first_bus, segment.last_bus),
                })
            })
            .collect();
        self.section("pci", Value::Array(segments));
    }

    fn power(&mut self, tables: &[Source]) {
        let Some(fadt) = first(tables, b"FACP", Fadt::parse) else {
            self.fallback("no sound FACP: reset by the keyboard controller, no power off");
            return;
        };
        let dsdt = acpi_folder::tables(tables, b"DSDT").next();
        let off = dsdt.and_then(|table| soft_off(table.body()));
        if fadt.reset().is_none() {
            self.fallback("no reset register: reset by the keyboard controller");
        }
        self.section(
            "power",
            json!({
                "sci": fadt.sci,
                "reset": fadt.reset().map(|reset| format!("{} <- {:#x}", register(reset.register), reset.value)),
                "pm1a_control": fadt.pm1a_control.map(register),
                "soft_off": off.map(|off| format!("sleep type {}, {}", off.pm1a, off.pm1b)),
                "dsdt_given": dsdt.is_some(),
            }),
        );
    }
}

/// The first table of a name that can be decoded.
fn first<'s, T>(
    sources: &'s [Source],
    signature: &'s [u8; 4],
    parse: impl Fn(Table<'s>) -> Result<T, Problem>,
) -> Option<T> {
    acpi_folder::tables(sources, signature).find_map(|table| parse(table).ok())
}

fn register(register: Register) -> String {
    let space = match register.space {
        Space::Memory => "memory",
        Space::Port => "port",
        Space::PciConfiguration => "PCI",
        Space::Other(_) => "other space",
    };
    format!("{space} {:#x}", register.address)
}

/// SLIT is indexed by proximity domain.
fn distances(from: u32, domains: &[u32], slit: Option<&Slit<'_>>) -> Vec<Option<u8>> {
    let index = |domain: u32| usize::try_from(domain).unwrap_or(usize::MAX);
    let by_default = |to: u32| if from == to { 10 } else { Slit::DEFAULT_REMOTE };
    let to = domains.iter().copied();
    to.map(|to| slit.map_or(Some(by_default(to)), |slit| slit.distance(index(from), index(to)))).collect()
}

fn node_of(
    node: usize,
    domain: u32,
    srat: &Srat<'_>,
    ranges: &[MemoryAffinity],
    distances: &[Option<u8>],
) -> Value {
    let ids: Vec<u32> =
        srat.processors().filter(|entry| entry.domain == domain).map(|entry| entry.apic_id).collect();
    let own = ranges.iter().filter(|range| range.domain == domain);
    let ranges: Vec<String> =
        own.clone().map(|range| format!("{:#x}+{:#x}", range.base, range.length)).collect();
    json!({
        "node": node,
        "domain": domain,
        "mib": own.fold(0u64, |sum, range| sum.saturating_add(range.length)) >> 20,
        "distances": distances,
        "ranges": ranges,
        "apic_ids": ids,
    })
}
