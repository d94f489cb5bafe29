//! Ways and bandwidth of second-class tasks: set, kept, given back.

use core::sync::atomic::Ordering;

use alloc::vec::Vec;
use umbra_control::machine::{Action, Actuator, CoreId, Share, Topology};
use umbra_hw::rdt::{QmEvent, Resource, bytes};

use super::harness::{Outcome, Reason, act, pass_ms, reason, second_class_cores, start, wait_for_units};
use crate::hardware::division::{self, Order, SECOND_CLASS};
use crate::hardware::hold::{self, Way};
use crate::hardware::traffic::{self, Source};
use crate::hardware::{budget, calibrate, places, the};
use crate::machine::{self, Machine};
use crate::{cores, ensure, println, tasks, workloads};

/// How long bandwidth is measured.
const WINDOW_NS: u64 = 60_000_000;
/// How long something is given to settle.
const SETTLE_MS: u64 = 120;

/// What every class has of every resource, next to every cache.
fn registers() -> Result<Vec<Option<u64>>, Reason> {
    let mut all = Vec::new();
    let resources = [Resource::L3, Resource::Bandwidth, Resource::AmdBandwidth];
    for resource in resources.into_iter().filter(|one| the().rdt.classes(*one, false) > 0) {
        for leader in places::leaders(3) {
            let values = division::give(leader, Order::Read(resource));
            all.extend(values.map_err(|error| reason(format_args!("{error}")))?);
        }
    }
    Ok(all)
}

/// The mask of second-class tasks at the first cache.
fn mask() -> Result<Option<u64>, Reason> {
    let values = division::give(cores::CONTROL, Order::Read(Resource::L3));
    let values = values.map_err(|error| reason(format_args!("{error}")))?;
    Ok(values.get(usize::try_from(SECOND_CLASS).unwrap_or(0)).copied().flatten())
}

pub(super) fn exact_undo() -> Result<Outcome, Reason> {
    let shares = Machine.shares();
    if shares.ways == 0 {
        return Ok(Outcome::Needs("ways that can be divided"));
    }
    let before = registers()?;
    for (ways, percent) in [(1, 100), (shares.ways - 1, 30), (3, 10)] {
        act(Action::Confine(Share { ways, percent }))?;
        let found = mask()?;
        ensure!(found == Some((1 << ways) - 1), "{ways} ways asked for, mask {found:x?} read back");
        let changed = registers()?.iter().zip(&before).filter(|(now, then)| now != then).count();
        let expected = if percent < 100 && shares.least_percent > 0 { 2 } else { 1 };
        let caches = places::leaders(3).count();
        ensure!(changed == expected * caches, "{changed} registers changed, {expected} at each of {caches}");
    }
    act(Action::Unconfine)?;
    ensure!(registers()? == before, "registers are not as they were");
    Ok(Outcome::Passed)
}

/// Bytes of the last-level cache that are charged to a workload.
fn occupancy(name: &str) -> Result<u64, Reason> {
    let index = workloads::named(name).ok_or_else(|| reason(format_args!("no workload {name}")))?;
    let upscale = the().rdt.monitoring.map_or(0, |monitoring| monitoring.upscale);
    let values = division::give(cores::CONTROL, Order::Monitor(QmEvent::Occupancy));
    let values = values.map_err(|error| reason(format_args!("{error}")))?;
    let rmid = usize::try_from(division::FIRST_WORKLOAD).unwrap_or(0) + usize::from(index);
    let units = values.get(rmid).copied().flatten().ok_or_else(|| reason(format_args!("no occupancy")))?;
    Ok(u64::try_from(bytes(units, upscale)).unwrap_or(u64::MAX))
}

