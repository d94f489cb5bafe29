//! What a core does when another asks: take a task in, let one go, end one.

use core::sync::atomic::Ordering;

use umbra_sched::{Class, NOMINAL_WEIGHT, Roles, TaskIndex, Token};

use super::hold;
use super::roles::follow_roles;
use super::{Departure, Message, Subject, class_of, current, owned, send};
use crate::cores::{self, Core};
use crate::hardware::{budget, calibrate, confine, division, stat};
use crate::tasks::{self, Phase};

/// Does what a message says.
pub(super) fn take(core: &'static Core, message: Message) {
    match message {
        Message::Enqueue(slot) => admit(core, slot),
        Message::Wake(slot) => wake(core, slot),
        Message::Pause(task) if is_current(task) => hold::pause(core, task.slot),
        Message::Resume(task) if is_current(task) => hold::resume(core, task.slot),
        Message::Hold(task) if is_current(task) => hold::hold(core, task.slot),
        Message::LetGo(task) if is_current(task) => hold::let_go(core, task.slot),
        Message::Flush => hold::flush(core),
        Message::Move { task, to } if is_current(task) => {
            if to != core.number {
                withdraw(core, task.slot, Departure::Core(to));
            }
        }
        Message::Kill(task) if is_current(task) => kill(core, task.slot),
        Message::Pause(_)
        | Message::Resume(_)
        | Message::Hold(_)
        | Message::LetGo(_)
        | Message::Move { .. }
        | Message::Kill(_) => {}
        Message::Confine => confine::follow(core),
        Message::Ration => budget::follow(core),
        Message::Stream => calibrate::take_part(core),
        Message::Count(step) => stat::take_step(core, step),
        Message::Division => division::carry_out(core),
        Message::Roles(roles) => {
            if let Err(refused) = owned(core).roles.request(Roles(roles)) {
                crate::log_line!(Warn, "{refused}");
            }
        }
    }
    follow_roles(core);
}

fn is_current(task: Subject) -> bool {
    Subject::of(task.slot) == task
}

pub(super) fn is_mine(core: &Core, slot: u16) -> bool {
    tasks::get(slot).is_some_and(|task| task.core.load(Ordering::Relaxed) == core.number)
}

/// Puts a task on this core's queue, or sends a second-class one on if this
/// core does not take any now.
pub(super) fn admit(core: &'static Core, slot: u16) {
    let Some(task) = tasks::get(slot) else { return };
    let class = class_of(slot);
    if class == Class::Second && !owned(core).roles.accepts(Roles::SECOND_CLASS) {
        let to = best_second_class_core(core.number);
        if let Some(to) = to
            && hand_over(slot, to)
        {
            return;
        }
    }
    task.core.store(core.number, Ordering::Relaxed);
    task.set_phase(Phase::Ready);
    if let Err(error) = owned(core).queue.enqueue(TaskIndex(slot), class, NOMINAL_WEIGHT) {
        crate::log_line!(Error, "{error}");
    }
}

pub(super) fn wake(core: &'static Core, slot: u16) {
    let Some(task) = tasks::get(slot).filter(|_| is_mine(core, slot)) else { return };
    match task.phase() {
        Phase::Parked | Phase::Sleeping => {
            if let Some(token) = Token::task(TaskIndex(slot)) {
                owned(core).timers.cancel(token);
            }
            admit(core, slot);
        }
        Phase::Running | Phase::Ready => task.woken.store(true, Ordering::Relaxed),
        _ => {}
    }
}

/// Takes a task off this core's queue and lets `departure` become of it.
pub(super) fn withdraw(core: &'static Core, slot: u16, departure: Departure) {
    if !is_mine(core, slot) || class_of(slot) != Class::Second {
        return;
    }
    match (tasks::at(slot).phase(), departure) {
        (Phase::Running, _) => {
            owned(core).queue.remove(TaskIndex(slot));
            owned(core).must_leave = Some(departure);
        }
        (Phase::Ready, _) => {
            owned(core).queue.remove(TaskIndex(slot));
            depart(core, slot, departure);
        }
        // A paused task has no queue: it only changes hands.
        (Phase::Paused, Departure::Core(to)) => tasks::at(slot).core.store(to, Ordering::Release),
        _ => {}
    }
}

fn kill(core: &'static Core, slot: u16) {
    if !is_mine(core, slot) || slot == tasks::CONTROL {
        return;
    }
    let task = tasks::at(slot);
    if task.phase().is_over() || task.phase() == Phase::Empty {
        return;
    }
    let state = owned(core);
    state.queue.forget(TaskIndex(slot));
    if let Some(token) = Token::task(TaskIndex(slot)) {
        state.timers.cancel(token);
    }
    if current() == Some(slot) {
        state.must_leave = Some(Departure::To(Phase::Ended));
    } else {
        task.set_phase(Phase::Ended);
    }
}

/// The core other than `but` that has confirmed second-class and holds the
/// fewest tasks. Bound: the cores.
pub(super) fn best_second_class_core(but: u8) -> Option<u8> {
    cores::all()
        .filter(|core| core.number != but)
        .filter(|core| core.roles().has(Roles::SECOND_CLASS))
        .min_by_key(|core| core.queued.load(Ordering::Relaxed))
        .map(|core| core.number)
}

/// Lets a task that is not running go where it goes.
pub(super) fn depart(core: &'static Core, slot: u16, departure: Departure) {
    match departure {
        Departure::To(phase) => tasks::at(slot).set_phase(phase),
        Departure::Core(to) => {
            if !hand_over(slot, to) {
                // The other core's ring is full: better late than lost.
                tasks::at(slot).set_phase(Phase::Ready);
                let back = owned(core).queue.enqueue(TaskIndex(slot), class_of(slot), NOMINAL_WEIGHT);
                if let Err(error) = back {
                    crate::log_line!(Error, "{error}");
                }
            }
        }
    }
}

fn hand_over(slot: u16, to: u8) -> bool {
    let (task, me) = (tasks::at(slot), cores::this().number);
    if to == me || cores::get(to).is_none() {
        return false;
    }
    task.set_phase(Phase::Moving);
    task.core.store(to, Ordering::Release);
    let sent = send(to, Message::Enqueue(slot));
    if !sent {
        task.core.store(me, Ordering::Release);
    }
    sent
}
