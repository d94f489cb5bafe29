//! One step of a plan: carried out, read back, taken back.

use super::lease::{LeaseEvent, StepState};
use super::{Step, Subject};
use crate::machine::{Action, Actuator, Monitor, Refusal, TaskState, Topology};

/// An action not seen to hold after this long is started again.
const TIMEOUT_NS: u64 = 4_000_000;

/// As long for colours: pages are moved until then.
const RECOLOUR_TIMEOUT_NS: u64 = 100_000_000;

/// How often an action is started at most while applying.
const TRIES: u8 = 3;

/// How often a busy machine is asked again while applying.
const BUSY_TRIES: u8 = 16;

/// How often a refusal for lack of a core is asked again while undoing.
const UNDO_REFUSALS: u8 = 64;

/// Whether applying has nothing more to do with it.
pub(super) const fn is_settled(state: &StepState) -> bool {
    matches!(state, StepState::Held | StepState::Uncertain | StepState::Skipped) || is_returning(state)
}

/// Whether it is being taken back.
pub(super) const fn is_returning(state: &StepState) -> bool {
    matches!(state, StepState::Undo { .. } | StepState::UndoAsked { .. } | StepState::Undone)
}

const fn timeout_ns(action: Action) -> u64 {
    if matches!(action, Action::Recolour(_)) { RECOLOUR_TIMEOUT_NS } else { TIMEOUT_NS }
}

/// Whether the step's task is still the one the plan was made for.
fn is_there<M: Topology + Monitor>(subject: Subject, machine: &M) -> bool {
    let Subject::Task { id, generation, .. } = subject else { return true };
    let alive = machine.task(id).is_some_and(|view| view.state != TaskState::Ended);
    alive && machine.counts(id).is_some_and(|counts| counts.generation == generation)
}

/// One step forward.
pub(super) fn advance<M: Actuator + Topology + Monitor>(
    step: &mut Step,
    state: &mut StepState,
    now_ns: u64,
    machine: &mut M,
    tell: &mut impl FnMut(LeaseEvent),
) {
    if is_settled(state) {
        return;
    }
    if !is_there(step.subject, machine) {
        *state = StepState::Skipped;
        return;
    }
    match *state {
        // It holds without our doing: it is not ours to undo either.
        StepState::Waiting { .. } if machine.holds(step.action) => *state = StepState::Skipped,
        StepState::Waiting { refusals } => start(step, state, refusals, now_ns, machine, tell),
        StepState::Exchanged { refusals } => exchange(step, state, refusals, now_ns, machine, tell),
        StepState::Asked { .. } if machine.holds(step.action) => *state = StepState::Held,
        StepState::Asked { since_ns, tries }
            if now_ns.saturating_sub(since_ns) >= timeout_ns(step.action) =>
        {
            if tries < TRIES {
                // A refusal leaves the earlier attempt standing.
                let _ = machine.apply(step.action);
                *state = StepState::Asked { since_ns: now_ns, tries: tries + 1 };
            } else {
                tell(LeaseEvent::TimedOut(step.action));
                *state = StepState::Uncertain;
            }
        }
        _ => {}
    }
}

fn start<M: Actuator>(
    step: &mut Step,
    state: &mut StepState,
    refusals: u8,
    now_ns: u64,
    machine: &mut M,
    tell: &mut impl FnMut(LeaseEvent),
) {
    match machine.apply(step.action) {
        Ok(()) => {
            tell(LeaseEvent::Started(step.action));
            let held = machine.holds(step.action);
            *state = if held { StepState::Held } else { StepState::Asked { since_ns: now_ns, tries: 1 } };
        }
        Err(refusal) => {
            tell(LeaseEvent::Refused(step.action, refusal));
            let again = StepState::Waiting { refusals: refusals.saturating_add(1) };
            *state = match (refusal, step.action) {
                (Refusal::Busy, _) if refusals < BUSY_TRIES => again,
                (Refusal::Busy, _) => StepState::Uncertain,
                (Refusal::NoSuchCore, Action::Migrate { task, .. }) => {
                    (step.action, step.undo) = (Action::Pause(task), Action::Resume(task));
                    step.expected_q16 = 0;
                    again
                }
                _ => StepState::Skipped,
            };
        }
    }
}

/// Something is in effect already that has to be taken back one day, so this
/// step is never left out.
fn exchange<M: Actuator>(
    step: &Step,
    state: &mut StepState,
    refusals: u8,
    now_ns: u64,
    machine: &mut M,
    tell: &mut impl FnMut(LeaseEvent),
) {
    *state = match machine.apply(step.action) {
        Ok(()) => {
            tell(LeaseEvent::Started(step.action));
            let held = machine.holds(step.action);
            if held { StepState::Held } else { StepState::Asked { since_ns: now_ns, tries: 1 } }
        }
        Err(refusal) => {
            tell(LeaseEvent::Refused(step.action, refusal));
            let again = refusal == Refusal::Busy && refusals < BUSY_TRIES;
            if again { StepState::Exchanged { refusals: refusals + 1 } } else { StepState::Uncertain }
        }
    };
}

/// One step back.
pub(super) fn retreat<M: Actuator + Topology + Monitor>(
    step: &Step,
    state: &mut StepState,
    now_ns: u64,
    machine: &mut M,
    tell: &mut impl FnMut(LeaseEvent),
) {
    if matches!(state, StepState::Undone | StepState::Skipped) {
        return;
    }
    if matches!(state, StepState::Waiting { .. }) || !is_there(step.subject, machine) {
        *state = StepState::Skipped;
        return;
    }
    match *state {
        StepState::Held if machine.holds(step.undo) => *state = StepState::Undone,
        StepState::Held => *state = StepState::Undo { refusals: 0 },
        StepState::Asked { .. } if machine.holds(step.action) => *state = StepState::Undo { refusals: 0 },
        StepState::Asked { since_ns, .. } if now_ns.saturating_sub(since_ns) < 2 * TIMEOUT_NS => return,
        StepState::Asked { .. } | StepState::Uncertain | StepState::Exchanged { .. } => {
            *state = StepState::Undo { refusals: 0 };
        }
        StepState::UndoAsked { .. } if machine.holds(step.undo) => *state = StepState::Undone,
        StepState::UndoAsked { since_ns } if now_ns.saturating_sub(since_ns) >= TIMEOUT_NS => {
            *state = StepState::Undo { refusals: 0 };
        }
        _ => {}
    }
    if let StepState::Undo { refusals } = *state {
        start_undo(step, state, refusals, now_ns, machine, tell);
    }
}

fn start_undo<M: Actuator>(
    step: &Step,
    state: &mut StepState,
    refusals: u8,
    now_ns: u64,
    machine: &mut M,
    tell: &mut impl FnMut(LeaseEvent),
) {
    match machine.apply(step.undo) {
        Ok(()) => {
            tell(LeaseEvent::Started(step.undo));
            let held = machine.holds(step.undo);
            *state = if held { StepState::Undone } else { StepState::UndoAsked { since_ns: now_ns } };
        }
        Err(refusal) => {
            tell(LeaseEvent::Refused(step.undo, refusal));
            let again = StepState::Undo { refusals: refusals.saturating_add(1) };
            *state = match refusal {
                Refusal::Busy => StepState::Undo { refusals },
                Refusal::NoSuchCore | Refusal::LastCore if refusals < UNDO_REFUSALS => again,
                Refusal::NoSuchCore | Refusal::LastCore => {
                    tell(LeaseEvent::LeftBehind(step.action));
                    StepState::Skipped
                }
                Refusal::NoSuchTask | Refusal::Absent => StepState::Skipped,
            };
        }
    }
}
