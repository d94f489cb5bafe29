//! Keeping a task off its core, for either of two reasons: policy paused it, or
//! its pages are being moved. It goes on when neither holds, so that a resume
//! in the middle of a move cannot let a task write to a page that is being
//! copied. And flushing, which follows from such moves.

use core::sync::atomic::Ordering;

use umbra_sched::Class;
use umbra_x86_64::paging;

use super::messages::{admit, is_mine, withdraw};
use super::{Departure, class_of, current, owned};
use crate::cores::Core;
use crate::tasks::{self, Phase};

pub(super) fn pause(core: &'static Core, slot: u16) {
    if is_mine(core, slot) {
        tasks::at(slot).paused.store(true, Ordering::Relaxed);
        withdraw(core, slot, Departure::To(Phase::Paused));
    }
}

pub(super) fn resume(core: &'static Core, slot: u16) {
    if is_mine(core, slot) {
        tasks::at(slot).paused.store(false, Ordering::Relaxed);
        go_on(core, slot);
    }
}

/// A task that is about to leave for another reason is left alone: whoever asks
/// looks whether it is held, and asks again.
pub(super) fn hold(core: &'static Core, slot: u16) {
    let leaves = current() == Some(slot) && owned(core).must_leave.is_some();
    if is_mine(core, slot) && class_of(slot) == Class::Second && !leaves {
        tasks::at(slot).held.store(true, Ordering::Release);
        withdraw(core, slot, Departure::To(Phase::Paused));
    }
}

pub(super) fn let_go(core: &'static Core, slot: u16) {
    if is_mine(core, slot) {
        tasks::at(slot).held.store(false, Ordering::Release);
        go_on(core, slot);
    }
}

fn go_on(core: &'static Core, slot: u16) {
    let task = tasks::at(slot);
    let kept = task.paused.load(Ordering::Relaxed) || task.held.load(Ordering::Relaxed);
    if task.phase() == Phase::Paused && !kept {
        admit(core, slot);
    }
}

/// Forgets cached translations. The generation is read first: a mapping that
/// changes meanwhile counts as not flushed for.
pub(super) fn flush(core: &Core) {
    let generation = crate::spawn::mapping_generation();
    paging::flush_all();
    core.flushed.store(generation, Ordering::Release);
}
