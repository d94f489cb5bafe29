//! Counting chosen events for a while: what `pmu stat` asks the cores to do.
//!
//! The events get the counters that are left beside those that always run.
//! When they are more than fit, groups take turns and what was counted is
//! scaled up, as perf does. Each core programs its own counters, reads them
//! whenever it changes tasks, and adds the difference to totals that all share;
//! with it goes the time in which it counted, so that the scale holds for one
//! task as well as for all. A level 3 cache's counters count for everybody who
//! shares it: one core of each cache counts them.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use heapless::Vec;
use umbra_control::machine::CoreSet;
use umbra_hw::pmu::{Counter, Event, Group, MAX_EVENTS, Pmu, Program, Rotation, Turn, Write, assign, delta};
use umbra_x86_64::cpu;

use super::bus::MsrBus;
use super::{counters, places, the, write_all};
use crate::cells::Handed;
use crate::cores::{self, Core, MAX_CORES};
use crate::schedule::{self, Message};

/// Instead of a group: stop.
pub(crate) const STOP: u8 = u8::MAX;
/// No task in particular.
const EVERYBODY: u16 = u16::MAX;
/// How long a group counts before the next one's turn. perf takes 4 ms; the
/// control task looks every millisecond.
const TURN_NS: u64 = 10_000_000;

/// What is to be counted.
struct Plan {
    /// Counters that all the cores have.
    pmu: Option<Pmu>,
    events: Vec<Event, MAX_EVENTS>,
    groups: Vec<Group, MAX_EVENTS>,
    cores: CoreSet,
    user: bool,
    kernel: bool,
}

/// A counter of the group that a core counts now.
#[derive(Clone, Copy, Debug)]
struct Source {
    event: usize,
    rdpmc: u32,
    bits: u8,
    last: u64,
}

/// What a core counts. Its own, with interrupts off.
struct Own {
    counts: bool,
    group: usize,
    /// When it last read its counters.
    since: u64,
    sources: Vec<Source, MAX_EVENTS>,
}

impl Own {
    const fn new() -> Self {
        Self { counts: false, group: 0, since: 0, sources: Vec::new() }
    }
}

static PLAN: Handed<Plan> = Handed::new(Plan {
    pmu: None,
    events: Vec::new(),
    groups: Vec::new(),
    cores: CoreSet(0),
    user: true,
    kernel: true,
});
static TOTALS: [AtomicU64; MAX_EVENTS] = [const { AtomicU64::new(0) }; MAX_EVENTS];
/// Cycles, over all cores, in which each group was counted, and in all.
static RUNNING: [AtomicU64; MAX_EVENTS] = [const { AtomicU64::new(0) }; MAX_EVENTS];
static ENABLED: AtomicU64 = AtomicU64::new(0);
/// Counting for one task only.
static ONLY: AtomicU16 = AtomicU16::new(EVERYBODY);
static ACTIVE: AtomicBool = AtomicBool::new(false);
/// Cores that have taken the last step.
static ANSWERS: AtomicU32 = AtomicU32::new(0);
/// Cores that would not be programmed.
static REFUSALS: AtomicU8 = AtomicU8::new(0);
static OWN: [Handed<Own>; MAX_CORES] = [const { Handed::new(Own::new()) }; MAX_CORES];

/// What to count, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// In ring 3.
    pub(crate) user: bool,
    /// In ring 0.
    pub(crate) kernel: bool,
    pub(crate) cores: CoreSet,
    /// One task only.
    pub(crate) task: Option<u16>,
    pub(crate) duration_ns: u64,
}

/// The control core's view of a count under way.
#[derive(Debug)]
pub(crate) struct Counting {
    cores: CoreSet,
    rotation: Rotation,
    step: u8,
    to_tell: CoreSet,
    begun_ns: Option<u64>,
    took_ns: u64,
}

/// How a count stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Going,
    Done,
}

