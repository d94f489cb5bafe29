//! What the cases share.

use alloc::string::String;

use umbra_control::machine::{Action, Actuator, Refusal};
use umbra_sched::Roles;

use crate::hardware::hold;
use crate::machine::Machine;
use crate::tasks::{self, Phase, Task};
use crate::{
    control, cores, log, memory, println, recolour, retired, schedule, spawn, stop, time, watch, workloads,
};

/// Longest wait for something that must happen. Emulators on a loaded host are
/// slow; nothing is concluded from how long it took.
const PATIENCE_NS: u64 = 30_000_000_000;

/// A test.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) run: fn() -> Result<Outcome, Reason>,
}

/// How a test that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    /// This machine lacks what the test is about.
    Needs(&'static str),
}

/// Why a test failed.
pub(super) type Reason = String;

/// A reason out of its parts.
pub(super) fn reason(text: core::fmt::Arguments<'_>) -> Reason {
    alloc::fmt::format(text)
}

/// Fails with a formatted reason unless a condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($argument:tt)*) => {
        if !$condition {
            return Err($crate::selftest::harness::reason(format_args!($($argument)*)));
        }
    };
}

/// Lets the machine run for a while, doing the control task's duties.
pub(super) fn pass_ms(ms: u64) {
    let until = time::now_ns() + ms * 1_000_000;
    while time::now_ns() < until {
        duties();
    }
}

/// Waits until `condition` holds; an error names what did not come.
pub(super) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) -> Result<(), Reason> {
    let until = time::now_ns() + PATIENCE_NS;
    while !condition() {
        if time::now_ns() > until {
            return Err(reason(format_args!("waited in vain: {what}")));
        }
        duties();
    }
    Ok(())
}

fn duties() {
    let now_ns = time::now_ns();
    log::collect(&mut |record| println!("{record}"));
    spawn::reap();
    retired::look(now_ns);
    recolour::look(now_ns);
    stop::look(now_ns);
    watch::look(now_ns);
    hold::look(now_ns);
    schedule::sleep_until(time::tsc_at(now_ns + 1_000_000));
}

/// Starts a second-class task by name.
pub(super) fn start(name: &str, core: Option<u8>) -> Result<u16, Reason> {
    let workload = workloads::named(name).ok_or_else(|| reason(format_args!("no workload {name}")))?;
    spawn::second_class(workload, core).map_err(|error| reason(format_args!("{name}: {error}")))
}

/// The cores that take second-class tasks.
pub(super) fn second_class_cores() -> impl Iterator<Item = u8> {
    cores::all().filter(|core| core.roles().has(Roles::SECOND_CLASS)).map(|core| core.number)
}

/// Units a task has finished.
pub(super) fn units(slot: u16) -> u64 {
    tasks::at(slot).counters.units.load(core::sync::atomic::Ordering::Acquire)
}

/// Waits until a task has finished `more` units.
pub(super) fn wait_for_units(slot: u16, more: u64) -> Result<(), Reason> {
    let from = units(slot);
    wait_for("units of a task", || units(slot) >= from + more)
}

/// Applies an action and waits until it holds.
pub(super) fn act(action: Action) -> Result<(), Reason> {
    let mut answer = Err(Refusal::Busy);
    wait_for("an action's being taken", || {
        answer = Machine.apply(action);
        answer != Err(Refusal::Busy)
    })?;
    if let Err(refusal) = answer {
        return Err(reason(format_args!("{action:?} refused: {refusal:?}")));
    }
    wait_for("an action's effect", || Machine.holds(action))
}

/// The phase of a slot.
pub(super) fn phase(slot: u16) -> Phase {
    tasks::get(slot).map_or(Phase::Empty, Task::phase)
}

/// Free frames, once the page tables of ended tasks have come back: each core
/// has to flush first, which nothing waits for but this.
pub(super) fn free_at_rest() -> Result<u32, Reason> {
    wait_for("the return of all page tables", retired::is_empty)?;
    memory::usage().map(|usage| usage.free).ok_or_else(|| reason(format_args!("no frames are counted")))
}

/// Ends whatever a case left behind.
pub(super) fn clear() {
    control::with_line(|line, _| {
        line.set_policy(umbra_control::policy::Policy::None, time::now_ns());
        line.request_undo();
    });
    hold::ask(None);
    hold::choose_way(None);
    let _ = Machine.apply(Action::Unconfine);
    pass_ms(5);
    for slot in tasks::SECOND..tasks::SLOTS {
        stop::request(slot, time::now_ns());
    }
    let empty = || tasks::second_class().count() == 0;
    if wait_for("the end of all tasks", empty).is_err() {
        println!("a task would not end");
    }
}
