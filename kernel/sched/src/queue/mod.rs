//! The run queue of one core.
//!
//! Four lanes in strict order: first-class, control, shadow, second-class. All
//! but the first share their core by weighted virtual time: what a task has run,
//! divided by its weight; the task with the least runs next. First-class tasks
//! run to completion in order of arrival, or, on a core that is shared and where
//! the policy says so, in the second-class lane like everyone there.
//!
//! - A task stays in its lane while it runs; accounting moves it. So picking is
//!   a look at the top, and a task may be taken away at any moment.
//! - A newcomer starts at its lane's *average* virtual time. The minimum looks
//!   kinder, but there a stream of short tasks, each in before the last is out,
//!   holds the minimum down and starves whoever is above it. The average is
//!   also where Stoica and Abdel-Wahab ("Earliest Eligible Virtual Deadline
//!   First", 1995) have a task join that is owed nothing.
//! - Whoever leaves and returns keeps what it ran too much (two slices at most),
//!   so that sleeping for a moment does not pay.
//! - The tasks of a lane that are runnable all along differ in virtual time by
//!   one slice at the lower of their weights at most: that is the fairness
//!   bound, and the tests hold it.

#[cfg(test)]
mod tests;

use crate::heap::IndexHeap;
use crate::task::{MAX_TASKS, TaskIndex};

/// The weight at which virtual time is time.
pub const NOMINAL_WEIGHT: u16 = 64;
/// Largest weight; the smallest is 1.
const WEIGHT_MAX: u16 = 1024;
/// Cycles that one accounting counts at most (minutes; ticks are milliseconds).
const RAN_MAX_CYCLES: u64 = 1 << 40;
/// A lane's clock is set back when it gets here (half a year of a task of the
/// least weight), so that it never ends.
const REBASE: u64 = 1 << 60;

/// What a task is, to the run queue. In descending priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Serves first-class requests.
    First,
    /// Console and planner.
    Control,
    /// Shadows and echoes.
    Shadow,
    /// Best effort.
    Second,
}

/// How first-class tasks run beside second-class ones on a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstClassRule {
    /// Before all others, never preempted. On a core that also has the control
    /// role, the console waits.
    RunToCompletion,
    /// As one of the second-class tasks.
    Fair,
}

/// Why a task was not enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnqueueError {
    /// Its number is beyond the task table.
    NoSuchTask(TaskIndex),
    /// It is on this queue already.
    Present(TaskIndex),
    /// Not 1 to 1024.
    Weight(u16),
}

impl core::fmt::Display for EnqueueError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSuchTask(task) => {
                write!(f, "run queue: no task {}, expected 0 to {}", task.0, MAX_TASKS - 1)
            }
            Self::Present(task) => write!(f, "run queue: task {} is on it already", task.0),
            Self::Weight(weight) => write!(f, "run queue: weight {weight}, expected 1 to {WEIGHT_MAX}"),
        }
    }
}

/// Lanes in order of priority.
const LANES: usize = 4;
const FIRST: usize = 0;
const SECOND: usize = 3;

/// What is known of a task, on the queue or off it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    class: Class,
    weight: u16,
    /// The lane that `virtual_time` was counted in; none: never been here.
    lane: Option<usize>,
    virtual_time: u64,
}

/// The tasks that one core may run now. Touched by that core alone.
#[derive(Debug)]
pub struct RunQueue {
    lanes: [IndexHeap<MAX_TASKS>; LANES],
    entries: [Entry; MAX_TASKS],
    rule: FirstClassRule,
    second_class_waits: bool,
    slice_cycles: u64,
    arrivals: u64,
    /// Who was picked last, and when.
    picked: Option<(TaskIndex, u64)>,
}

impl RunQueue {
    /// An empty queue on which a task runs for `slice_cycles` TSC cycles before
    /// another of its lane has a turn.
    #[must_use]
    pub const fn new(slice_cycles: u64) -> Self {
        let entry = Entry { class: Class::Second, weight: NOMINAL_WEIGHT, lane: None, virtual_time: 0 };
        Self {
            lanes: [const { IndexHeap::new() }; LANES],
            entries: [entry; MAX_TASKS],
            rule: FirstClassRule::RunToCompletion,
            second_class_waits: false,
            slice_cycles,
            arrivals: 0,
            picked: None,
        }
    }