impl Counting {
    /// Prepares counting `events` on counters of `pmu`, which all the cores
    /// have. None while another count is under way, or when some event finds no
    /// counter.
    pub(crate) fn new(pmu: &Pmu, events: &[Event], wish: &Wish) -> Option<Self> {
        let groups = assign(events, pmu);
        let placed: usize = groups.iter().map(|group| group.len()).sum();
        if ACTIVE.load(Ordering::Acquire) || placed < events.len() || events.is_empty() {
            return None;
        }
        let count = u8::try_from(groups.len()).ok()?;
        let Wish { user, kernel, cores, task, duration_ns } = *wish;
        let events = Vec::from_slice(events).ok()?;
        // SAFETY: no core counts, so the plan is the control core's.
        *unsafe { PLAN.get() } = Plan { pmu: Some(*pmu), events, groups, cores, user, kernel };
        TOTALS.iter().chain(&RUNNING).chain([&ENABLED]).for_each(|total| total.store(0, Ordering::Relaxed));
        ONLY.store(task.unwrap_or(EVERYBODY), Ordering::Relaxed);
        REFUSALS.store(0, Ordering::Relaxed);
        ANSWERS.store(0, Ordering::Relaxed);
        ACTIVE.store(true, Ordering::Release);
        let rotation = Rotation::new(count, duration_ns, TURN_NS);
        Some(Self { cores, rotation, step: 0, to_tell: cores, begun_ns: None, took_ns: 0 })
    }

    /// Goes on if it is time to.
    pub(crate) fn advance(&mut self, now_ns: u64) -> Progress {
        self.tell();
        if self.to_tell.0 != 0 || ANSWERS.load(Ordering::Acquire) < self.cores.0.count_ones() {
            return Progress::Going;
        }
        if self.step == STOP {
            ACTIVE.store(false, Ordering::Release);
            return Progress::Done;
        }
        let begun_ns = *self.begun_ns.get_or_insert(now_ns);
        self.step = match self.rotation.decide(now_ns) {
            Turn::Stay => return Progress::Going,
            Turn::Next(group) => group,
            Turn::Stop => STOP,
        };
        self.took_ns = now_ns.saturating_sub(begun_ns);
        self.to_tell = self.cores;
        ANSWERS.store(0, Ordering::Release);
        self.tell();
        Progress::Going
    }

    /// Tells the cores that were not told yet; a full ring is tried again.
    fn tell(&mut self) {
        for core in cores::all().map(|core| core.number) {
            let bit = 1u64 << (core % 64);
            if self.to_tell.0 & bit != 0 && schedule::send(core, Message::Count(self.step)) {
                self.to_tell.0 &= !bit;
            }
        }
    }

    /// What was counted of the event at `index`, the time in which it could have
    /// been, and the time in which it was, in cycles of all cores. When done.
    pub(crate) fn result(index: usize) -> (u64, u64, u64) {
        // SAFETY: no core counts any more, so the plan is the control core's.
        let plan = unsafe { PLAN.get() };
        let group = plan.groups.iter().position(|group| group.iter().any(|(event, _)| *event == index));
        let load = |total: Option<&AtomicU64>| total.map_or(0, |total| total.load(Ordering::Relaxed));
        let running = load(group.and_then(|group| RUNNING.get(group)));
        (load(TOTALS.get(index)), ENABLED.load(Ordering::Relaxed), running)
    }

    /// How long it took, from when all cores counted. When done.
    pub(crate) const fn took_ns(&self) -> u64 {
        self.took_ns
    }

    /// Cores that would not be programmed.
    pub(crate) fn refusals() -> u8 {
        REFUSALS.load(Ordering::Relaxed)
    }
}

/// Takes a step: this core, interrupts off. Bound: [`MAX_EVENTS`] counters.
pub(crate) fn take_step(core: &Core, step: u8) {
    let Some(own) = OWN.get(usize::from(core.number)) else { return };
    counters::charge(core, schedule::current());
    // SAFETY: what a core counts is its own, interrupts are off; the plan does
    // not change while cores count.
    let (own, plan) = unsafe { (own.get(), PLAN.get()) };
    let taken = match &plan.pmu {
        Some(pmu) => own.take(core, step, plan, pmu),
        None => false,
    };
    own.pass(is_counted(schedule::current()));
    if !taken {
        own.sources.clear();
        REFUSALS.fetch_add(1, Ordering::Relaxed);
    }
    ANSWERS.fetch_add(1, Ordering::Release);
}

