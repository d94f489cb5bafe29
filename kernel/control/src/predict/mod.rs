//! Fourth stage: how badly a second-class task would disturb the first-class
//! workload.
//!
//! The **concept** model: `0.6 * overlap + 0.3 * pattern + 0.1 * load` against
//! a threshold, every term between 0 and 1 in Q16.16. Its parts:
//!
//! - *overlap* of resources. Of each resource both want, the smaller of their
//!   two shares is contested. Contests are independent chances of meeting, so
//!   they combine as `1 - product(1 - contested)`: one saturated resource is
//!   enough, and several half-used ones add up without ever passing 1. A sum
//!   was refused because it leaves the range, a mean because resources that
//!   nobody uses would hide the one that everybody does.
//! - cores are contested only when the task's core is the first-class core,
//!   and less so the lower its priority is: a task `d` levels below counts for
//!   `(8 - d) / 8`.
//! - *pattern* similarity: 1 less the mean difference of the sequential shares
//!   and of the store shares. It is 0 when either side's pattern is not known
//!   (nothing was moved): nothing to be similar.
//! - *load*: the mean busy share of all cores.
//!
//! Scoring a pair takes no division and no branch that depends on data.

mod explain;
mod table;

pub use explain::Explanation;
pub use table::{PAIRS_PER_TICK, Predictions};

use crate::demand::Compact;
use crate::fixed::{ONE, low_u32, mul};

/// Weight of resource overlap: 0.6.
pub const OVERLAP_WEIGHT: u32 = 39_322;
/// Weight of pattern similarity: 0.3.
pub const PATTERN_WEIGHT: u32 = 19_661;
/// Weight of system load: 0.1. The three add up to exactly 1.
pub const LOAD_WEIGHT: u32 = 6_553;

/// The threshold until configured otherwise: one half.
pub const DEFAULT_THRESHOLD: u32 = ONE / 2;

/// How important a workload is among those that would run, 0 to 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(pub u8);

impl Priority {
    /// A first-class workload.
    pub const FIRST_CLASS: Self = Self(4);
    /// A second-class task unless said otherwise.
    pub const SECOND_CLASS: Self = Self(3);
}

/// How the two of a pair stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Whether the task's core is the first-class core.
    pub same_core: bool,
    /// Priority of the first-class workload.
    pub first: Priority,
    /// Priority of the second-class task.
    pub second: Priority,
}

impl Relation {
    /// First- and second-class priorities as usual.
    #[must_use]
    pub const fn usual(same_core: bool) -> Self {
        Self { same_core, first: Priority::FIRST_CLASS, second: Priority::SECOND_CLASS }
    }

    /// How much of a contested core is really contested, Q16.16.
    #[must_use]
    pub const fn core_weight(&self) -> u32 {
        let below = self.first.0.saturating_sub(self.second.0);
        let eighths = 8 - if below > 7 { 7 } else { below } as u32;
        if self.same_core { ONE / 8 * eighths } else { 0 }
    }
}

/// The state of the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// Mean busy share of all cores, Q16.16 between 0 and 1.
    pub load: u32,
}

/// A score and all that it is made of, each Q16.16 between 0 and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Contested share of the core.
    pub cores: u32,
    /// Contested share of the last-level cache.
    pub cache: u32,
    /// Contested share of the memory bandwidth, loads.
    pub read: u32,
    /// Contested share of the memory bandwidth, stores.
    pub write: u32,
    /// Contested share of the disk.
    pub disk: u32,
    /// Contested share of the network.
    pub network: u32,
    /// All of them together.
    pub overlap: u32,
    /// Similarity of the access patterns.
    pub pattern: u32,
    /// System load.
    pub load: u32,
    /// The weighted sum.
    pub total: u32,
}

/// Scores a pair. No division, no branch on data; under 150 instructions on x86-64
/// (`cargo xtask bench` counts them).
#[must_use]
pub fn score(first: &Compact, second: &Compact, relation: Relation, system: &System) -> Score {
    Score {
        cores: mul(min(first.cores, second.cores), relation.core_weight()),
        cache: min(first.cache, second.cache),
        read: min(first.read, second.read),
        write: min(first.write, second.write),
        disk: min(first.disk, second.disk),
        network: min(first.network, second.network),
        overlap: 0,
        pattern: similarity(first, second),
        load: min(system.load, ONE),
        total: 0,
    }
    .summed_up()
}

/// Whether a pair is predicted to interfere.
#[must_use]
pub fn predict_interference(
    first: &Compact,
    second: &Compact,
    relation: Relation,
    system: &System,
    threshold: u32,
) -> bool {
    score(first, second, relation, system).total > threshold
}

impl Score {
    /// The score of the same pair on different cores.
    #[must_use]
    pub fn without_core(&self) -> Self {
        Self { cores: 0, ..*self }.summed_up()
    }

    /// The score of the same pair where they do not meet in the cache.
    #[must_use]
    pub fn without_cache(&self) -> Self {
        Self { cache: 0, ..*self }.summed_up()
    }

    /// In 64 bits throughout: values are at most 1, so products need no check.
    fn summed_up(self) -> Self {
        let used = [self.cache, self.read, self.write, self.disk, self.network];
        let free = used.iter().fold(complement(self.cores), |free, used| (free * complement(*used)) >> 16);
        let overlap = u64::from(ONE) - free.min(u64::from(ONE));
        let sum = overlap * u64::from(OVERLAP_WEIGHT)
            + u64::from(self.pattern) * u64::from(PATTERN_WEIGHT)
            + u64::from(self.load) * u64::from(LOAD_WEIGHT);
        Self { overlap: low_u32(overlap), total: low_u32((sum + (1 << 15)) >> 16), ..self }
    }
}

/// `1 - value`; values are at most 1.
fn complement(value: u32) -> u64 {
    u64::from(ONE.saturating_sub(value))
}

fn min(a: u32, b: u32) -> u32 {
    a.min(b)
}

fn similarity(first: &Compact, second: &Compact) -> u32 {
    let apart = first.sequential.abs_diff(second.sequential) + first.writes.abs_diff(second.writes);
    let alike = ONE.saturating_sub(apart / 2);
    // What is not known is 0, all else 1: the smaller of the two.
    min(alike, min(first.patterned, second.patterned))
}

#[cfg(test)]
mod tests;
