//! Twelve machines' tables.
use crate::{acpi::*, fixtures};
use std::{string::String, vec, vec::Vec};

/// The lines that the independent decode has for a table, where it is one that
/// is decoded here.
fn describe(name: &str, table: Table<'_>) -> Vec<String> {
    let bytes = table.bytes();
    let maker = String::from_utf8_lossy(&table.maker())
        .trim_end_matches('\0')
        .replace(|letter: char| letter < ' ', "?");
    let mut lines = vec![std::format!(
        "{name}: length {} rev {} oem \"{}\" sum8 0",
        bytes.len(),
        table.revision(),
        maker.trim_end()
    )];
    match &table.signature().0 {
        b"APIC" => describe_madt(table, &mut lines),
        b"FACP" => lines.push(describe_fadt(table)),
        b"HPET" => {
            let hpet = Hpet::parse(table).unwrap();
            lines.push(std::format!(
                "  hpet event_block {:#010x} addr {:#x} number {} min_tick {}",
                hpet.event_block,
                hpet.address,
                hpet.number,
                hpet.minimum_tick
            ));
        }
        b"MCFG" => lines.extend(Mcfg::parse(table).unwrap().segments().map(|segment| {
            let segment = segment.unwrap();
            let Segment { base, number, first_bus, last_bus } = segment;
            std::format!("  mcfg base {base:#x} segment {number} bus {first_bus}..{last_bus}")
        })),
        b"SLIT" => {
            let slit = Slit::parse(table).unwrap();
            lines.extend((0..slit.count()).map(|from| {
                let row: Vec<String> = (0..slit.count())
                    .map(|to| std::format!("{}", slit.distance(from, to).unwrap()))
                    .collect();
                std::format!("  slit {}", row.join(" "))
            }));
        }
        b"SRAT" => describe_srat(table, &mut lines),
        _ => {}
    }
    lines
}

fn joined(numbers: impl Iterator<Item = u32>) -> String {
    numbers.map(|number| std::format!("{number}")).collect::<Vec<_>>().join(",")
}

fn describe_madt(table: Table<'_>, lines: &mut Vec<String>) {
    let madt = Madt::parse(table).unwrap();
    assert_eq!(madt.stopped, None);
    let entries: Vec<Entry> = madt.entries().collect();
    let processors = madt.processors::<256>(&mut |problem| panic!("{problem}"));
    lines.push(std::format!(
        "  lapic_addr {:#x} flags {:#x} pcat_compat {}",
        madt.local_apic_address,
        u8::from(madt.has_8259),
        u8::from(madt.has_8259)
    ));
    for x2apic in [false, true] {
        let ids: Vec<u32> =
            processors.iter().filter(|cpu| cpu.x2apic == x2apic).map(|cpu| cpu.apic_id).collect();
        let prefix = if x2apic { "x2apic" } else { "lapic" };
        let field = if x2apic { "x2apic_ids" } else { "apic_ids" };
        if !x2apic || !ids.is_empty() {
            lines.push(std::format!("  {prefix}_enabled {} {field} {}", ids.len(), joined(ids.into_iter())));
        }
    }
    let disabled =
        entries.iter().filter(|entry| matches!(entry, Entry::Processor(cpu) if !cpu.enabled)).count();
    lines.push(std::format!("  disabled_entries {disabled}"));
    describe_interrupts(&entries, lines);
}

