//! The rota carried out: where vCPUs leave translated code and come back.
//!
//! No function here holds a reference to the model while QEMU runs something
//! that may call back (the timers), and none that leaves a block has anything
//! on its stack that needs dropping: QEMU leaves by a jump past it.

use std::time::Instant;

use umbra_model::registers::Raw;
use umbra_model::{Hierarchy, Registers};

use crate::api::{Cpu, Qemu};
use crate::clock;
use crate::entries::Caller;
use crate::internals::Locked;
use crate::model::model;
use crate::refuse;
use crate::report::processor_ms;
use crate::trace::Trace;
use crate::turns::Phase;

/// The modelled part begins at a multiple of this many seconds.
const START_SECONDS: u64 = 10;

/// Ends the turn that is over. The big lock is held.
unsafe fn finish_turn() {
    // SAFETY: the emulating thread; the reference ends before the timers run.
    let run_timers = unsafe {
        let model = model();
        if model.turns.finish_turn() {
            model.hand_over();
            return;
        }
        let anyone = (0..model.vcpus.len()).any(|at| model.is_active(at));
        model.turns.close_quantum(anyone);
        model.hierarchy.advance(model.turns.global());
        model.sample();
        model.publish();
        model.qemu.run_timers
    };
    // SAFETY: with the lock, on the emulating thread, as QEMU's own loop does.
    clock::between_turns(|| unsafe { run_timers() });
    // SAFETY: the emulating thread.
    unsafe { model().begin_quantum() };
}

/// A vCPU woke while all were idle: time has jumped. The big lock is held.
unsafe fn end_idling() {
    // SAFETY: the emulating thread.
    let model = unsafe { model() };
    model.turns.jump(clock::take_skipped());
    model.hierarchy.advance(model.turns.global());
    model.begin_quantum();
}

/// A block was reached with the vCPU's word at its limit.
///
/// # Safety
/// Called by translated code, which the state is restored from.
pub(crate) unsafe fn limit_reached(at: usize, caller: Caller) {
    // SAFETY: the emulating thread.
    if unsafe { !may_stay(at) } {
        // SAFETY: the caller's state.
        unsafe { leave(at, caller) }
    }
}

unsafe fn may_stay(at: usize) -> bool {
    // SAFETY: the emulating thread; references end before calls that may call back.
    unsafe {
        let qemu = model().qemu;
        if !model().ready {
            let _locked = Locked::take(&qemu);
            let prepared = model().prepare(at);
            if let Err(why) = prepared {
                refuse(&why);
            }
        }
        let phase = model().turns.phase();
        if phase == Phase::Turn(at) {
            model().settle(at);
            if model().turns.local(at) < model().turns.end() {
                model().wind(at);
                return true;
            }
            let _locked = Locked::take(&qemu);
            finish_turn();
        } else if phase == Phase::Idle {
            let _locked = Locked::take(&qemu);
            end_idling();
        }
        model().turns.phase() == Phase::Turn(at)
    }
}

/// Leaves the block before its next instruction and lets QEMU's loop go on.
///
/// # Safety
/// As [`limit_reached`]; nothing on the stack may need dropping.
unsafe fn leave(at: usize, caller: Caller) -> ! {
    // SAFETY: the vCPU is the one that called.
    unsafe {
        let qemu = model().qemu;
        let phase = model().turns.phase();
        let vcpu = &model().vcpus[at];
        vcpu.state.set_open(phase == Phase::Idle || phase == Phase::Turn(at));
        let cpu = vcpu.state.0;
        (qemu.request_exit)(cpu);
        restore(&qemu, cpu, caller);
        (qemu.leave_loop)(cpu)
    }
}

/// Makes the guest's registers those before the instruction that called.
///
/// # Safety
/// As [`limit_reached`].
pub(crate) unsafe fn restore(qemu: &Qemu, cpu: Cpu, caller: Caller) {
    // SAFETY: the address lies in the calling block; QEMU looks two bytes before
    // a return address for the call.
    if unsafe { !(qemu.restore_state)(cpu, caller.return_address - 2) } {
        refuse("a block's state cannot be restored");
    }
}

/// The first block of the modelled part was reached.
///
/// # Safety
/// As [`limit_reached`].
pub(crate) unsafe fn start_reached(at: usize, caller: Caller) {
    // SAFETY: the emulating thread.
    unsafe {
        let model = model();
        if model.started || model.turns.phase() != Phase::Turn(at) {
            return;
        }
        model.settle(at);
        let step = model.arguments.machine.clock_mhz * 1_000_000 * START_SECONDS;
        let now = model.turns.local(at);
        model.turns.restart((now / step + 1) * step);
        model.hierarchy = Hierarchy::new(&model.arguments.machine, model.arguments.quantum);
        model.hierarchy.advance(model.turns.global());
        model.registers = Registers::new(&model.arguments.machine);
        model.vcpus.iter_mut().for_each(|vcpu| {
            vcpu.raw = Raw::default();
            vcpu.pages.clear();
        });
        model.started = true;
        model.begun = Instant::now();
        model.begun_processor_ms = processor_ms();
        model.trace = model.trace.take().map(|_| Trace::new(model.vcpus.len(), model.arguments.quantum));
        let qemu = model.qemu;
        let cpu = model.vcpus[at].state.0;
        model.begin_quantum();
        (qemu.flush_blocks)(cpu);
        leave(at, caller)
    }
}

/// Whether a halted vCPU without work has nothing to do. On the emulating
/// thread this is where a turn ends by HLT or by waiting for a start-up
/// message; the big lock is held.
pub(crate) unsafe extern "C" fn thread_is_idle(cpu: Cpu) -> bool {
    if clock::is_emulating_thread() {
        // SAFETY: the emulating thread; references end before calls that may call back.
        unsafe {
            if !model().ready {
                return true;
            }
            if let Phase::Turn(at) = model().turns.phase()
                && model().vcpus[at].state.0 == cpu
            {
                model().settle(at);
                finish_turn();
                return model().turns.phase() == Phase::Idle;
            }
        }
        return true;
    }
    clock::all_idle()
}
