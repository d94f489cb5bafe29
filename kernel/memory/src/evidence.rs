//! Whether colours keep frames apart on this machine: what three timings say.
//!
//! A *victim* line is loaded, then many frames are touched at the same offset,
//! then the victim is loaded again and timed:
//!
//! - *near*: nothing was touched between. The fastest there is.
//! - *same*: frames of the victim's colour, more than its sets hold in all
//!   slices. If timing shows caches at all, the victim is gone.
//! - *other*: as many frames of the other colours. They push the victim out of
//!   the inner caches as well, so only the last level can make this faster than
//!   *same*, and it does so only if colours keep them apart.
//!
//! Medians of a few trials, since single ones meet interrupts of the firmware.
//!
//! An emulator without caches shows no difference, or that of its host's caches,
//! whose frames are not the ones that are coloured here. Under one only a clear
//! success says anything: all else is *no signal*, and told as what it is.

/// Trials of each kind.
pub const TRIALS: usize = 15;
/// A difference counts from this ratio up, in permille: between the latencies of
/// neighbouring cache levels there is at least a factor of two.
const DIFFERS_PERMILLE: u64 = 1_500;
/// Confidence that counts under an emulator.
const CLEAR_PERMILLE: u32 = 800;
/// And by so many cycles at least: below that it is the clock's own grain.
const DIFFERS_CYCLES: u64 = 30;

/// Cycles of the victim's second load, trial by trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Nothing touched between.
    pub near: [u64; TRIALS],
    /// Frames of its colour touched.
    pub same: [u64; TRIALS],
    /// Frames of other colours touched.
    pub other: [u64; TRIALS],
}

/// What the timings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Frames of one colour push each other out, others do not.
    Apart {
        /// Trials of *same* that took longer than every trial of *other*, in
        /// permille.
        confidence_permille: u32,
    },
    /// Frames of other colours push the victim out as well.
    NotApart,
    /// Loads take the same time whatever was touched: no cache can be seen.
    NoSignal,
}

impl Timings {
    /// Decides. `emulated`: the clock may be that of a host with caches of its
    /// own. Bound: sorting three short arrays.
    #[must_use]
    pub fn finding(&self, emulated: bool) -> Finding {
        match self.at_face_value() {
            Finding::Apart { confidence_permille } if emulated && confidence_permille < CLEAR_PERMILLE => {
                Finding::NoSignal
            }
            Finding::NotApart if emulated => Finding::NoSignal,
            finding => finding,
        }
    }

    fn at_face_value(&self) -> Finding {
        let (near, same, other) = (median(self.near), median(self.same), median(self.other));
        if !differs(near, same) {
            return Finding::NoSignal;
        }
        if !differs(other, same) {
            return Finding::NotApart;
        }
        let slowest = self.other.iter().copied().max().unwrap_or(0);
        let clear = self.same.iter().filter(|&&cycles| cycles > slowest).count();
        Finding::Apart { confidence_permille: u32::try_from(clear * 1_000 / TRIALS).unwrap_or(0) }
    }
}

impl core::fmt::Display for Finding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Apart { confidence_permille } => {
                write!(f, "verified by timing, confidence {} %", confidence_permille / 10)
            }
            Self::NotApart => f.write_str("contradicted by timing: other colours evict as well"),
            Self::NoSignal => f.write_str("not verifiable here: timing shows no cache"),
        }
    }
}

fn median(mut cycles: [u64; TRIALS]) -> u64 {
    cycles.sort_unstable();
    cycles[TRIALS / 2]
}

fn differs(fast: u64, slow: u64) -> bool {
    slow.saturating_sub(fast) >= DIFFERS_CYCLES
        && slow.saturating_mul(1_000) >= fast.saturating_mul(DIFFERS_PERMILLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    /// Around a value, with a few outliers as an interrupt makes them.
    fn around(cycles: u64, outliers: usize) -> [u64; TRIALS] {
        core::array::from_fn(|trial| {
            cycles + (trial as u64 * 7) % 5 + if trial < outliers { 9_000 } else { 0 }
        })
    }

    #[test]
    fn a_usual_machine_shows_its_colours() {
        let timings = Timings { near: around(4, 0), same: around(250, 1), other: around(45, 0) };
        assert_eq!(timings.finding(false), Finding::Apart { confidence_permille: 1_000 });
        let disturbed = Timings { other: around(45, 2), ..timings };
        assert_eq!(disturbed.finding(false), Finding::Apart { confidence_permille: 66 });
        assert_eq!(
            (timings.finding(true), disturbed.finding(true)),
            (timings.finding(false), Finding::NoSignal)
        );
        assert_eq!(disturbed.finding(false).to_string(), "verified by timing, confidence 6 %");
    }

    #[test]
    fn colours_that_do_not_hold_are_told() {
        let hashed = Timings { near: around(4, 0), same: around(250, 0), other: around(240, 0) };
        assert_eq!(hashed.finding(false), Finding::NotApart);
        assert_eq!(hashed.finding(true), Finding::NoSignal, "the host's caches prove nothing");
    }

    #[test]
    fn an_emulator_shows_nothing() {
        let flat = Timings { near: around(900, 2), same: around(910, 3), other: around(905, 1) };
        assert_eq!(flat.finding(false), Finding::NoSignal);
        let coarse = Timings { near: around(0, 0), same: around(20, 0), other: around(0, 0) };
        assert_eq!(coarse.finding(false), Finding::NoSignal, "the grain of the clock is no signal");
        assert_eq!(Timings::default().finding(false), Finding::NoSignal);
    }

    proptest! {
        #[test]
        fn any_timings_give_a_finding(near: [u64; TRIALS], same: [u64; TRIALS], other: [u64; TRIALS]) {
            let timings = Timings { near, same, other };
            let finding = timings.finding(false);
            if let Finding::Apart { confidence_permille } = finding {
                prop_assert!(confidence_permille <= 1_000);
                prop_assert!(median(same) > median(other) && median(same) > median(near));
            }
        }
    }
}
