//! Real tables against an independent decode, broken ones, and noise.
mod broken;
mod hmat;
mod listing;
mod noise;
mod real;
mod small;

use crate::fixtures;
use std::vec::Vec;

fn corrupt(name: &str) -> Vec<u8> {
    fixtures::bytes(&std::format!("acpi_corrupt/{name}.bin"))
}

fn fix_sum(bytes: &mut [u8], at: usize) {
    bytes[at] = 0;
    bytes[at] = 0u8.wrapping_sub(bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte)));
}

fn list(signature: &[u8; 4], entries: &[u8]) -> Vec<u8> {
    let mut bytes = signature.to_vec();
    bytes.extend(u32::try_from(36 + entries.len()).unwrap().to_le_bytes());
    bytes.extend([1, 0]);
    bytes.extend([b' '; 26]);
    bytes.extend(entries);
    fix_sum(&mut bytes, 9);
    bytes
}
