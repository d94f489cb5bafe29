//! Time spent on something, readable from anywhere while it runs on.
//!
//! One word holds everything, so that no reader can see one half of a change:
//! the sum so far while stopped; while running, the moment from which a run
//! without any pause would have come to the same sum. A pair of words (sum,
//! begin of the current stretch) was refused: a writer that is interrupted
//! between its two stores makes readers come out a whole stretch short.

use core::sync::atomic::{AtomicU64, Ordering};

/// Set while it runs; times and sums have 63 bits (146 years at 2 GHz).
const RUNNING: u64 = 1 << 63;

/// A stopwatch with one writer at a time and any number of readers. Units are
/// the caller's (TSC cycles in the kernel).
#[derive(Debug, Default)]
pub struct Stopwatch(AtomicU64);

impl Stopwatch {
    /// Stopped at nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Goes on from `now`; nothing changes if it runs already.
    pub fn start(&self, now: u64) {
        let value = self.0.load(Ordering::Relaxed);
        if value & RUNNING == 0 {
            self.0.store(now.wrapping_sub(value) | RUNNING, Ordering::Release);
        }
    }

    /// Stops at `now`; nothing changes if it is stopped already.
    pub fn stop(&self, now: u64) {
        let value = self.0.load(Ordering::Relaxed);
        if value & RUNNING != 0 {
            self.0.store(sum(value, now), Ordering::Release);
        }
    }

    /// Stopped at nothing again.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// The sum at `now`. A reader on another core, whose clock may be a little
    /// behind the writer's, never sees less than nothing.
    pub fn read(&self, now: u64) -> u64 {
        let value = self.0.load(Ordering::Acquire);
        if value & RUNNING == 0 { value } else { sum(value, now) }
    }
}

/// The sum that a running value has come to; a moment before its begin is no
/// time at all, not the wrap-around of it.
const fn sum(value: u64, now: u64) -> u64 {
    let ran = now.wrapping_sub(value) & !RUNNING;
    if ran >> 62 == 0 { ran } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_running_time_counts() {
        let watch = Stopwatch::new();
        assert_eq!(watch.read(500), 0);
        watch.start(1_000);
        assert_eq!((watch.read(1_000), watch.read(1_250)), (0, 250));
        watch.stop(1_300);
        assert_eq!(watch.read(9_999), 300);
        watch.start(10_000);
        watch.start(10_500);
        assert_eq!(watch.read(10_100), 400, "a second start changes nothing");
        watch.stop(10_100);
        watch.stop(20_000);
        assert_eq!(watch.read(30_000), 400, "nor does a second stop");
        watch.reset();
        assert_eq!(watch.read(30_000), 0);
    }

    #[test]
    fn a_reader_whose_clock_is_behind_sees_no_huge_sum() {
        let watch = Stopwatch::new();
        watch.start(1_000);
        assert_eq!(watch.read(990), 0);
        watch.stop(1_100);
        watch.start(2_000);
        assert_eq!(watch.read(1_990), 90, "ten cycles too few, for a moment");
    }

    #[test]
    fn it_may_be_started_before_it_has_run_so_long() {
        // The sum exceeds the clock after a clock was set back.
        let watch = Stopwatch::new();
        watch.start(0);
        watch.stop(5_000);
        watch.start(10);
        assert_eq!(watch.read(110), 5_100);
    }

    proptest! {
        #[test]
        fn the_sum_is_that_of_all_stretches(
            stretches in proptest::collection::vec((0u64..1 << 40, 0u64..1 << 40), 1..40),
            begin in 0u64..1 << 50,
        ) {
            let watch = Stopwatch::new();
            let (mut now, mut expected) = (begin, 0);
            for (pause, ran) in stretches {
                now += pause;
                watch.start(now);
                prop_assert_eq!(watch.read(now), expected);
                now += ran;
                expected += ran;
                prop_assert_eq!(watch.read(now), expected);
                watch.stop(now);
                prop_assert_eq!(watch.read(now + 7), expected);
            }
        }
    }
}
