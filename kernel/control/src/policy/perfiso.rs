//! `perfiso`: a buffer of idle cores, after *PerfIso: Performance Isolation for
//! Commercial Latency-Sensitive Services* (Iorgulescu et al., USENIX ATC 2018,
//! section 4, "CPU blind isolation").
//!
//! The secondary may use all cores but a buffer that stays idle, so that the
//! primary finds an idle core whenever it wakes. The idle cores are polled all
//! the time: fewer than the buffer, and the secondary loses a core at once;
//! more, and it gets one back. What the primary does or needs is not looked at.
//!
//! Differences: the paper's primary runs on whatever core is idle, the
//! first-class task here is bound to its core, so that core is the first the
//! buffer takes and the last it gives back. A core counts as idle when it ran
//! tasks for less than an eighth of a tick, where the paper reads a mask of the
//! moment; it gives back only after some polls in a row with idle cores to
//! spare, since a first-class core is idle between any two requests.

use super::{Hooks, Sight};
use crate::machine::{CoreId, CoreSet};
use crate::quarantine::Holding;

/// Idle cores kept, of [`BUFFER_OF_CORES`]: the paper keeps 8 of 48.
const BUFFER_CORES: u32 = 8;
/// See [`BUFFER_CORES`].
const BUFFER_OF_CORES: u32 = 48;
/// Polls in a row with more idle cores than the buffer before one is given back.
const POLLS_TO_GIVE_BACK: u32 = 4;

/// Keeps some cores idle.
#[derive(Debug, Default)]
pub(super) struct PerfIso {
    /// Cores the secondary may not use.
    kept: CoreSet,
    to_spare_polls: u32,
}

impl PerfIso {
    pub(super) const fn new() -> Self {
        Self { kept: CoreSet(0), to_spare_polls: 0 }
    }
}

/// Idle cores to keep of `cores`, at least one.
fn buffer(cores: u32) -> u32 {
    (cores.saturating_mul(BUFFER_CORES) / BUFFER_OF_CORES).max(1)
}

impl Hooks for PerfIso {
    fn steers(&self) -> bool {
        true
    }

    fn steer(&mut self, sight: &Sight<'_>) -> Holding {
        let all = sight.second_class_cores;
        let first = CoreSet(sight.first_class_cores.0 & all.0);
        // A machine of one core has nothing to keep idle.
        if all.without(first).count() == 0 {
            return Holding::NOTHING;
        }
        self.kept = CoreSet(self.kept.0 & all.0).with(first);
        if let Some(idle) = sight.idle.filter(|_| sight.steady_ticks > 0) {
            self.poll(CoreSet(idle.0 & all.0).count(), buffer(sight.cores), all, first);
        }
        Holding { clear: self.kept, ..Holding::NOTHING }
    }
}

impl PerfIso {
    fn poll(&mut self, idle: u32, buffer: u32, all: CoreSet, first: CoreSet) {
        self.to_spare_polls = if idle > buffer { self.to_spare_polls.saturating_add(1) } else { 0 };
        if idle < buffer {
            self.take_core(all);
        } else if self.to_spare_polls >= POLLS_TO_GIVE_BACK {
            self.to_spare_polls = 0;
            self.give_core_back(first);
        }
    }

    /// The highest core, unless it is the last.
    fn take_core(&mut self, all: CoreSet) {
        let left = all.without(self.kept);
        if left.count() > 1 {
            self.kept = self.kept.with(highest(left));
        }
    }

    fn give_core_back(&mut self, first: CoreSet) {
        let taken = self.kept.without(first);
        let lowest = CoreSet(taken.0 & taken.0.wrapping_neg());
        self.kept = self.kept.without(lowest);
    }
}

fn highest(set: CoreSet) -> CoreSet {
    let bit = 63u32.checked_sub(set.0.leading_zeros()).and_then(|bit| u8::try_from(bit).ok());
    bit.map_or(CoreSet(0), |bit| CoreSet::only(CoreId(bit)))
}
