//! Counters that run on every core all the time: instructions and misses of
//! the last-level cache. They are never stopped or set back; at each switch
//! (and whenever a task finishes a unit) the running task is charged with the
//! difference to the last reading, so that a switch costs one RDPMC a counter
//! and no write. Where there are none, one load and a branch are all.

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use heapless::Vec;
use umbra_hw::bus::Bus;
use umbra_hw::cpuid::Vendor;
use umbra_hw::msr;
use umbra_hw::pmu::{
    Alarm, Counter, Event, LlcMisses, Model, Pmu, Program, Write, assign, delta, generic, llc_misses,
};
use umbra_x86_64::cpu;

use super::bus::MsrBus;
use super::write_all;
use crate::cells::Handed;
use crate::cores::{self, Core, MAX_CORES};
use crate::tasks;

/// Events that are counted all the time: instructions, which are indispensable,
/// and what tells of misses of the last-level cache.
const ALWAYS: usize = 2;
/// Register writes that start them: two a counter and four more.
const WRITES: usize = 2 * ALWAYS + 4;
/// Rounds of the loop that tells whether counters count.
const TRIAL_ROUNDS: u32 = 10_000;

/// A counter that is read at each switch.
#[derive(Clone, Copy, Debug)]
struct Source {
    counter: Counter,
    rdpmc: u32,
    bits: u8,
}

/// How much the count of misses tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quality {
    /// It counts them.
    Counted,
    /// It counts a part of them.
    Estimated,
    /// Nothing does.
    Unknown,
}

/// The counters that run all the time.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// What is left for others.
    pub(crate) rest: Pmu,
    /// What rations of misses use, if a counter can be spared.
    pub(crate) alarm: Option<Alarm>,
    events: Vec<Event, ALWAYS>,
    misses: Quality,
    sources: Vec<Source, ALWAYS>,
    start: Vec<Write, WRITES>,
}

/// What a core last read. Its own, with interrupts off.
#[derive(Debug)]
struct Readings {
    last: [u64; ALWAYS],
}

static COUNTING: AtomicBool = AtomicBool::new(false);
static MISSES: AtomicU8 = AtomicU8::new(Quality::Unknown as u8);
static READINGS: [Handed<Readings>; MAX_CORES] =
    [const { Handed::new(Readings { last: [0; ALWAYS] }) }; MAX_CORES];

impl Base {
    /// Chooses counters for what is always counted; none when nothing counts
    /// instructions.
    pub(super) fn choose(pmu: Pmu, vendor: Vendor, model: Model) -> Option<Self> {
        let instructions = generic(&pmu, vendor).find(|event| event.name == "instructions")?;
        let (misses, mut quality) = match llc_misses(&pmu, vendor, model) {
            LlcMisses::Counted(event) => (Some(event), Quality::Counted),
            LlcMisses::LoadsOnly(event) => (Some(event), Quality::Estimated),
            LlcMisses::Unknown => (None, Quality::Unknown),
        };
        let events: Vec<Event, ALWAYS> = core::iter::once(instructions).chain(misses).collect();
        let group = assign(&events, &pmu).into_iter().next()?;
        if group.first().is_none_or(|(event, _)| *event != 0) {
            return None;
        }
        if group.len() < events.len() {
            // A single counter: it counts instructions all the time.
            quality = Quality::Unknown;
        }
        let mut rest = pmu;
        for (_, counter) in &group {
            match counter {
                Counter::General(index) => rest.general &= !(1 << (index % 32)),
                Counter::Fixed(index) => rest.fixed &= !(1 << (index % 32)),
                Counter::L3(_) => {}
            }
        }
        let source = |(_, counter): &(usize, Counter)| {
            Some(Source { counter: *counter, rdpmc: counter.rdpmc_index(&pmu)?, bits: counter.bits(&pmu) })
        };
        let sources = group.iter().filter_map(source).collect();
        let mut start: Vec<Write, WRITES> = Program::new(&pmu, &events, &group, true, true).start().collect();
        // One counter stays for whoever counts something else.
        let spare = rest.general_count() > 1;
        let alarm = events.get(1).filter(|_| spare).and_then(|misses| Alarm::choose(&rest, misses));
        if let Some(Counter::General(index)) = alarm.map(|alarm| alarm.counter()) {
            rest.general &= !(1 << (index % 32));
        }
        let globals = [msr::PERF_GLOBAL_CTRL, msr::AMD_GLOBAL_CTRL];
        if let Some(write) = start.iter_mut().rfind(|write| globals.contains(&write.register)) {
            write.value |= alarm.map_or(0, |alarm| alarm.global_bit());
        }
        Some(Self { rest, alarm, events, misses: quality, sources, start })
    }

