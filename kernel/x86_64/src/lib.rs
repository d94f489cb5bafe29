//! The thin privileged layer: instructions, descriptor tables, page-table
//! edits, the local APIC, clocks and core start-up. What registers *mean* is
//! in `umbra-hw`, what to do with them in `umbra-control`; here they are only
//! read and written.
//!
//! Everything here assumes ring 0 on one core at a time unless a function says
//! otherwise; per-core state is reached through `GS` ([`cpu::set_core_pointer`]).
#![no_std]

pub mod apic;
pub mod clock;
pub mod context;
pub mod cpu;
pub mod descriptors;
pub mod interrupts;
pub mod paging;
pub mod ports;
pub mod smp;
