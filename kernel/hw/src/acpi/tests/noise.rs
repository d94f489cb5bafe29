//! Whatever the bytes: no panic, no endless loop. `PROPTEST_CASES` sets how many
//! cases are tried.
use super::{
    fix_sum, list,
    listing::{Fake, root_pointer},
};
use crate::{acpi::*, fixtures};
use proptest::prelude::*;
use std::{fs, sync::OnceLock, vec, vec::Vec};

/// Decodes `bytes` as everything, reading all there is to read.
fn decode_everything(bytes: &[u8]) {
    let mut ignore = |_: Problem| {};
    let Ok(table) = Table::check(bytes) else { return };
    if let Ok(madt) = Madt::parse(table) {
        assert!(madt.entries().count() <= bytes.len() / 2);
        madt.processors::<16>(&mut ignore);
    }
    let _ = (Hpet::parse(table), Fadt::parse(table).map(|fadt| fadt.reset()));
    let _ = Mcfg::parse(table).map(|mcfg| mcfg.segments().count());
    if let Ok(srat) = Srat::parse(table) {
        srat.domains::<4>(&mut ignore);
        assert!(srat.memory().count() <= bytes.len());
    }
    let _ = Slit::parse(table).map(|slit| slit.distance(slit.count(), usize::MAX));
    if let Ok(hmat) = Hmat::parse(table) {
        let _ = hmat.cost(0, u32::MAX);
        assert!(
            hmat.matrices().filter_map(Result::ok).filter_map(|matrix| matrix.value(0, 0)).count()
                <= bytes.len()
        );
    }
    let _ = soft_off(bytes);
}

/// Read once: there may be a million cases.
fn real_tables() -> &'static [Vec<u8>] {
    static TABLES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    TABLES.get_or_init(read_tables)
}

fn read_tables() -> Vec<Vec<u8>> {
    let folder = fixtures::path("acpi/Desktop_Supermicro_X10DAi_4A64A6094FE3");
    fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

proptest! {
    #[test]
    fn noise_under_a_right_header_is_survived(
        kind in 0..7usize,
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let kinds = [b"APIC", b"HPET", b"FACP", b"MCFG", b"SRAT", b"SLIT", b"HMAT"];
        decode_everything(&list(kinds[kind], &body));
    }

    #[test]
    fn damaged_real_tables_are_survived(
        which in any::<prop::sample::Index>(),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = which.get(real_tables()).clone();
        for (place, value) in cuts {
            *place.get_mut(&mut bytes) = value;
        }
        decode_everything(&bytes[..end.index(bytes.len())]);
        let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        bytes[4..8].copy_from_slice(&length);
        fix_sum(&mut bytes, 9);
        decode_everything(&bytes);
    }

    #[test]
    fn any_memory_is_survived(noise in proptest::collection::vec(any::<u8>(), 0..400), at in any::<u16>()) {
        let mut noise = noise;
        let pointer = root_pointer(u32::from(at), u64::from(at) + 4);
        let memory = Fake(vec![(0xe_0000, pointer), (0, core::mem::take(&mut noise))]);
        let root = Root::search(&memory).unwrap();
        if let Ok(tables) = Tables::open(&memory, root, &mut |_| {}) {
            prop_assert!(tables.iter().count() <= Tables::<Fake>::LIMIT);
        }
    }
}
