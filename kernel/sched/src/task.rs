//! Who is who: task slots, their generations, states and which state may follow
//! which. The table holds no stack and no registers; those are the kernel's,
//! in an array of its own with the same numbers.
//!
//! A slot that falls free is used again last, and under a new generation, so
//! that a message or a count from the task before is recognised as stale.

use crate::name::Name;
use crate::queue::Class;

/// Task slots.
pub const MAX_TASKS: usize = 128;

/// The number of a task slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskIndex(pub u16);

/// A task: its slot, and which of the tasks that had this slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskRef {
    /// The slot.
    pub index: TaskIndex,
    /// Counts the tasks that had the slot, from 1.
    pub generation: u32,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Nobody's slot.
    Empty = 0,
    /// On a run queue.
    Ready = 1,
    /// On a core.
    Running = 2,
    /// Waiting for its timer.
    Sleeping = 3,
    /// Off every queue until it is resumed.
    Paused = 4,
    /// Over; its memory may be taken back.
    Ended = 5,
    /// Over by a fault; kept for the report until it is taken back.
    Faulted = 6,
}

/// A state that may not follow another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Illegal {
    /// The slot has another task by now, or none.
    Stale(TaskRef),
    /// This cannot follow that.
    Transition {
        /// The state it is in.
        from: State,
        /// The state asked for.
        to: State,
    },
}

impl core::fmt::Display for Illegal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Stale(task) => write!(f, "task {} of generation {} is gone", task.index.0, task.generation),
            Self::Transition { from, to } => write!(f, "a task that is {from} cannot become {to}"),
        }
    }
}

impl core::fmt::Display for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(match self {
            Self::Empty => "empty",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::Paused => "paused",
            Self::Ended => "ended",
            Self::Faulted => "faulted",
        })
    }
}

impl State {
    /// `to`, if it may follow this state.
    ///
    /// # Errors
    /// [`Illegal::Transition`] if it may not.
    pub const fn become_state(self, to: Self) -> Result<Self, Illegal> {
        use State::{Empty, Ended, Faulted, Paused, Ready, Running, Sleeping};
        let legal = matches!(
            (self, to),
            (Empty, Ready)
                | (Ready, Running | Paused | Ended)
                | (Running, Ready | Sleeping | Paused | Ended | Faulted)
                | (Sleeping, Ready | Paused | Ended)
                | (Paused, Ready | Ended)
                | (Ended | Faulted, Empty)
        );
        if legal { Ok(to) } else { Err(Illegal::Transition { from: self, to }) }
    }

    /// From the number it has as a `u8`, for states kept in an atomic.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Empty,
            1 => Self::Ready,
            2 => Self::Running,
            3 => Self::Sleeping,
            4 => Self::Paused,
            5 => Self::Ended,
            6 => Self::Faulted,
            _ => return None,
        })
    }

    /// Whether there is a task that is not over.
    #[must_use]
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Ready | Self::Running | Self::Sleeping | Self::Paused)
    }
}

/// All slots hold tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSlot;

impl core::fmt::Display for NoSlot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "all {MAX_TASKS} task slots are taken")
    }
}

/// One slot of the table.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// Its task's name; meaningless when empty.
    pub name: Name,
    /// Its task's class.
    pub class: Class,
    /// Its task's weight among others of its class.
    pub weight: u16,
    /// The core that owns the task now: only that core may change its state.
    pub core: u8,
    state: State,
    generation: u32,
}

impl Task {
    /// How it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }
}

/// The slots of all tasks.
#[derive(Debug)]
pub struct TaskTable {
    slots: [Option<Task>; MAX_TASKS],
    generations: [u32; MAX_TASKS],
    /// Where the search for a free slot begins.
    next: usize,
}

impl Default for TaskTable {
    fn default() -> Self {
        Self::new()
    }
}

impl TaskTable {
    /// All slots empty.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: [None; MAX_TASKS], generations: [0; MAX_TASKS], next: 0 }
    }

    /// Gives a slot to a new task, which is ready. Bound: 128 slots looked at.
    ///
    /// # Errors
    /// [`NoSlot`] when all are taken.
    pub fn create(&mut self, name: Name, class: Class, weight: u16, core: u8) -> Result<TaskRef, NoSlot> {
        let mut places = (self.next..MAX_TASKS).chain(0..self.next);
        let place = places.find(|&place| self.slots[place].is_none()).ok_or(NoSlot)?;
        self.next = (place + 1) % MAX_TASKS;
        let generation = self.generations[place].wrapping_add(1).max(1);
        self.generations[place] = generation;
        self.slots[place] = Some(Task { name, class, weight, core, state: State::Ready, generation });
        Ok(TaskRef { index: TaskIndex(u16::try_from(place).unwrap_or(u16::MAX)), generation })
    }

    /// A task, unless it is gone. O(1).
    #[must_use]
    pub fn get(&self, task: TaskRef) -> Option<&Task> {
        self.slots.get(usize::from(task.index.0))?.as_ref().filter(|slot| slot.generation == task.generation)
    }

    /// The task that has a slot now. O(1).
    #[must_use]
    pub fn at(&self, index: TaskIndex) -> Option<(TaskRef, &Task)> {
        let slot = self.slots.get(usize::from(index.0))?.as_ref()?;
        Some((TaskRef { index, generation: slot.generation }, slot))
    }

    /// Moves a task to another state; [`State::Empty`] frees its slot. O(1).
    ///
    /// # Errors
    /// Says why not; nothing changed.
    pub fn change(&mut self, task: TaskRef, to: State) -> Result<(), Illegal> {
        let slot = self.slots.get_mut(usize::from(task.index.0)).ok_or(Illegal::Stale(task))?;
        let entry = slot.as_mut().filter(|entry| entry.generation == task.generation);
        let entry = entry.ok_or(Illegal::Stale(task))?;
        entry.state = entry.state.become_state(to)?;
        if to == State::Empty {
            *slot = None;
        }
        Ok(())
    }

    /// Gives a task to another core. O(1).
    ///
    /// # Errors
    /// [`Illegal::Stale`] when it is gone.
    pub fn set_core(&mut self, task: TaskRef, core: u8) -> Result<(), Illegal> {
        let slot = self.slots.get_mut(usize::from(task.index.0)).and_then(Option::as_mut);
        slot.filter(|slot| slot.generation == task.generation).ok_or(Illegal::Stale(task))?.core = core;
        Ok(())
    }

    /// The tasks that have slots, in ascending order. Bound: 128 slots.
    pub fn iter(&self) -> impl Iterator<Item = (TaskRef, &Task)> {
        (0..).map(TaskIndex).take(MAX_TASKS).filter_map(|index| self.at(index))
    }
}

#[cfg(test)]
mod tests;
