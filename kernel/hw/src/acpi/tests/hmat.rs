//! HMAT tables that were put together here: what goes in comes out.
use super::list;
use crate::acpi::{Hmat, MemoryCost, Table};
use proptest::prelude::*;
use std::vec::Vec;

/// One latency and bandwidth structure (ACPI 6.5, table 5.146).
fn structure(
    hierarchy: u8,
    kind: u8,
    unit: u64,
    initiators: &[u32],
    targets: &[u32],
    cells: &[u16],
) -> Vec<u8> {
    let length = u32::try_from(32 + 4 * (initiators.len() + targets.len()) + 2 * cells.len()).unwrap();
    let mut bytes = std::vec![1, 0, 0, 0];
    bytes.extend(length.to_le_bytes());
    bytes.extend([hierarchy, kind, 0, 0]);
    bytes.extend(u32::try_from(initiators.len()).unwrap().to_le_bytes());
    bytes.extend(u32::try_from(targets.len()).unwrap().to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(unit.to_le_bytes());
    bytes.extend(initiators.iter().chain(targets).flat_map(|domain| domain.to_le_bytes()));
    bytes.extend(cells.iter().flat_map(|cell| cell.to_le_bytes()));
    bytes
}

/// Another kind of structure, which is passed over.
fn cache_structure() -> Vec<u8> {
    let mut bytes = std::vec![2, 0, 0, 0, 32, 0, 0, 0];
    bytes.resize(32, 0xaa);
    bytes
}

fn table(structures: &[Vec<u8>], revision: u8) -> Vec<u8> {
    let body: Vec<u8> = [0; 4].into_iter().chain(structures.iter().flatten().copied()).collect();
    let mut bytes = list(b"HMAT", &body);
    bytes[8] = revision;
    super::fix_sum(&mut bytes, 9);
    bytes
}

fn cost(bytes: &[u8], from: u32, to: u32) -> MemoryCost {
    Hmat::parse(Table::check(bytes).unwrap()).unwrap().cost(from, to)
}

#[test]
fn reads_come_before_both_and_memory_before_its_caches() {
    let structures = [
        structure(1, 1, 100, &[0], &[0], &[1]),
        cache_structure(),
        structure(0, 0, 100, &[0, 1], &[0, 1], &[900, 1400, 1400, 900]),
        structure(0, 1, 100, &[0], &[0, 1], &[760, 0xffff]),
        structure(0, 3, 10, &[0, 1], &[0, 1], &[2048, 0, 1024, 2048]),
    ];
    let bytes = table(&structures, 2);
    let ps = |from, to| cost(&bytes, from, to).read_latency_ps;
    assert_eq!((ps(0, 0), ps(0, 1), ps(1, 0), ps(2, 0)), (Some(76_000), Some(140_000), Some(140_000), None));
    let rate = |from, to| cost(&bytes, from, to).read_bandwidth_mb_per_s;
    assert_eq!((rate(0, 0), rate(0, 1), rate(1, 0)), (Some(20_480), None, Some(10_240)));
    let old = table(&structures[2..3], 1);
    assert_eq!(cost(&old, 1, 1).read_latency_ps, Some(90_000_000), "revision 1 gave nanoseconds");
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(
        initiators in proptest::collection::hash_set(any::<u32>(), 1..5),
        targets in proptest::collection::hash_set(any::<u32>(), 1..5),
        cells in proptest::collection::vec(any::<u16>(), 16),
        unit in 1..1_000_000u64,
        kind in 0..6u8,
    ) {
        let (initiators, targets): (Vec<_>, Vec<_>) =
            (initiators.into_iter().collect(), targets.into_iter().collect());
        let cells = &cells[..initiators.len() * targets.len()];
        let bytes = table(&[cache_structure(), structure(0, kind, unit, &initiators, &targets, cells)], 2);
        for (row, from) in initiators.iter().enumerate() {
            for (column, to) in targets.iter().enumerate() {
                let cell = cells[row * targets.len() + column];
                let said = Some(u64::from(cell) * unit).filter(|_| !matches!(cell, 0 | 0xffff));
                let found = cost(&bytes, *from, *to);
                let expected = match kind {
                    0 | 1 => MemoryCost { read_latency_ps: said, read_bandwidth_mb_per_s: None },
                    3 | 4 => MemoryCost { read_latency_ps: None, read_bandwidth_mb_per_s: said },
                    _ => MemoryCost::default(),
                };
                prop_assert_eq!(found, expected);
            }
        }
    }
}
