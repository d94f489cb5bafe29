//! The two notations people already use for sharing out caches and bandwidth,
//! and the one for page colours: read and printed.
//!
//! [`pqos`] is what `pqos -e` takes (`llc:1=0xf;mba:1=30`): settings name their
//! class. [`resctrl`] is a line of a schemata file (`L3:0=f;1=f`): settings name
//! their cache, and the class is that of the group the file is in. Both give the
//! same [`Setting`]s. Numbers are only read here; whether the processor can do
//! what they ask is for [`crate::rdt`] to say. All lists have a bound.

mod colours;
mod error;
mod pqos;
mod resctrl;
mod text;

#[cfg(test)]
mod tests;

pub use colours::{ColourList, parse_colours};
pub use error::NotationError;
pub use pqos::{Pqos, parse_pqos};
pub use resctrl::{Schemata, parse_schemata};

use crate::rdt::Part;
use heapless::Vec;

/// Settings in one line at most.
pub const MAX_SETTINGS: usize = 32;

/// The settings of one line.
pub type Settings = Vec<Setting, MAX_SETTINGS>;

/// What is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A capacity mask of the level 3 cache.
    L3(Part),
    /// A capacity mask of the level 2 cache.
    L2(Part),
    /// Memory bandwidth: percent on Intel, units of 1/8 GB/s on AMD.
    Bandwidth,
    /// Slow-memory bandwidth.
    SlowBandwidth,
    /// Memory bandwidth in 10⁶ bytes per second, written with `MBps` after the
    /// number.
    BandwidthMbps,
}

/// Caches, packages or dies that a setting is for, one bit each from 0 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domains(pub u64);

impl Domains {
    /// All of them.
    pub const ALL: Self = Self(u64::MAX);
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What is set.
    pub what: What,
    /// Where.
    pub domains: Domains,
    /// For which class; none in a schemata line.
    pub class: Option<u32>,
    /// The mask, or the bandwidth.
    pub value: u64,
}