fn describe_interrupts(entries: &[Entry], lines: &mut Vec<String>) {
    let list = |items: Vec<String>| items.join(", ");
    let io_apics = entries.iter().filter_map(|entry| match entry {
        Entry::IoApic { id, address, first_gsi } => Some(std::format!("({id}, '{address:#x}', {first_gsi})")),
        _ => None,
    });
    lines.push(std::format!("  ioapics(id,addr,gsi_base) [{}]", list(io_apics.collect())));
    let overrides = entries.iter().filter_map(|entry| match entry {
        Entry::SourceOverride(Override { source, gsi, flags }) => {
            Some(std::format!("(0, {source}, {gsi}, {flags})"))
        }
        _ => None,
    });
    lines.push(std::format!("  iso(bus,src,gsi,flags) [{}]", list(overrides.collect())));
    let nmis: Vec<(u32, u16, u8)> =
        local_nmis(entries, false).map(|(uid, flags, pin)| (uid & 0xff, flags, pin)).collect();
    if let (Some(first), Some(last)) = (nmis.first(), nmis.last()) {
        lines.push(std::format!(
            "  lapic_nmi(uid,flags,lint) {} entries, first {first:?} last {last:?}",
            nmis.len()
        ));
    }
    let x2apic_nmis: Vec<String> = local_nmis(entries, true)
        .map(|(uid, flags, pin)| std::format!("({flags}, '{uid:#x}', {pin})"))
        .collect();
    if !x2apic_nmis.is_empty() {
        lines.push(std::format!("  x2apic_nmi(flags,uid,lint) [{}]", list(x2apic_nmis)));
    }
    let others: Vec<u8> = entries
        .iter()
        .filter_map(|entry| if let Entry::Other { kind } = entry { Some(*kind) } else { None })
        .collect();
    if let Some(kind) = others.first() {
        assert!(others.iter().all(|other| other == kind));
        lines.push(std::format!(
            "  other_types(type:count; must be skipped by length) {{{kind}: {}}}",
            others.len()
        ));
    }
}

fn local_nmis(entries: &[Entry], wanted: bool) -> impl Iterator<Item = (u32, u16, u8)> {
    entries.iter().filter_map(move |entry| match *entry {
        Entry::LocalNmi { uid, pin, flags, x2apic } if x2apic == wanted => Some((uid, flags, pin)),
        _ => None,
    })
}

fn describe_fadt(table: Table<'_>) -> String {
    let fadt = Fadt::parse(table).unwrap();
    let space = match fadt.reset_register.space {
        Space::Memory => 0,
        Space::Port => 1,
        Space::PciConfiguration => 2,
        Space::Other(other) => other,
    };
    std::format!(
        "  fadt sci {} pm_timer_port {:#x} flags {:#010x} iapc_boot_arch {:#06x} reset_reg space {space} addr {:#x} value {:#04x}",
        fadt.sci,
        fadt.pm_timer.map_or(0, |timer| timer.address),
        fadt.flags,
        fadt.boot_architecture,
        fadt.reset_register.address,
        fadt.reset_value,
    )
}

fn describe_srat(table: Table<'_>, lines: &mut Vec<String>) {
    let srat = Srat::parse(table).unwrap();
    for domain in srat.domains::<64>(&mut |problem| panic!("{problem}")) {
        let ids: Vec<u32> =
            srat.processors().filter(|entry| entry.domain == domain).map(|entry| entry.apic_id).collect();
        if !ids.is_empty() {
            lines.push(std::format!(
                "  srat_cpu domain {domain} apic_ids({}) {}",
                ids.len(),
                joined(ids.into_iter())
            ));
        }
    }
    for range in srat.memory() {
        let MemoryAffinity { base, length, domain, .. } = range.unwrap();
        lines.push(std::format!("  srat_mem domain {domain} base {base:#x} length {length:#x} "));
    }
}

#[test]
fn real_tables_decode_as_the_independent_decode_says() {
    let expected = fixtures::text("acpi/expected.txt");
    let mut machines = 0;
    for section in expected.split("\n## ").skip(1) {
        let machine = section.split_whitespace().next().unwrap();
        let wanted: Vec<&str> = section
            .lines()
            .skip(1)
            .filter(|line| {
                !line.is_empty() && !line.starts_with("  spcr") && !line.starts_with("  srat_mem_disabled")
            })
            .collect();
        let names =
            wanted.iter().filter(|line| !line.starts_with(' ')).map(|line| line.split(':').next().unwrap());
        let found: Vec<String> = names
            .flat_map(|name| {
                let bytes = fixtures::bytes(&std::format!("acpi/{machine}/{name}.bin"));
                describe(name, Table::check(&bytes).unwrap())
            })
            .collect();
        let trimmed = |line: &str| String::from(line.trim_end());
        assert_eq!(
            found.iter().map(|line| trimmed(line)).collect::<Vec<_>>(),
            wanted.iter().map(|line| trimmed(line)).collect::<Vec<_>>(),
            "{machine}"
        );
        machines += 1;
    }
    assert_eq!(machines, 12);
}
