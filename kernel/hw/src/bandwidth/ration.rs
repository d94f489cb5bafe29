/// Bytes that a miss of the last-level cache brings in.
const LINE_BYTES: u64 = 64;

/// Misses that each of `cores` cores may have in a period of `period_ns`
/// nanoseconds so that together they bring in at most `bytes_per_s`; at least 1.
#[must_use]
pub fn events_per_period(bytes_per_s: u64, period_ns: u64, cores: u32) -> u64 {
    let lines = u128::from(bytes_per_s) * u128::from(period_ns) / 1_000_000_000 / u128::from(LINE_BYTES);
    u64::try_from(lines / u128::from(cores.max(1))).unwrap_or(u64::MAX).max(1)
}

/// What to do when a core's counter has overflowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The period was over already: count so many more.
    Refill(u64),
    /// Keep second-class tasks off the core until this time.
    Park(u64),
}

/// One core's ration of events. Periods begin when they are needed: the first
/// event after the end of one begins the next, so that a core whose tasks stay
/// below their ration takes no interrupt for it. No stretch of one period has
/// more events than twice the ration, none of many periods more than the ration
/// times their number and one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ration {
    begun: u64,
    until: u64,
    left: u64,
}

impl Ration {
    /// No period has begun.
    #[must_use]
    pub const fn new() -> Self {
        Self { begun: 0, until: 0, left: 0 }
    }

    /// Counting begins or goes on at `now`: how many events until the counter
    /// is to overflow, at least 1. `ration` is what a period of `period` gives
    /// (same unit as `now`).
    pub fn resume(&mut self, now: u64, period: u64, ration: u64) -> u64 {
        // Also after a clock that went back.
        if now >= self.until || now < self.begun {
            self.begin(now, period, ration);
        }
        // Somebody who used it up between two tasks is told at once.
        self.left.clamp(1, ration.max(1))
    }

    /// Counting stops with `left` events to go.
    pub fn suspend(&mut self, left: u64) {
        self.left = left;
    }

    /// The counter overflowed at `now`.
    pub fn overflowed(&mut self, now: u64, period: u64, ration: u64) -> Overflow {
        if now >= self.until || now < self.begun {
            self.begin(now, period, ration);
            return Overflow::Refill(self.left);
        }
        self.left = 0;
        Overflow::Park(self.until)
    }

    fn begin(&mut self, now: u64, period: u64, ration: u64) {
        self.begun = now;
        self.until = now.saturating_add(period);
        self.left = ration.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_target_is_lines_a_core_and_period() {
        // 4 GB/s are 62 500 lines of 64 bytes a millisecond.
        assert_eq!(events_per_period(4_000_000_000, 1_000_000, 1), 62_500);
        assert_eq!(events_per_period(4_000_000_000, 1_000_000, 3), 20_833);
        assert_eq!(events_per_period(4_000_000_000, 1_000_000, 0), 62_500);
        assert_eq!(events_per_period(0, 1_000_000, 1), 1);
        assert_eq!(events_per_period(u64::MAX, u64::MAX, 1), u64::MAX);
    }

    #[test]
    fn who_uses_it_up_waits_for_the_end_of_the_period() {
        let mut ration = Ration::new();
        assert_eq!(ration.resume(5_000, 1_000, 300), 300);
        assert_eq!(ration.overflowed(5_400, 1_000, 300), Overflow::Park(6_000));
        assert_eq!(ration.resume(6_000, 1_000, 300), 300);
        ration.suspend(120);
        assert_eq!(ration.resume(6_500, 1_000, 300), 120, "another task goes on with what is left");
        assert_eq!(
            ration.overflowed(7_200, 1_000, 300),
            Overflow::Refill(300),
            "that took longer than a period"
        );
        ration.suspend(0);
        assert_eq!(ration.resume(7_300, 1_000, 300), 1);
        assert_eq!(ration.resume(7_300, 1_000, 0), 1);
    }

    proptest! {
        /// A task that makes a miss every `gap` whenever it may run.
        #[test]
        fn no_long_stretch_has_more_than_its_rations(
            gap in 1u64..200, period in 1_000u64..5_000, budget in 1u64..400,
            switches in prop::collection::vec(0u64..3_000, 0..60),
        ) {
            let mut ration = Ration::new();
            let (mut now, mut events) = (0u64, 0u64);
            let mut counter = ration.resume(now, period, budget);
            let mut switches = switches.into_iter();
            let end = period * 40;
            let mut next_switch = switches.next().unwrap_or(end);
            while now < end {
                now += gap;
                events += 1;
                counter -= 1;
                if counter == 0 {
                    match ration.overflowed(now, period, budget) {
                        Overflow::Refill(more) => counter = more,
                        Overflow::Park(until) => {
                            prop_assert!(until > now && until <= now + period);
                            now = until;
                            counter = ration.resume(now, period, budget);
                        }
                    }
                } else if now > next_switch {
                    ration.suspend(counter);
                    counter = ration.resume(now, period, budget);
                    next_switch = now + switches.next().unwrap_or(end);
                }
            }
            prop_assert!(events <= budget * (now / period + 1), "{events} of {budget} in {now} / {period}");
        }
    }
}
