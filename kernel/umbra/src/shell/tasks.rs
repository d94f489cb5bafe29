//! `ps`, `run`, `stop`, `pause`, `resume`, `migrate`.

use umbra_console::NameKind;
use umbra_console::format::Ns;
use umbra_console::parse::Target;
use umbra_console::reply::Unknown;
use umbra_control::machine::{Action, Actuator, CoreId, Refusal};
use umbra_sched::Roles;

use super::cpus::no_core;
use super::look::{TaskLook, TaskRow};
use super::names::{KernelNames, select};
use super::page::{Field, Value, name, number};
use super::pending::Pending;
use super::pending::start::Start;
use super::reply::{Message, Reply, message};
use crate::machine::Machine;
use crate::tasks::{self, Phase};
use crate::{cores, stop, workloads};

/// Columns of a list of tasks.
pub(super) const FIELDS: [Field; 11] = [
    number("task", "TASK"),
    name("name", "NAME"),
    name("class", "CLASS"),
    name("state", "STATE"),
    number("core", "CORE"),
    number("share_permille", "SHARE"),
    number("cpu_ns", "CPU TIME"),
    number("units", "UNITS"),
    number("units_per_s", "UNITS/S"),
    number("memory_bytes", "MEMORY"),
    name("report", "REPORT"),
];

pub(super) fn cells(row: &TaskRow) -> [Value<'_>; 11] {
    [
        Value::Number(u64::from(row.slot)),
        Value::Text(row.name),
        Value::Text(row.class),
        Value::Text(row.phase.name()),
        Value::Number(u64::from(row.core)),
        Value::Permille(row.share_permille),
        Value::Ns(row.cpu_ns),
        Value::Number(row.units),
        Value::Number(row.units_per_s),
        Value::Bytes(row.memory_bytes),
        Value::Text(row.report),
    ]
}

/// `ps`.
#[inline(never)]
pub(super) fn list(reply: Reply, look: &mut TaskLook) {
    let (rows, interval_ns) = look.read(reply.now_ns);
    reply.show(|page| {
        page.table("tasks", FIELDS, &rows, cells)?;
        let over = format_args!("share of one core and units/s: over the last {}", Ns(interval_ns));
        page.note(over, "interval_ns", Value::Ns(interval_ns))
    });
}

/// `run`. As many tasks as can be made in a short time are there when this
/// returns; the others follow.
#[inline(never)]
pub(super) fn run(reply: Reply, pending: &mut Pending, name: &str, core: Option<u8>, count: Option<u16>) {
    let Some(workload) = workloads::named(name) else {
        return reply.fail(&Unknown::new("workload", name, NameKind::Workload, &KernelNames));
    };
    if let Some(Err(refused)) = core.map(takes_second_class) {
        return reply.fail(&refused);
    }
    let mut start = Start::new(workload, core, count.unwrap_or(1));
    start.advance();
    if let (0, Some(error)) = (start.started(), start.error()) {
        return reply.fail(&error);
    }
    let (name, started, left) = (start.name(), start.started(), start.left());
    match (start.error(), left) {
        (Some(error), _) => reply.fail(&format_args!("{started} of {name} started, then: {error}")),
        (None, 0) if started == 1 => reply.done(format_args!("task {} runs {name}", start.last())),
        (None, 0) => {
            reply.done(format_args!("{started} tasks run {name}, the last is task {}", start.last()))
        }
        (None, _) if pending.start(start) => {
            reply.done(format_args!("{started} tasks run {name}, {left} follow"));
        }
        (None, _) => reply.fail(&format_args!(
            "{started} of {name} started, {left} not: too many 'run' commands are under way"
        )),
    }
}

fn takes_second_class(core: u8) -> Result<(), Message> {
    let Some(target) = cores::get(core) else { return Err(no_core(core)) };
    if target.roles().has(Roles::SECOND_CLASS) {
        return Ok(());
    }
    Err(message(format_args!("core {core} takes no second-class tasks now (see 'roles')")))
}

/// `stop`. Begun here; what becomes of it is told when they have ended.
#[inline(never)]
pub(super) fn end(reply: Reply, pending: &mut Pending, target: Target<'_>) {
    let slots = match select(target) {
        Ok(slots) => slots,
        Err(error) => return reply.fail(&error),
    };
    let (mut asked, mut forgotten) = (0u32, 0u32);
    for slot in slots {
        let faulted = tasks::at(slot).phase() == Phase::Faulted;
        if !stop::request(slot, reply.now_ns) {
            continue;
        }
        if faulted {
            forgotten += 1;
        } else {
            pending.stops.watch(slot, reply.now_ns);
            asked += 1;
        }
    }
    match (asked, forgotten) {
        (0, 0) => reply.fail(&"they have ended already"),
        (0, _) => reply.done(format_args!("forgotten, {}", Tasks(forgotten))),
        (_, 0) => reply.done(format_args!("asked to end, {}", Tasks(asked))),
        _ => reply.done(format_args!("asked to end, {}; forgotten, {forgotten} that faulted", Tasks(asked))),
    }
}

/// So many tasks, in words.
struct Tasks(u32);

impl core::fmt::Display for Tasks {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "task" } else { "tasks" })
    }
}

/// `pause`.
#[inline(never)]
pub(super) fn pause(reply: Reply, target: Target<'_>) {
    apply_to_all(reply, target, "asked to pause", |slot| Action::Pause(tasks::id(slot)));
}

/// `resume`.
#[inline(never)]
pub(super) fn resume(reply: Reply, target: Target<'_>) {
    apply_to_all(reply, target, "asked to go on", |slot| Action::Resume(tasks::id(slot)));
}

fn apply_to_all(reply: Reply, target: Target<'_>, what: &str, action: fn(u16) -> Action) {
    let slots = match select(target) {
        Ok(slots) => slots,
        Err(error) => return reply.fail(&error),
    };
    let count = u32::try_from(slots.len()).unwrap_or(u32::MAX);
    for slot in slots {
        if let Err(refusal) = Machine.apply(action(slot)) {
            return reply.fail(&format_args!("task {slot}: {}", why(refusal)));
        }
    }
    reply.done(format_args!("{what}, {}", Tasks(count)));
}

/// `migrate`.
#[inline(never)]
pub(super) fn migrate(reply: Reply, task: u16, core: u8) {
    let checked = select(Target::Task(task)).and_then(|_| takes_second_class(core));
    if let Err(error) = checked {
        return reply.fail(&error);
    }
    match Machine.apply(Action::Migrate { task: tasks::id(task), to: CoreId(core) }) {
        Ok(()) => reply.done(format_args!("task {task} is on its way to core {core}")),
        Err(refusal) => reply.fail(&format_args!("task {task}: {}", why(refusal))),
    }
}

/// A refusal in words.
pub(super) const fn why(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoSuchTask => "it has ended",
        Refusal::NoSuchCore => "no such core, or it takes no second-class tasks now",
        Refusal::Busy => "its core is busy with messages, try again",
        Refusal::LastCore => "no other core takes second-class tasks",
        Refusal::Absent => "the processor can divide neither cache nor bandwidth",
    }
}
