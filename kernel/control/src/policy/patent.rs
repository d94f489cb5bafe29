//! `patent`: what the concept extends. The workloads run together; when the
//! burst is seen to miss its SLO, the second-class workload that uses most is
//! stopped for the rest of it, and the pair is remembered as incompatible;
//! from then on it is paused before a burst of that first-class workload.
//!
//! The original ends the second-class workload; here it is paused and goes on
//! after the burst, so that all policies lose throughput in the same currency.

use super::{Hooks, Intent, View};
use crate::machine::WorkloadId;
use crate::quarantine::{Rule, WorkloadSet};
use heapless::Deque;

/// Incompatible pairs remembered at most; the oldest goes first.
pub const MAX_PAIRS: usize = 32;

/// Planning for 64 tasks takes 8 ticks, pausing them as many; the plan is not
/// carried out earlier than it needs to be.
const HORIZON_NS: u64 = 30_000_000;

/// Answers before a first judgement, and between a stop and the next one.
const ANSWERS: u32 = 4;

/// Pairs of a first-class and a second-class workload that do not go together.
#[derive(Debug, Default)]
pub struct Ledger {
    pairs: Deque<(WorkloadId, WorkloadId), MAX_PAIRS>,
}

impl Ledger {
    /// No pair.
    #[must_use]
    pub const fn new() -> Self {
        Self { pairs: Deque::new() }
    }

    /// Remembers a pair.
    pub fn remember(&mut self, first: WorkloadId, second: WorkloadId) {
        if self.iter().any(|pair| pair == (first, second)) {
            return;
        }
        if self.pairs.is_full() {
            self.pairs.pop_front();
        }
        let _ = self.pairs.push_back((first, second));
    }

    /// The second-class workloads that do not go with `first`.
    #[must_use]
    pub fn incompatible_with(&self, first: WorkloadId) -> WorkloadSet {
        let mut set = WorkloadSet::NONE;
        self.iter().filter(|pair| pair.0 == first).for_each(|pair| set.insert(pair.1));
        set
    }

    /// All pairs (first-class, second-class), oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (WorkloadId, WorkloadId)> {
        self.pairs.iter().copied()
    }
}

/// Run together, detect, stop, remember.
#[derive(Debug, Default)]
pub(super) struct Patent {
    ledger: Ledger,
    /// Answers and late ones when something was last stopped.
    stopped_at: (u32, u32),
}

impl Patent {
    pub(super) const fn new() -> Self {
        Self { ledger: Ledger::new(), stopped_at: (0, 0) }
    }

    pub(super) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

impl Hooks for Patent {
    fn horizon_ns(&self, _: &View) -> u64 {
        HORIZON_NS
    }

    fn before_release(&mut self, view: &View) -> Intent {
        self.stopped_at = (0, 0);
        match self.ledger.incompatible_with(view.first_class) {
            WorkloadSet::NONE => Intent::Nothing,
            set => Intent::Apply(Rule::Pause(set)),
        }
    }

    fn during_run(&mut self, view: &View) -> Intent {
        let answered = view.answered.saturating_sub(self.stopped_at.0);
        let late = view.late.saturating_sub(self.stopped_at.1);
        let violated = u64::from(late) * 1000 > u64::from(view.late_permille) * u64::from(answered);
        if answered >= ANSWERS && violated { Intent::StopSuspect } else { Intent::Nothing }
    }

    fn after_run(&mut self, _: &View) {
        self.stopped_at = (0, 0);
    }

    fn stopped(&mut self, view: &View, workload: WorkloadId) {
        self.stopped_at = (view.answered, view.late);
        self.ledger.remember(view.first_class, workload);
    }
}