pub(super) fn occupancy_follows() -> Result<Outcome, Reason> {
    let ways = Machine.shares().ways;
    let monitors = the().rdt.monitoring.is_some_and(|monitoring| monitoring.occupancy);
    if ways < 4 || !monitors || traffic::source() != Some(Source::Monitor) {
        return Ok(Outcome::Needs("ways that can be divided, and monitoring"));
    }
    streams()?;
    pass_ms(SETTLE_MS);
    let (held, moved) = (occupancy("stream")?, moving(Source::Monitor)?);
    act(Action::Confine(Share { ways: 2, percent: 50 }))?;
    // What lies elsewhere leaves only when others need the place.
    ensure!(calibrate::sweep(4 * Machine.llc_bytes()), "too little memory to fill the cache");
    pass_ms(SETTLE_MS);
    let (confined, moved_then) = (occupancy("stream")?, moving(Source::Monitor)?);
    let two_ways = Machine.llc_bytes() * 2 / u64::from(ways);
    println!(
        "  occupancy {held} to {confined} bytes, two ways are {two_ways}; {} to {} MB/s",
        moved / 1_000_000,
        moved_then / 1_000_000
    );
    ensure!(confined <= held, "{held} bytes before, {confined} confined");
    ensure!(confined <= two_ways * 11 / 10, "{confined} bytes in two ways of {two_ways}");
    let share = Machine.memory_bandwidth() / 2;
    ensure!(moved_then <= share * 11 / 10, "{moved_then} bytes per second of {share}");
    act(Action::Unconfine)?;
    Ok(Outcome::Passed)
}

/// Streams on the cores that take second-class tasks but the first-class and
/// the control core, two at most.
fn streams() -> Result<usize, Reason> {
    let apart = |core: &u8| *core != machine::first_class_core() && *core != cores::CONTROL;
    let mut count = 0;
    for core in second_class_cores().filter(apart).take(2) {
        let slot = start("stream", Some(core))?;
        wait_for_units(slot, 4)?;
        count += 1;
    }
    Ok(count)
}

fn moving(source: Source) -> Result<u64, Reason> {
    let window_ns = WINDOW_NS.min(traffic::longest_window_ns());
    let rate = traffic::measure(source, window_ns, || pass_ms(1));
    rate.ok_or_else(|| reason(format_args!("bandwidth cannot be counted here")))
}

/// Two streams are held to `percent` of what they move unheld, and let go.
fn held_by(way: Way, source: Source, percent: u64, least: u64, most: u64) -> Result<Outcome, Reason> {
    if let Some(lacks) = way.lacks() {
        return Ok(Outcome::Needs(lacks));
    }
    if streams()? == 0 {
        return Ok(Outcome::Needs("a second-class core of its own"));
    }
    let free = moving(source)?;
    if free == 0 {
        return Ok(Outcome::Needs("a count of bandwidth"));
    }
    let (before, target) = (registers()?, free * percent / 100);
    hold::choose_way(Some(way));
    hold::ask(Some(target));
    pass_ms(SETTLE_MS);
    let held = moving(source)?;
    let status = hold::status();
    hold::ask(None);
    hold::choose_way(None);
    pass_ms(SETTLE_MS);
    let freed = moving(source)?;
    let mb = |rate: u64| rate / 1_000_000;
    println!(
        "  by {}: free {} MB/s, target {}, held {}, freed {}; {:?}, {} waits",
        way.describe(),
        mb(free),
        mb(target),
        mb(held),
        mb(freed),
        status.limit,
        budget::waits()
    );
    ensure!(status.acting == Some((way, target)), "not in effect: {status:?}");
    ensure!(held * 100 <= target * most, "{held} of {target} bytes per second");
    ensure!(held * 100 >= target * least, "only {held} of {target} bytes per second");
    ensure!(freed * 10 >= free * 9, "{freed} of {free} bytes per second after the end");
    ensure!(registers()? == before, "registers are not as they were");
    Ok(Outcome::Passed)
}

/// A quarantine's share of bandwidth alone, by whatever way this machine has.
pub(super) fn bandwidth_follows() -> Result<Outcome, Reason> {
    let Some(way) = hold::best().filter(|_| Machine.shares().least_percent > 0) else {
        return Ok(Outcome::Needs("a way to hold bandwidth"));
    };
    let source = if way == Way::Ration { Source::Misses } else { Source::Monitor };
    if streams()? == 0 {
        return Ok(Outcome::Needs("a second-class core of its own"));
    }
    let (free, before) = (moving(source)?, registers()?);
    let percent = u8::try_from(free * 70 / Machine.memory_bandwidth().max(1)).unwrap_or(99).clamp(1, 99);
    let share = Machine.memory_bandwidth() * u64::from(percent) / 100;
    act(Action::Confine(Share { ways: Machine.shares().ways, percent }))?;
    pass_ms(SETTLE_MS);
    let held = moving(source)?;
    ensure!(
        Machine.holds(Action::Confine(Share { ways: Machine.shares().ways, percent })),
        "it does not hold"
    );
    act(Action::Unconfine)?;
    pass_ms(SETTLE_MS);
    let freed = moving(source)?;
    println!(
        "  by {}: free {free}, share {share}, held {held}, freed {freed} bytes per second",
        way.describe()
    );
    ensure!(held * 100 <= share * 106, "{held} of {share} bytes per second");
    ensure!(freed * 10 >= free * 9, "{freed} of {free} bytes per second after the end");
    ensure!(registers()? == before, "registers are not as they were");
    Ok(Outcome::Passed)
}

