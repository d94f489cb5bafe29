//! The line's last events, kept for whoever wants to tell what happened.
//!
//! The line itself keeps few, and only until they are taken; the control task
//! takes them here every millisecond.

use alloc::vec::Vec;
use core::fmt::Result;

use heapless::Deque;
use umbra_console::json::Object;
use umbra_control::line::{Dated, Event, Line};
use umbra_control::machine::{Action, WorkloadId};
use umbra_control::quarantine::LeaseEvent;

use crate::cells::ControlCell;
use crate::control::FIRST_CLASS;
use crate::workloads;

/// Events kept; the oldest goes first. A burst has some forty.
const KEPT: usize = 256;

static RING: ControlCell<Deque<Dated, KEPT>> = ControlCell::filled(Deque::new());

/// Takes what the line has. Bound: what the line keeps.
pub(crate) fn collect(line: &mut Line) {
    while let Some(event) = line.take_event() {
        RING.with(|ring| {
            if ring.is_full() {
                ring.pop_front();
            }
            // There is room now.
            let _ = ring.push_back(event);
        });
    }
}

/// The kept events from `from_ns` on, oldest first.
pub(crate) fn since(from_ns: u64) -> Vec<Dated> {
    let mut events = Vec::with_capacity(KEPT);
    RING.with(|ring| events.extend(ring.iter().filter(|dated| dated.at_ns >= from_ns).copied()));
    events
}

/// Writes an event: `at_ns`, `event`, and what belongs to it.
pub(crate) fn write(dated: &Dated, o: &mut Object<'_>) -> Result {
    o.number("at_ns", dated.at_ns)?;
    match dated.event {
        Event::Policy(policy) => named(o, "policy", "policy", policy.name()),
        Event::ShadowStarted => o.text("event", "shadow_started"),
        Event::ShadowDone(cycles) => counted(o, "shadow_done", "cycles", cycles),
        Event::ShadowCut => o.text("event", "shadow_cut"),
        Event::EchoStarted(requests) => counted(o, "echo_started", "requests", requests),
        Event::EchoDone(error_permille) => counted(o, "echo_done", "error_permille", error_permille),
        Event::EchoCut => o.text("event", "echo_cut"),
        Event::Scored(task, workload, score_q16) => {
            counted(o, "scored", "task", task.0)?;
            o.text("workload", name_of(workload))?;
            o.number("score_permille", (u64::from(score_q16) * 1000) >> 16)
        }
        Event::Planned(steps) => counted(o, "planned", "steps", steps),
        Event::Lease(event) => lease(event, o),
        Event::Released(number) => counted(o, "released", "burst", number),
        Event::Ended(number, late) => {
            counted(o, "ended", "burst", number)?;
            o.number("late", late)
        }
        Event::Suspect(task, workload) => {
            counted(o, "suspect", "task", task.0)?;
            o.text("workload", name_of(workload))
        }
        Event::Changed => o.text("event", "changed"),
        Event::Profiled(version) => counted(o, "profiled", "version", version),
    }
}

fn lease(event: LeaseEvent, o: &mut Object<'_>) -> Result {
    match event {
        LeaseEvent::Started(action) => acted(o, "started", action),
        LeaseEvent::Refused(action, _) => acted(o, "refused", action),
        LeaseEvent::TimedOut(action) => acted(o, "timed_out", action),
        LeaseEvent::Holds => o.text("event", "holds"),
        LeaseEvent::Expired => o.text("event", "expired"),
        LeaseEvent::LeftBehind(action) => acted(o, "left_behind", action),
        LeaseEvent::Undone => o.text("event", "undone"),
    }
}

fn acted(o: &mut Object<'_>, event: &str, action: Action) -> Result {
    o.text("event", event)?;
    match action {
        Action::Pause(task) => counted_action(o, "pause", "task", task.0),
        Action::Resume(task) => counted_action(o, "resume", "task", task.0),
        Action::Migrate { task, to } => {
            counted_action(o, "migrate", "task", task.0)?;
            o.number("to_core", to.0)
        }
        Action::Dedicate(core) => counted_action(o, "dedicate", "core", core.0),
        Action::Share(core) => counted_action(o, "share", "core", core.0),
        Action::Confine(share) => {
            counted_action(o, "confine", "ways", share.ways)?;
            o.number("percent", share.percent)
        }
        Action::Unconfine => o.text("action", "unconfine"),
        Action::Recolour(apart) => counted_action(o, "recolour", "colours", apart.colours),
        Action::Uncolour => o.text("action", "uncolour"),
    }
}

fn named(o: &mut Object<'_>, event: &str, key: &str, name: &str) -> Result {
    o.text("event", event)?;
    o.text(key, name)
}

fn counted(o: &mut Object<'_>, event: &str, key: &str, count: impl Into<u64>) -> Result {
    o.text("event", event)?;
    o.number(key, count)
}

fn counted_action(o: &mut Object<'_>, action: &str, key: &str, count: impl Into<u64>) -> Result {
    o.text("action", action)?;
    o.number(key, count)
}

fn name_of(workload: WorkloadId) -> &'static str {
    match workload {
        FIRST_CLASS => workload_search::SPEC.name,
        WorkloadId(index) => workloads::get(index).map_or("none", |entry| entry.spec.name),
    }
}
