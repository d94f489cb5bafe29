//! First stage: counters to deltas.
//!
//! A few tasks are read each tick in rotation, so that the cost of a tick hardly
//! grows with the number of tasks: each comes round every 16 ticks, many of them
//! every 64, so that a fair scheduler has run each a few times in between. A delta across two generations of a slot (another task lives there now) is
//! dropped and counted, never averaged in; one that runs backwards likewise.

mod load;
mod watch;

pub use load::LoadMeter;
pub use watch::{Watch, Watched};

use crate::machine::{Count, Counts, Monitor, TaskId, TaskView, Topology};

/// Most task slots there can be.
pub const MAX_TASKS: usize = 128;

/// Most tasks read in one tick.
pub const SAMPLES_PER_TICK: u16 = 2;

/// Most slots looked at in one tick; an empty one costs next to nothing.
pub const SLOTS_PER_TICK: u16 = 16;

/// Ticks over which many tasks are spread: 128 of them, two a tick.
const ROTATION_TICKS: u16 = 64;

/// Ticks a rotation takes at least.
const SHORTEST_ROTATION_TICKS: u16 = 16;

/// What changed between two readings of the same task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deltas {
    /// Time on a core, in TSC cycles.
    pub cycles: u64,
    /// Units of work finished.
    pub units: u64,
    /// Instructions retired.
    pub instructions: Count,
    /// Last-level cache misses.
    pub llc_misses: Count,
    /// Bytes loaded.
    pub read_bytes: u64,
    /// Bytes stored.
    pub written_bytes: u64,
    /// Of both, bytes in address order.
    pub sequential_bytes: u64,
    /// Unpredictable accesses.
    pub random_accesses: u64,
    /// The level at the later reading, in bytes.
    pub working_set_bytes: u64,
}

impl Deltas {
    /// The change from `before` to `after`, or none when a counter ran
    /// backwards. Counters may wrap around once between the two.
    #[must_use]
    pub fn between(before: &Counts, after: &Counts) -> Option<Self> {
        let deltas = Self {
            cycles: after.cycles.wrapping_sub(before.cycles),
            units: after.units.wrapping_sub(before.units),
            instructions: count_between(before.instructions, after.instructions),
            llc_misses: count_between(before.llc_misses, after.llc_misses),
            read_bytes: after.read_bytes.wrapping_sub(before.read_bytes),
            written_bytes: after.written_bytes.wrapping_sub(before.written_bytes),
            sequential_bytes: after.sequential_bytes.wrapping_sub(before.sequential_bytes),
            random_accesses: after.random_accesses.wrapping_sub(before.random_accesses),
            working_set_bytes: after.working_set_bytes,
        };
        deltas.is_plausible().then_some(deltas)
    }

    /// All that was counted since the task started.
    #[must_use]
    pub fn since_start(counts: &Counts) -> Self {
        Self {
            cycles: counts.cycles,
            units: counts.units,
            instructions: counts.instructions,
            llc_misses: counts.llc_misses,
            read_bytes: counts.read_bytes,
            written_bytes: counts.written_bytes,
            sequential_bytes: counts.sequential_bytes,
            random_accesses: counts.random_accesses,
            working_set_bytes: counts.working_set_bytes,
        }
    }

    /// Adds a later interval of the same task.
    pub fn add(&mut self, later: &Self) {
        self.cycles = self.cycles.saturating_add(later.cycles);
        self.units = self.units.saturating_add(later.units);
        self.instructions = count_sum(self.instructions, later.instructions);
        self.llc_misses = count_sum(self.llc_misses, later.llc_misses);
        self.read_bytes = self.read_bytes.saturating_add(later.read_bytes);
        self.written_bytes = self.written_bytes.saturating_add(later.written_bytes);
        self.sequential_bytes = self.sequential_bytes.saturating_add(later.sequential_bytes);
        self.random_accesses = self.random_accesses.saturating_add(later.random_accesses);
        self.working_set_bytes = later.working_set_bytes;
    }

    /// Nothing can move 2^63 of anything between two readings.
    fn is_plausible(&self) -> bool {
        let moved = self.cycles | self.units | self.read_bytes | self.written_bytes;
        let touched = self.sequential_bytes | self.random_accesses;
        let counted = value(self.instructions).unwrap_or(0) | value(self.llc_misses).unwrap_or(0);
        (moved | touched | counted) >> 63 == 0
    }
}

/// The number in a count, however it was come by.
#[must_use]
pub const fn value(count: Count) -> Option<u64> {
    match count {
        Count::Counted(value) | Count::Estimated(value) => Some(value),
        Count::Unknown => None,
    }
}

/// The same knowledge about another number.
#[must_use]
pub fn map(count: Count, change: impl FnOnce(u64) -> u64) -> Count {
    match count {
        Count::Counted(value) => Count::Counted(change(value)),
        Count::Estimated(value) => Count::Estimated(change(value)),
        Count::Unknown => Count::Unknown,
    }
}

fn count_between(before: Count, after: Count) -> Count {
    combine(after, before, u64::wrapping_sub)
}

fn count_sum(a: Count, b: Count) -> Count {
    combine(a, b, u64::saturating_add)
}

