//! How a core becomes something else: one step after another, as
//! `umbra-sched` says.

use umbra_sched::{Class, FirstClassRule, Occupancy, Roles, RunQueue, Step, TaskIndex};

use super::messages::{best_second_class_core, withdraw};
use super::{Departure, owned};
use crate::cores::Core;
use crate::tasks;

/// Role steps taken in one go at most: one for each task, and the confirming.
const ROLE_STEPS: usize = tasks::SLOTS as usize + 4;

/// First-class tasks run to completion where no second-class one may run, and
/// are one more fair task elsewhere.
pub(super) fn rule_of(roles: Roles) -> FirstClassRule {
    if roles.has(Roles::SECOND_CLASS) { FirstClassRule::Fair } else { FirstClassRule::RunToCompletion }
}

/// Takes the steps towards the roles this core is to have.
pub(super) fn follow_roles(core: &'static Core) {
    for _ in 0..ROLE_STEPS {
        let state = owned(core);
        let holds = occupancy(&state.queue);
        let Some(step) = state.roles.next_step(holds) else { return };
        match step {
            Step::EvictSecondClass => {
                let (task, to) =
                    (state.queue.tasks(Class::Second).next(), best_second_class_core(core.number));
                let (Some(TaskIndex(slot)), Some(to)) = (task, to) else { return };
                withdraw(core, slot, Departure::Core(to));
            }
            Step::AwaitShadow | Step::AwaitFirstClass => return,
            Step::StopTick | Step::StartTick => {}
            Step::Confirm(roles) => {
                state.queue.set_first_class_rule(rule_of(roles));
                core.confirm(roles);
                if !roles.has(Roles::SECOND_CLASS) {
                    // Nobody waits here any more, and no timer is to come.
                    super::end_waiting(core);
                }
            }
        }
        owned(core).roles.done(step);
    }
}

fn occupancy(queue: &RunQueue) -> Occupancy {
    let count = |class| u16::try_from(queue.tasks(class).count()).unwrap_or(u16::MAX);
    Occupancy { first: count(Class::First), shadow: count(Class::Shadow), second: count(Class::Second) }
}