pub(super) fn held_by_loop() -> Result<Outcome, Reason> {
    held_by(Way::Loop, Source::Monitor, 75, 65, 105)
}

pub(super) fn held_by_limit() -> Result<Outcome, Reason> {
    held_by(Way::Limit, Source::Monitor, 75, 40, 160)
}

pub(super) fn held_by_ration() -> Result<Outcome, Reason> {
    held_by(Way::Ration, Source::Misses, 50, 80, 110)
}

pub(super) fn first_class_is_left_alone() -> Result<Outcome, Reason> {
    if let Some(lacks) = Way::Ration.lacks() {
        return Ok(Outcome::Needs(lacks));
    }
    let core = CoreId(machine::first_class_core());
    if streams()? == 0 {
        return Ok(Outcome::Needs("a second-class core of its own"));
    }
    hold::choose_way(Some(Way::Ration));
    hold::ask(Some(200_000_000));
    act(Action::Dedicate(core))?;
    pass_ms(20);
    let state = cores::get(core.0).ok_or_else(|| reason(format_args!("no first-class core")))?;
    let (before, waited) = (state.interrupts.load(Ordering::Relaxed), budget::waits());
    pass_ms(100);
    let taken = state.interrupts.load(Ordering::Relaxed) - before;
    let waits = budget::waits() - waited;
    hold::ask(None);
    hold::choose_way(None);
    act(Action::Share(core))?;
    ensure!(taken == 0, "a dedicated core took {taken} interrupts while others were rationed");
    let counts = tasks::second_class().any(|(_, task)| task.counters.counted[1].load(Ordering::Relaxed) > 0);
    ensure!(waits > 0 || !counts, "nobody waited for a ration");
    Ok(Outcome::Passed)
}

pub(super) fn calibration() -> Result<Outcome, Reason> {
    if the().rdt.mba.is_none() {
        return Ok(Outcome::Needs("a bandwidth throttle"));
    }
    calibrate::now().map_err(|why| reason(format_args!("{why}")))?;
    let ends = calibrate::with_table(|table| {
        let last = table.throttles().len().saturating_sub(1);
        let all = table.cores().last().copied().unwrap_or(1);
        [table.rate(0, 1), table.rate(last, 1), table.rate(0, all), table.rate(last, all)]
    });
    let ends = ends.ok_or_else(|| reason(format_args!("no table")))?;
    let [one, one_least, all, all_least] = ends.map(|rate| rate / 1_000_000);
    println!("  one core {one} to {one_least} MB/s, all cores {all} to {all_least} MB/s");
    ensure!(one_least > 0 && one_least < one && all_least < all, "throttles do nothing: {ends:?}");
    ensure!(one <= all && one_least <= all_least, "more cores get less: {ends:?}");
    // Streaming cores that are set to a target by the table stay at or below it.
    for count in 1..=cores::count() {
        for tenths in [3, 5, 8] {
            let target = (all * tenths / 10).max(all_least) * 1_000_000;
            let found = calibrate::check(target, count);
            let (expected, rate) = found.ok_or_else(|| reason(format_args!("no check of {target}")))?;
            println!(
                "  {count} cores, target {} MB/s: {} expected, {} measured",
                target / 1_000_000,
                expected / 1_000_000,
                rate / 1_000_000
            );
            ensure!(rate * 100 <= target * 105, "{rate} bytes per second of {target}");
            ensure!(rate * 100 >= expected * 95, "{rate} bytes per second, {expected} expected");
        }
    }
    Ok(Outcome::Passed)
}
