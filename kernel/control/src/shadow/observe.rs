//! What a shadow and an echo say about the whole burst.

use super::ShadowPlan;
use crate::demand::Demand;
use crate::fixed::{Clock, ONE, low_u32, ratio, scale};
use crate::machine::{Count, Counts};
use crate::sample::{Deltas, map};

/// Factors, Q16.16, that an echo has found a shadow's demand to be off by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Of cycles and CPU share.
    pub cycles_q16: u32,
    /// Of bytes loaded.
    pub read_q16: u32,
    /// Of bytes stored.
    pub write_q16: u32,
    /// Of the working set.
    pub working_set_q16: u32,
}

impl Correction {
    /// The shadow is taken at its word.
    pub const NONE: Self = Self { cycles_q16: ONE, read_q16: ONE, write_q16: ONE, working_set_q16: ONE };

    /// `demand`, corrected.
    #[must_use]
    pub fn apply(&self, demand: &Demand) -> Demand {
        let instructions_per_s = match map(demand.instructions_per_s, |n| scale(n, self.cycles_q16)) {
            Count::Counted(value) if self.cycles_q16 != ONE => Count::Estimated(value),
            other => other,
        };
        Demand {
            cpu_permille: low_u32(scale(u64::from(demand.cpu_permille), self.cycles_q16)),
            cycles_per_s: scale(demand.cycles_per_s, self.cycles_q16),
            instructions_per_s,
            read_bytes_per_s: scale(demand.read_bytes_per_s, self.read_q16),
            write_bytes_per_s: scale(demand.write_bytes_per_s, self.write_q16),
            working_set_bytes: scale(demand.working_set_bytes, self.working_set_q16),
            ..*demand
        }
    }
}

/// The demand of what `plan` mirrors, from the counts of a whole run of it,
/// before any correction. None when the plan mirrors no time.
#[must_use]
pub fn shadow_demand(plan: &ShadowPlan, counts: &Counts, clock: Clock) -> Option<Demand> {
    let mut whole = scaled(&Deltas::since_start(counts), plan.scale_q16);
    whole.working_set_bytes = scale(counts.working_set_bytes, plan.working_set_scale_q16);
    Demand::of(&whole, clock.cycles(plan.mirrored_ns), clock)
}

/// The demand of a burst of `requests` in `duration_ns`, from the counts of an
/// echo of some of them. None when the echo finished no request.
#[must_use]
pub fn echo_demand(counts: &Counts, requests: u32, duration_ns: u64, clock: Clock) -> Option<Demand> {
    if counts.units == 0 {
        return None;
    }
    let factor_q16 = ratio(u64::from(requests), counts.units);
    Demand::of(&scaled(&Deltas::since_start(counts), factor_q16), clock.cycles(duration_ns), clock)
}

/// Every sum (not the working set, which is a level) times a factor. A scaled
/// count is an estimate, whatever it was before.
fn scaled(deltas: &Deltas, factor_q16: u32) -> Deltas {
    let sum = |value| scale(value, factor_q16);
    let count = |count| match map(count, sum) {
        Count::Counted(value) => Count::Estimated(value),
        other => other,
    };
    Deltas {
        cycles: sum(deltas.cycles),
        units: sum(deltas.units),
        instructions: count(deltas.instructions),
        llc_misses: count(deltas.llc_misses),
        read_bytes: sum(deltas.read_bytes),
        written_bytes: sum(deltas.written_bytes),
        sequential_bytes: sum(deltas.sequential_bytes),
        random_accesses: sum(deltas.random_accesses),
        working_set_bytes: deltas.working_set_bytes,
    }
}