/// What is known of two counts together: no more than of the weaker one.
pub(crate) fn combine(a: Count, b: Count, how: impl FnOnce(u64, u64) -> u64) -> Count {
    match (a, b) {
        (Count::Unknown, _) | (_, Count::Unknown) => Count::Unknown,
        (Count::Counted(a), Count::Counted(b)) => Count::Counted(how(a, b)),
        (Count::Counted(a) | Count::Estimated(a), Count::Counted(b) | Count::Estimated(b)) => {
            Count::Estimated(how(a, b))
        }
    }
}

/// The deltas of one task over one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The task.
    pub task: TaskId,
    /// Wall time between the readings, in TSC cycles.
    pub interval_cycles: u64,
    /// What changed.
    pub deltas: Deltas,
}

/// The last reading of something that is read again and again.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    counts: Counts,
    at_cycles: u64,
    taken: bool,
}

/// What a new reading gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to compare with yet.
    First,
    /// The earlier reading was of another task, or a counter ran backwards.
    Stale,
    /// Wall cycles since the reading before, and what changed.
    Fresh(u64, Deltas),
}

impl Reading {
    /// No reading yet.
    pub const NONE: Self = Self {
        counts: Counts {
            generation: 0,
            cycles: 0,
            units: 0,
            instructions: Count::Unknown,
            llc_misses: Count::Unknown,
            read_bytes: 0,
            written_bytes: 0,
            sequential_bytes: 0,
            random_accesses: 0,
            working_set_bytes: 0,
        },
        at_cycles: 0,
        taken: false,
    };

    /// Takes a reading, and compares it with the one before.
    pub fn advance(&mut self, now_cycles: u64, counts: &Counts) -> Outcome {
        let outcome = if !self.taken {
            Outcome::First
        } else if self.counts.generation != counts.generation {
            Outcome::Stale
        } else {
            Deltas::between(&self.counts, counts).map_or(Outcome::Stale, |deltas| {
                Outcome::Fresh(now_cycles.wrapping_sub(self.at_cycles), deltas)
            })
        };
        *self = Self { counts: *counts, at_cycles: now_cycles, taken: true };
        outcome
    }
}

/// What a slot held when it came round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// No task.
    Empty(TaskId),
    /// A task, its generation, and its sample unless this is the first of it.
    Task(TaskView, u32, Option<Sample>),
}

/// Reads all task slots in rotation.
#[derive(Debug)]
pub struct Sampler {
    readings: [Reading; MAX_TASKS],
    next_slot: u16,
    /// Tasks found in the rotation so far, and in the one before.
    found: u16,
    tasks: u16,
    /// Ticks since the rotation began.
    ticks: u16,
    stale: u32,
}

impl Default for Sampler {
    fn default() -> Self {
        Self::new()
    }
}

impl Sampler {
    /// A sampler that has read nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            readings: [Reading::NONE; MAX_TASKS],
            next_slot: 0,
            found: 0,
            tasks: 0,
            ticks: SHORTEST_ROTATION_TICKS,
            stale: 0,
        }
    }

    /// Samples that were dropped because the slot had changed hands or a
    /// counter ran backwards.
    #[must_use]
    pub const fn stale(&self) -> u32 {
        self.stale
    }

    /// Visits the next slots: at most [`SLOTS_PER_TICK`], and of those at most
    /// [`SAMPLES_PER_TICK`] with a task. A slot known to be empty is passed
    /// over in silence.
    pub fn tick<M: Monitor + Topology>(&mut self, now_cycles: u64, machine: &M, mut each: impl FnMut(Visit)) {
        let slots = machine.task_slots();
        let mut left = self.tasks.div_ceil(ROTATION_TICKS).clamp(1, SAMPLES_PER_TICK);
        self.ticks = self.ticks.saturating_add(1);
        for _ in 0..SLOTS_PER_TICK.min(slots) {
            if self.next_slot >= slots {
                if self.ticks <= SHORTEST_ROTATION_TICKS {
                    return;
                }
                (self.next_slot, self.tasks, self.found, self.ticks) = (0, self.found, 0, 1);
            }
            let visit = self.visit(now_cycles, machine, TaskId(self.next_slot));
            self.next_slot += 1;
            let Some(visit) = visit else { continue };
            each(visit);
            if matches!(visit, Visit::Task(..)) {
                self.found += 1;
                left -= 1;
                if left == 0 {
                    return;
                }
            }
        }
    }

    /// None for a slot that was empty the last time too.
    fn visit<M: Monitor + Topology>(&mut self, now_cycles: u64, machine: &M, id: TaskId) -> Option<Visit> {
        let reading = self.readings.get_mut(usize::from(id.0))?;
        let (Some(view), Some(counts)) = (machine.task(id), machine.counts(id)) else {
            return core::mem::take(&mut reading.taken).then_some(Visit::Empty(id));
        };
        let sample = match reading.advance(now_cycles, &counts) {
            Outcome::First => None,
            Outcome::Stale => {
                self.stale = self.stale.saturating_add(1);
                None
            }
            Outcome::Fresh(interval_cycles, deltas) => Some(Sample { task: id, interval_cycles, deltas }),
        };
        Some(Visit::Task(view, counts.generation, sample))
    }
}

#[cfg(test)]
mod tests;
