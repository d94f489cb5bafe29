//! Counters that run on every core all the time: instructions and misses of
//! the last-level cache. They are never stopped or set back; at each switch
//! (and whenever a task finishes a unit) the running task is charged with the
//! difference to the last reading, so that a switch costs one RDPMC a counter
//! and no write. Where there are none, one load and a branch are all.

use core::sync::atomic::{AtomicBool, Ordering};

use heapless::Vec;
use umbra_hw::bus::Bus;
use umbra_hw::cpuid::Vendor;
use umbra_hw::msr;
use umbra_hw::pmu::{Alarm, Counter, Event, Pmu, Program, Write, assign, delta, generic};
use umbra_x86_64::cpu;

use super::bus::MsrBus;
use super::write_all;
use crate::cells::Handed;
use crate::cores::{self, Core, MAX_CORES};
use crate::tasks;

/// What is counted all the time, in this order; the first is indispensable.
const ALWAYS: [&str; 2] = ["instructions", "cache-misses"];
/// Register writes that start them: two a counter and four more.
const WRITES: usize = 2 * ALWAYS.len() + 4;
/// Rounds of the loop that tells whether counters count.
const TRIAL_ROUNDS: u32 = 10_000;

/// A counter that is read at each switch.
#[derive(Clone, Copy, Debug)]
struct Source {
    counter: Counter,
    rdpmc: u32,
    bits: u8,
}

/// The counters that run all the time.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// What is left for others.
    pub(crate) rest: Pmu,
    /// What rations of misses use, if a counter can be spared.
    pub(crate) alarm: Option<Alarm>,
    events: Vec<Event, 2>,
    sources: Vec<Source, 2>,
    start: Vec<Write, WRITES>,
}

/// What a core last read. Its own, with interrupts off.
#[derive(Debug)]
struct Readings {
    last: [u64; ALWAYS.len()],
}

static COUNTING: AtomicBool = AtomicBool::new(false);
static MISSES_TOO: AtomicBool = AtomicBool::new(false);
static READINGS: [Handed<Readings>; MAX_CORES] =
    [const { Handed::new(Readings { last: [0; ALWAYS.len()] }) }; MAX_CORES];

impl Base {
    /// Chooses counters for what is always counted; none when nothing counts
    /// instructions.
    pub(super) fn choose(pmu: Pmu, vendor: Vendor) -> Option<Self> {
        let events: Vec<Event, 2> = ALWAYS
            .iter()
            .filter_map(|name| generic(&pmu, vendor).find(|event| event.name == *name))
            .collect();
        let group = assign(&events, &pmu).into_iter().next()?;
        if events.first().is_none_or(|event| event.name != ALWAYS[0]) {
            return None;
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
        Some(Self { rest, alarm, events, sources, start })
    }

    /// The names of what is counted and by what.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, Counter)> + '_ {
        self.events.iter().zip(&self.sources).map(|(event, source)| (event.name, source.counter))
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
    MISSES_TOO.store(base.sources.len() > 1, Ordering::Relaxed);
    COUNTING.store(true, Ordering::Release);
}

/// Starts this core's counters.
pub(super) fn arrive(number: u8) {
    let Ok(base) = &super::the().base else { return };
    if !write_all(&mut MsrBus, base.start.iter().copied()) {
        crate::log_line!(Warn, "hardware: core {number} would not start its counters");
    }
}

/// Whether instructions are counted.
pub(crate) fn are_counting() -> bool {
    COUNTING.load(Ordering::Relaxed)
}

/// Whether misses of the last-level cache are counted.
pub(crate) fn count_misses() -> bool {
    MISSES_TOO.load(Ordering::Relaxed)
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
