//! The machine that Umbra is tried on: caches, memory and the registers that
//! count and divide them, as plain values. Nothing here knows the emulator
//! that feeds it; time is an argument.
//!
//! - [`description`]: named machines, read from `qemu/machines.toml`.
//! - [`hierarchy`]: what an access costs: two private levels, a shared sliced
//!   one with way masks, miss buffers, throttle, memory.
//! - [`registers`]: what CPUID, RDMSR, WRMSR and RDPMC say about all that.
//! - [`Samples`]: figures over a run, in bounded memory.
//!
//! Left out, so that nobody looks for it: instruction fetch (so that masks for
//! code are kept and read back, but divide nothing), page walks and
//! coherence between private caches (a line written by one core stays valid in
//! the others; contents are the emulator's business, only the cost of
//! transferring a line is missing).
#![forbid(unsafe_code)]

pub mod description;
pub mod hierarchy;
mod memory;
mod narrow;
mod private;
pub mod registers;
mod samples;
mod shared;

pub use description::{Description, Vendor};
pub use hierarchy::{Counts, Hierarchy};
pub use registers::Registers;
pub use samples::Samples;

/// Bytes of a cache line on every machine here.
pub const LINE_BYTES: u64 = 64;
