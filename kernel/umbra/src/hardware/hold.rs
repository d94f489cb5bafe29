//! Holding second-class tasks to a bandwidth, by whichever way there is.
//!
//! Two may ask: a person at the console, until it is let go, and a quarantine
//! while it holds; the smaller target counts. The ways, best first:
//!
//! 1. a closed loop: the limit of the class follows what the monitor counts;
//! 2. a limit that is set once: from the calibrated throttle values, or AMD's
//!    own absolute limit;
//! 3. rations of misses (see [`budget`]), which need neither.
//!
//! Cores that are first-class alone are in none of them. Everything here is the
//! control core's: a quarantine calls from the tick, the rest is the control
//! task's, once a period.

use heapless::Vec;
use umbra_control::machine::Topology;
use umbra_hw::bandwidth::{MAX_ROWS, Steering, Verdict, events_per_period};
use umbra_hw::rdt::{Limit, QmEvent, bytes};

use super::division::{self, FIRST_WORKLOAD, Order};
use super::{budget, calibrate, confine, places, the};
use crate::cells::ControlCell;
use crate::cores;
use crate::machine::Machine;
use crate::tasks::{self, Phase};
use crate::time;

/// How often a way looks whether it still keeps the target.
pub(crate) const PERIOD_NS: u64 = 4_000_000;
/// Looks in a row at which the monitor had nothing, after which it counts as
/// none.
const BLIND: u32 = 25;
/// Bytes a second of AMD's unit.
const EIGHTH: u64 = 125_000_000;

/// A way to hold a bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Closed loop on the bandwidth monitor.
    Loop,
    /// Limit set once, from the table or absolute.
    Limit,
    /// Rations of misses.
    Ration,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Loop, Self::Limit, Self::Ration];

    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Loop => "closed loop on the bandwidth monitor",
            Self::Limit => "limit set once",
            Self::Ration => "rations of misses by counter interrupt",
        }
    }

    /// What this machine lacks for it, if anything.
    pub(crate) fn lacks(self) -> Option<&'static str> {
        let rdt = &the().rdt;
        let limits = confine::has_registers() && (rdt.mba.is_some() || rdt.bandwidth.is_some());
        match self {
            Self::Loop if !limits => Some("a bandwidth throttle or limit"),
            Self::Loop => rdt
                .monitoring
                .is_none_or(|monitoring| !monitoring.total && !monitoring.local)
                .then_some("a bandwidth monitor"),
            Self::Limit if !limits => Some("a bandwidth throttle or limit"),
            Self::Limit if rdt.mba.is_some() && calibrate::with_table(|_| ()).is_none() => {
                Some("calibrated throttle values ('mba calibrate')")
            }
            Self::Limit => None,
            Self::Ration => budget::alarm().is_none().then_some("a spare counter of cache misses"),
        }
    }
}

/// What is asked and what is done about it.
struct Hold {
    asked: Option<u64>,
    /// Percent of the whole.
    quarantined: Option<u8>,
    chosen: Option<Way>,
    /// What is in effect, and the target.
    acting: Option<(Way, u64)>,
    steering: Option<Steering>,
    /// Cores with second-class work that the setting is made for.
    cores: u8,
    /// A core could not be told.
    untold: bool,
    due_ns: u64,
    /// The monitor's last count, in units of it, and when it was read.
    counted: Option<(u64, u64)>,
    blind: u32,
}

static HOLD: ControlCell<Hold> = ControlCell::filled(Hold {
    asked: None,
    quarantined: None,
    chosen: None,
    acting: None,
    steering: None,
    cores: 0,
    untold: false,
    due_ns: 0,
    counted: None,
    blind: 0,
});

/// What is in effect.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Status {
    pub(crate) quarantined: Option<u8>,
    /// The way and the target in bytes per second.
    pub(crate) acting: Option<(Way, u64)>,
    /// The limit as it was set last.
    pub(crate) limit: Option<Limit>,
    pub(crate) cores: u8,
}

/// The least percent of the whole that second-class tasks can be left with; 0
/// where nothing holds them to any, or the whole is not known.
pub(crate) fn least_percent() -> u8 {
    if Machine.memory_bandwidth() == u64::MAX || choose(None, 0).is_none() {
        return 0;
    }
    let rdt = &the().rdt;
    let throttled = rdt.mba.filter(|_| confine::has_registers()).and_then(|mba| mba.least_percent());
    throttled.and_then(|percent| u8::try_from(percent).ok()).unwrap_or(1).max(1)
}

/// The way that would be taken.
pub(crate) fn best() -> Option<Way> {
    HOLD.with(|hold| choose(hold.chosen, hold.blind)).flatten()
}

/// Asks for a bandwidth, or no longer.
pub(crate) fn ask(bytes_per_s: Option<u64>) {
    HOLD.with(|hold| {
        hold.asked = bytes_per_s;
        hold.settle();
    });
}

