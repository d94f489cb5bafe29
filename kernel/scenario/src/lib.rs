//! Umbra's main job: the first-class workload alone, beside each second-class
//! one, and beside all of them under each policy, in one run that ends in one
//! table.
//!
//! ```text
//! plan -> job (over a Rig) -> results -> figures -> report
//! ```
//!
//! [`plan`] says what to do, [`job`] does it in short steps, [`results`] holds
//! what was measured, [`figures`] what follows from it, [`report`] prints both.
//! [`arrivals`] and [`histogram`] are for whoever serves the bursts. The kernel
//! implements [`rig::Rig`] and does all that touches the machine.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod arrivals;
pub mod figures;
pub mod histogram;
pub mod job;
pub mod plan;
pub mod report;
pub mod results;
pub mod rig;

#[cfg(test)]
mod fake;

pub use arrivals::Arrivals;
pub use histogram::Histogram;
pub use job::{Job, Step};
pub use plan::{Plan, PlanError};
pub use results::Results;
pub use rig::Rig;
