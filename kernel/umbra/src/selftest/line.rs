//! The line on the real machine.

use core::sync::atomic::Ordering;

use umbra_control::machine::{Action, Actuator, Burst, CoreId, Stage};
use umbra_control::policy::Policy;
use workload_api::{Meter, Workload};

use super::harness::{Outcome, Reason, act, reason, second_class_cores, start, wait_for, wait_for_units};
use crate::first_class::{self, State};
use crate::machine::{self, Machine};
use crate::{aside, control, cores, ensure, tasks, time};

fn prepared() -> Result<(), Reason> {
    first_class::begin_preparing();
    wait_for("the index", || !matches!(first_class::state(), State::Preparing))?;
    ensure!(first_class::state() == State::Ready, "search is {:?}", first_class::state());
    Ok(())
}

/// Runs one burst through the line and returns what the stats then say.
fn burst(number: u32, notice_ms: u64) -> Result<(), Reason> {
    let burst = Burst {
        number,
        first_unit: u64::from(number) * 1_000,
        requests: 24,
        mean_gap_ns: 2_000_000,
        seed: u64::from(number),
        late_ns: 1_000_000_000,
    };
    let at = time::now_ns() + notice_ms * 1_000_000;
    let scheduled = control::with_line(|line, _| line.schedule(burst, at));
    ensure!(scheduled == Some(Ok(())), "not scheduled: {scheduled:?}");
    wait_for("the burst's end", || {
        let progress = Machine.burst();
        progress.number == number && progress.done
    })?;
    let answered = Machine.burst().answered;
    ensure!(answered == 24, "{answered} of 24 requests answered");
    // The line takes note, undoes what it did, learns.
    wait_for("the line's rest", || {
        control::with_line(|line, _| line.lease().phase() == umbra_control::quarantine::Phase::Idle)
            .unwrap_or(false)
    })
}

pub(super) fn search_answers() -> Result<Outcome, Reason> {
    prepared()?;
    let search = first_class::search().ok_or_else(|| reason(format_args!("no index")))?;
    let (mut results, mut meter) = (workload_search::Results::new(), Meter::default());
    search
        .query("\"impl core\" fmt", &mut meter, &mut results)
        .map_err(|error| reason(format_args!("{error}")))?;
    ensure!(results.matches() > 0, "no document of the Rust library has `impl core` and `fmt`");
    let mut scratch = alloc::vec![0u64; search.scratch_words()];
    let one = search.unit(7, &mut scratch, &mut meter);
    scratch.fill(u64::MAX);
    ensure!(search.unit(7, &mut scratch, &mut meter) == one, "the scratch's content changed the answer");
    Ok(Outcome::Passed)
}

pub(super) fn burst_undisturbed() -> Result<Outcome, Reason> {
    prepared()?;
    if second_class_cores().count() < 2 {
        return Ok(Outcome::Needs("a core that can be dedicated"));
    }
    let core = CoreId(machine::first_class_core());
    let busy = second_class_cores().find(|number| *number != core.0);
    let slot = start("hash", busy)?;
    act(Action::Dedicate(core))?;
    burst(1, 5)?;
    let (dedicated, interrupts) = first_class::disturbance();
    ensure!(dedicated, "the core was not dedicated throughout");
    ensure!(interrupts == 0, "{interrupts} interrupts in the run");
    wait_for_units(slot, 1)?;
    act(Action::Share(core))?;
    Ok(Outcome::Passed)
}

pub(super) fn profile_and_shadow() -> Result<Outcome, Reason> {
    prepared()?;
    for number in 10..13 {
        burst(number, 5)?;
    }
    wait_for("the profile", || control::with_line(|line, _| !line.profile().is_empty()).unwrap_or(false))?;
    wait_for("the plan", || control::with_line(|line, _| !line.shadow_plan().is_empty()).unwrap_or(false))?;
    control::with_line(|line, _| line.request_shadow());
    let shadows = || control::with_line(|line, _| line.stats().shadows).unwrap_or(0);
    wait_for("a shadow's end", || shadows() > 0)?;
    let counts = aside::SHADOW.progress().counts;
    ensure!(counts.units > 0 && counts.read_bytes > 0, "the shadow did nothing: {counts:?}");
    Ok(Outcome::Passed)
}

