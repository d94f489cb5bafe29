//! Carrying a plan out, and taking it back.
//!
//! Actions are started in order, several in flight at once (a core is
//! dedicated or shared only when everything before it has settled), and each
//! is read back from the machine until it holds. An action that does not take
//! effect in time is started again, a few times; a refused one is retried
//! (busy), replaced (no such core: the task is paused instead) or left out.
//!
//! Undoing goes in reverse. What was only started, but never seen to hold, is
//! first given time to arrive and then taken back all the same, so that a late
//! message cannot leave anything behind. Tasks that ended meanwhile, or whose
//! slot another task uses now, are skipped, and so is a task that somebody
//! else resumed: it is no longer ours. Undoing never gives up on a busy machine.
//!
//! A policy that steers all the time adds single steps to a lease, exchanges
//! the share in one, or takes one back, while the others hold. What each would
//! be undone by stays what it was when it was first taken, so that undoing the
//! rest is as exact as undoing a plan.

use super::carry::{advance, is_returning, is_settled, retreat};
use super::{MAX_ACTIONS, Plan, Step};
use crate::machine::{Action, Actuator, Monitor, Refusal, Topology};
use heapless::Vec;

/// Most actions started in one tick.
pub const ACTIONS_PER_TICK: usize = 8;

/// Actions in flight at most.
const IN_FLIGHT: usize = 8;

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Not started.
    Waiting {
        /// Refusals so far.
        refusals: u8,
    },
    /// Started, not seen to hold yet.
    Asked {
        /// When.
        since_ns: u64,
        /// How often.
        tries: u8,
    },
    /// Seen to hold.
    Held,
    /// Held with another action, which is to be exchanged for this one; the
    /// opposite stays.
    Exchanged {
        /// Refusals so far.
        refusals: u8,
    },
    /// Started and never seen to hold: it may still arrive.
    Uncertain,
    /// Left out: nothing was changed, or nobody is left to change it for.
    Skipped,
    /// Its opposite is to be started.
    Undo {
        /// Refusals so far.
        refusals: u8,
    },
    /// Its opposite was started.
    UndoAsked {
        /// When.
        since_ns: u64,
    },
    /// Taken back.
    Undone,
}

/// Where a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No plan.
    Idle,
    /// Actions are being started and read back.
    Applying,
    /// All that could be done holds.
    Active,
    /// Being taken back.
    Undoing,
}

/// Something worth telling that happened to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseEvent {
    /// An action was started for the first time.
    Started(Action),
    /// The machine would not.
    Refused(Action, Refusal),
    /// It did not take effect in time.
    TimedOut(Action),
    /// The whole plan holds.
    Holds,
    /// The lease ran out and is being undone.
    Expired,
    /// Could not be taken back: the core is gone.
    LeftBehind(Action),
    /// Everything is taken back.
    Undone,
}

/// The plan in force, if any.
#[derive(Debug)]
pub struct Lease {
    steps: Vec<(Step, StepState), MAX_ACTIONS>,
    phase: Phase,
    /// Steps before this one are settled; undoing counts it down.
    settled: usize,
    /// Some step before was never seen to hold: a core that may not be clear
    /// is not dedicated, or its tasks would be pushed where no plan put them.
    uncertain: bool,
    /// Some steps are being taken back while the rest stays.
    giving_back: bool,
    expires_ns: u64,
    held_at_ns: u64,
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

impl Lease {
    /// No plan in force.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            steps: Vec::new(),
            phase: Phase::Idle,
            settled: 0,
            uncertain: false,
            giving_back: false,
            expires_ns: 0,
            held_at_ns: 0,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The steps and where each stands.
    #[must_use]
    pub fn steps(&self) -> &[(Step, StepState)] {
        &self.steps
    }

    /// When it runs out, in nanoseconds since boot.
    #[must_use]
    pub const fn expires_ns(&self) -> u64 {
        self.expires_ns
    }

    /// When the last action was seen to hold; of meaning while active.
    #[must_use]
    pub const fn held_at_ns(&self) -> u64 {
        self.held_at_ns
    }

    /// Takes a plan into force. False, and nothing changes, while another is.
    pub fn begin(&mut self, now_ns: u64, plan: &Plan) -> bool {
        if self.phase != Phase::Idle {
            return false;
        }
        self.steps.clear();
        for step in &plan.steps {
            let _ = self.steps.push((*step, StepState::Waiting { refusals: 0 }));
        }
        self.phase = Phase::Applying;
        (self.settled, self.uncertain, self.giving_back, self.held_at_ns) = (0, false, false, now_ns);
        self.expires_ns = now_ns.saturating_add(plan.lease_ns);
        true
    }

    /// Adds a step to the plan in force, or begins one with it alone. False
    /// while a plan is being undone.
    pub fn append(&mut self, now_ns: u64, step: Step, lease_ns: u64) -> bool {
        match self.phase {
            Phase::Undoing => return false,
            Phase::Idle => {
                self.steps.clear();
                (self.settled, self.uncertain, self.giving_back) = (0, false, false);
                self.expires_ns = now_ns.saturating_add(lease_ns);
            }
            Phase::Applying | Phase::Active => {}
        }
        self.phase = Phase::Applying;
        self.steps.push((step, StepState::Waiting { refusals: 0 })).is_ok()
    }

    /// Whether nothing is under way: there is no plan, or all of it holds.
    #[must_use]
    pub const fn is_steady(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Active) && !self.giving_back
    }

    /// Begins to take one step back; the others stay. For a steady lease.
    pub(super) fn give_back(&mut self, index: usize) {
        if let Some((_, state)) = self.steps.get_mut(index).filter(|_| self.phase == Phase::Active) {
            *state = StepState::Undo { refusals: 0 };
            self.giving_back = true;
        }
    }