/// Chooses a way, none for the best there is.
pub(crate) fn choose_way(way: Option<Way>) {
    HOLD.with(|hold| {
        hold.chosen = way;
        hold.settle();
    });
}

/// A quarantine asks for a share, none for no longer; what it asked before is
/// returned.
pub(super) fn quarantine(percent: Option<u8>) -> Option<u8> {
    HOLD.with(|hold| {
        let before = core::mem::replace(&mut hold.quarantined, percent);
        hold.settle();
        before
    })
    .flatten()
}

/// Whether what a quarantine asked for is in effect.
pub(super) fn is_followed() -> bool {
    budget::is_followed()
}

/// What is in effect now.
pub(crate) fn status() -> Status {
    HOLD.with(|hold| Status {
        quarantined: hold.quarantined,
        acting: hold.acting,
        limit: hold.limit(),
        cores: hold.cores,
    })
    .unwrap_or_default()
}

/// The control task's look, every [`PERIOD_NS`]. Bound: one reading of the RMIDs
/// that are in use at each cache.
pub(crate) fn look(now_ns: u64) {
    let due = HOLD.with(|hold| hold.is_due(now_ns)).unwrap_or(false);
    if !due {
        return;
    }
    let loops = HOLD.with(|hold| matches!(hold.acting, Some((Way::Loop, _)))).unwrap_or(false);
    let count = if loops { second_class_count() } else { None };
    HOLD.with(|hold| hold.go_on(count, time::now_ns()));
}

/// Units of the monitor that second-class workloads have moved, at all caches
/// together: a sum of counters, of which differences are to be taken in their
/// width. None while one is not available.
pub(crate) fn second_class_count() -> Option<u64> {
    let monitoring = the().rdt.monitoring?;
    let event = if monitoring.total { QmEvent::TotalBandwidth } else { QmEvent::LocalBandwidth };
    let mut sum = 0u64;
    for leader in places::leaders(3).filter(|leader| !is_first_class_alone(*leader)) {
        let values = division::give(leader, Order::Monitor(event)).ok()?;
        let skipped = usize::try_from(FIRST_WORKLOAD).unwrap_or(0);
        for value in values.iter().skip(skipped) {
            sum = sum.wrapping_add((*value)?);
        }
    }
    Some(sum)
}

/// Bytes a second from one count to another.
pub(crate) fn rate_between(before: u64, after: u64, took_ns: u64) -> u64 {
    let Some(monitoring) = the().rdt.monitoring else { return 0 };
    let units = umbra_hw::rdt::chunks_between(before, after, monitoring.counter_bits);
    let rate = bytes(units, monitoring.upscale).saturating_mul(1_000_000_000) / u128::from(took_ns.max(1));
    u64::try_from(rate).unwrap_or(u64::MAX)
}

fn is_first_class_alone(number: u8) -> bool {
    cores::get(number).is_some_and(|core| core.roles().is_dedicated())
}

/// The best way there is, or the one that was chosen if it is there.
fn choose(chosen: Option<Way>, blind: u32) -> Option<Way> {
    let sees = |way: &Way| *way != Way::Loop || blind < BLIND;
    match chosen {
        Some(way) => Some(way).filter(|way| way.lacks().is_none()),
        None => Way::ALL.into_iter().find(|way| way.lacks().is_none() && sees(way)),
    }
}

/// Cores that have second-class work to do, at least 1. Bound: the slots.
fn working_cores() -> u8 {
    let works = |phase| matches!(phase, Phase::Ready | Phase::Running);
    let set = tasks::second_class()
        .filter(|(_, task)| works(task.phase()))
        .fold(0u64, |set, (_, task)| set | 1 << (task.core.load(core::sync::atomic::Ordering::Relaxed) % 64));
    u8::try_from(set.count_ones().max(1)).unwrap_or(1)
}

/// Settings of the loop: throttle values from the largest to 0, or eighths of
/// a GB/s up to the whole.
fn throttles() -> Option<Vec<u32, MAX_ROWS>> {
    let mba = the().rdt.mba?;
    let all = umbra_hw::bandwidth::Calibration::plan(&mba, 1);
    Some(all.throttles().iter().rev().copied().collect())
}

fn most_settings() -> u32 {
    if let Some(throttles) = throttles() {
        return u32::try_from(throttles.len()).unwrap_or(1);
    }
    let unlimited = the().rdt.bandwidth.map_or(1, |limit| limit.unlimited());
    let whole = (Machine.memory_bandwidth() / EIGHTH).saturating_add(1);
    u32::try_from(whole.min(unlimited)).unwrap_or(u32::MAX)
}

/// What a setting writes; none is no limit.
fn limit_of(setting: u32) -> Option<Limit> {
    match throttles() {
        Some(throttles) => {
            let index = usize::try_from(setting.saturating_sub(1)).unwrap_or(0);
            throttles.get(index).map(|throttle| Limit::Throttle(*throttle))
        }
        None if setting >= most_settings() => None,
        None => Some(Limit::Eighths(setting)),
    }
}

