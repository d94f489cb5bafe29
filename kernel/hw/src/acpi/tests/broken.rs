//! Tables broken one way each.
use super::{corrupt, fix_sum};
use crate::acpi::*;
use std::{vec, vec::Vec};

/// Processors of a sound table, with the problems on the way.
fn processors(bytes: &[u8]) -> Result<(Vec<u32>, Vec<Problem>), Problem> {
    let madt = Table::check(bytes).and_then(Madt::parse)?;
    let mut problems = Vec::new();
    let found = madt.processors::<256>(&mut |problem| problems.push(problem));
    Ok((found.iter().map(|cpu| cpu.apic_id).collect(), problems))
}

#[test]
fn broken_interrupt_tables_are_rejected_or_cut_short() {
    let name = Signature(*b"APIC");
    let rejected = |file| processors(&corrupt(file)).unwrap_err();
    assert!(matches!(rejected("APIC_bad_checksum"), Problem::Checksum { table, .. } if table == name));
    assert_eq!(rejected("APIC_header_length_0"), Problem::Length { table: name, length: 0 });
    assert_eq!(
        rejected("APIC_truncated_half"),
        Problem::Truncated { table: name, length: 660, readable: 330 }
    );
    let mut long = corrupt("APIC_duplicate_apic_id");
    long[651] = 255;
    fix_sum(&mut long, 9);
    assert_eq!(
        processors(&long).unwrap_err(),
        Problem::EntryPastEnd { table: name, offset: 650, length: 255 }
    );
    let stopped = Problem::EntryShort { table: name, offset: 44, kind: 0, length: 1 };
    assert_eq!(processors(&corrupt("APIC_entry_length_1")).unwrap(), (vec![], vec![stopped]));
}

/// This one's lengths are right, whatever its name says: what is broken is the
/// interrupt number of the last override.
#[test]
fn an_override_to_an_interrupt_nothing_serves_is_reported() {
    let (ids, problems) = processors(&corrupt("APIC_last_entry_past_end")).unwrap();
    assert_eq!((ids.len(), problems), (40, vec![Problem::UnservedInterrupt { source: 9, gsi: 0xff09 }]));
}

#[test]
fn a_processor_listed_twice_counts_once() {
    let (ids, problems) = processors(&corrupt("APIC_duplicate_apic_id")).unwrap();
    let unique: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), unique.len()), (39, 39));
    assert_eq!(problems, [Problem::DuplicateApicId(0)]);
}

#[test]
fn ids_beyond_a_byte_and_the_address_override_are_understood() {
    let (ids, problems) = processors(&corrupt("APIC_x2apic_id_fffffffe")).unwrap();
    assert_eq!((ids, problems), (vec![0, 0xffff_fffe], vec![]));
    let bytes = corrupt("APIC_lapic_override");
    assert_eq!(Madt::parse(Table::check(&bytes).unwrap()).unwrap().local_apic_address, 0xfee1_0000);
}

#[test]
fn broken_memory_and_distance_tables_lose_only_what_is_broken() {
    let bytes = corrupt("SRAT_mem_overflow");
    let srat = Srat::parse(Table::check(&bytes).unwrap()).unwrap();
    let ranges: Vec<_> = srat.memory().collect();
    assert_eq!(ranges.iter().filter(|range| range.is_err()).count(), 1);
    assert_eq!(ranges.len(), 5);
    assert_eq!(srat.processors().count(), 40);

    let bytes = corrupt("SRAT_domain_ffffffff");
    let srat = Srat::parse(Table::check(&bytes).unwrap()).unwrap();
    let domains = srat.domains::<64>(&mut |problem| panic!("{problem}"));
    assert_eq!(domains.as_slice(), [0, 1, 255, u32::MAX]);

    let bytes = corrupt("SLIT_diag_not_10");
    let slit = Slit::parse(Table::check(&bytes).unwrap());
    assert!(matches!(slit, Err(Problem::BadDistance { from: 0, to: 0, .. })), "{slit:?}");
}

#[test]
fn broken_configuration_windows_are_left_out() {
    let segments = |file| {
        let bytes = corrupt(file);
        Mcfg::parse(Table::check(&bytes).unwrap()).unwrap().segments().collect::<Vec<_>>()
    };
    let name = Signature(*b"MCFG");
    assert!(segments("MCFG_partial_entry").iter().all(Result::is_err));
    assert_eq!(segments("MCFG_base_0"), [Err(Problem::BadAddress { table: name, address: 0 })]);
}
