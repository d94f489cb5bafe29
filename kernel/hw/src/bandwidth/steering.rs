/// Rounds in which a setting that turned out to be too much is not tried again.
const BLOCKED_ROUNDS: u16 = 64;
/// Whoever moves less than 1/8 of the target is hardly held back by the setting:
/// room is then taken only every so many rounds.
const QUIET_SHIFT: u32 = 3;
const QUIET_ROUNDS: u16 = 8;
/// What may be measured above the target before anything is done: 1/32 of it.
const SLACK_SHIFT: u32 = 5;

/// What to do after a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Keep,
    /// Change to this smaller setting.
    Tighten(u32),
    /// Change to this larger setting.
    Loosen(u32),
}

/// Steers a setting (larger lets more through, in about proportion) so that what
/// is measured stays at or below a target.
///
/// Too much is answered at once and in proportion. Room is taken one step at a
/// time, and only if a step's share of what is measured still fits (resctrl's
/// `mba_sc` does the same once a second); a step that went over is taken back
/// exactly and not tried again for a while, so that a target between two
/// settings does not make it flap. Whoever idles gets room slowly, so that the
/// setting still means something when work begins again.
#[derive(Clone, Debug)]
pub struct Steering {
    target: u64,
    setting: u32,
    most: u32,
    /// The last change was a step up.
    stepped_up: bool,
    blocked_rounds: u16,
    quiet_rounds: u16,
}

impl Steering {
    /// Begins at `setting`; there are settings from 1 to `most`.
    #[must_use]
    pub fn new(target: u64, setting: u32, most: u32) -> Self {
        let most = most.max(1);
        let setting = setting.clamp(1, most);
        Self { target, setting, most, stepped_up: false, blocked_rounds: 0, quiet_rounds: 0 }
    }

    /// The setting now.
    #[must_use]
    pub fn setting(&self) -> u32 {
        self.setting
    }

    /// Whether it can let no less through.
    #[must_use]
    pub fn is_at_least(&self) -> bool {
        self.setting == 1
    }

    /// Takes what was measured since the last call, in the target's unit, and
    /// says what to change; the setting is taken to be changed so.
    pub fn decide(&mut self, measured: u64) -> Verdict {
        let stepped_up = core::mem::take(&mut self.stepped_up);
        self.blocked_rounds = self.blocked_rounds.saturating_sub(1);
        let limit = self.target.saturating_add(self.target >> SLACK_SHIFT);
        if measured > limit && self.setting > 1 {
            if stepped_up {
                self.blocked_rounds = BLOCKED_ROUNDS;
                self.setting -= 1;
            } else {
                self.setting = self.in_proportion(measured);
            }
            return Verdict::Tighten(self.setting);
        }
        if measured < self.target >> QUIET_SHIFT {
            self.quiet_rounds = (self.quiet_rounds + 1) % QUIET_ROUNDS;
            if self.quiet_rounds != 0 {
                return Verdict::Keep;
            }
        }
        let step = measured / u64::from(self.setting);
        let fits = measured.saturating_add(step) <= self.target;
        if fits && self.setting < self.most && self.blocked_rounds == 0 {
            self.setting += 1;
            self.stepped_up = true;
            return Verdict::Loosen(self.setting);
        }
        Verdict::Keep
    }

    /// The setting under which `measured` would shrink to the target, at least
    /// one step down.
    fn in_proportion(&self, measured: u64) -> u32 {
        let wanted = u128::from(self.setting) * u128::from(self.target) / u128::from(measured.max(1));
        u32::try_from(wanted).unwrap_or(u32::MAX).clamp(1, self.setting - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Lets it run against a machine that lets `machine(setting)` through.
    fn run(steering: &mut Steering, rounds: u32, machine: impl Fn(u32) -> u64) -> Vec<Verdict> {
        (0..rounds).map(|_| steering.decide(machine(steering.setting()))).collect()
    }

    #[test]
    fn too_much_is_answered_at_once_and_in_proportion() {
        let mut steering = Steering::new(3_000, 10, 10);
        assert_eq!(steering.decide(10_000), Verdict::Tighten(3));
        assert_eq!(steering.decide(3_000), Verdict::Keep);
        assert_eq!(steering.decide(3_093), Verdict::Keep, "within the slack");
        assert_eq!(steering.decide(3_094), Verdict::Tighten(2));
        assert_eq!(steering.decide(2_000), Verdict::Loosen(3));
    }

    #[test]
    fn a_target_between_two_settings_does_not_make_it_flap() {
        // Settings 3 and 4 let 3300 and 4100 through; the target is between them,
        // and the proportion promises less than the step brings.
        let machine = |setting: u32| if setting >= 4 { 4_100 } else { 1_000 * u64::from(setting) };
        let mut steering = Steering::new(4_000, 1, 10);
        let verdicts = run(&mut steering, 640, machine);
        let loosened = verdicts.iter().filter(|verdict| **verdict == Verdict::Loosen(4)).count();
        assert!(loosened <= 640 / 64 + 1, "{loosened} times");
        let over = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Tighten(_))).count();
        assert!(over <= loosened, "{over} of {loosened} were taken back");
    }

    #[test]
    fn what_demands_little_is_let_go_and_caught_again() {
        let mut steering = Steering::new(4_000, 4, 10);
        run(&mut steering, 16, |_| 100);
        assert_eq!(steering.setting(), 6);
        run(&mut steering, 40, |_| 100);
        assert_eq!(steering.setting(), 10);
        run(&mut steering, 2, |setting| 1_000 * u64::from(setting));
        assert_eq!(steering.setting(), 4);
    }

    #[test]
    fn the_least_is_kept_even_if_it_is_too_much() {
        let mut steering = Steering::new(10, 5, 10);
        run(&mut steering, 5, |_| 1_000_000);
        assert!(steering.is_at_least());
        assert_eq!(steering.decide(u64::MAX), Verdict::Keep);
    }

    proptest! {
        #[test]
        fn settings_stay_in_range_and_verdicts_name_them(
            target: u64, setting: u32, most: u32, measured in prop::collection::vec(any::<u64>(), 0..200),
        ) {
            let mut steering = Steering::new(target, setting, most);
            for measured in measured {
                let before = steering.setting();
                match steering.decide(measured) {
                    Verdict::Keep => prop_assert_eq!(steering.setting(), before),
                    Verdict::Tighten(setting) => prop_assert!(setting < before && setting == steering.setting()),
                    Verdict::Loosen(setting) => prop_assert!(setting == before + 1 && setting == steering.setting()),
                }
                prop_assert!((1..=most.max(1)).contains(&steering.setting()));
            }
        }

        #[test]
        fn a_monotone_machine_is_held_unless_its_least_is_too_much(
            target in 1_000u64..1_000_000, most in 1u32..300, first in 1u32..300,
            steps in prop::collection::vec(1u64..10_000, 300),
        ) {
            let machine = |setting: u32| -> u64 { steps.iter().take(setting as usize).sum() };
            let mut steering = Steering::new(target, first, most);
            run(&mut steering, 3_000, machine);
            let over = (0..64).filter(|_| {
                let measured = machine(steering.setting());
                let over = measured > target + target / 32 && steering.setting() > 1;
                steering.decide(measured);
                over
            });
            // One trial step in 64 rounds.
            prop_assert!(over.count() <= 2);
            let left = machine(steering.setting());
            let next = machine(steering.setting() + 1);
            // Whoever is below by far more than a step is not there yet.
            prop_assert!(steering.setting() == most || next + left > target / 2, "{left} of {target}");
        }
    }
}
