//! The scores of all pairs, kept up to date a few at a time.

use super::{Relation, Score, System, score};
use crate::demand::{Compact, Tasks};
use crate::fixed::ONE;
use crate::machine::{CoreId, TaskId};
use crate::sample::MAX_TASKS;

/// Most pairs scored in one tick.
pub const PAIRS_PER_TICK: usize = 4;

/// A smaller change of load than this leaves scores standing: 1/16, which
/// moves a score by 1/160.
const NOTABLE_LOAD: u32 = ONE / 16;

/// Scores by task slot, and which of them are out of date.
#[derive(Debug)]
pub struct Predictions {
    first: Option<Compact>,
    scores: [Option<Score>; MAX_TASKS],
    dirty: [u64; MAX_TASKS / 64],
    load: u32,
    made: u64,
}

impl Default for Predictions {
    fn default() -> Self {
        Self::new()
    }
}

impl Predictions {
    /// No first-class demand and no score.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: None, scores: [const { None }; MAX_TASKS], dirty: [0; 2], load: 0, made: 0 }
    }

    /// Sets what the first-class workload is expected to ask for; the scores
    /// of all tasks are out of date by that.
    pub const fn expect(&mut self, first: Compact, tasks: &Tasks) {
        self.first = Some(first);
        self.dirty = tasks.present();
    }

    /// What the first-class workload is expected to ask for.
    #[must_use]
    pub const fn expected(&self) -> Option<&Compact> {
        self.first.as_ref()
    }

    /// Marks one task's score as out of date.
    pub fn mark(&mut self, task: TaskId) {
        if let Some(word) = self.dirty.get_mut(usize::from(task.0 / 64)) {
            *word |= 1 << (task.0 % 64);
        }
    }

    /// Scores up to [`PAIRS_PER_TICK`] pairs that are out of date and calls
    /// `each` for every one.
    pub fn tick(
        &mut self,
        tasks: &Tasks,
        first_class_core: CoreId,
        system: &System,
        mut each: impl FnMut(TaskId, &Score),
    ) {
        let Some(first) = self.first else { return };
        if self.load.abs_diff(system.load) >= NOTABLE_LOAD {
            self.load = system.load;
            self.dirty = tasks.present();
        }
        let mut left = PAIRS_PER_TICK;
        // Bounded: a task that is gone takes its mark with it, at the most one
        // for each of the 128 slots.
        while left > 0 {
            let Some(id) = self.take_dirty() else { return };
            let scored = tasks.get(id).map(|task| {
                let relation = Relation::usual(task.view.core == first_class_core);
                score(&first, &task.compact, relation, system)
            });
            if let Some(slot) = self.scores.get_mut(usize::from(id.0)) {
                *slot = scored;
            }
            if let Some(score) = &scored {
                each(id, score);
                self.made = self.made.saturating_add(1);
                left -= 1;
            }
        }
    }

    fn take_dirty(&mut self) -> Option<TaskId> {
        let (index, word) = self.dirty.iter_mut().enumerate().find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        u16::try_from(index).ok().zip(u16::try_from(bit).ok()).map(|(index, bit)| TaskId(index * 64 + bit))
    }

    /// The last score of a task.
    #[must_use]
    pub fn get(&self, task: TaskId) -> Option<&Score> {
        self.scores.get(usize::from(task.0))?.as_ref()
    }

    /// Whether every score is up to date.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.first.is_none() || (self.dirty[0] | self.dirty[1]) == 0
    }

    /// Pairs scored so far.
    #[must_use]
    pub const fn made(&self) -> u64 {
        self.made
    }
}
