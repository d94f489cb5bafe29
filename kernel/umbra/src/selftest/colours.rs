//! Memory by colour: pages move under tasks that go on, and nothing is lost.

use core::sync::atomic::Ordering;

use umbra_control::machine::{Action, Apart};
use umbra_memory::{Class, ColourSet};
use workload_api::{Corpus, Memory, Meter, Workload};

use super::harness::{
    Outcome, Reason, act, free_at_rest, pass_ms, phase, reason, second_class_cores, start, units, wait_for,
    wait_for_units,
};
use crate::memory::{colours, verify};
use crate::tasks::{self, Phase};
use crate::{ensure, first_class, memory, recolour, stop, time};

/// Two sets that have nothing in common, out of the second class's; none where
/// there are fewer than eight colours.
fn two_sets() -> Option<(ColourSet, ColourSet)> {
    let all = colours::division().of(Class::Second);
    let low = all.iter().take(4).fold(ColourSet::EMPTY, |set, colour| set.with(ColourSet::only(colour)));
    let rest = all.without(low);
    let high = rest.iter().take(4).fold(ColourSet::EMPTY, |set, colour| set.with(ColourSet::only(colour)));
    (high.count() == 4).then_some((low, high))
}

/// Wishes a task onto colours and waits until it is there.
fn move_to(slot: u16, set: ColourSet) -> Result<(), Reason> {
    colours::change(slot, set).map_err(|refusal| reason(format_args!("{refusal}")))?;
    wait_for("a move's end", || colours::of(slot).is_none_or(|held| !held.pending))?;
    wait_for("the task's being let go", || recolour::current().is_none())?;
    let placed = verify::of(slot).ok_or_else(|| reason(format_args!("task {slot} is gone")))?;
    ensure!(placed.outside == 0, "{} of {} pages are outside {set}", placed.outside, placed.pages);
    sound()
}

fn sound() -> Result<(), Reason> {
    let verdict = verify::run();
    ensure!(verdict.is_sound(), "{verdict:?}");
    Ok(())
}

pub(super) fn mappings_are_sound() -> Result<Outcome, Reason> {
    for core in second_class_cores() {
        wait_for_units(start("hash", Some(core))?, 1)?;
    }
    sound()?;
    let verdict = verify::run();
    ensure!(verdict.outside == 0, "{} pages are not of their task's colours", verdict.outside);
    ensure!(verdict.tasks > 3, "{} tasks were looked at", verdict.tasks);
    Ok(Outcome::Passed)
}

/// A task is moved to and fro while it computes; then its sum is compared with
/// the same units computed here.
pub(super) fn recoloured_while_running() -> Result<Outcome, Reason> {
    let Some((low, high)) = two_sets() else { return Ok(Outcome::Needs("eight colours")) };
    let mut words = alloc::vec![0u64; 16 << 10];
    let matrix =
        workload_matrix::prepare(Corpus::EMPTY, Memory::new(&mut words), workload_matrix::Config::default());
    let Ok(matrix) = matrix else { return Err(reason(format_args!("matrix needs more memory"))) };
    let mut scratch = alloc::vec![0u64; matrix.scratch_words()];
    let slot = start("matrix", second_class_cores().last())?;
    wait_for_units(slot, 2)?;
    for round in 0..6 {
        let before = units(slot);
        move_to(slot, if round % 2 == 0 { high } else { low })?;
        wait_for("work after a move", || units(slot) > before)?;
        let moved = recolour::last().map_or(0, |report| report.tally.moved);
        ensure!(moved > 0, "round {round}: no page was moved");
    }
    act(Action::Pause(tasks::id(slot)))?;
    let (done, sum) = (units(slot), tasks::at(slot).counters.checksum.load(Ordering::Relaxed));
    let mut expected = 0;
    for unit in 0..done {
        expected ^= matrix.unit(unit, &mut scratch, &mut Meter::default());
    }
    ensure!(sum == expected, "{done} units gave {sum:#x} there and {expected:#x} here");
    Ok(Outcome::Passed)
}

pub(super) fn recoloured_while_paused() -> Result<Outcome, Reason> {
    let Some((low, high)) = two_sets() else { return Ok(Outcome::Needs("eight colours")) };
    let slot = start("chase", None)?;
    wait_for_units(slot, 2)?;
    act(Action::Pause(tasks::id(slot)))?;
    let at_pause = units(slot);
    move_to(slot, low)?;
    ensure!(phase(slot) == Phase::Paused && units(slot) == at_pause, "the move let a paused task run");
    // Resumed in the middle of a move, it runs, and the move goes on.
    colours::change(slot, high).map_err(|refusal| reason(format_args!("{refusal}")))?;
    pass_ms(2);
    act(Action::Resume(tasks::id(slot)))?;
    wait_for_units(slot, 1)?;
    move_to(slot, high)?;
    Ok(Outcome::Passed)
}

