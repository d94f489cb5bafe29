//! Counting chosen events for a while: what `pmu stat` asks the cores to do.
//!
//! The events get the counters that are left beside those that always run.
//! When they are more than fit, groups take turns and what was counted is
//! scaled up, as perf does. Each core programs its own counters, reads them
//! whenever it changes tasks, and adds the difference to totals that all share.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use heapless::Vec;
use umbra_control::machine::CoreSet;
use umbra_hw::pmu::{Event, Group, MAX_EVENTS, Program, Write, assign, delta};
use umbra_x86_64::cpu;

use super::bus::MsrBus;
use super::counters::{self, Base};
use super::{the, write_all};
use crate::cells::Handed;
use crate::cores::{self, Core, MAX_CORES};
use crate::schedule::{self, Message};

/// Instead of a group: stop.
pub(crate) const STOP: u8 = u8::MAX;
/// No task in particular.
const EVERYBODY: u16 = u16::MAX;

/// What is to be counted.
struct Plan {
    events: Vec<Event, MAX_EVENTS>,
    groups: Vec<Group, MAX_EVENTS>,
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

static PLAN: Handed<Plan> =
    Handed::new(Plan { events: Vec::new(), groups: Vec::new(), user: true, kernel: true });
static TOTALS: [AtomicU64; MAX_EVENTS] = [const { AtomicU64::new(0) }; MAX_EVENTS];
/// Counting for one task only.
static ONLY: AtomicU16 = AtomicU16::new(EVERYBODY);
static ACTIVE: AtomicBool = AtomicBool::new(false);
/// Cores that have taken the last step.
static ANSWERS: AtomicU32 = AtomicU32::new(0);
/// Cores that would not be programmed.
static REFUSALS: AtomicU8 = AtomicU8::new(0);
static SOURCES: [Handed<Vec<Source, MAX_EVENTS>>; MAX_CORES] = [const { Handed::new(Vec::new()) }; MAX_CORES];

/// The control core's view of a count under way.
#[derive(Debug)]
pub(crate) struct Counting {
    cores: CoreSet,
    groups: u8,
    step: u8,
    to_tell: CoreSet,
    begun_ns: u64,
    /// How long each group has counted.
    ran_ns: [u64; MAX_EVENTS],
    slice_ns: u64,
}

/// How a count stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Going,
    Done,
}

impl Counting {
    /// Prepares counting `events` on `cores` for `duration_ns`; for one task
    /// only if `task` is given. None while another count is under way, or when
    /// some event finds no counter.
    pub(crate) fn new(
        base: &Base,
        events: &[Event],
        (user, kernel): (bool, bool),
        cores: CoreSet,
        task: Option<u16>,
        duration_ns: u64,
    ) -> Option<Self> {
        let groups = assign(events, &base.rest);
        let placed: usize = groups.iter().map(|group| group.len()).sum();
        if ACTIVE.load(Ordering::Acquire) || placed < events.len() || events.is_empty() {
            return None;
        }
        let count = u8::try_from(groups.len()).ok()?;
        // SAFETY: no core counts, so the plan is the control core's.
        *unsafe { PLAN.get() } = Plan { events: Vec::from_slice(events).ok()?, groups, user, kernel };
        TOTALS.iter().for_each(|total| total.store(0, Ordering::Relaxed));
        ONLY.store(task.unwrap_or(EVERYBODY), Ordering::Relaxed);
        REFUSALS.store(0, Ordering::Relaxed);
        ACTIVE.store(true, Ordering::Release);
        ANSWERS.store(0, Ordering::Release);
        let slice_ns = duration_ns / u64::from(count);
        Some(Self {
            cores,
            groups: count,
            step: 0,
            to_tell: cores,
            begun_ns: 0,
            ran_ns: [0; MAX_EVENTS],
            slice_ns,
        })
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
        if self.begun_ns == 0 {
            self.begun_ns = now_ns;
        }
        let ran_ns = now_ns.saturating_sub(self.begun_ns);
        if ran_ns < self.slice_ns {
            return Progress::Going;
        }
        if let Some(slot) = self.ran_ns.get_mut(usize::from(self.step)) {
            *slot = ran_ns;
        }
        self.step = if self.step + 1 < self.groups { self.step + 1 } else { STOP };
        self.begun_ns = 0;
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

    /// What was counted of the event at `index`, how long it was counted, and
    /// how long everything took. When done.
    pub(crate) fn result(&self, index: usize) -> (u64, u64, u64) {
        // SAFETY: no core counts any more, so the plan is the control core's.
        let plan = unsafe { PLAN.get() };
        let group = plan.groups.iter().position(|group| group.iter().any(|(event, _)| *event == index));
        let ran = group.and_then(|group| self.ran_ns.get(group)).copied().unwrap_or(0);
        let total = TOTALS.get(index).map_or(0, |total| total.load(Ordering::Relaxed));
        (total, self.ran_ns.iter().sum(), ran)
    }

    /// Cores that would not be programmed.
    pub(crate) fn refusals() -> u8 {
        REFUSALS.load(Ordering::Relaxed)
    }
}

/// Takes a step: this core, interrupts off. Bound: [`MAX_EVENTS`] counters.
pub(crate) fn take_step(core: &Core, step: u8) {
    let (Ok(base), Some(sources)) = (&the().base, SOURCES.get(usize::from(core.number))) else { return };
    counters::charge(core, schedule::current());
    // SAFETY: sources are this core's own, interrupts are off; the plan does
    // not change while cores count.
    let (sources, plan) = unsafe { (sources.get(), PLAN.get()) };
    let program = |group| Program::new(&base.rest, &plan.events, group, plan.user, plan.kernel);
    let keep = |write: Write| Write { value: write.value | base.kept(write.register), ..write };
    let mut taken = true;
    if sources.is_empty() && step == STOP {
        // It never began.
    } else if let Some(group) = plan.groups.get(usize::from(step)) {
        let program = program(group);
        taken = write_all(&mut MsrBus, program.start().map(keep));
        let events = group.iter().map(|(event, _)| *event);
        sources.clear();
        sources.extend(events.zip(program.counters()).filter_map(|(event, counter)| {
            Some(Source {
                event,
                rdpmc: counter.rdpmc_index(&base.rest)?,
                bits: counter.bits(&base.rest),
                last: 0,
            })
        }));
    } else {
        sources.clear();
        for group in &plan.groups {
            taken &= write_all(&mut MsrBus, program(group).stop().map(keep));
        }
    }
    if !taken {
        sources.clear();
        REFUSALS.fetch_add(1, Ordering::Relaxed);
    }
    ANSWERS.fetch_add(1, Ordering::Release);
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
    let Some(sources) = SOURCES.get(usize::from(core.number)) else { return };
    let only = ONLY.load(Ordering::Relaxed);
    let counts = only == EVERYBODY || slot == Some(only);
    // SAFETY: a core's sources are its own, and interrupts are off.
    for source in unsafe { sources.get() } {
        // SAFETY: the counter exists and was programmed on this core.
        let now = unsafe { cpu::read_counter(source.rdpmc) };
        let events = delta(source.last, now, source.bits);
        source.last = now;
        if let Some(total) = TOTALS.get(source.event).filter(|_| counts) {
            total.fetch_add(events, Ordering::Relaxed);
        }
    }
}
