//! What keeps the misses of a task its own: colours alone, and colours with
//! ways. Each case shows the interference as well, or it would show nothing.
//!
//! The victim chases pointers over 1 MiB, which fits its ten colours (1.7 MiB
//! of the modelled caches, twice the second level). Beside it run `stream` and
//! `chase`, each over more than the cache holds or nearly so. Every figure is
//! of the victim's own counted misses, for as many loads, after as many loads
//! as bring everything in again.

use core::sync::atomic::Ordering;

use umbra_control::machine::{Action, Share};
use umbra_memory::{Class, ColourSet};

use super::harness::{
    Outcome, Reason, act, reason, second_class_cores, start, units, wait_for, wait_for_units,
};
use crate::hardware::counters::{self, Quality};
use crate::hardware::{confine, division};
use crate::memory::{colours, verify};
use crate::tasks;
use crate::{ensure, println};

/// Loads in a unit of the victim.
const LOADS: u64 = 4_096;
/// Units that bring all of its lines in again: eight times as many loads as lines.
const WARM_UNITS: u64 = 32;
/// Units that are measured.
const UNITS: u64 = 16;
/// Colours of the victim.
const OWN: usize = 10;
/// Ways left to second-class tasks: of eleven the victim needs seven on average
/// in its colours, and more where the hash puts more of its lines.
const WAYS_LEFT: u8 = 2;
/// More misses than alone that are still "the same": one in twenty...
const MORE_PERMILLE: u64 = 50;
/// ...and, in a million loads, those that the kernel causes by its own ticks.
const OF_KERNEL: u64 = 500;
/// Misses in a million loads that count as interference.
const INTERFERENCE: u64 = 50_000;

/// The victim and its two neighbours, and their colours.
struct Scene {
    victim: u16,
    stream: u16,
    chase: u16,
    own: ColourSet,
    others: ColourSet,
    all: ColourSet,
}

/// The victim alone in its colours; what this machine lacks for that, or why
/// it failed.
fn scene() -> Result<Result<(Scene, u64), Outcome>, Reason> {
    if counters::misses() == Quality::Unknown {
        return Ok(Err(Outcome::Needs("counted misses of the last-level cache")));
    }
    let all = colours::division().of(Class::Second);
    if all.count() < 2 * 10 {
        return Ok(Err(Outcome::Needs("twenty colours")));
    }
    let own = all.iter().take(OWN).fold(ColourSet::EMPTY, |set, colour| set.with(ColourSet::only(colour)));
    let (Some(last), true) = (second_class_cores().last(), second_class_cores().count() > 1) else {
        return Ok(Err(Outcome::Needs("two cores for second-class tasks")));
    };
    let victim = start("chase-1m", Some(last))?;
    wait_for_units(victim, 1)?;
    place(&[(victim, own)])?;
    let alone = misses(victim)?;
    let others = all.without(own);
    let near = second_class_cores().find(|core| *core != last);
    let far = second_class_cores().filter(|core| *core != last).last();
    let (stream, chase) = (start("stream", near)?, start("chase", far)?);
    for neighbour in [stream, chase] {
        wait_for_units(neighbour, 1)?;
    }
    Ok(Ok((Scene { victim, stream, chase, own, others, all }, alone)))
}

/// Colours alone, with every way open to everybody.
pub(super) fn by_colours() -> Result<Outcome, Reason> {
    let (scene, alone) = match scene()? {
        Ok(made) => made,
        Err(needs) => return Ok(needs),
    };
    place(&[(scene.stream, scene.others), (scene.chase, scene.others)])?;
    let beside = misses(scene.victim)?;
    place(&[scene.victim, scene.stream, scene.chase].map(|task| (task, scene.all)))?;
    let shared = misses(scene.victim)?;
    println!(
        "isolation: misses a million loads: alone {alone}, by colours {beside}, colours shared {shared}"
    );
    kept_apart(alone, beside)?;
    interfered(shared)
}

/// One neighbour is kept off by colours, the other, in the victim's colours, by
/// ways.
pub(super) fn by_colours_and_ways() -> Result<Outcome, Reason> {
    if confine::shares().ways <= 2 * WAYS_LEFT {
        return Ok(Outcome::Needs("ways that can be divided"));
    }
    let (scene, alone) = match scene()? {
        Ok(made) => made,
        Err(needs) => return Ok(needs),
    };
    // The victim works under the first-class workload's class of service.
    let task = tasks::at(scene.victim);
    let association = division::association(tasks::FIRST, task.workload.load(Ordering::Relaxed));
    task.association.store(association, Ordering::Relaxed);
    // It is paused as well: a core takes an association over at a switch.
    place(&[(scene.victim, scene.own), (scene.stream, scene.others), (scene.chase, scene.own)])?;
    let open = misses(scene.victim)?;
    act(Action::Confine(Share { ways: WAYS_LEFT, percent: 100 }))?;
    let confined = misses(scene.victim);
    act(Action::Unconfine)?;
    let confined = confined?;
    println!(
        "isolation: misses a million loads: alone {alone}, ways open {open}, colours and ways {confined}"
    );
    kept_apart(alone, confined)?;
    interfered(open)
}

fn kept_apart(alone: u64, beside: u64) -> Result<(), Reason> {
    let most = alone + alone * MORE_PERMILLE / 1_000 + OF_KERNEL;
    ensure!(beside <= most, "{beside} misses a million loads, {alone} alone");
    Ok(())
}

fn interfered(shared: u64) -> Result<Outcome, Reason> {
    ensure!(shared >= INTERFERENCE, "only {shared} misses a million loads where colours are shared");
    Ok(Outcome::Passed)
}

/// Moves the pages of tasks that are paused meanwhile, and waits until they are
/// there.
fn place(wishes: &[(u16, ColourSet)]) -> Result<(), Reason> {
    for (slot, _) in wishes {
        act(Action::Pause(tasks::id(*slot)))?;
    }
    for (slot, set) in wishes {
        colours::change(*slot, *set).map_err(|refusal| reason(format_args!("{refusal}")))?;
    }
    for (slot, set) in wishes {
        wait_for("a move's end", || colours::of(*slot).is_none_or(|held| !held.pending))?;
        let outside = verify::of(*slot).map_or(u32::MAX, |placed| placed.outside);
        ensure!(outside == 0, "{outside} pages of task {slot} are outside {set}");
    }
    for (slot, _) in wishes {
        act(Action::Resume(tasks::id(*slot)))?;
    }
    Ok(())
}

/// The misses of the victim in a million loads, once it has everything at hand.
fn misses(slot: u16) -> Result<u64, Reason> {
    wait_for_units(slot, WARM_UNITS)?;
    let counted = || {
        let done = units(slot);
        let misses =
            tasks::at(slot).counters.counted.get(1).map_or(0, |misses| misses.load(Ordering::Relaxed));
        (done, misses)
    };
    let (from, before) = counted();
    wait_for_units(slot, UNITS)?;
    let (to, after) = counted();
    Ok(after.wrapping_sub(before).saturating_mul(1_000_000) / ((to - from) * LOADS).max(1))
}
