//! Recording a burst: its deltas in up to 64 time bins.
//!
//! How long a burst lasts is not known before, so the bins start short and are
//! merged in pairs each time the burst outgrows them. Merging costs 32
//! additions of deltas and happens at most once per doubling of the length.

use super::{Demand, MAX_BINS};
use crate::fixed::Clock;
use crate::sample::Deltas;
use heapless::Vec;

/// The bin length a recording starts with, in nanoseconds (about 2 ms; a
/// power of two so that finding a bin is a shift).
pub const BASE_BIN_NS: u64 = 1 << 21;

/// A burst being recorded, or one that was.
#[derive(Debug)]
pub struct Recording {
    bins: Vec<Deltas, MAX_BINS>,
    bin_shift: u32,
    started_ns: u64,
    ended_ns: u64,
    total: Deltas,
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

impl Recording {
    /// An empty recording.
    #[must_use]
    pub const fn new() -> Self {
        let total = Deltas {
            cycles: 0,
            units: 0,
            instructions: crate::machine::Count::Counted(0),
            llc_misses: crate::machine::Count::Counted(0),
            read_bytes: 0,
            written_bytes: 0,
            sequential_bytes: 0,
            random_accesses: 0,
            working_set_bytes: 0,
        };
        Self { bins: Vec::new(), bin_shift: BASE_BIN_NS.trailing_zeros(), started_ns: 0, ended_ns: 0, total }
    }

    /// Starts over for a burst released at `now_ns`.
    pub fn start(&mut self, now_ns: u64) {
        self.bins.clear();
        let fresh = Self::new();
        (self.bin_shift, self.total) = (fresh.bin_shift, fresh.total);
        (self.started_ns, self.ended_ns) = (now_ns, now_ns);
    }

    /// Adds what happened up to `now_ns`. Time beyond 2^31 base bins is put
    /// into the last one.
    pub fn add(&mut self, now_ns: u64, deltas: &Deltas) {
        self.ended_ns = self.ended_ns.max(now_ns);
        self.total.add(deltas);
        let elapsed_ns = now_ns.saturating_sub(self.started_ns);
        // At most 31 times over a whole recording.
        while self.bin_shift < 52 && elapsed_ns >> self.bin_shift >= 64 {
            self.coarsen();
        }
        let bin = usize::try_from(elapsed_ns >> self.bin_shift).unwrap_or(usize::MAX).min(MAX_BINS - 1);
        while self.bins.len() <= bin && self.bins.push(self.empty_bin()).is_ok() {}
        if let Some(bin) = self.bins.get_mut(bin) {
            bin.add(deltas);
        }
    }

    /// Merges neighbouring bins.
    pub fn coarsen(&mut self) {
        let bins = self.bins.len();
        for merged in 0..bins.div_ceil(2) {
            let Some(mut sum) = self.bins.get(2 * merged).copied() else { break };
            if let Some(second) = self.bins.get(2 * merged + 1) {
                sum.add(second);
            }
            if let Some(bin) = self.bins.get_mut(merged) {
                *bin = sum;
            }
        }
        self.bins.truncate(bins.div_ceil(2));
        self.bin_shift += 1;
    }

    /// An interval in which nothing happened yet; the working set is carried
    /// over from before.
    fn empty_bin(&self) -> Deltas {
        let working_set_bytes = self.total.working_set_bytes;
        Deltas { working_set_bytes, ..Self::new().total }
    }

    /// Bins so far.
    #[must_use]
    pub fn bins(&self) -> usize {
        self.bins.len()
    }

    /// Nanoseconds a bin covers.
    #[must_use]
    pub const fn bin_ns(&self) -> u64 {
        1 << self.bin_shift
    }

    /// Nanoseconds from the release to the last entry.
    #[must_use]
    pub const fn duration_ns(&self) -> u64 {
        self.ended_ns - self.started_ns
    }

    /// Everything in the recording.
    #[must_use]
    pub const fn total(&self) -> &Deltas {
        &self.total
    }

    /// The demand in a bin, over the bin's whole length: the last one is
    /// rarely reached to its end, and so the bins add up to the total.
    #[must_use]
    pub fn demand(&self, bin: usize, clock: Clock) -> Option<Demand> {
        Demand::of(self.bins.get(bin)?, clock.cycles(self.bin_ns()), clock)
    }

    /// The demand over the whole recording; none before anything is recorded.
    #[must_use]
    pub fn mean(&self, clock: Clock) -> Option<Demand> {
        Demand::of(&self.total, clock.cycles(self.duration_ns()), clock)
    }
}
