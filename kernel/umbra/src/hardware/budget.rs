//! Rations of misses: so many a core and period for second-class tasks, by a
//! counter that interrupts when they are used up.
//!
//! The counter runs only while a second-class task has the core; whoever else
//! runs there is not counted, not interrupted and not delayed. A core that has
//! used its ration up lets second-class tasks wait on its queue until the period
//! ends, by a timer that is set only then. A core that is first-class alone has
//! neither. What it costs: one branch a switch while there are no rations; with
//! them, three register writes when second-class work begins and a reading and a
//! write when it ends.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use umbra_hw::bandwidth::{Overflow, Ration};
use umbra_hw::pmu::Alarm;
use umbra_sched::Class;
use umbra_x86_64::{apic, cpu};

use super::bus::MsrBus;
use super::{the, write_all};
use crate::cells::Handed;
use crate::cores::{self, Core, MAX_CORES, NO_TASK};
use crate::schedule::{self, Message};
use crate::time;

/// How long a ration lasts.
pub(crate) const PERIOD_NS: u64 = 1_000_000;

/// Events of a core in a period; 0: no rations.
static RATION: AtomicU64 = AtomicU64::new(0);
/// Times a core's tasks had to wait.
static WAITS: AtomicU64 = AtomicU64::new(0);
/// Rations are given, or some core still counts for one.
static ACTIVE: AtomicBool = AtomicBool::new(false);
/// Cores whose counter runs.
static COUNTS: [AtomicBool; MAX_CORES] = [const { AtomicBool::new(false) }; MAX_CORES];
static OWN: [Handed<Own>; MAX_CORES] =
    [const { Handed::new(Own { ration: Ration::new(), counts: false }) }; MAX_CORES];

/// A core's own, with interrupts off.
struct Own {
    ration: Ration,
    /// Its counter runs.
    counts: bool,
}

impl Own {
    fn set(&mut self, core: &Core, counts: bool) {
        self.counts = counts;
        if let Some(published) = COUNTS.get(usize::from(core.number)) {
            published.store(counts, Ordering::Release);
        }
    }
}

/// What it is done with; none where no counter can be spared.
pub(crate) fn alarm() -> Option<&'static Alarm> {
    the().base.as_ref().ok().and_then(|base| base.alarm.as_ref())
}

/// Gives each core so many events a period, 0 for no rations. Cores that count
/// take a new amount with their next period. False when a core could not be
/// told of a begin or end: ask again. Control core only.
pub(super) fn set(events: u64) -> bool {
    RATION.store(events, Ordering::Release);
    if events != 0 {
        ACTIVE.store(true, Ordering::Release);
    }
    let due = |core: &&Core| counts(core) != wants(core);
    let deaf = |core: &&Core| !schedule::send(core.number, Message::Ration);
    cores::all().filter(due).filter(deaf).count() == 0
}

/// Whether every core does as is said now.
pub(super) fn is_followed() -> bool {
    cores::all().all(|core| counts(core) == wants(core))
}

/// Forgets rations that have ended everywhere; false while there are any.
pub(super) fn is_over() -> bool {
    let over = ration().is_none() && !cores::all().any(counts);
    if over {
        ACTIVE.store(false, Ordering::Release);
    }
    over
}

/// Whether a core's counter is to run now.
fn wants(core: &Core) -> bool {
    let slot = core.current.load(Ordering::Relaxed);
    ration().is_some() && slot != NO_TASK && schedule::class_of(slot) == Class::Second
}

fn counts(core: &Core) -> bool {
    COUNTS.get(usize::from(core.number)).is_some_and(|counts| counts.load(Ordering::Acquire))
}

/// Events of a core in a period; none without rations.
pub(crate) fn ration() -> Option<u64> {
    Some(RATION.load(Ordering::Acquire)).filter(|events| *events != 0)
}

/// Times that second-class tasks had to wait, on all cores.
pub(crate) fn waits() -> u64 {
    WAITS.load(Ordering::Relaxed)
}

/// Begins or ends counting here, as is said now. Interrupts are off.
pub(crate) fn follow(core: &Core) {
    if ration().is_none() {
        schedule::end_waiting(core);
    }
    arrange(core, schedule::current(), cpu::timestamp());
}

/// The core goes over to the task in `slot`, or to nothing. Interrupts are off.
#[inline]
pub(crate) fn enter(core: &Core, slot: Option<u16>, now: u64) {
    if ACTIVE.load(Ordering::Relaxed) {
        arrange(core, slot, now);
    }
}

/// Lets the counter run exactly while second-class work is rationed here.
fn arrange(core: &Core, slot: Option<u16>, now: u64) {
    let (Some(alarm), Some(own)) = (alarm(), OWN.get(usize::from(core.number))) else { return };
    // SAFETY: a core's own, and interrupts are off.
    let own = unsafe { own.get() };
    let ration = ration();
    let counts = ration.is_some() && slot.is_some_and(|slot| schedule::class_of(slot) == Class::Second);
    if counts == own.counts {
        return;
    }
    own.set(core, counts);
    if counts {
        let events = own.ration.resume(now, period(), ration.unwrap_or(0));
        arm(core, alarm, events);
    } else {
        // SAFETY: the counter was found and runs on this core.
        let reading = unsafe { cpu::read_counter(alarm.rdpmc_index()) };
        own.ration.suspend(alarm.left(reading));
        write_all(&mut MsrBus, [alarm.stop()].into_iter());
    }
}

/// A counter overflowed on this core: until when second-class tasks have to
/// wait, if they do. Interrupts are off.
pub(crate) fn overflowed(core: &Core) -> Option<u64> {
    let (alarm, own) = (alarm()?, OWN.get(usize::from(core.number))?);
    // SAFETY: a core's own, and interrupts are off.
    let own = unsafe { own.get() };
    // It may have been stopped while its interrupt was on the way.
    let ration = ration().filter(|_| own.counts);
    let until = match ration.map(|ration| own.ration.overflowed(cpu::timestamp(), period(), ration)) {
        Some(Overflow::Refill(events)) => {
            arm(core, alarm, events);
            return None;
        }
        Some(Overflow::Park(until)) => Some(until),
        None => None,
    };
    write_all(&mut MsrBus, [alarm.stop()].into_iter().chain(alarm.acknowledge()));
    own.set(core, false);
    apic::unmask_counters();
    WAITS.fetch_add(u64::from(until.is_some()), Ordering::Relaxed);
    until
}

/// Sets the counter and lets it interrupt: what was acknowledged before it was
/// set cannot be an overflow of it.
fn arm(core: &Core, alarm: &Alarm, events: u64) {
    let [stop, count, start] = alarm.set(events);
    let writes = [stop].into_iter().chain(alarm.acknowledge()).chain([count, start]);
    if !write_all(&mut MsrBus, writes) {
        crate::log_line!(Warn, "hardware: core {} would not count misses for its ration", core.number);
    }
    apic::unmask_counters();
}

fn period() -> u64 {
    time::ns_to_cycles(PERIOD_NS)
}
