use super::MAX_EVENTS;

/// Groups of events that take turns on the same counters, as perf rotates them.
///
/// It decides when whose turn is; the caller tells the cores, and says when all
/// of them count. A turn is as long as was asked for, or shorter where the whole
/// time would not give every group one. What is lost between turns counts as
/// time in which nothing was counted: [`super::scale`] makes up for it. A single
/// group has one turn, so that nothing is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    groups: u8,
    group: u8,
    turn_ns: u64,
    duration_ns: u64,
    /// When the first turn and this one began to count.
    begun_ns: Option<u64>,
    turn_begun_ns: Option<u64>,
    /// Turns that are over, at most the groups: whether each had one.
    turns: u8,
}

/// What is to be done about the counters now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    Stay,
    /// This group counts next.
    Next(u8),
    /// The time is over.
    Stop,
}

impl Rotation {
    /// A rotation of `groups` groups (at least 1, at most [`MAX_EVENTS`]) for
    /// `duration_ns`, each turn at most `turn_ns`; group 0 begins.
    #[must_use]
    pub fn new(groups: u8, duration_ns: u64, turn_ns: u64) -> Self {
        let most = u8::try_from(MAX_EVENTS).unwrap_or(u8::MAX);
        let groups = groups.clamp(1, most);
        let turn_ns = if groups == 1 { duration_ns } else { turn_ns.min(duration_ns / u64::from(groups)) };
        Self { groups, group: 0, turn_ns, duration_ns, begun_ns: None, turn_begun_ns: None, turns: 0 }
    }

    /// Whose turn it is.
    #[must_use]
    pub fn group(&self) -> u8 {
        self.group
    }

    /// Says what is to be done at `now_ns`, when every core counts the group
    /// whose turn it is. Stops when the time is over and every group had a turn.
    #[must_use]
    pub fn decide(&mut self, now_ns: u64) -> Turn {
        let begun_ns = *self.begun_ns.get_or_insert(now_ns);
        let turn_begun_ns = *self.turn_begun_ns.get_or_insert(now_ns);
        if now_ns.saturating_sub(turn_begun_ns) < self.turn_ns {
            return Turn::Stay;
        }
        self.turns = self.turns.saturating_add(1).min(self.groups);
        self.turn_begun_ns = None;
        let over = now_ns.saturating_sub(begun_ns) >= self.duration_ns;
        if self.groups == 1 || over && self.turns == self.groups {
            return Turn::Stop;
        }
        self.group = if self.group + 1 < self.groups { self.group + 1 } else { 0 };
        Turn::Next(self.group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pmu::{delta, scale};
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn one_group_counts_all_the_time() {
        let mut rotation = Rotation::new(1, 50 * MS, 10 * MS);
        assert_eq!(rotation.decide(5), Turn::Stay);
        assert_eq!(rotation.decide(5 + 50 * MS - 1), Turn::Stay);
        assert_eq!(rotation.decide(5 + 50 * MS), Turn::Stop);
    }

    #[test]
    fn groups_take_turns_of_equal_length() {
        let mut rotation = Rotation::new(3, 60 * MS, 10 * MS);
        let mut turns = std::vec![0];
        for now_ms in 0..100 {
            match rotation.decide(now_ms * MS) {
                Turn::Stay => {}
                Turn::Next(group) => turns.push(group),
                Turn::Stop => break,
            }
        }
        // Each turn is noticed to begin a look later: eleven looks a turn.
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn even_the_shortest_time_gives_every_group_a_turn() {
        let mut rotation = Rotation::new(4, 2, 10 * MS);
        let decisions: std::vec::Vec<Turn> = (0..4).map(|look| rotation.decide(look * 100)).collect();
        assert_eq!(decisions, [Turn::Next(1), Turn::Next(2), Turn::Next(3), Turn::Stop]);
    }

    proptest! {
        /// Counters of any width that wrap as they like, read at least once
        /// within their range: what is estimated for an even rate is right.
        #[test]
        fn the_scaled_counts_of_an_even_rate_are_right(
            groups in 1..=16u8,
            turn_ms in 1..20u64,
            duration_ms in 50..400u64,
            bits in 24..=64u8,
            per_ms in 1..1_000_000u64,
            start: u64,
            lost_us in 0..200u64,
        ) {
            let mut rotation = Rotation::new(groups, duration_ms * MS, turn_ms * MS);
            let mask = 1u64.checked_shl(u32::from(bits)).map_or(u64::MAX, |bit| bit - 1);
            let reading = |ns: u64| start.wrapping_add(per_ms * (ns / 1000) / 1000) & mask;
            let mut counted = [0u64; MAX_EVENTS];
            let mut running = [0u64; MAX_EVENTS];
            let (mut now, mut last, begun) = (0, 0, 0);
            let mut steps = 0;
            loop {
                let turn = rotation.decide(now);
                let group = match turn { Turn::Stay => rotation.group(), _ => rotation.group() };
                prop_assert!(group < groups);
                match turn {
                    Turn::Stay => now += 200_000,
                    // What is lost between two groups.
                    Turn::Next(_) => { now += lost_us * 1000; last = now; continue; }
                    Turn::Stop => break,
                }
                let at = usize::from(rotation.group());
                counted[at] += delta(reading(last), reading(now), bits);
                running[at] += now - last;
                last = now;
                steps += 1;
                prop_assert!(steps < 200_000, "it ends");
            }
            let enabled = last - begun;
            for at in 0..usize::from(groups) {
                let scaled = scale(counted[at], enabled, running[at]).expect("every group had a turn");
                let truth = per_ms * (enabled / 1000) / 1000;
                // A reading is a whole number: one is lost or won with each.
                let error = scaled.value.abs_diff(truth);
                let looks = running[at] / 200_000 + 2;
                let allowed = looks * enabled / running[at] + truth / 1000 + 1;
                prop_assert!(error <= allowed, "{} for {truth}", scaled.value);
                prop_assert_eq!(scaled.is_exact(), groups == 1);
            }
        }
    }
}