    /// Puts a task on the queue. O(n) of its lane: looks at every task there
    /// once (128 at most).
    ///
    /// # Errors
    /// Says what is wrong; nothing changed.
    pub fn enqueue(&mut self, task: TaskIndex, class: Class, weight: u16) -> Result<(), EnqueueError> {
        let member = member(task).ok_or(EnqueueError::NoSuchTask(task))?;
        if self.contains(task) {
            return Err(EnqueueError::Present(task));
        }
        if !(1..=WEIGHT_MAX).contains(&weight) {
            return Err(EnqueueError::Weight(weight));
        }
        let entry = &mut self.entries[usize::from(member)];
        (entry.class, entry.weight) = (class, weight);
        self.admit(member);
        Ok(())
    }

    /// Takes a task off, whether it runs or waits, and says whether it was
    /// there. O(log n).
    pub fn remove(&mut self, task: TaskIndex) -> bool {
        self.place(task).is_some_and(|(lane, member)| self.lanes[lane].remove(member).is_some())
    }

    /// Takes a task off and forgets what it ran: its slot is free for another.
    /// O(log n).
    pub fn forget(&mut self, task: TaskIndex) {
        self.remove(task);
        if let Some(member) = member(task) {
            self.entries[usize::from(member)].lane = None;
        }
    }

    /// Who runs next, none for idle; begins a slice. O(1), and O(n) of the
    /// second-class lane while second-class tasks wait.
    pub fn pick(&mut self, now: u64) -> Option<TaskIndex> {
        let higher = self.lanes[..SECOND].iter().find_map(IndexHeap::first);
        let next = higher.or_else(|| self.first_of_last_lane());
        let next = next.map(|(member, _)| TaskIndex(u16::from(member)));
        self.picked = next.map(|task| (task, now));
        next
    }

    /// Lets second-class tasks wait on the queue, or run again: while they wait
    /// none is picked. O(1).
    pub fn let_second_class_wait(&mut self, wait: bool) {
        self.second_class_waits = wait;
    }

    /// Charges a task for `ran_cycles`, also when it has left the queue since.
    /// O(log n), plus once in months O(n).
    pub fn account(&mut self, task: TaskIndex, ran_cycles: u64) {
        let Some(member) = member(task) else { return };
        let entry = &mut self.entries[usize::from(member)];
        entry.virtual_time = entry.virtual_time.saturating_add(virtual_cycles(ran_cycles, entry.weight));
        let virtual_time = entry.virtual_time;
        match self.place(task) {
            Some((lane, _)) if lane != FIRST => {
                self.lanes[lane].set(member, virtual_time);
                self.rebase(lane);
            }
            _ => {}
        }
    }

    /// Whether [`Self::pick`] should be asked again: something of higher
    /// priority waits, or the slice of `current` is over and another task of its
    /// lane has run less, or `current` is not on the queue any more or has to
    /// wait there. Account first. O(1).
    #[must_use]
    pub fn should_preempt(&self, now: u64, current: TaskIndex) -> bool {
        let Some((lane, member)) = self.place(current) else { return true };
        if self.waits(member) {
            return true;
        }
        if self.lanes[..lane].iter().any(|higher| higher.len() > 0) {
            return true;
        }
        if lane == FIRST || now < self.turn_end(current) {
            return false;
        }
        let other = self.lanes[lane].first_other_than(member).map(|(_, key)| key);
        other.is_some_and(|other| Some(other) < self.lanes[lane].key(member))
    }

    /// When `current` will have to share, in TSC cycles; none while nobody else
    /// waits in its lane or it runs to completion: no tick is needed for its
    /// sake. O(1).
    #[must_use]
    pub fn slice_end(&self, current: TaskIndex) -> Option<u64> {
        let (lane, member) = self.place(current)?;
        if lane == FIRST || self.lanes[lane].first_other_than(member).is_none() {
            return None;
        }
        Some(self.turn_end(current))
    }

    /// Changes how first-class tasks run; those on the queue change lanes.
    /// O(n^2) of the first-class tasks at worst, which are one or two.
    pub fn set_first_class_rule(&mut self, rule: FirstClassRule) {
        if self.rule == rule {
            return;
        }
        let from = self.lane_of(Class::First);
        self.rule = rule;
        for member in (0..).take(MAX_TASKS) {
            let first = self.entries[usize::from(member)].class == Class::First;
            if first && self.lanes[from].remove(member).is_some() {
                self.admit(member);
            }
        }
    }

    /// Whether a task is on the queue. O(1).
    #[must_use]
    pub fn contains(&self, task: TaskIndex) -> bool {
        self.place(task).is_some()
    }

