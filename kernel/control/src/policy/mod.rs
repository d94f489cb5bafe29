//! What a run does about interference: one small file a policy, all behind
//! the same hooks, so that one run compares them side by side.
//!
//! A hook looks at a [`View`] and returns an [`Intent`]; it changes nothing
//! but its own memory. Adding a policy takes a file with its hooks, a variant
//! of [`Policy`] and a field of [`Policies`].

mod concept;
mod fixed_core;
mod none;
mod patent;

pub use patent::{Ledger, MAX_PAIRS};

use crate::machine::WorkloadId;
use crate::quarantine::Rule;

/// The policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Nothing is done; the first-class workload is one more fair task.
    #[default]
    None,
    /// The first-class core is its own all the time.
    Static,
    /// Run together, detect, stop, remember the pair.
    Patent,
    /// The whole line, with the concept's score.
    Concept,
}

impl Policy {
    /// All of them, in the order they are compared.
    pub const ALL: [Self; 4] = [Self::None, Self::Static, Self::Patent, Self::Concept];

    /// Its name on the console.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Static => "static",
            Self::Patent => "patent",
            Self::Concept => "concept",
        }
    }

    /// The policy of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

/// What a hook may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The first-class workload.
    pub first_class: WorkloadId,
    /// The threshold of the predictor, Q16.16.
    pub threshold_q16: u32,
    /// The horizon the line has found to suffice for a whole preparation.
    pub horizon_ns: u64,
    /// Share of late requests that is still within the SLO, in thousandths.
    pub late_permille: u32,
    /// Requests of the burst that runs.
    pub requests: u32,
    /// Of those answered.
    pub answered: u32,
    /// Of those late.
    pub late: u32,
}

/// What a policy wants done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Nothing.
    Nothing,
    /// Look ahead (shadow, demand, scores), then plan by the rule and act.
    Foresee(Rule),
    /// Plan by the rule and act, without looking ahead.
    Apply(Rule),
    /// Pause the second-class task that uses most, for the rest of the burst.
    StopSuspect,
}

/// When a policy is asked.
pub trait Hooks {
    /// A rule to hold all the time, between bursts too.
    fn at_rest(&self) -> Option<Rule> {
        None
    }

    /// How long before a release [`Hooks::before_release`] is asked.
    fn horizon_ns(&self, view: &View) -> u64;

    /// Once a burst, when its horizon is reached.
    fn before_release(&mut self, view: &View) -> Intent;

    /// Each tick while a burst runs.
    fn during_run(&mut self, view: &View) -> Intent;

    /// Once when a burst has ended and its quarantine is about to be undone.
    fn after_run(&mut self, view: &View);

    /// The suspect was paused.
    fn stopped(&mut self, _view: &View, _workload: WorkloadId) {}
}

/// All policies with what they remember.
#[derive(Debug, Default)]
pub struct Policies {
    current: Policy,
    none: none::None,
    fixed_core: fixed_core::Static,
    patent: patent::Patent,
    concept: concept::Concept,
}

impl Policies {
    /// Nothing remembered, [`Policy::None`] in force.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            current: Policy::None,
            none: none::None,
            fixed_core: fixed_core::Static,
            patent: patent::Patent::new(),
            concept: concept::Concept,
        }
    }

    /// The policy in force.
    #[must_use]
    pub const fn current(&self) -> Policy {
        self.current
    }

    /// Puts another policy in force. What each remembers stays.
    pub const fn set(&mut self, policy: Policy) {
        self.current = policy;
    }

    /// The hooks of the policy in force.
    pub fn hooks(&mut self) -> &mut dyn Hooks {
        match self.current {
            Policy::None => &mut self.none,
            Policy::Static => &mut self.fixed_core,
            Policy::Patent => &mut self.patent,
            Policy::Concept => &mut self.concept,
        }
    }

    /// The pairs the patent's policy remembers.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        self.patent.ledger()
    }

    /// Forgets those pairs.
    pub fn forget_pairs(&mut self) {
        self.patent = patent::Patent::new();
    }
}

#[cfg(test)]
mod tests;
