//! Every second-class task, every tick: what the policies that steer all the
//! time go by. The sampler's rotation is too slow for them (a task comes round
//! every 16 ticks), so while such a policy is in force, and only then, each
//! task is read each tick: at most 128 readings, one division each.
//!
//! Memory traffic is what the miss counter says. Where nothing counts misses it
//! is estimated as the predictor does: bytes moved, times working set over
//! cache, at most 1. Where neither is known it is unknown, not 0.

use crate::fixed::{Clock, NS_PER_S, ewma, low_u32, share};
use crate::machine::{CoreId, CoreSet, Count, Counts, Monitor, TaskId, TaskState, Topology, WorkloadId};
use crate::sample::{Deltas, MAX_TASKS, map, value};
use heapless::Vec;

/// Bytes that a miss moves.
const LINE_BYTES: u64 = 64;
/// Smoothing of traffic: half of the way each tick. Counters are charged at a
/// switch or at the end of a unit, so a single tick may hold none or two.
const FAST_SHIFT: u32 = 1;
/// Smoothing of what tells a task's class: an eighth of the way each tick.
const SLOW_SHIFT: u32 = 3;
/// A core that spent less than this part of a tick on tasks was idle: 1/8.
const IDLE_SHIFT: u32 = 3;
const MAX_CORES: usize = 64;

/// A second-class task as it was in the last tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its slot.
    pub id: TaskId,
    /// Which user of the slot it is.
    pub generation: u32,
    /// What it runs.
    pub workload: WorkloadId,
    /// The core it is on.
    pub core: CoreId,
    /// Whether it may run.
    pub runnable: bool,
    /// Bytes a second to and from memory, smoothed over about two ticks.
    pub traffic: Count,
    /// Misses of the last-level cache per thousand cycles, over about eight
    /// ticks that it ran in.
    pub misses_per_kilocycle: Option<u32>,
    /// Bytes it touches again and again.
    pub working_set_bytes: u64,
    /// Instructions of the last tick, or cycles where they are not counted.
    pub work: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    counts: Counts,
    seen: bool,
    traffic: Count,
    misses: u64,
    cycles: u64,
}

impl Slot {
    const NEW: Self = Self {
        counts: super::Reading::NONE.counts,
        seen: false,
        traffic: Count::Unknown,
        misses: 0,
        cycles: 0,
    };

    /// Takes a reading in; the change since the one before, if that was of the
    /// same task.
    fn see(&mut self, counts: &Counts, elapsed_ns: u64, llc_bytes: u64) -> Option<Deltas> {
        let known = self.seen && self.counts.generation == counts.generation;
        let deltas = Deltas::between(&self.counts, counts).filter(|_| known && elapsed_ns > 0);
        if !known {
            *self = Self::NEW;
        }
        (self.counts, self.seen) = (*counts, true);
        let deltas = deltas?;
        let bytes = traffic_of(&deltas, llc_bytes);
        let rate = map(bytes, |bytes| bytes.saturating_mul(NS_PER_S) / elapsed_ns);
        self.traffic = match (value(self.traffic), rate) {
            (Some(before), rate) => map(rate, |rate| ewma(before, rate, FAST_SHIFT)),
            (None, rate) => rate,
        };
        if deltas.cycles > 0 {
            self.cycles = ewma(self.cycles, deltas.cycles, SLOW_SHIFT);
            self.misses = ewma(self.misses, value(deltas.llc_misses).unwrap_or(0), SLOW_SHIFT);
        }
        Some(deltas)
    }

    fn misses_per_kilocycle(&self) -> Option<u32> {
        value(self.counts.llc_misses)?;
        self.misses.saturating_mul(1000).checked_div(self.cycles).map(low_u32)
    }
}

/// Bytes to and from memory behind `deltas`.
fn traffic_of(deltas: &Deltas, llc_bytes: u64) -> Count {
    match deltas.llc_misses {
        Count::Unknown if llc_bytes == 0 => Count::Unknown,
        Count::Unknown => {
            let moved = deltas.read_bytes.saturating_add(deltas.written_bytes);
            let beyond = share(deltas.working_set_bytes, llc_bytes);
            Count::Estimated(crate::fixed::scale(moved, beyond))
        }
        misses => map(misses, |misses| misses.saturating_mul(LINE_BYTES)),
    }
}

