//! Ending second-class tasks: asked first, killed if they do not listen.
//! Control core only.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::schedule::{self, Message, Subject};
use crate::tasks::{self, Phase};

/// How long a task has to finish its unit.
const PATIENCE_NS: u64 = 200_000_000;

/// When a slot's task is to be killed, in nanoseconds since boot; 0 for never.
static KILL_AT: [AtomicU64; tasks::SLOTS as usize] = [const { AtomicU64::new(0) }; tasks::SLOTS as usize];

/// Asks a second-class task to end; false when the slot holds none that lives.
/// One that faulted is forgotten instead.
pub(crate) fn request(slot: u16, now_ns: u64) -> bool {
    let Some(task) = tasks::get(slot).filter(|_| slot >= tasks::SECOND) else { return false };
    match task.phase() {
        Phase::Empty => return false,
        Phase::Faulted => {
            crate::spawn::reap();
            task.set_phase(Phase::Empty);
        }
        _ => {
            task.stop.store(true, Ordering::Release);
            // A paused task cannot answer.
            let patience = if task.phase() == Phase::Paused { 0 } else { PATIENCE_NS };
            KILL_AT[usize::from(slot)].store(now_ns + patience + 1, Ordering::Relaxed);
        }
    }
    true
}

/// Kills those whose time is up. Bound: the slots.
pub(crate) fn look(now_ns: u64) {
    for (slot, task) in tasks::second_class() {
        let kill_at = &KILL_AT[usize::from(slot)];
        let at = kill_at.load(Ordering::Relaxed);
        if at == 0 || now_ns < at {
            continue;
        }
        if task.phase().is_over() || !task.stop.load(Ordering::Acquire) {
            // It ended, or the slot has a new tenant.
            kill_at.store(0, Ordering::Relaxed);
            continue;
        }
        // A full mailbox, or a task on its way to another core: look again.
        if task.phase() != Phase::Moving
            && schedule::send(task.core.load(Ordering::Acquire), Message::Kill(Subject::of(slot)))
        {
            kill_at.store(0, Ordering::Relaxed);
        }
    }
}
