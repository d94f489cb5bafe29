//! Things for which no real table is at hand.
use super::{fix_sum, list};
use crate::acpi::*;
use std::{vec, vec::Vec};

#[test]
fn soft_off_is_found_in_compiled_code() {
    // iasl's output for Name (_S5_, Package (0x04) {0x05, Zero, Zero, Zero}), and for \_S5_ with OneOp.
    let plain = b"\x10\x08_S5_\x08_S5_\x12\x07\x04\x0a\x05\x00\x00\x00";
    assert_eq!(soft_off(plain), Some(SleepType { pm1a: 5, pm1b: 0 }));
    let rooted = b"\x08\\_S5_\x12\x06\x04\x01\x0a\x07\x00\x00";
    assert_eq!(soft_off(rooted), Some(SleepType { pm1a: 1, pm1b: 7 }));
    assert_eq!(soft_off(b"\x14\x08_S5_\x00\xa4\x00"), None);
    assert_eq!(soft_off(b"\x08_S5_\x12"), None);
    assert_eq!(soft_off(b"\x08_S5_\x12\x05\x02\x0a\xff\x00"), None);
}

#[test]
fn latency_matrices_are_read_in_picoseconds() {
    let matrix = |declared: u32| {
        let mut structure = vec![1, 0, 0, 0];
        structure.extend(declared.to_le_bytes());
        structure.extend([0, 0, 0, 0]);
        structure.extend([1u32, 2, 0].iter().flat_map(|word| word.to_le_bytes()));
        structure.extend(100u64.to_le_bytes());
        structure.extend([7u32, 7, 9].iter().flat_map(|word| word.to_le_bytes()));
        structure.extend([800u16, 0xffff].iter().flat_map(|word| word.to_le_bytes()));
        structure
    };
    let mut body = vec![0; 4];
    body.extend(matrix(48));
    let mut bytes = list(b"HMAT", &body);
    bytes[8] = 2;
    fix_sum(&mut bytes, 9);
    let hmat = Hmat::parse(Table::check(&bytes).unwrap()).unwrap();
    let matrices: Vec<_> = hmat.matrices().map(Result::unwrap).collect();
    assert_eq!(matrices.len(), 1);
    assert_eq!(matrices[0].kind, MatrixKind::AccessLatency);
    assert_eq!(matrices[0].value(7, 7), Some(80_000));
    assert_eq!(matrices[0].value(7, 9), None);
    assert_eq!(matrices[0].value(9, 7), None);
}