/// The limit that should keep so many cores to a target, if the machine's own
/// description or the table tells.
fn estimate(target: u64, cores: u8) -> Option<Limit> {
    if the().rdt.mba.is_some() {
        return calibrate::with_table(|table| Limit::Throttle(table.fit(target, cores).throttle));
    }
    let caches = u64::try_from(places::leaders(3).count()).unwrap_or(1).max(1);
    let eighths = (target / EIGHTH / caches).max(1);
    let unlimited = the().rdt.bandwidth.map_or(1, |limit| limit.unlimited());
    Some(Limit::Eighths(u32::try_from(eighths.min(unlimited)).unwrap_or(u32::MAX)))
}

/// The setting with which a loop begins.
fn first_setting(target: u64, cores: u8) -> u32 {
    let most = most_settings();
    match estimate(target, cores) {
        Some(Limit::Eighths(eighths)) => eighths.min(most),
        Some(Limit::Throttle(throttle)) => {
            let place = throttles().and_then(|all| all.iter().position(|value| *value == throttle));
            place.and_then(|place| u32::try_from(place + 1).ok()).unwrap_or(most)
        }
        // Without a table as if throttle values did what their numbers say.
        None => {
            let whole = u128::from(Machine.memory_bandwidth().max(1));
            let share = (u128::from(target) * u128::from(most)).div_ceil(whole);
            u32::try_from(share).unwrap_or(most).clamp(1, most)
        }
    }
}

impl Hold {
    fn target(&self) -> Option<u64> {
        let share = |percent: u8| {
            let share = u128::from(Machine.memory_bandwidth()) * u128::from(percent) / 100;
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        let quarantined = self.quarantined.map(share);
        self.asked.into_iter().chain(quarantined).min()
    }

    /// Goes over to what is asked for now.
    fn settle(&mut self) {
        let wanted = self.target().and_then(|target| Some((choose(self.chosen, self.blind)?, target)));
        if wanted == self.acting {
            return;
        }
        self.acting = wanted;
        self.steering = None;
        self.counted = None;
        self.cores = working_cores();
        if let Some((Way::Loop, target)) = wanted {
            let setting = first_setting(target, self.cores);
            self.steering = Some(Steering::new(target, setting, most_settings()));
        }
        self.apply();
    }

    /// Tells the cores what is in effect. A core that cannot be told now is told
    /// at the next look.
    fn apply(&mut self) {
        let events = match self.acting {
            Some((Way::Ration, target)) => {
                events_per_period(target, budget::PERIOD_NS, u32::from(self.cores))
            }
            _ => 0,
        };
        let rationed = budget::set(events);
        let limited = !confine::has_registers() || confine::want_limit(self.limit());
        self.untold = !(rationed && limited);
    }

    fn limit(&self) -> Option<Limit> {
        match self.acting {
            Some((Way::Loop, _)) => limit_of(self.steering.as_ref()?.setting()),
            Some((Way::Limit, target)) => estimate(target, self.cores),
            _ => None,
        }
    }

    fn is_due(&mut self, now_ns: u64) -> bool {
        let idle = self.acting.is_none() && !self.untold && budget::is_over();
        let due = !idle && now_ns >= self.due_ns;
        if due {
            self.due_ns = now_ns + PERIOD_NS;
        }
        due
    }

    fn go_on(&mut self, count: Option<u64>, now_ns: u64) {
        let cores = working_cores();
        let changed = match self.acting {
            Some((Way::Loop, _)) => self.steer(count, now_ns),
            Some(_) => core::mem::replace(&mut self.cores, cores) != cores,
            None => false,
        };
        self.cores = cores;
        // Who missed the end of rations is told again.
        let missed = !budget::is_followed() && !matches!(self.acting, Some((Way::Ration, _)));
        if changed || missed || self.untold {
            self.apply();
        }
        if confine::has_registers() && confine::limit_failed() && self.acting.is_some() {
            // Another way, if nobody insists on this one.
            self.blind = BLIND;
            self.settle();
        }
    }

    /// Whether the setting changed.
    fn steer(&mut self, count: Option<u64>, now_ns: u64) -> bool {
        let Some(count) = count else {
            self.counted = None;
            self.blind = self.blind.saturating_add(1);
            if self.blind >= BLIND {
                self.settle();
            }
            return false;
        };
        self.blind = 0;
        let before = self.counted.replace((count, now_ns));
        let Some((before, at_ns)) = before else { return false };
        let measured = rate_between(before, count, now_ns.saturating_sub(at_ns));
        let verdict = self.steering.as_mut().map(|steering| steering.decide(measured));
        matches!(verdict, Some(Verdict::Tighten(_) | Verdict::Loosen(_)))
    }
}
