//! Third stage: the stand-in that runs before the real thing.
//!
//! A [`ShadowPlan`] is generated from a profile, never written by hand. It
//! samples twice. In *sets*: it works in k of C page colours, on k/C of the
//! working set at k/C of the access rate, and so meets the contention per
//! cache set that the whole would meet. In *time*: where that is still too
//! expensive, it runs each phase for 1/x of its length at the same rates. One
//! factor, C/k times x, turns what was counted back into the whole.
//!
//! Refused: a shadow that makes the same accesses to a smaller array without
//! confining it to colours (its accesses would spread over all sets, at a
//! fraction of the pressure on each).

mod generate;
mod observe;
mod run;

pub use generate::{BUDGET_SHARE, Generator, Limits, TARGET_SHARE};
pub use observe::{Correction, echo_demand, shadow_demand};
pub use run::Shadow;

use crate::fixed::ONE;
use heapless::Vec;

/// Phases of a plan at most; as many as a profile has bins.
pub const MAX_PHASES: usize = 64;

/// Accesses a unit of a shadow makes at most, so that a unit is short.
pub const SLICE_ACCESSES: u32 = 512;

/// Steps of padding a unit makes at most.
pub const SLICE_STEPS: u32 = 1024;

/// A stretch of a shadow with the same behaviour throughout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// Nanoseconds it lasts when it is paced (already divided by x).
    pub duration_ns: u64,
    /// Share of that time the mirrored workload computes, in thousandths.
    pub duty_permille: u32,
    /// Words of 64 bits it works on (already k of C colours).
    pub working_set_words: u32,
    /// Loads and stores of one word.
    pub accesses: u32,
    /// Share of accesses at unforeseeable addresses, in thousandths.
    pub random_permille: u32,
    /// Share of accesses that store, in thousandths.
    pub write_permille: u32,
    /// Words between accesses in address order.
    pub stride_words: u32,
    /// Arithmetic steps beside the accesses.
    pub steps: u32,
    /// Share of those steps that end in a data-dependent branch, in
    /// thousandths.
    pub branch_permille: u32,
    /// Units the phase is cut into.
    pub slices: u32,
    /// Number of its first unit.
    pub first_slice: u32,
}

/// What a shadow does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowPlan {
    /// The version of the profile it mirrors.
    pub profile_version: u32,
    /// What it does, in order.
    pub phases: Vec<Phase, MAX_PHASES>,
    /// Page colours it is confined to.
    pub sampled_colours: u32,
    /// Page colours there are.
    pub colours: u32,
    /// How much shorter than the mirrored burst it is, at least 1.
    pub time_divisor: u32,
    /// C/k: how much larger the whole working set is, Q16.16.
    pub working_set_scale_q16: u32,
    /// C/k times x: how much more the whole does, Q16.16.
    pub scale_q16: u32,
    /// Nanoseconds of the burst it mirrors.
    pub mirrored_ns: u64,
    /// Instructions of what it mirrors, or its cycles where instructions are
    /// not counted.
    pub mirrored_instructions: u64,
    /// Instructions the plan is expected to take.
    pub cost_instructions: u64,
    /// Units in all.
    pub slices: u32,
}

impl ShadowPlan {
    /// Nothing to do.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            profile_version: 0,
            phases: Vec::new(),
            sampled_colours: 1,
            colours: 1,
            time_divisor: 1,
            working_set_scale_q16: ONE,
            scale_q16: ONE,
            mirrored_ns: 0,
            mirrored_instructions: 0,
            cost_instructions: 0,
            slices: 0,
        }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.slices == 0
    }

    /// Words of memory it works on.
    #[must_use]
    pub fn working_set_words(&self) -> u32 {
        self.phases.iter().map(|phase| phase.working_set_words).fold(0, u32::max)
    }

    /// The phase that unit `slice` belongs to; at most seven comparisons.
    #[must_use]
    pub fn phase_of(&self, slice: u32) -> Option<&Phase> {
        let after = self.phases.partition_point(|phase| phase.first_slice <= slice);
        let phase = self.phases.get(after.checked_sub(1)?)?;
        (slice - phase.first_slice < phase.slices).then_some(phase)
    }

    /// When unit `slice` is due, in nanoseconds after the start, for an
    /// executor that paces the shadow like what it mirrors. One that does not
    /// gets the same counts sooner. At most 64 additions.
    #[must_use]
    pub fn due_ns(&self, slice: u32) -> u64 {
        let mut start_ns = 0u64;
        for phase in &self.phases {
            if slice.wrapping_sub(phase.first_slice) < phase.slices {
                let into = u64::from(slice - phase.first_slice).saturating_mul(phase.duration_ns);
                return start_ns.saturating_add(into / u64::from(phase.slices.max(1)));
            }
            start_ns = start_ns.saturating_add(phase.duration_ns);
        }
        start_ns
    }
}

#[cfg(test)]
mod tests;
