//! Cores, tasks and messages.

use core::sync::atomic::Ordering;

use umbra_control::machine::{Action, Actuator, CoreId, Refusal};
use workload_api::{Corpus, Memory, Meter, Workload};

use super::harness::{
    Outcome, Reason, act, pass_ms, phase, second_class_cores, start, units, wait_for, wait_for_units,
};
use crate::machine::{self, Machine};
use crate::schedule::{self, Message, Subject};
use crate::tasks::{self, Phase};
use crate::{boot, cores, ensure, time};

pub(super) fn every_processor_runs() -> Result<Outcome, Reason> {
    let (named, running) = (boot::processors_named(), u32::from(cores::count()));
    ensure!(running == named, "{named} processors are named, {running} run");
    for core in cores::all() {
        ensure!(core.online.load(Ordering::Acquire) == 1, "core {} is not online", core.number);
    }
    Ok(Outcome::Passed)
}

pub(super) fn sleep_is_not_short() -> Result<Outcome, Reason> {
    for us in [50, 1_000, 20_000] {
        let wanted = time::now_ns() + us * 1_000;
        schedule::sleep_until(time::tsc_at(wanted));
        // The two conversions round down by a cycle each.
        ensure!(time::now_ns() + 2 >= wanted, "woke {} ns early from {us} us", wanted - time::now_ns());
    }
    Ok(Outcome::Passed)
}

pub(super) fn every_core_works() -> Result<Outcome, Reason> {
    for core in second_class_cores() {
        let slot = start("hash", Some(core))?;
        wait_for_units(slot, 3)?;
        let at = tasks::at(slot).core.load(Ordering::Relaxed);
        ensure!(at == core, "asked for core {core}, runs on {at}");
    }
    Ok(Outcome::Passed)
}

pub(super) fn sharing_is_fair() -> Result<Outcome, Reason> {
    let core = second_class_cores().last();
    let mut slots = [0; 3];
    for slot in &mut slots {
        *slot = start("hash", core)?;
    }
    wait_for("the first units of all", || slots.iter().all(|slot| units(*slot) > 0))?;
    let cycles = |slot: u16| tasks::at(slot).counters.cycles_now();
    let before = slots.map(cycles);
    let ran = || -> [u64; 3] { core::array::from_fn(|i| cycles(slots[i]) - before[i]) };
    // An emulator's core may stand still for a while in anyone's slice and be
    // charged for it; over time that evens out, unfairness does not.
    let fair = || {
        let ran = ran();
        let (least, most) = (ran.iter().min().copied().unwrap_or(0), ran.iter().max().copied().unwrap_or(0));
        least * 5 > most * 4
    };
    pass_ms(300);
    if wait_for("equal shares of one core", fair).is_err() {
        return Err(super::harness::reason(format_args!("shares of one core differ too much: {:?}", ran())));
    }
    Ok(Outcome::Passed)
}

pub(super) fn pause_and_resume() -> Result<Outcome, Reason> {
    let slot = start("matrix", None)?;
    wait_for_units(slot, 3)?;
    act(Action::Pause(tasks::id(slot)))?;
    let at_pause = units(slot);
    pass_ms(30);
    ensure!(units(slot) == at_pause, "a paused task went on");
    act(Action::Resume(tasks::id(slot)))?;
    wait_for_units(slot, 3)?;
    Ok(Outcome::Passed)
}

pub(super) fn migration() -> Result<Outcome, Reason> {
    let mut takers = second_class_cores();
    let (Some(one), Some(other)) = (takers.next(), takers.next()) else {
        return Ok(Outcome::Needs("two second-class cores"));
    };
    let slot = start("matrix", Some(one))?;
    let mut before = 0;
    for round in 0..10u8 {
        let to = if round % 2 == 0 { other } else { one };
        act(Action::Migrate { task: tasks::id(slot), to: CoreId(to) })?;
        wait_for_units(slot, 2)?;
        ensure!(units(slot) > before, "units fell from {before} to {}", units(slot));
        before = units(slot);
        let at = tasks::at(slot).core.load(Ordering::Relaxed);
        ensure!(at == to, "sent to core {to}, is on {at}");
    }
    // A paused task changes hands too, and goes on where it was sent.
    act(Action::Pause(tasks::id(slot)))?;
    act(Action::Migrate { task: tasks::id(slot), to: CoreId(other) })?;
    act(Action::Resume(tasks::id(slot)))?;
    wait_for_units(slot, 2)?;
    Ok(Outcome::Passed)
}

