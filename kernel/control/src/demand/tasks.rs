//! The demand of every second-class task, as last sampled.

use super::{Capacity, Compact, Demand};
use crate::fixed::{Clock, ONE};
use crate::machine::{TaskId, TaskState, TaskView};
use crate::sample::{MAX_TASKS, Sample, Visit};

/// Smoothing of a task's demand: a quarter of the way each sample.
const SMOOTHING_SHIFT: u32 = 2;

/// A smaller change than this leaves earlier scores standing: 1/64.
const NOTABLE: u32 = ONE / 64;

/// A task as last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Where it stood.
    pub view: TaskView,
    /// Which user of the slot it is.
    pub generation: u32,
    /// What it asks for while it runs.
    pub demand: Demand,
    /// The same, as shares.
    pub compact: Compact,
    /// The shares the last notable change was reported with.
    reported: Compact,
    /// Samples behind `demand`; 0 means nothing is known.
    pub samples: u32,
}

/// All slots.
#[derive(Debug)]
pub struct Tasks {
    slots: [Option<Task>; MAX_TASKS],
    /// Runnable tasks by core.
    crowd: [u8; 64],
    /// A bit for each slot that holds a task.
    present: [u64; MAX_TASKS / 64],
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// No task seen.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: [const { None }; MAX_TASKS], crowd: [0; 64], present: [0; 2] }
    }

    /// The task last seen in a slot.
    #[must_use]
    pub fn get(&self, id: TaskId) -> Option<&Task> {
        self.slots.get(usize::from(id.0))?.as_ref()
    }

    /// All tasks last seen, at most [`MAX_TASKS`].
    pub fn iter(&self) -> impl Iterator<Item = &Task> {
        self.slots.iter().flatten()
    }

    /// Runnable tasks by core, as last seen.
    #[must_use]
    pub const fn crowd(&self) -> &[u8; 64] {
        &self.crowd
    }

    /// The slots that hold a task, as bits from the lowest.
    #[must_use]
    pub const fn present(&self) -> [u64; MAX_TASKS / 64] {
        self.present
    }

    /// Takes in what the sampler saw, and returns the task if its scores are
    /// out of date by that. A bounded amount of work.
    pub fn see(&mut self, visit: &Visit, clock: Clock, capacity: &Capacity) -> Option<TaskId> {
        let (Visit::Empty(id) | Visit::Task(TaskView { id, .. }, ..)) = visit;
        let slot = self.slots.get_mut(usize::from(id.0))?;
        let before = slot.as_ref().map(|task| task.view);
        let crowd = before.and_then(|view| self.crowd.get(usize::from(view.core.0)));
        let outdated = slot_sees(slot, visit, clock, capacity, crowd.copied().unwrap_or(1));
        let after = slot.as_ref().map(|task| task.view);
        if let Some(word) = self.present.get_mut(usize::from(id.0 / 64)) {
            *word = (*word & !(1 << (id.0 % 64))) | (u64::from(after.is_some()) << (id.0 % 64));
        }
        self.count(before, u8::wrapping_sub);
        self.count(after, u8::wrapping_add);
        outdated.then_some(*id)
    }

    /// At most 128 tasks are counted, so a core's number never wraps.
    fn count(&mut self, view: Option<TaskView>, how: fn(u8, u8) -> u8) {
        let Some(view) = view.filter(|view| view.state == TaskState::Runnable) else { return };
        if let Some(crowd) = self.crowd.get_mut(usize::from(view.core.0)) {
            *crowd = how(*crowd, 1);
        }
    }
}

fn slot_sees(slot: &mut Option<Task>, visit: &Visit, clock: Clock, capacity: &Capacity, crowd: u8) -> bool {
    match (visit, slot) {
        (Visit::Empty(_), slot) => {
            *slot = None;
            false
        }
        (Visit::Task(view, generation, sample), Some(task)) if task.generation == *generation => {
            task.see(*view, sample.as_ref(), clock, capacity, crowd)
        }
        (Visit::Task(view, generation, _), slot) => {
            *slot = Some(Task::new(*view, *generation));
            true
        }
    }
}

impl Task {
    fn new(view: TaskView, generation: u32) -> Self {
        let compact = Compact::UNSEEN;
        Self { view, generation, demand: Demand::NONE, compact, reported: compact, samples: 0 }
    }

    /// Whether its scores are out of date by what was seen.
    fn see(
        &mut self,
        view: TaskView,
        sample: Option<&Sample>,
        clock: Clock,
        capacity: &Capacity,
        crowd: u8,
    ) -> bool {
        let moved = self.view.core != view.core;
        // A pause or a move within the interval says nothing about what the
        // task wants; what was known of it stands.
        let steady = !moved && self.view.state == TaskState::Runnable && view.state == TaskState::Runnable;
        self.view = view;
        let ran = sample.filter(|sample| steady && sample.deltas.cycles > 0);
        if let Some(demand) = ran.and_then(|s| Demand::of(&s.deltas, s.interval_cycles, clock)) {
            self.learn(&demand, capacity, crowd);
        }
        let changed = self.compact.distance(&self.reported) >= NOTABLE;
        if changed {
            self.reported = self.compact;
        }
        moved || changed
    }

    fn learn(&mut self, demand: &Demand, capacity: &Capacity, crowd: u8) {
        if self.samples == 0 {
            self.demand = *demand;
        } else {
            self.demand.follow(demand, SMOOTHING_SHIFT);
        }
        self.samples = self.samples.saturating_add(1);
        self.compact = Compact::of(&self.demand, capacity);
        // A fair share of a crowded core hides that the task would take more.
        self.compact.cores = self.compact.cores.saturating_mul(u32::from(crowd.max(1))).min(ONE);
    }
}
