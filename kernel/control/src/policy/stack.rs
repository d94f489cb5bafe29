//! Tasks that a policy has paused one by one, to be given back last first.

use crate::machine::TaskId;
use crate::quarantine::TaskSet;
use crate::sample::{Watched, value};
use heapless::Vec;

/// Tasks that can be paused at the same time.
const MAX_PAUSED: usize = 32;

/// Paused tasks with their generations, in order.
#[derive(Debug, Default)]
pub(super) struct Stack(Vec<(TaskId, u32), MAX_PAUSED>);

impl Stack {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds the runnable task that moves most to and from memory; false when
    /// none is known to move anything. At most 128 are compared.
    pub(super) fn push_worst(&mut self, tasks: &[Watched]) -> bool {
        let moved = |task: &&Watched| value(task.traffic).unwrap_or(0);
        let running = tasks.iter().filter(|task| task.runnable && !self.has(task));
        let worst = running.filter(|task| moved(task) > 0).max_by_key(moved);
        worst.is_some_and(|task| self.0.push((task.id, task.generation)).is_ok())
    }

    /// Adds the runnable task that moves most, or any when nothing is known;
    /// false when there is none.
    pub(super) fn push_any(&mut self, tasks: &[Watched]) -> bool {
        if self.push_worst(tasks) {
            return true;
        }
        let left = tasks.iter().find(|task| task.runnable && !self.has(task));
        left.is_some_and(|task| self.0.push((task.id, task.generation)).is_ok())
    }

    /// Gives the last one back; false when there is none.
    pub(super) fn pop(&mut self) -> bool {
        self.0.pop().is_some()
    }

    /// Forgets those that are not there any more.
    pub(super) fn keep_present(&mut self, tasks: &[Watched]) {
        self.0.retain(|(id, generation)| {
            tasks.iter().any(|task| (task.id, task.generation) == (*id, *generation))
        });
    }

    /// All of them.
    pub(super) fn set(&self) -> TaskSet {
        let mut set = TaskSet::NONE;
        self.0.iter().for_each(|(id, _)| set.insert(*id));
        set
    }

    fn has(&self, task: &Watched) -> bool {
        self.0.contains(&(task.id, task.generation))
    }
}
