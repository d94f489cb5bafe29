//! `reactive`: detect, then throttle, every tick, after *Caladan: Mitigating
//! Interference at Microsecond Timescales* (Fried et al., OSDI 2020, section
//! 4.3, the memory bandwidth controller; constants from its authors'
//! `iokernel/ias.h` and `ias_bw.c`).
//!
//! Total memory bandwidth is polled. Above the upper limit, the next poll looks
//! up who misses the cache most and takes a core from it; below the lower limit,
//! one core is given back a poll. A latency-critical task takes its cores back
//! at once when it wakes: the first-class core is clear while a burst runs.
//!
//! Differences: the poll is our tick (see [`PAPER_NS`]), a hundred times the
//! paper's; a second-class task is one thread, so "a core of the worst" is the
//! task itself, paused; bandwidth is what the tasks' counters say, not the
//! memory controller's, so write-backs are not in it where misses are counted.

use super::stack::Stack;
use super::{Hooks, Sight};
use crate::machine::CoreSet;
use crate::quarantine::Holding;
use crate::sample::Watched;

/// The paper polls every 10 microseconds; we have the tick.
pub(super) const PAPER_NS: u64 = 10_000;
/// Traffic above this share of the bandwidth is too much, in thousandths. The
/// authors' limit is a figure of their machine; ours is of the machine's own
/// bandwidth as measured at boot.
const UPPER_PERMILLE: u32 = 800;
/// Below this something is given back: 8/9 of the upper limit, as theirs.
const LOWER_PERMILLE: u32 = 711;
/// Takes from the worst while there is too much traffic.
#[derive(Debug, Default)]
pub(super) struct Reactive {
    /// The poll before was above the limit.
    triggered: bool,
    paused: Stack,
}

impl Reactive {
    pub(super) const fn new() -> Self {
        Self { triggered: false, paused: Stack::new() }
    }

    fn poll(&mut self, traffic_permille: u32, tasks: &[Watched]) {
        let above = traffic_permille >= UPPER_PERMILLE;
        if self.triggered {
            // Nobody to take from: stay alert, as the authors' code does.
            self.triggered = above && !self.paused.push_worst(tasks);
        } else if above {
            self.triggered = true;
        } else if traffic_permille < LOWER_PERMILLE {
            self.paused.pop();
        }
    }
}

impl Hooks for Reactive {
    fn steers(&self) -> bool {
        true
    }

    fn steer(&mut self, sight: &Sight<'_>) -> Holding {
        self.paused.keep_present(sight.tasks);
        // Unknown traffic is no reason to act, nor is that from before the last
        // action took effect.
        if let Some(traffic_permille) = sight.traffic_permille.filter(|_| sight.steady_ticks > 0) {
            self.poll(traffic_permille, sight.tasks);
        }
        let clear = if sight.burst.is_some() { sight.first_class_cores } else { CoreSet(0) };
        Holding { clear, paused: self.paused.set(), ..Holding::NOTHING }
    }
}
