//! The heart of Umbra: from counters to a quarantine that holds before the
//! first-class workload is released.
//!
//! One module a stage, data runs to the right, knowledge to the left:
//!
//! ```text
//! sample -> demand -> shadow -> predict -> quarantine -> adapt
//! ```
//!
//! [`policy`] says which of them a run uses, [`line`] calls them in order once
//! a tick. Everything here is arithmetic on values in a fixed amount of
//! memory: no heap, no floats, no clock. The only way out is [`machine`].
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod fixed;
pub mod machine;

pub mod sample;

pub mod demand;

pub mod shadow;

pub mod predict;

pub mod quarantine;

pub mod adapt;

pub mod policy;

pub mod line;
