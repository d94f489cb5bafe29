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
//! The experiment is made once for each address bit that colours are made of,
//! with *other* frames that differ from the victim's colour in that bit alone.
//! Frames of all other colours at once were refused: a cache with half the sets
//! that are assumed lets only one in thirty of them reach the victim, too few
//! to push it out. Colours are made of the bits from the lowest up to the first
//! that keeps nothing apart: see [`Verdict`].
//!
//! An emulator without caches shows no difference, or that of its host's caches,
//! whose frames are not the ones that are coloured here. Under one only a clear
//! success says anything: all else is *no signal*, and told as what it is.

use crate::colour::{Colours, MAX_COLOURS};
use crate::frames::Frame;

/// Bits that colours are made of at most.
const BITS: usize = MAX_COLOURS.ilog2() as usize;
/// Bytes from one line of a page to a far one.
const HALF_PAGE: u64 = 2_048;

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

/// Loads, and how long they take.
pub trait Probe {
    /// Loads from `offset` bytes into a frame.
    fn load(&mut self, frame: Frame, offset: u64);
    /// Loads from a frame's start and returns the cycles that took.
    fn timed_load(&mut self, frame: Frame) -> u64;
}

impl Timings {
    /// Makes the experiment. Bound: [`TRIALS`] times both sets, twice.
    #[must_use]
    pub fn take(probe: &mut impl Probe, victim: Frame, same: &[Frame], other: &[Frame]) -> Self {
        let mut timings = Self::default();
        for trial in 0..TRIALS {
            for (set, into) in
                [(&[][..], &mut timings.near), (same, &mut timings.same), (other, &mut timings.other)]
            {
                probe.load(victim, 0);
                // Twice: a cache that keeps what is used often must see use.
                set.iter().chain(set).for_each(|frame| probe.load(*frame, 0));
                // Another line of its page: the translation is at hand in every
                // case, so that only caches make a difference.
                probe.load(victim, HALF_PAGE);
                if let Some(place) = into.get_mut(trial) {
                    *place = probe.timed_load(victim);
                }
            }
        }
        timings
    }

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

/// What colours are worth on this machine, and what is relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The colours to sort frames by from now on.
    pub colours: Colours,
    /// Why.
    pub reliance: Reliance,
}

/// What keeps tasks apart in the last-level cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reliance {
    /// Colours, each bit of them verified; the least confidence, in permille.
    Colours(u32),
    /// Fewer colours than the geometry promised: the bits above are contradicted.
    Fewer {
        /// Colours promised.
        promised: u32,
        /// The least confidence of those left, in permille.
        confidence_permille: u32,
    },
    /// No colour bit holds: ways of the cache have to do.
    WaysAlone,
    /// No colour bit holds and the cache has no ways to divide.
    Nothing,
    /// Colours as the geometry promises them: there is no signal to verify them
    /// by.
    Promised,
    /// There is only one colour.
    OneColour,
}

impl Verdict {
    /// Surveys the bits of `colours` from the lowest up by `experiment`, which
    /// is given the number of a bit and finds none where it cannot be made, and
    /// decides what to rely on. `has_ways`: the cache can be divided by ways.
    /// Bound: an experiment a bit, of which there are six at most.
    pub fn survey(
        colours: Colours,
        has_ways: bool,
        mut experiment: impl FnMut(u32) -> Option<Finding>,
    ) -> Self {
        let mut findings = [None; BITS];
        let mut bits = 0;
        for (bit, place) in (0..colours.count().ilog2()).zip(&mut findings) {
            *place = experiment(bit);
            if *place == Some(Finding::NotApart) {
                break;
            }
            bits += 1;
        }
        Self::judge(colours, bits, &findings, has_ways)
    }

    fn judge(colours: Colours, bits: u32, findings: &[Option<Finding>; BITS], has_ways: bool) -> Self {
        let promised = colours.count();
        let confidence = |finding: &Option<Finding>| match finding {
            Some(Finding::Apart { confidence_permille }) => Some(*confidence_permille),
            _ => None,
        };
        let kept = usize::try_from(bits).unwrap_or(BITS);
        let verified = findings.iter().take(kept).filter_map(confidence);
        let least = verified.clone().min().unwrap_or(0);
        let all = verified.count() == kept;
        let reliance = match promised.ilog2() {
            0 => Reliance::OneColour,
            _ if bits == 0 && has_ways => Reliance::WaysAlone,
            _ if bits == 0 => Reliance::Nothing,
            promised_bits if bits < promised_bits => {
                Reliance::Fewer { promised, confidence_permille: if all { least } else { 0 } }
            }
            _ if all => Reliance::Colours(least),
            _ => Reliance::Promised,
        };
        Self { colours: colours.folded(bits), reliance }
    }

    /// Whether evidence speaks against what the geometry promised.
    #[must_use]
    pub const fn is_contradicted(&self) -> bool {
        matches!(self.reliance, Reliance::Fewer { .. } | Reliance::WaysAlone | Reliance::Nothing)
    }
}

impl core::fmt::Display for Verdict {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let count = self.colours.count();
        match self.reliance {
            Reliance::Colours(confidence) => {
                write!(f, "{count} colours, verified by timing, confidence {} %", confidence / 10)
            }
            Reliance::Fewer { promised, confidence_permille } => write!(
                f,
                "{count} colours, not {promised}: timing contradicts the others; confidence {} %",
                confidence_permille / 10
            ),
            Reliance::WaysAlone => {
                f.write_str("contradicted by timing: not used, ways of the cache alone are")
            }
            Reliance::Nothing => {
                f.write_str("contradicted by timing: not used, and the cache has no ways to divide")
            }
            Reliance::Promised => {
                write!(f, "{count} colours by CPUID, not verifiable here: timing shows no cache")
            }
            Reliance::OneColour => f.write_str("one colour: nothing to keep apart"),
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
mod tests;