pub(super) fn concept_quarantine() -> Result<Outcome, Reason> {
    prepared()?;
    let mut slots = [0; 3];
    for (slot, name) in slots.iter_mut().zip(["stream", "chase", "hash"]) {
        *slot = start(
            name,
            Some(machine::first_class_core()).filter(|core| second_class_cores().any(|n| n == *core)),
        )?;
        wait_for_units(*slot, 1)?;
    }
    let homes = slots.map(|slot| tasks::at(slot).core.load(Ordering::Relaxed));
    control::with_line(|line, _| {
        line.reset_stats();
        line.set_policy(Policy::Concept, time::now_ns());
    });
    burst(20, 80)?;
    burst(21, 80)?;
    let stats = control::with_line(|line, _| *line.stats()).ok_or_else(|| reason(format_args!("no line")))?;
    ensure!(stats.shadows > 0, "no shadow ran: {} cut", stats.shadows_cut);
    ensure!(stats.predictions > 0, "nothing was predicted");
    if cores::count() > 1 {
        ensure!(stats.actions.total() > 0, "three tasks on the first-class core and nothing was done");
    }
    let home = |slot: u16| tasks::at(slot).core.load(Ordering::Relaxed);
    wait_for("every task's being back", || slots.iter().zip(homes).all(|(slot, core)| home(*slot) == core))?;
    for slot in slots {
        wait_for_units(slot, 1)?;
    }
    let roles = machine::resting_roles(machine::first_class_core());
    let now = cores::get(machine::first_class_core()).map(|core| core.roles().0);
    ensure!(now == Some(roles.0), "the first-class core's roles are {now:?}");
    Ok(Outcome::Passed)
}

pub(super) fn echo() -> Result<Outcome, Reason> {
    prepared()?;
    let before = control::with_line(|line, _| line.stats().echoes).unwrap_or(0);
    control::with_line(|line, _| line.request_echo(500, 4));
    wait_for("the echo's end", || control::with_line(|line, _| line.stats().echoes).unwrap_or(0) > before)?;
    let counts = aside::ECHO.progress().counts;
    ensure!(counts.units > 0 && counts.cycles > 0, "the echo did nothing: {counts:?}");
    Ok(Outcome::Passed)
}

pub(super) fn patent_remembers() -> Result<Outcome, Reason> {
    prepared()?;
    let core = Some(machine::first_class_core()).filter(|core| second_class_cores().any(|n| n == *core));
    let slot = start("matrix", core)?;
    wait_for_units(slot, 1)?;
    control::with_line(|line, _| {
        line.forget_pairs();
        line.set_policy(Policy::Patent, time::now_ns());
    });
    // A bound that nobody can meet: every request is late.
    let burst =
        Burst { number: 30, first_unit: 0, requests: 48, mean_gap_ns: 1_000_000, seed: 3, late_ns: 1 };
    let at = time::now_ns() + 5_000_000;
    control::with_line(|line, _| line.schedule(burst, at));
    wait_for("the burst's end", || Machine.burst().number == 30 && Machine.burst().done)?;
    let remembered = control::with_line(|line, _| line.ledger().iter().count()).unwrap_or(0);
    ensure!(remembered == 1, "{remembered} pairs in the ledger");
    // Remembered, it is held before the next burst begins, and let go after.
    let counted = || control::with_line(|line, _| line.stats().actions).unwrap_or_default();
    wait_for("the undoing of the first", || Machine.holds(Action::Resume(tasks::id(slot))))?;
    let paused_before = counted().paused;
    let next = Burst { number: 31, late_ns: 1_000_000_000, ..burst };
    let at = time::now_ns() + 50_000_000;
    wait_for("a place for the next burst", || {
        control::with_line(|line, _| line.schedule(next, at.max(time::now_ns() + 20_000_000))) == Some(Ok(()))
    })?;
    wait_for("the release", || Machine.burst().number == 31)?;
    // What was done is counted, not looked for: a loaded host may show this
    // core the time before and the time after, and nothing between.
    wait_for("the burst's end", || Machine.burst().done)?;
    let paused = counted().paused - paused_before;
    ensure!(paused > 0, "the remembered task was not paused");
    wait_for("the task's being let go", || Machine.holds(Action::Resume(tasks::id(slot))))?;
    wait_for_units(slot, 1)?;
    control::with_line(|line, _| line.forget_pairs());
    Ok(Outcome::Passed)
}