/// All tasks and cores, as of the last tick.
#[derive(Debug)]
pub struct Watch {
    slots: [Slot; MAX_TASKS],
    first: Slot,
    tasks: Vec<Watched, MAX_TASKS>,
    busy_cycles: [u64; MAX_CORES],
    idle: Option<CoreSet>,
    traffic: Option<u64>,
    at_ns: u64,
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    /// Nothing seen.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: [Slot::NEW; MAX_TASKS],
            first: Slot::NEW,
            tasks: Vec::new(),
            busy_cycles: [0; MAX_CORES],
            idle: None,
            traffic: None,
            at_ns: 0,
        }
    }

    /// The tasks there are, by slot.
    #[must_use]
    pub fn tasks(&self) -> &[Watched] {
        &self.tasks
    }

    /// The cores that were idle in the last tick; none before the second look.
    #[must_use]
    pub const fn idle(&self) -> Option<CoreSet> {
        self.idle
    }

    /// Bytes a second to and from memory, of all tasks and the first-class
    /// burst together; none when it is not known of any.
    #[must_use]
    pub const fn traffic(&self) -> Option<u64> {
        self.traffic
    }

    /// When it last looked, in nanoseconds since boot; 0 before the first time.
    #[must_use]
    pub const fn at_ns(&self) -> u64 {
        self.at_ns
    }

    /// Looks at everything. `burst` is what the running burst has cost so far,
    /// its number as the generation. At most 128 tasks and 64 cores.
    pub fn look<M: Monitor + Topology>(
        &mut self,
        now_ns: u64,
        clock: Clock,
        burst: Option<&Counts>,
        machine: &M,
    ) {
        let elapsed_ns = if self.at_ns == 0 { 0 } else { now_ns.saturating_sub(self.at_ns) };
        self.at_ns = now_ns;
        self.look_at_cores(clock.cycles(elapsed_ns), machine);
        let llc_bytes = machine.llc_bytes();
        self.tasks.clear();
        self.traffic = None;
        for number in 0..machine.task_slots() {
            let id = TaskId(number);
            let Some(slot) = self.slots.get_mut(usize::from(number)) else { break };
            let view = machine.task(id).filter(|task| task.state != TaskState::Ended);
            let Some((view, counts)) = view.and_then(|view| Some((view, machine.counts(id)?))) else {
                slot.seen = false;
                continue;
            };
            let deltas = slot.see(&counts, elapsed_ns, llc_bytes);
            let work = deltas.map_or(0, |deltas| value(deltas.instructions).unwrap_or(deltas.cycles));
            add(&mut self.traffic, slot.traffic);
            let watched = Watched {
                id,
                generation: counts.generation,
                workload: view.workload,
                core: view.core,
                runnable: view.state == TaskState::Runnable,
                traffic: slot.traffic,
                misses_per_kilocycle: slot.misses_per_kilocycle(),
                working_set_bytes: counts.working_set_bytes,
                work,
            };
            let _ = self.tasks.push(watched);
        }
        match burst {
            Some(counts) => {
                self.first.see(counts, elapsed_ns, llc_bytes);
                add(&mut self.traffic, self.first.traffic);
            }
            None => self.first.seen = false,
        }
    }

    fn look_at_cores<M: Monitor + Topology>(&mut self, elapsed_cycles: u64, machine: &M) {
        let mut idle = CoreSet(0);
        for core in machine.cores().iter() {
            let Some(before) = self.busy_cycles.get_mut(usize::from(core.0)) else { continue };
            let busy = machine.busy_cycles(core);
            let spent = busy.wrapping_sub(core::mem::replace(before, busy));
            if spent < elapsed_cycles >> IDLE_SHIFT {
                idle = idle.with(CoreSet::only(core));
            }
        }
        self.idle = (elapsed_cycles > 0).then_some(idle);
    }
}

fn add(sum: &mut Option<u64>, traffic: Count) {
    if let Some(traffic) = value(traffic) {
        *sum = Some(sum.unwrap_or(0).saturating_add(traffic));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cycles: u64, misses: Count, read_bytes: u64) -> Counts {
        Counts {
            generation: 1,
            cycles,
            llc_misses: misses,
            read_bytes,
            working_set_bytes: 1 << 20,
            ..Counts::default()
        }
    }

    #[test]
    fn traffic_is_counted_estimated_or_unknown() {
        let mut slot = Slot::NEW;
        assert_eq!(slot.see(&counts(0, Count::Counted(0), 0), 0, 1 << 22), None);
        slot.see(&counts(1000, Count::Counted(10), 0), 1000, 1 << 22);
        // 640 bytes in a microsecond.
        assert_eq!(slot.traffic, Count::Counted(640_000_000));
        assert_eq!(slot.misses_per_kilocycle(), Some(16), "2 misses, rounded up, of 125 cycles");
        let mut slot = Slot::NEW;
        slot.see(&counts(0, Count::Unknown, 0), 0, 1 << 22);
        slot.see(&counts(1000, Count::Unknown, 4000), 1000, 1 << 22);
        // A working set of 1 MiB fills a quarter of the cache.
        assert_eq!(slot.traffic, Count::Estimated(1_000_000_000));
        assert_eq!(slot.misses_per_kilocycle(), None);
        let mut slot = Slot::NEW;
        slot.see(&counts(0, Count::Unknown, 0), 0, 0);
        slot.see(&counts(1000, Count::Unknown, 4000), 1000, 0);
        assert_eq!(slot.traffic, Count::Unknown);
    }

    #[test]
    fn another_task_in_the_slot_begins_anew() {
        let mut slot = Slot::NEW;
        slot.see(&counts(0, Count::Counted(0), 0), 0, 1);
        slot.see(&counts(1000, Count::Counted(10), 0), 1000, 1);
        let other = Counts { generation: 2, ..counts(5000, Count::Counted(90), 0) };
        assert_eq!(slot.see(&other, 1000, 1), None);
        assert_eq!((slot.traffic, slot.misses), (Count::Unknown, 0));
    }
}
