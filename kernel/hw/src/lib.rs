//! What the machine's registers and tables mean: decoding and encoding only.
//!
//! Nothing here reads or writes hardware. CPUID leaves come through
//! [`cpuid::Leaf`], memory through [`acpi::Physical`]; the privileged layer
//! implements both, a dump of a real machine does so on the host.
//! Whatever a table holds, decoding it neither panics nor runs on: every
//! length is checked against what is really there, every loop has a bound.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod acpi;
pub mod bandwidth;
pub mod bus;
pub mod cpuid;
pub mod msr;
pub mod notation;
pub mod pmu;
pub mod rdt;

#[cfg(test)]
mod fixtures;
