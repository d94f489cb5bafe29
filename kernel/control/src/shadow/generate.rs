//! From a profile to a plan, some bins at a time.
//!
//! Cost. With `I` the instructions mirrored, `A` those the accesses would take
//! at full scale and `N = C/k * x` the sampling factor, the plan takes at most
//! `sum max(A_phase, I_phase) / N` instructions, plus what cutting it into
//! units costs. `N` is chosen so that `I/N` and `A/N` are each at most `I/32`;
//! as a last resort the plan is cut off where it would exceed `I/16`.

use super::{MAX_PHASES, Phase, SLICE_ACCESSES, SLICE_STEPS, ShadowPlan};
use crate::demand::{Demand, Profile, per_burst};
use crate::fixed::{NS_PER_S, low_u32, low_u64, ratio};
use crate::sample::value;

/// A plan never costs more than one part in this many of what it mirrors.
pub const BUDGET_SHARE: u64 = 16;

/// A plan is made to cost one part in this many.
pub const TARGET_SHARE: u64 = 32;

/// Instructions of one access in address order, one at a random address, one
/// step of padding, and of entering a unit; measured on the host (x86-64,
/// optimised build) and rounded up.
pub(super) const SEQUENTIAL_COST: u64 = 3;
pub(super) const RANDOM_COST: u64 = 14;
pub(super) const STEP_COST: u64 = 6;
pub(super) const SLICE_COST: u64 = 300;

/// The largest divisor of time; with at most 63 for sets, the scale fits Q16.16.
const MAX_TIME_DIVISOR: u64 = 1024;

/// Words a phase with accesses works on at least.
const MIN_WORDS: u32 = 64;

/// No counter tells a workload's branches apart yet: one step of padding in
/// eight ends in one that cannot be foretold.
const BRANCH_PERMILLE: u32 = 125;

/// What a plan must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Page colours of the last-level cache, at least 1.
    pub colours: u32,
    /// Memory the shadow has.
    pub memory_bytes: u64,
    /// Longest a paced shadow may take, in nanoseconds.
    pub window_ns: u64,
    /// Each level halves the time, and so the cost, once more.
    pub level: u8,
}

/// A plan being generated.
#[derive(Clone, Debug)]
pub struct Generator {
    memory_words: u32,
    next_bin: usize,
    mirrored_bytes: u128,
    accesses: u64,
    largest_working_set: u64,
}

impl Generator {
    /// Begins `plan` for `profile`; none when the profile asks for nothing.
    #[must_use]
    pub fn begin(profile: &Profile, limits: &Limits, plan: &mut ShadowPlan) -> Option<Self> {
        *plan = ShadowPlan::new();
        let mirrored = instructions(&profile.mean, profile.duration_ns);
        if mirrored == 0 || profile.bins.is_empty() {
            return None;
        }
        plan.profile_version = profile.version;
        plan.mirrored_ns = profile.duration_ns;
        plan.mirrored_instructions = mirrored;
        plan.colours = limits.colours.clamp(1, 1 << 16);
        plan.sampled_colours = (plan.colours / low_u32(TARGET_SHARE)).max(1);
        plan.working_set_scale_q16 = ratio(u64::from(plan.colours), u64::from(plan.sampled_colours));
        plan.time_divisor = low_u32(time_divisor(profile, limits, plan));
        plan.scale_q16 = plan.working_set_scale_q16.saturating_mul(plan.time_divisor);
        Some(Self {
            memory_words: low_u32(limits.memory_bytes / 8),
            next_bin: 0,
            mirrored_bytes: 0,
            accesses: 0,
            largest_working_set: 0,
        })
    }

    /// Generates the next `bins` phases; true when the plan is complete.
    pub fn step(&mut self, profile: &Profile, plan: &mut ShadowPlan, bins: usize) -> bool {
        for _ in 0..bins {
            let phase = profile.bins.get(self.next_bin).map(|bin| self.phase(bin, profile.bin_ns, plan));
            self.next_bin += 1;
            let Some(phase) = phase.filter(|_| plan.phases.len() < MAX_PHASES) else {
                self.finish(plan);
                return true;
            };
            plan.slices = plan.slices.saturating_add(phase.slices);
            plan.cost_instructions = plan.cost_instructions.saturating_add(cost(&phase));
            let _ = plan.phases.push(phase);
        }
        false
    }

    /// A working set cut to the shadow's memory is scaled back accordingly.
    fn finish(&self, plan: &mut ShadowPlan) {
        let sampled_bytes = u64::from(plan.working_set_words()) * 8;
        plan.working_set_scale_q16 = ratio(self.largest_working_set, sampled_bytes);
    }