pub(super) fn stop_paused() -> Result<Outcome, Reason> {
    let slot = start("hash", None)?;
    wait_for_units(slot, 1)?;
    act(Action::Pause(tasks::id(slot)))?;
    crate::stop::request(slot, time::now_ns());
    wait_for("the paused task's end", || phase(slot) == Phase::Empty)?;
    Ok(Outcome::Passed)
}

pub(super) fn dedicate_and_share() -> Result<Outcome, Reason> {
    let core = CoreId(machine::first_class_core());
    let slot = start("hash", second_class_cores().find(|number| *number == core.0))?;
    wait_for_units(slot, 1)?;
    if second_class_cores().count() < 2 {
        let refused = Machine.apply(Action::Dedicate(core));
        ensure!(refused == Err(Refusal::LastCore), "the last core was dedicated: {refused:?}");
        return Ok(Outcome::Needs("a second core for second-class tasks"));
    }
    act(Action::Dedicate(core))?;
    let state = cores::get(core.0).expect("the first-class core");
    wait_for("the tick's end", || state.tick_off.load(Ordering::Relaxed) || core.0 == cores::CONTROL)?;
    ensure!(tasks::at(slot).core.load(Ordering::Relaxed) != core.0, "a second-class task stayed");
    wait_for_units(slot, 2)?;
    let before = state.interrupts.load(Ordering::Relaxed);
    pass_ms(50);
    let taken = state.interrupts.load(Ordering::Relaxed) - before;
    ensure!(taken == 0, "a dedicated core took {taken} interrupts in 50 ms");
    act(Action::Share(core))?;
    let back = start("hash", Some(core.0))?;
    wait_for_units(back, 1)?;
    Ok(Outcome::Passed)
}

pub(super) fn stale_messages() -> Result<Outcome, Reason> {
    for core in cores::all() {
        for slot in [tasks::SECOND, tasks::SLOTS - 1, tasks::SLOTS, u16::MAX] {
            for message in [
                Message::Wake(slot),
                Message::Pause(Subject::of(slot)),
                Message::Resume(Subject::of(slot)),
                Message::Kill(Subject::of(slot)),
                Message::Move { task: Subject::of(slot), to: 0 },
            ] {
                wait_for("room in a mailbox", || schedule::send(core.number, message))?;
            }
        }
    }
    every_core_works()
}

/// The same unit, here and on a second-class core.
pub(super) fn same_checksum() -> Result<Outcome, Reason> {
    let mut words = alloc::vec![0u64; 16 << 10];
    let matrix =
        workload_matrix::prepare(Corpus::EMPTY, Memory::new(&mut words), workload_matrix::Config::default());
    let Ok(matrix) = matrix else {
        return Err(super::harness::reason(format_args!("matrix needs more memory")));
    };
    let mut scratch = alloc::vec![0u64; matrix.scratch_words()];
    let slot = start("matrix", second_class_cores().last())?;
    wait_for_units(slot, 5)?;
    act(Action::Pause(tasks::id(slot)))?;
    let (done, sum) = (units(slot), tasks::at(slot).counters.checksum.load(Ordering::Relaxed));
    let mut expected = 0;
    for unit in 0..done {
        expected ^= matrix.unit(unit, &mut scratch, &mut Meter::default());
    }
    ensure!(sum == expected, "{done} units gave {sum:#x} there and {expected:#x} here");
    Ok(Outcome::Passed)
}