    /// Drops a step that was left out, or whose task is gone.
    pub(super) fn drop_step(&mut self, index: usize) {
        if index < self.steps.len() && self.phase == Phase::Active {
            self.steps.remove(index);
            self.settled = self.settled.min(self.steps.len());
            self.rest_if_empty();
        }
    }

    /// Exchanges a step's action for another whose opposite is the same. For a
    /// steady lease; a step that was left out stays so.
    pub(super) fn exchange(&mut self, index: usize, action: Action) {
        let Some((step, state)) = self.steps.get_mut(index) else { return };
        if self.phase == Phase::Active && matches!(state, StepState::Held | StepState::Uncertain) {
            step.action = action;
            *state = StepState::Exchanged { refusals: 0 };
            self.settled = self.settled.min(index);
            self.phase = Phase::Applying;
        }
    }

    fn rest_if_empty(&mut self) -> bool {
        let empty = self.steps.is_empty();
        if empty {
            (self.phase, self.settled) = (Phase::Idle, 0);
        }
        empty
    }

    /// Lets it run until `expires_ns` at least.
    pub fn renew(&mut self, expires_ns: u64) {
        self.expires_ns = self.expires_ns.max(expires_ns);
    }

    /// Begins to take everything back.
    pub fn undo(&mut self) {
        if matches!(self.phase, Phase::Applying | Phase::Active) {
            self.phase = Phase::Undoing;
            self.giving_back = false;
            self.settled = self.steps.len();
        }
    }

    /// Does what is due: at most [`ACTIONS_PER_TICK`] starts and as many
    /// readings again for those in flight. Single steps that are given back
    /// come on top, no more of them than were asked for.
    pub fn tick<M: Actuator + Topology + Monitor>(
        &mut self,
        now_ns: u64,
        machine: &mut M,
        mut tell: impl FnMut(LeaseEvent),
    ) {
        if matches!(self.phase, Phase::Applying | Phase::Active) && now_ns >= self.expires_ns {
            tell(LeaseEvent::Expired);
            self.undo();
        }
        if self.giving_back {
            self.return_single_steps(now_ns, machine, &mut tell);
        }
        match self.phase {
            Phase::Applying => self.apply(now_ns, machine, &mut tell),
            Phase::Undoing => self.take_back(now_ns, machine, &mut tell),
            Phase::Idle | Phase::Active => {}
        }
    }

    /// Looks at every step, of which there are at most [`MAX_ACTIONS`].
    fn return_single_steps<M: Actuator + Topology + Monitor>(
        &mut self,
        now_ns: u64,
        machine: &mut M,
        tell: &mut impl FnMut(LeaseEvent),
    ) {
        let (mut index, mut under_way) = (0, false);
        while let Some((step, state)) = self.steps.get_mut(index) {
            let returns = is_returning(state);
            if returns {
                retreat(step, state, now_ns, machine, tell);
            }
            if returns && matches!(state, StepState::Undone | StepState::Skipped) {
                self.steps.remove(index);
                self.settled -= usize::from(index < self.settled);
            } else {
                under_way |= returns;
                index += 1;
            }
        }
        self.giving_back = under_way;
        if !under_way && self.rest_if_empty() {
            tell(LeaseEvent::Undone);
        }
    }

    fn apply<M: Actuator + Topology + Monitor>(
        &mut self,
        now_ns: u64,
        machine: &mut M,
        tell: &mut impl FnMut(LeaseEvent),
    ) {
        let (settled, mut in_flight) = (self.settled, 0);
        let (mut all_settled_before, mut cores_clear) = (true, true);
        for (step, state) in self.steps.iter_mut().skip(settled) {
            let dedicates = matches!(step.action, Action::Dedicate(_) | Action::Share(_));
            // Pages that have not moved yet keep nobody on a core.
            let recolours = matches!(step.action, Action::Recolour(_));
            if dedicates && !cores_clear || in_flight == IN_FLIGHT {
                break;
            }
            in_flight += usize::from(!is_settled(state));
            if dedicates && self.uncertain && matches!(state, StepState::Waiting { .. }) {
                *state = StepState::Skipped;
            }
            let held_before = *state == StepState::Held;
            advance(step, state, now_ns, machine, tell);
            if *state == StepState::Held && !held_before {
                self.held_at_ns = now_ns;
            }
            self.uncertain |= *state == StepState::Uncertain && !recolours;
            cores_clear &= is_settled(state) || recolours;
            all_settled_before &= is_settled(state);
            self.settled += usize::from(all_settled_before);
        }
        if self.settled == self.steps.len() {
            self.phase = Phase::Active;
            tell(LeaseEvent::Holds);
        }
    }

    fn take_back<M: Actuator + Topology + Monitor>(
        &mut self,
        now_ns: u64,
        machine: &mut M,
        tell: &mut impl FnMut(LeaseEvent),
    ) {
        let first = self.settled.saturating_sub(IN_FLIGHT);
        let mut all_done_after = true;
        for (step, state) in self.steps.iter_mut().take(self.settled).skip(first).rev() {
            retreat(step, state, now_ns, machine, tell);
            let done = matches!(state, StepState::Undone | StepState::Skipped);
            all_done_after &= done;
            self.settled -= usize::from(all_done_after);
            if !done && matches!(step.action, Action::Dedicate(_) | Action::Share(_)) {
                break;
            }
        }
        if self.settled == 0 {
            self.steps.clear();
            self.phase = Phase::Idle;
            tell(LeaseEvent::Undone);
        }
    }
}