pub(super) fn moves_leave_nothing() -> Result<Outcome, Reason> {
    let Some((low, high)) = two_sets() else { return Ok(Outcome::Needs("eight colours")) };
    let mut free = 0;
    for round in 0..4 {
        let slot = start("chase", None)?;
        wait_for_units(slot, 1)?;
        move_to(slot, low)?;
        // Ended while its pages are on their way.
        colours::change(slot, high).map_err(|refusal| reason(format_args!("{refusal}")))?;
        pass_ms(15);
        stop::request(slot, time::now_ns());
        wait_for("the task's end", || phase(slot) == Phase::Empty)?;
        ensure!(memory::used_by_task(slot) == 0, "{} frames left behind", memory::used_by_task(slot));
        sound()?;
        let now = free_at_rest()?;
        ensure!(round < 1 || now == free, "round {round}: {now} frames free, {free} before");
        free = now;
    }
    Ok(Outcome::Passed)
}

/// First and second class set apart, and brought together again.
pub(super) fn first_class_moves() -> Result<Outcome, Reason> {
    let Some((low, _)) = two_sets() else { return Ok(Outcome::Needs("eight colours")) };
    first_class::begin_preparing();
    wait_for("the index", || first_class::state() != first_class::State::Preparing)?;
    let search = first_class::search().ok_or_else(|| reason(format_args!("no index")))?;
    let mut scratch = alloc::vec![0u64; search.scratch_words()];
    let before = search.unit(7, &mut scratch, &mut Meter::default());
    let all = colours::division().of(Class::First);
    wait_for("the first-class task's rest", first_class::is_idle)?;
    move_to(tasks::FIRST, all.without(low))?;
    let after = search.unit(7, &mut scratch, &mut Meter::default());
    ensure!(before == after, "an answer changed: {before:#x}, {after:#x}");
    let refused = colours::change(tasks::FIRST, colours::division().of(Class::Shadow));
    ensure!(refused.is_err(), "the first-class task was given the shadow's colours");
    move_to(tasks::FIRST, all)?;
    Ok(Outcome::Passed)
}

/// What a plan does with colours: apart ahead of a release, and exactly as
/// before when it is undone.
pub(super) fn set_apart_and_reunited() -> Result<Outcome, Reason> {
    let Some((low, _)) = two_sets() else { return Ok(Outcome::Needs("eight colours")) };
    first_class::begin_preparing();
    wait_for("the index", || first_class::state() != first_class::State::Preparing)?;
    let apart = Apart { colours: 10, first_moves: true };
    let all = colours::division().of(Class::Second);
    if all.count() < 20 {
        return Ok(Outcome::Needs("twenty colours"));
    }
    let (chase, matrix) = (start("chase", None)?, start("matrix", None)?);
    wait_for_units(chase, 1)?;
    wait_for_units(matrix, 1)?;
    // One has colours of its own choice already.
    move_to(matrix, low)?;
    let division = colours::division();
    let held = || [tasks::FIRST, chase, matrix].map(|slot| colours::of(slot).map(|held| held.colours));
    let before = held();
    act(Action::Recolour(apart))?;
    let kept = all.highest(10);
    ensure!(colours::division().shared(Class::First, Class::Second).is_empty(), "the classes share colours");
    for (slot, set) in [(tasks::FIRST, kept), (chase, all.without(kept)), (matrix, low)] {
        let placed = verify::of(slot).ok_or_else(|| reason(format_args!("task {slot} is gone")))?;
        let strays = placed.colours.without(set);
        ensure!(strays.is_empty(), "task {slot} has pages of {strays}, expected {set}");
    }
    // One that comes now is kept out as well.
    let late = start("hash", None)?;
    wait_for_units(late, 1)?;
    let colours_of_late = verify::of(late).map(|placed| placed.colours).unwrap_or_default();
    ensure!(colours_of_late.common(kept).is_empty(), "a late task has pages of {colours_of_late}");
    act(Action::Uncolour)?;
    ensure!(held() == before && colours::division() == division, "{:?}, before it was {before:?}", held());
    ensure!(colours::of(late).map(|held| held.colours) == Some(all), "the late task stays confined");
    let is_pending = |slot: u16| colours::of(slot).is_some_and(|held| held.pending);
    wait_for("every page's return", || ![tasks::FIRST, chase, matrix, late].into_iter().any(is_pending))?;
    for slot in [chase, matrix] {
        wait_for_units(slot, 1)?;
    }
    sound()?;
    Ok(Outcome::Passed)
}

/// Where timing shows caches, it must show the colours too.
pub(super) fn evidence_is_told() -> Result<Outcome, Reason> {
    use umbra_memory::Reliance;
    let Some(verdict) = crate::memory::evidence::verdict() else {
        return Err(reason(format_args!("nobody looked for evidence")));
    };
    let sorted = memory::usage().map_or(0, |usage| usage.colours);
    ensure!(
        sorted == verdict.colours.count(),
        "frames are sorted by {sorted} colours, not as judged: {verdict}"
    );
    match verdict.reliance {
        Reliance::OneColour => Ok(Outcome::Needs("two colours")),
        Reliance::Promised => Ok(Outcome::Needs("a cache that shows in timing")),
        Reliance::Colours(confidence) => {
            ensure!(confidence >= 800, "page colours: {verdict}");
            Ok(Outcome::Passed)
        }
        Reliance::Fewer { .. } | Reliance::WaysAlone | Reliance::Nothing => {
            Err(reason(format_args!("page colours: {verdict}")))
        }
    }
}
