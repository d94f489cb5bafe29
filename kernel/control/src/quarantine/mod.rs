//! Fifth stage: what to do about it, and doing it.
//!
//! [`Planner`] turns scores and placements into a [`Plan`], a value: an ordered
//! list of actions, each with its exact opposite, and a lease. [`Lease`]
//! carries a plan out, reads back that it holds, and undoes it in reverse.
//!
//! Scores are of pairs, so what is best for one task does not depend on the
//! others: leaving each the mildest treatment under which its own score passes
//! (none, then away from the first-class core, then paused) loses the least
//! throughput in all. Load is the one term that is shared; it is taken as it
//! is before the plan, which errs on the careful side.
//!
//! Refused: ending tasks (the patent's original answer), because a lease must
//! be able to give back everything it took.

mod carry;
mod confine;
mod hold;
mod lease;
mod planner;
mod recolour;

pub use confine::confinement;
pub use hold::{CHANGES_PER_TICK, Changes, Holding, TaskSet, reconcile};
pub use lease::{ACTIONS_PER_TICK, Lease, LeaseEvent, Phase, StepState};
pub use planner::{Planner, Rule, SLOTS_PER_TICK, TASKS_PER_TICK, WorkloadSet};
pub use recolour::{Recolour, recolouring};

use crate::machine::{Action, CoreId, TaskId, WorkloadId};
use crate::sample::MAX_TASKS;
use heapless::Vec;

/// Actions in a plan at most: one for each task, one for the core, one for
/// cache and bandwidth and one for colours.
pub const MAX_ACTIONS: usize = MAX_TASKS + 3;

/// Whom a step is about: a task is only itself while its slot's generation
/// stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A task in its slot.
    Task {
        /// The slot.
        id: TaskId,
        /// Which user of the slot.
        generation: u32,
        /// What it runs.
        workload: WorkloadId,
    },
    /// A core.
    Core(CoreId),
    /// All second-class tasks.
    SecondClass,
}

/// One step of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What to do.
    pub action: Action,
    /// Its exact opposite.
    pub undo: Action,
    /// Whom it is about.
    pub subject: Subject,
    /// The score before, Q16.16.
    pub score_q16: u32,
    /// The score expected once it holds, Q16.16; a paused task's is 0.
    pub expected_q16: u32,
}

/// What a quarantine would do. A plan is only a proposal: the machine checks
/// and may refuse each action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The steps, in order; a core is dedicated last.
    pub steps: Vec<Step, MAX_ACTIONS>,
    /// How long it may hold, in nanoseconds from when it is applied.
    pub lease_ns: u64,
    /// Second-class tasks that are left running.
    pub left_running: u16,
    /// The highest score among them.
    pub worst_left_q16: u32,
    /// Second-class throughput given up by pauses, in thousandths of a core.
    pub lost_permille: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self::new()
    }
}

impl Plan {
    /// A plan to do nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { steps: Vec::new(), lease_ns: 0, left_running: 0, worst_left_q16: 0, lost_permille: 0 }
    }

    /// Forgets all steps.
    pub fn clear(&mut self) {
        self.steps.clear();
        (self.lease_ns, self.left_running, self.worst_left_q16, self.lost_permille) = (0, 0, 0, 0);
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod hold_tests;
#[cfg(test)]
mod tests;