    /// Tasks on the queue. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes.iter().map(IndexHeap::len).sum()
    }

    /// Whether there is nothing to run. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tasks of a class, in no particular order: to evict or to list them.
    /// O(n) of the lane.
    pub fn tasks(&self, class: Class) -> impl Iterator<Item = TaskIndex> {
        let members = self.lanes[self.lane_of(class)].iter().map(|(member, _)| member);
        members
            .filter(move |&member| self.entries[usize::from(member)].class == class)
            .map(|member| TaskIndex(u16::from(member)))
    }

    /// The last lane's next task, of those that need not wait.
    fn first_of_last_lane(&self) -> Option<(u8, u64)> {
        let lane = &self.lanes[SECOND];
        if !self.second_class_waits {
            return lane.first();
        }
        lane.iter().filter(|(member, _)| !self.waits(*member)).min_by_key(|(_, key)| *key)
    }

    fn waits(&self, member: u8) -> bool {
        self.second_class_waits && self.entries[usize::from(member)].class == Class::Second
    }

    /// When the slice of `current` is over; long ago if it was not picked last.
    fn turn_end(&self, current: TaskIndex) -> u64 {
        match self.picked {
            Some((task, since)) if task == current => since.saturating_add(self.slice_cycles),
            _ => 0,
        }
    }

    /// Puts a task that is in no lane into the one of its class.
    fn admit(&mut self, member: u8) {
        let lane = self.lane_of(self.entries[usize::from(member)].class);
        let key = if lane == FIRST {
            self.arrivals += 1;
            self.arrivals
        } else {
            self.starting_time(lane, member)
        };
        let entry = &mut self.entries[usize::from(member)];
        if lane != FIRST {
            entry.virtual_time = key;
        }
        entry.lane = Some(lane);
        self.lanes[lane].set(member, key);
    }

    /// The lane's average, or what the task has been counted there since if
    /// that is more, but two slices more at most. An empty lane keeps no time.
    fn starting_time(&self, lane: usize, member: u8) -> u64 {
        let entry = self.entries[usize::from(member)];
        let average = self.average(lane);
        let kept = if entry.lane == Some(lane) { entry.virtual_time } else { 0 };
        match average {
            None => kept,
            Some(average) => {
                let debt_max = virtual_cycles(self.slice_cycles.saturating_mul(2), entry.weight);
                kept.clamp(average, average.saturating_add(debt_max))
            }
        }
    }

    /// The weighted mean of a lane's virtual times.
    fn average(&self, lane: usize) -> Option<u64> {
        let (_, least) = self.lanes[lane].first()?;
        let (mut weights, mut moment) = (0, 0);
        for (member, key) in self.lanes[lane].iter() {
            let weight = u64::from(self.entries[usize::from(member)].weight);
            weights += weight;
            // 128 tasks of weight 1024: 45 bits each leave no overflow.
            moment += weight * (key - least).min(1 << 45);
        }
        Some(least + moment / weights.max(1))
    }

    /// Sets a lane's clock back when it has come far.
    fn rebase(&mut self, lane: usize) {
        let Some((_, least)) = self.lanes[lane].first().filter(|(_, least)| *least > REBASE) else { return };
        self.lanes[lane].lower_all(least);
        for entry in self.entries.iter_mut().filter(|entry| entry.lane == Some(lane)) {
            entry.virtual_time = entry.virtual_time.saturating_sub(least);
        }
    }

    fn lane_of(&self, class: Class) -> usize {
        match (class, self.rule) {
            (Class::First, FirstClassRule::RunToCompletion) => FIRST,
            (Class::Control, _) => 1,
            (Class::Shadow, _) => 2,
            (Class::First, FirstClassRule::Fair) | (Class::Second, _) => SECOND,
        }
    }

    /// The lane a task is in now, and its number there.
    fn place(&self, task: TaskIndex) -> Option<(usize, u8)> {
        let member = member(task)?;
        let lane = self.entries[usize::from(member)].lane?;
        self.lanes[lane].contains(member).then_some((lane, member))
    }
}

/// A task's number in the lanes.
fn member(task: TaskIndex) -> Option<u8> {
    if usize::from(task.0) < MAX_TASKS { Some(task.0.to_le_bytes()[0]) } else { None }
}

/// Virtual time of running for some cycles; never 0 for any that are.
fn virtual_cycles(cycles: u64, weight: u16) -> u64 {
    (cycles.min(RAN_MAX_CYCLES) * u64::from(NOMINAL_WEIGHT)).div_ceil(u64::from(weight.max(1)))
}
