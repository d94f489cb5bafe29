//! Names that only the kernel knows, and what a target names.

use core::fmt::Write;

use heapless::{String, Vec};
use umbra_console::parse::Target;
use umbra_console::reply::Unknown;
use umbra_console::{NameKind, Names};
use umbra_control::policy::Policy;

use super::reply::{Message, message};
use crate::tasks::{self, SLOTS};
use crate::workloads;

/// All names, for completion and for the nearest one.
pub(super) struct KernelNames;

/// Slots of second-class tasks.
pub(super) type Slots = Vec<u16, { SLOTS as usize }>;

impl Names for KernelNames {
    fn each(&self, kind: NameKind, found: &mut dyn FnMut(&str)) {
        match kind {
            NameKind::Workload => workloads::TABLE.iter().for_each(|entry| found(entry.spec.name)),
            NameKind::Profile => found(workload_search::SPEC.name),
            NameKind::Policy => Policy::ALL.into_iter().for_each(|policy| found(policy.name())),
            NameKind::Task => each_task(found),
        }
    }
}

/// Numbers of the second-class tasks, then the names of what they run.
fn each_task(found: &mut dyn FnMut(&str)) {
    for (slot, _) in tasks::second_class() {
        let mut number = String::<5>::new();
        // Five digits hold every number.
        let _ = write!(number, "{slot}");
        found(&number);
    }
    let runs = |name| tasks::second_class().any(|(slot, _)| workloads::name_of(slot) == name);
    workloads::TABLE.iter().map(|entry| entry.spec.name).filter(|name| runs(*name)).for_each(found);
}

/// The second-class tasks that `target` names, at least one; or what was
/// wrong with it.
pub(super) fn select(target: Target<'_>) -> Result<Slots, Message> {
    let named = |slot: u16| match target {
        Target::Task(wanted) => slot == wanted,
        Target::Name(name) => workloads::name_of(slot) == name,
        Target::All => true,
    };
    let slots: Slots = tasks::second_class().map(|(slot, _)| slot).filter(|slot| named(*slot)).collect();
    if !slots.is_empty() {
        return Ok(slots);
    }
    Err(match target {
        Target::Task(slot) if slot < tasks::SECOND => {
            message(format_args!("task {slot} is the kernel's own; expected a second-class task (see 'ps')"))
        }
        Target::Task(slot) => {
            message(format_args!("no task {slot}; expected a second-class task's number (see 'ps')"))
        }
        Target::Name(name) if workloads::named(name).is_some() => {
            message(format_args!("no task runs {name} (see 'ps')"))
        }
        Target::Name(name) => {
            message(format_args!("{}", Unknown::new("workload", name, NameKind::Workload, &KernelNames)))
        }
        Target::All => message(format_args!("there is no second-class task")),
    })
}
