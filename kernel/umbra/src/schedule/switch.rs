//! Choosing who runs, and the switch itself.

use core::sync::atomic::Ordering;

use umbra_sched::TaskIndex;
use umbra_x86_64::{apic, context, cpu};

use super::hold;
use super::messages::depart;
use super::roles::follow_roles;
use super::{Owned, current, owned};
use crate::cores::{self, Core, NO_TASK};
use crate::hardware::{budget, counters, division};
use crate::tasks::{self, Phase};
use crate::{time, trace};

/// Chooses who runs, and switches if that is somebody else. Interrupts off.
pub(crate) fn reschedule() {
    let core = cores::this();
    core.handling.store(true, Ordering::Relaxed);
    let state = owned(core);
    let now = cpu::timestamp();
    let previous = current();
    settle(core, state, previous, now);
    // Whose slice is over begins a new one, even if its turn comes again:
    // otherwise the timer would be set to a moment that has passed.
    let stays = previous.is_some_and(|slot| {
        let over = state.queue.slice_end(TaskIndex(slot)).is_some_and(|end| end <= now);
        !over && !state.queue.should_preempt(now, TaskIndex(slot))
    });
    let next = if stays && state.must_leave.is_none() {
        previous
    } else {
        state.queue.pick(now).map(|TaskIndex(slot)| slot)
    };
    core.queued.store(u32::try_from(state.queue.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
    arm(core, state, next);
    if next == previous && state.must_leave.is_none() {
        core.handling.store(false, Ordering::Relaxed);
        return;
    }
    switch(core, state, previous, next, now);
}

/// Charges the running task for its time so far.
fn settle(core: &Core, state: &mut Owned, previous: Option<u16>, now: u64) {
    let ran = now.saturating_sub(state.switched_at);
    state.switched_at = now;
    counters::charge(core, previous);
    if let Some(slot) = previous {
        state.queue.account(TaskIndex(slot), ran);
    }
}

/// Sets the timer for what comes first: a task's timer, or the turn of another
/// second-class task. With neither, the core takes no timer interrupt.
fn arm(core: &Core, state: &Owned, next: Option<u16>) {
    let turn = next.and_then(|slot| state.queue.slice_end(TaskIndex(slot)));
    match turn.into_iter().chain(state.timers.next_deadline()).min() {
        Some(deadline) => {
            core.tick_off.store(false, Ordering::Relaxed);
            time::arm(deadline);
        }
        None if core.tick_off.load(Ordering::Relaxed) => {}
        None => {
            apic::mask_timer();
            core.tick_off.store(true, Ordering::Relaxed);
        }
    }
}

fn switch(core: &'static Core, state: &mut Owned, previous: Option<u16>, next: Option<u16>, now: u64) {
    core.switches.store(core.switches.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    trace::switched(core.number, next, now);
    let save: *mut u64 = match previous {
        Some(slot) => {
            let task = tasks::at(slot);
            task.counters.cycles.stop(now);
            let departure = state.must_leave.take();
            if departure.is_none() {
                task.set_phase(Phase::Ready);
            }
            state.departing = departure.map(|departure| (slot, departure));
            // SAFETY: a running task's context is its core's to write.
            unsafe { task.context.get() }
        }
        None => &raw mut state.idle,
    };
    let resume = match next {
        Some(slot) => {
            let task = tasks::at(slot);
            task.set_phase(Phase::Running);
            task.counters.cycles.start(now);
            core.busy.start(now);
            core.current.store(slot, Ordering::Relaxed);
            division::enter(core, slot);
            budget::enter(core, Some(slot), now);
            if !core.has_flushed_for(task.mapped_in.load(Ordering::Acquire)) {
                hold::flush(core);
            }
            // SAFETY: a task on this core's queue is not running, so its
            // context is this core's to read.
            unsafe { *task.context.get() }
        }
        None => {
            core.busy.stop(now);
            core.current.store(NO_TASK, Ordering::Relaxed);
            budget::enter(core, None, now);
            state.idle
        }
    };
    core.handling.store(false, Ordering::Relaxed);
    // SAFETY: interrupts are off; `resume` was saved by an earlier switch or
    // made by `context::prepare`, and its task is on this core's queue alone.
    unsafe { context::switch(save, resume) };
    after_switch();
}

/// First thing on every context that was switched to.
pub(crate) fn after_switch() {
    let core = cores::this();
    if let Some((slot, departure)) = owned(core).departing.take() {
        depart(core, slot, departure);
    }
    let roles = owned(core).roles;
    if roles.desired() != roles.confirmed() {
        // What the change was waiting for may just have left.
        follow_roles(core);
    }
}
