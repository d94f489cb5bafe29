//! ACPI tables, decoded without trusting them.
//!
//! The `acpi` crate was refused for this: an interrupt-controller entry of
//! length zero makes its iterator run for ever. Every decoder here works on a
//! [`Table`] whose length and checksum were checked, reads fields that may be
//! absent as absent, and reports what it skipped through a closure, so that
//! the boot log and the inspection tool say the same. Field layouts: ACPI
//! Specification 6.5, chapter 5 (section 9.18.2 for the HPET's, which is in
//! the IA-PC HPET Specification 1.0a, section 3.2.4).

mod fadt;
mod field;
mod hmat;
mod hpet;
mod madt;
mod mcfg;
mod problem;
mod root;
mod sleep;
mod slit;
mod srat;
mod table;

#[cfg(test)]
mod tests;

pub use fadt::{Fadt, Register, Reset, Space};
pub use hmat::{Hmat, LocalityMatrix, MatrixKind, MemoryCost};
pub use hpet::Hpet;
pub use madt::{Entry, Madt, Override, Processor};
pub use mcfg::{Mcfg, Segment};
pub use problem::Problem;
pub use root::{Physical, Root, Tables};
pub use sleep::{SleepType, soft_off};
pub use slit::Slit;
pub use srat::{MemoryAffinity, ProcessorAffinity, Srat};
pub use table::{Signature, Table};