    fn phase(&mut self, bin: &Demand, bin_ns: u64, plan: &ShadowPlan) -> Phase {
        let left = (plan.mirrored_instructions / BUDGET_SHARE).saturating_sub(plan.cost_instructions);
        let mut phase = Phase {
            duration_ns: bin_ns / u64::from(plan.time_divisor),
            duty_permille: bin.cpu_permille.min(1000),
            working_set_words: self.words(bin, plan),
            accesses: self.accesses(bin, bin_ns, plan),
            random_permille: 1000 - bin.sequential_permille.unwrap_or(1000).min(1000),
            write_permille: bin.write_permille.unwrap_or(0).min(1000),
            stride_words: 1,
            steps: 0,
            branch_permille: BRANCH_PERMILLE,
            slices: 0,
            first_slice: plan.slices,
        };
        phase.slices = slices(&phase);
        while cost(&phase) > left {
            // Halving ends: without accesses and steps the cost is 0.
            phase.accesses /= 2;
            phase.slices = slices(&phase);
        }
        let wanted = unscaled(instructions(bin, bin_ns), plan.scale_q16).min(left);
        phase.steps = steps(wanted.saturating_sub(cost(&phase)), phase.slices);
        phase.slices = slices(&phase);
        phase
    }

    /// Accesses of one word each, so that their sum is right within one.
    fn accesses(&mut self, bin: &Demand, bin_ns: u64, plan: &ShadowPlan) -> u32 {
        let bytes_per_s = u128::from(bin.read_bytes_per_s) + u128::from(bin.write_bytes_per_s);
        self.mirrored_bytes =
            self.mirrored_bytes.saturating_add(bytes_per_s.saturating_mul(u128::from(bin_ns)));
        let bytes = low_u64(self.mirrored_bytes / u128::from(NS_PER_S));
        let due = unscaled(bytes, plan.scale_q16) / 8;
        let accesses = low_u32(due.saturating_sub(self.accesses));
        self.accesses = due;
        accesses
    }

    fn words(&mut self, bin: &Demand, plan: &ShadowPlan) -> u32 {
        self.largest_working_set = self.largest_working_set.max(bin.working_set_bytes);
        let sampled = bin.working_set_bytes / u64::from(plan.colours) * u64::from(plan.sampled_colours);
        low_u32(sampled / 8).max(MIN_WORDS).min(self.memory_words)
    }
}

/// By how much time must be divided for the cost and for the window.
fn time_divisor(profile: &Profile, limits: &Limits, plan: &ShadowPlan) -> u64 {
    let mean = &profile.mean;
    let bytes = mean.read_bytes_per_s.saturating_add(mean.write_bytes_per_s);
    let accesses = per_burst(bytes, profile.duration_ns) / 8;
    let random_permille = u64::from(1000 - mean.sequential_permille.unwrap_or(1000).min(1000));
    let each = SLICE_COST.div_ceil(u64::from(SLICE_ACCESSES)) * 1000
        + SEQUENTIAL_COST * (1000 - random_permille)
        + RANDOM_COST * random_permille;
    let full_cost = low_u64(u128::from(accesses) * u128::from(each) / 1000);
    let target =
        TARGET_SHARE.saturating_mul(full_cost).div_ceil(plan.mirrored_instructions).max(TARGET_SHARE);
    let sets = u64::from(plan.colours / plan.sampled_colours);
    let for_cost = target.div_ceil(sets.max(1));
    let for_window = profile.duration_ns.div_ceil(limits.window_ns.max(1));
    for_cost
        .max(for_window)
        .min(MAX_TIME_DIVISOR)
        .saturating_mul(1 << limits.level.min(4))
        .min(MAX_TIME_DIVISOR)
}

/// Instructions over `ns`, or cycles where instructions are not counted.
fn instructions(demand: &Demand, ns: u64) -> u64 {
    per_burst(value(demand.instructions_per_s).unwrap_or(demand.cycles_per_s), ns)
}

/// `whole` divided by a Q16.16 factor of at least 1.
fn unscaled(whole: u64, scale_q16: u32) -> u64 {
    low_u64((u128::from(whole) << 16) / u128::from(scale_q16.max(1)))
}

fn slices(phase: &Phase) -> u32 {
    phase.accesses.div_ceil(SLICE_ACCESSES).max(phase.steps.div_ceil(SLICE_STEPS))
}

/// Steps that cost at most `spare` instructions: those that find room in the
/// units there are, and then those that need units of their own.
fn steps(spare: u64, slices: u32) -> u32 {
    let room = u64::from(slices) * u64::from(SLICE_STEPS);
    let within = (spare / STEP_COST).min(room);
    let rest = (spare - within * STEP_COST).saturating_sub(SLICE_COST);
    let unit_cost = STEP_COST * u64::from(SLICE_STEPS) + SLICE_COST;
    let beyond = if within < room {
        0
    } else {
        low_u64(u128::from(rest) * u128::from(SLICE_STEPS) / u128::from(unit_cost))
    };
    low_u32(within.saturating_add(beyond))
}

/// Instructions a phase is expected to take.
fn cost(phase: &Phase) -> u64 {
    let random = u64::from(phase.accesses) * u64::from(phase.random_permille) / 1000;
    let sequential = u64::from(phase.accesses) - random.min(u64::from(phase.accesses));
    random * RANDOM_COST
        + sequential * SEQUENTIAL_COST
        + u64::from(phase.steps) * STEP_COST
        + u64::from(phase.slices) * SLICE_COST
}
