//! The way from the root pointer to a table.
use super::{corrupt, fix_sum, list};
use crate::{acpi::*, fixtures};
use std::{vec, vec::Vec};

/// Memory that holds some things at some addresses.
pub(super) struct Fake(pub(super) Vec<(u64, Vec<u8>)>);

impl Physical for Fake {
    fn bytes(&self, address: u64, length: usize) -> Option<&[u8]> {
        self.0.iter().find_map(|(start, bytes)| {
            let skip = usize::try_from(address.checked_sub(*start)?).ok()?;
            bytes.get(skip..skip.checked_add(length)?)
        })
    }
}

pub(super) fn root_pointer(rsdt: u32, xsdt: u64) -> Vec<u8> {
    let mut bytes = b"RSD PTR \0UMBRA \x02".to_vec();
    bytes.extend(rsdt.to_le_bytes());
    bytes.extend(36u32.to_le_bytes());
    bytes.extend(xsdt.to_le_bytes());
    bytes.extend([0; 4]);
    fix_sum(&mut bytes[..20], 8);
    fix_sum(&mut bytes, 32);
    bytes
}

#[test]
fn tables_are_found_through_either_list() {
    let hpet = fixtures::bytes("acpi/Desktop_Supermicro_X10DAi_4A64A6094FE3/HPET.bin");
    let broken = corrupt("APIC_bad_checksum");
    let wide: Vec<u8> = [0x3000u64, 0, 0x4000, 0x9999_0000].iter().flat_map(|at| at.to_le_bytes()).collect();
    let narrow: Vec<u8> = [0x4000u32].iter().flat_map(|at| at.to_le_bytes()).collect();
    let mut xsdt = list(b"XSDT", &wide);
    for sound in [true, false] {
        xsdt[36] ^= u8::from(!sound);
        let memory = Fake(vec![
            (0xe_1230, root_pointer(0x2000, 0x1000)),
            (0x1000, xsdt.clone()),
            (0x2000, list(b"RSDT", &narrow)),
            (0x3000, broken.clone()),
            (0x4000, hpet.clone()),
        ]);
        let mut problems = Vec::new();
        let root = Root::search(&memory).unwrap();
        let tables = Tables::open(&memory, root, &mut |problem| problems.push(problem)).unwrap();
        assert_eq!(problems.len(), usize::from(!sound));
        let found = tables.find(b"HPET", &mut |problem| panic!("{problem}")).unwrap();
        assert_eq!(found.bytes(), hpet);
        assert_eq!(tables.iter().count(), if sound { 3 } else { 1 });
        let missing = tables.find(b"APIC", &mut |problem| problems.push(problem)).unwrap_err();
        assert_eq!(missing, Problem::Missing(Signature(*b"APIC")));
        assert!(!sound || matches!(problems.last(), Some(Problem::Checksum { .. })));
    }
}

#[test]
fn the_search_goes_on_after_a_wrong_checksum() {
    let broken = corrupt("RSDP_bad_checksum");
    let memory = Fake(vec![(0xe_0000, broken.clone()), (0xf_0000, root_pointer(0x2000, 0))]);
    assert_eq!(Root::search(&memory).unwrap().rsdt, 0x2000);
    let alone = Fake(vec![(0xe_0000, broken)]);
    assert!(matches!(Root::search(&alone), Err(Problem::RootChecksum { .. })));
}

#[test]
fn a_root_pointer_that_ends_early_leaves_the_narrow_list() {
    let memory = Fake(vec![(0xe_0000, corrupt("RSDP_rev2_truncated20"))]);
    let root = Root::read(&memory, 0xe_0000).unwrap();
    assert_eq!(root, Root { revision: 2, rsdt: 0x7ffe_0000, xsdt: 0, truncated: true });
}