    /// The names of what is counted and by what.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, Counter)> + '_ {
        self.events.iter().zip(&self.sources).map(|(event, source)| (event.name, source.counter))
    }

    /// What RDPMC takes to read the counter of instructions.
    pub(crate) fn instructions(&self) -> Option<u32> {
        self.sources.first().map(|source| source.rdpmc)
    }

    /// Whether instructions are counted when some are executed.
    pub(super) fn counts(&self, bus: &mut impl Bus) -> bool {
        if !write_all(bus, self.start.iter().copied()) {
            return false;
        }
        let register = self.sources.first().and_then(|source| source.counter.register(&self.whole()));
        let Some(register) = register else { return false };
        let before = bus.read(register).unwrap_or(0);
        for round in 0..TRIAL_ROUNDS {
            core::hint::black_box(round);
        }
        let after = bus.read(register).unwrap_or(0);
        after.wrapping_sub(before) >= u64::from(TRIAL_ROUNDS)
    }

    /// The bits that `register` must keep while others are programmed.
    pub(crate) fn kept(&self, register: u32) -> u64 {
        let own = [msr::FIXED_CTR_CTRL, msr::PERF_GLOBAL_CTRL, msr::AMD_GLOBAL_CTRL].contains(&register);
        let last = self.start.iter().rev().find(|write| own && write.register == register);
        last.map_or(0, |write| write.value)
    }

    /// All counters again, those in use among them.
    fn whole(&self) -> Pmu {
        let mut pmu = self.rest;
        for source in &self.sources {
            match source.counter {
                Counter::General(index) => pmu.general |= 1 << (index % 32),
                Counter::Fixed(index) => pmu.fixed |= 1 << (index % 32),
                Counter::L3(_) => {}
            }
        }
        pmu
    }
}

/// Counters are used from here on: every core starts its own as it arrives.
pub(super) fn use_everywhere(base: &Base) {
    MISSES.store(base.misses as u8, Ordering::Relaxed);
    COUNTING.store(true, Ordering::Release);
}

/// Starts this core's counters, if they are among those it says it has: on a
/// hybrid processor kinds differ. Where they are not nothing is counted
/// anywhere: a task may come to run there.
pub(super) fn arrive(number: u8, own: Option<Pmu>) {
    let Ok(base) = &super::the().base else { return };
    let common = own.and_then(|own| base.whole().common(&own));
    let has = |source: &Source| {
        common.is_some_and(|pmu| source.counter.exists(&pmu) && source.counter.bits(&pmu) == source.bits)
    };
    if !base.sources.iter().all(has) {
        COUNTING.store(false, Ordering::Release);
        crate::log_line!(Warn, "hardware: core {number} has other counters: nothing is counted");
        return;
    }
    if !write_all(&mut MsrBus, base.start.iter().copied()) {
        crate::log_line!(Warn, "hardware: core {number} would not start its counters");
    }
}

/// Whether instructions are counted.
pub(crate) fn are_counting() -> bool {
    COUNTING.load(Ordering::Relaxed)
}

/// How the misses of the last-level cache are known.
pub(crate) fn misses() -> Quality {
    if !are_counting() {
        return Quality::Unknown;
    }
    match MISSES.load(Ordering::Relaxed) {
        0 => Quality::Counted,
        1 => Quality::Estimated,
        _ => Quality::Unknown,
    }
}

/// Charges the task in `slot`, which has run on this core since the last
/// reading. Interrupts are off. At most one RDPMC a counter.
#[inline]
pub(crate) fn charge(core: &Core, slot: Option<u16>) {
    if COUNTING.load(Ordering::Relaxed) {
        read_and_charge(core, slot);
    }
}

/// Charges the task that runs here.
#[inline]
pub(crate) fn charge_current() {
    if COUNTING.load(Ordering::Relaxed) {
        cpu::without_interrupts(|| read_and_charge(cores::this(), crate::schedule::current()));
    }
}

fn read_and_charge(core: &Core, slot: Option<u16>) {
    let Ok(base) = &super::the().base else { return };
    let Some(readings) = READINGS.get(usize::from(core.number)) else { return };
    // SAFETY: a core's readings are its own, and interrupts are off.
    let readings = unsafe { readings.get() };
    let totals = slot.map(|slot| &tasks::at(slot).counters.counted);
    for (index, (source, last)) in base.sources.iter().zip(&mut readings.last).enumerate() {
        // SAFETY: the counter exists and was started on this core.
        let now = unsafe { cpu::read_counter(source.rdpmc) };
        let events = delta(*last, now, source.bits);
        *last = now;
        if let Some(total) = totals.and_then(|totals| totals.get(index)) {
            // One writer: the core that the task is on.
            total.store(total.load(Ordering::Relaxed).wrapping_add(events), Ordering::Relaxed);
        }
    }
    super::stat::charge(core, slot);
}
