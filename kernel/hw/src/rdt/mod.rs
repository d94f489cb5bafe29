//! Sharing out caches and memory bandwidth: Intel RDT and AMD QoS.
//!
//! Detection ([`Rdt::read`]) and meaning are apart from doing: [`Session`]
//! checks a request against what the processor announced, and only then writes,
//! through any [`crate::bus::Bus`], reads back, and remembers what was there so
//! that [`Session::undo`] restores it exactly. A capacity mask of zero is never
//! written although AMD allows it: the class could cache nothing at all.
//! Model-specific allocation of Haswell servers, which CPUID does not announce,
//! is not probed for; its rule of two bits is kept in [`MaskRules`]. Sources:
//! Intel SDM volume 3B, sections 18.18 and 18.19 (17.18 and 17.19 in older
//! editions); AMD APM volume 2, chapter 19; Linux `arch/x86/kernel/cpu/resctrl`.

mod bandwidth;
mod capabilities;
mod confine;
mod encoding;
mod mask;
mod monitor;
mod refusal;
mod registers;
mod session;

#[cfg(test)]
mod tests;

pub use bandwidth::{AbsoluteLimit, Mba, Rounding};
pub use capabilities::{Allocation, Monitoring, Rdt};
pub use confine::{Confinement, Limit};
pub use encoding::{Association, QmEvent, qm_event_select};
pub use mask::MaskRules;
pub use monitor::{QmReading, bytes, chunks_between, max_interval_ms};
pub use refusal::Refusal;
pub use registers::{Part, Resource, mask_register};
pub use session::{Associate, Session};
