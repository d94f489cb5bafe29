//! What a burst of the first-class workload asks for over its length, learnt
//! from every run.

use super::{Demand, Recording};
use crate::fixed::{Clock, ewma, ewma_u32};
use heapless::Vec;

/// Time bins a profile holds at most.
pub const MAX_BINS: usize = 64;

/// Smoothing of a profile: an eighth of the way each run.
const SMOOTHING_SHIFT: u32 = 3;

/// The profile of a workload. Serialised by `Display`, read by `parse`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Counts every change; 0 means that nothing is known.
    pub version: u32,
    /// Runs behind it since it was last begun anew.
    pub runs: u32,
    /// Requests in a burst.
    pub requests: u32,
    /// Length of a burst in nanoseconds.
    pub duration_ns: u64,
    /// Nanoseconds a bin covers.
    pub bin_ns: u64,
    /// Demand over the whole burst.
    pub mean: Demand,
    /// Demand in each bin.
    pub bins: Vec<Demand, MAX_BINS>,
}

impl Profile {
    /// Nothing known.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            version: 0,
            runs: 0,
            requests: 0,
            duration_ns: 0,
            bin_ns: 0,
            mean: Demand::NONE,
            bins: Vec::new(),
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.version == 0
    }

    /// TSC cycles a whole burst spends being served.
    #[must_use]
    pub fn cycles_per_burst(&self) -> u64 {
        per_burst(self.mean.cycles_per_s, self.duration_ns)
    }

    /// Halves the resolution. At most 32 pairs of bins.
    fn coarsen(&mut self) {
        let bins = self.bins.len();
        for merged in 0..bins.div_ceil(2) {
            let Some(mut mean) = self.bins.get(2 * merged).copied() else { break };
            let second = self.bins.get(2 * merged + 1).copied().unwrap_or_else(|| mean.idle());
            mean.follow(&second, 1);
            if let Some(bin) = self.bins.get_mut(merged) {
                *bin = mean;
            }
        }
        self.bins.truncate(bins.div_ceil(2));
        self.bin_ns = self.bin_ns.saturating_mul(2);
    }

    fn follow_bin(&mut self, index: usize, demand: &Demand) {
        match self.bins.get_mut(index) {
            Some(bin) => bin.follow(demand, SMOOTHING_SHIFT),
            // A bin never reached before starts with what was seen there.
            None => drop(self.bins.push(*demand)),
        }
    }
}

/// What a rate per second makes over a burst.
pub(crate) fn per_burst(per_second: u64, duration_ns: u64) -> u64 {
    let total = u128::from(per_second) * u128::from(duration_ns) / u128::from(crate::fixed::NS_PER_S);
    crate::fixed::low_u64(total)
}

/// Taking a recording into a profile, some bins at a time.
#[derive(Debug)]
pub struct Update {
    next_bin: usize,
}

impl Update {
    /// Begins: brings both to the same bin length (merging bins of the finer
    /// one, at most once per doubling between them) and takes in the totals.
    /// With `anew` the profile forgets its earlier runs.
    #[must_use]
    pub fn begin(
        profile: &mut Profile,
        recording: &mut Recording,
        requests: u32,
        clock: Clock,
        anew: bool,
    ) -> Option<Self> {
        let mean = recording.mean(clock)?;
        if anew || profile.is_empty() || !profile.bin_ns.is_power_of_two() {
            *profile = Profile {
                version: profile.version,
                requests,
                duration_ns: recording.duration_ns(),
                bin_ns: recording.bin_ns(),
                mean,
                ..Profile::new()
            };
        } else {
            while profile.bin_ns < recording.bin_ns() {
                profile.coarsen();
            }
            while recording.bin_ns() < profile.bin_ns {
                recording.coarsen();
            }
            profile.requests = ewma_u32(profile.requests, requests, SMOOTHING_SHIFT);
            profile.duration_ns = ewma(profile.duration_ns, recording.duration_ns(), SMOOTHING_SHIFT);
            profile.mean.follow(&mean, SMOOTHING_SHIFT);
        }
        Some(Self { next_bin: 0 })
    }

    /// Takes in the next `bins` bins; true when that was the last of them.
    pub fn step(&mut self, profile: &mut Profile, recording: &Recording, clock: Clock, bins: usize) -> bool {
        for _ in 0..bins {
            let bin = self.next_bin;
            let seen = recording.demand(bin, clock);
            let Some(demand) = seen.or_else(|| profile.bins.get(bin).map(Demand::idle)) else {
                Self::finish(profile);
                return true;
            };
            profile.follow_bin(bin, &demand);
            self.next_bin += 1;
        }
        false
    }

    /// Drops bins that have faded away, and counts the run.
    fn finish(profile: &mut Profile) {
        while profile.bins.last().is_some_and(|bin| bin.cycles_per_s == 0) {
            profile.bins.pop();
        }
        profile.runs = profile.runs.saturating_add(1);
        profile.version = profile.version.saturating_add(1);
    }
}