impl Own {
    /// Stops what counts and starts the group of `step`; whether the processor
    /// took it.
    fn take(&mut self, core: &Core, step: u8, plan: &Plan, pmu: &Pmu) -> bool {
        let keep = |write: Write| Write { value: write.value | kept(write.register), ..write };
        let program = |group: &Group| {
            let group = counted_by(core.number, group, plan.cores);
            Program::new(pmu, &plan.events, &group, plan.user, plan.kernel)
        };
        let mut taken = true;
        if let Some(group) = plan.groups.get(self.group).filter(|_| self.counts) {
            taken &= write_all(&mut MsrBus, program(group).stop().map(keep));
        }
        self.sources.clear();
        self.counts = step != STOP;
        self.group = usize::from(step);
        let Some(group) = plan.groups.get(self.group) else { return taken };
        let program = program(group);
        taken &= write_all(&mut MsrBus, program.start().map(keep));
        let group = counted_by(core.number, group, plan.cores);
        let events = group.iter().map(|(event, _)| *event);
        self.sources.extend(events.zip(program.counters()).filter_map(|(event, counter)| {
            Some(Source { event, rdpmc: counter.rdpmc_index(pmu)?, bits: counter.bits(pmu), last: 0 })
        }));
        taken
    }

    /// Time passes in which nothing counts.
    fn pass(&mut self, is_counted: bool) {
        let now = cpu::timestamp();
        if self.since != 0 && self.counts && is_counted {
            ENABLED.fetch_add(now.saturating_sub(self.since), Ordering::Relaxed);
        }
        self.since = if self.counts { now } else { 0 };
    }
}

/// Whether what runs is to be counted.
fn is_counted(slot: Option<u16>) -> bool {
    let only = ONLY.load(Ordering::Relaxed);
    only == EVERYBODY || slot == Some(only)
}

/// What the counters that always run need in a register.
fn kept(register: u32) -> u64 {
    the().base.as_ref().map_or(0, |base| base.kept(register))
}

/// The part of a group that a core counts: level 3 events are left to the first
/// of the chosen cores that share the cache.
fn counted_by(number: u8, group: &Group, cores: CoreSet) -> Group {
    let sharing = places::cache_of(3).map_or(cores.0, |cache| places::sharing(cache, number).0 & cores.0);
    let leads = sharing.trailing_zeros() == u32::from(number);
    group.iter().filter(|(_, counter)| leads || !matches!(counter, Counter::L3(_))).copied().collect()
}

/// Adds what this core counted since it last read, if that was for the task in
/// `slot` or for everybody. Interrupts are off.
#[inline]
pub(super) fn charge(core: &Core, slot: Option<u16>) {
    if ACTIVE.load(Ordering::Acquire) {
        read(core, slot);
    }
}

fn read(core: &Core, slot: Option<u16>) {
    let Some(own) = OWN.get(usize::from(core.number)) else { return };
    let counts = is_counted(slot);
    // SAFETY: what a core counts is its own, and interrupts are off.
    let own = unsafe { own.get() };
    if !own.counts {
        return;
    }
    let now = cpu::timestamp();
    if counts {
        let passed = now.saturating_sub(own.since);
        ENABLED.fetch_add(passed, Ordering::Relaxed);
        if let Some(running) = RUNNING.get(own.group) {
            running.fetch_add(passed, Ordering::Relaxed);
        }
    }
    own.since = now;
    for source in &mut own.sources {
        // SAFETY: the counter exists and was programmed on this core.
        let now = unsafe { cpu::read_counter(source.rdpmc) };
        let events = delta(source.last, now, source.bits);
        source.last = now;
        if let Some(total) = TOTALS.get(source.event).filter(|_| counts) {
            total.fetch_add(events, Ordering::Relaxed);
        }
    }
}
