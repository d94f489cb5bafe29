//! A strict machine: it takes actions late, refuses some, loses some, ends
//! tasks and gives their slots away, and panics on misuse.

use crate::machine::{
    Action, Actuator, Apart, CoreId, CoreSet, Count, Counts, Monitor, Refusal, Roles, Share, TaskId,
    TaskState, TaskView, Topology, WorkloadId,
};
use std::collections::VecDeque;
use std::vec::Vec;

/// What happens to an action that is applied.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It takes effect after so many ticks.
    After(u8),
    /// It is accepted and never takes effect.
    Lost,
    /// The mailbox is full.
    Busy,
    /// The core does not take tasks (moves) or must stay (dedication).
    NoCore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FakeTask {
    pub(super) generation: u32,
    pub(super) state: TaskState,
    pub(super) core: CoreId,
    pub(super) workload: WorkloadId,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Fake {
    pub(super) tasks: Vec<Option<FakeTask>>,
    pub(super) dedicated: Vec<bool>,
    /// Cores are threads, two a physical core, numbered side by side.
    pub(super) threads: bool,
    pub(super) confined: Option<Share>,
    pub(super) apart: Option<Apart>,
    pub(super) fates: VecDeque<Fate>,
    pub(super) now: u64,
    /// Actions under way, in order: a later one never overtakes. Each is meant
    /// for one generation of its slot and comes to nothing for another.
    under_way: VecDeque<(u64, Action, u32)>,
    pub(super) effects: Vec<Action>,
}

impl Fake {
    pub(super) fn new(cores: u8) -> Self {
        Self { dedicated: std::vec![false; usize::from(cores)], ..Self::default() }
    }

    pub(super) fn put(&mut self, core: u8, state: TaskState) -> TaskId {
        let workload = WorkloadId(u8::try_from(self.tasks.len()).expect("few tasks"));
        let task = FakeTask { generation: 1, state, core: CoreId(core), workload };
        self.tasks.push(Some(task));
        TaskId(u16::from(workload.0))
    }

    /// A tick passes: what is due takes effect.
    pub(super) fn pass(&mut self) {
        self.now += 1;
        self.deliver();
    }

    fn deliver(&mut self) {
        while self.under_way.front().is_some_and(|(due, ..)| *due <= self.now) {
            let (_, action, generation) = self.under_way.pop_front().expect("just seen");
            if self.generation(action) == generation {
                self.take_effect(action);
            }
        }
    }

    fn take_effect(&mut self, action: Action) {
        match action {
            Action::Pause(id) | Action::Resume(id) => {
                let wanted =
                    if action == Action::Pause(id) { TaskState::Paused } else { TaskState::Runnable };
                let Some(task) = self.task_mut(id) else { return };
                if task.state == wanted {
                    return;
                }
                task.state = wanted;
            }
            Action::Migrate { task: id, to } => {
                let Some(task) = self.task_mut(id).filter(|task| task.core != to) else { return };
                task.core = to;
            }
            Action::Dedicate(core) => {
                let cleared = self.siblings(core);
                // Whoever came after the plan is the machine's to push away.
                let runs_there = |t: &&FakeTask| {
                    t.state == TaskState::Runnable && cleared.has(t.core) && t.generation == 1
                };
                let left = self.tasks.iter().flatten().filter(runs_there);
                assert_eq!(left.count(), 0, "a core is cleared before it is dedicated");
                self.dedicated[usize::from(core.0)] = true;
            }
            Action::Share(core) => self.dedicated[usize::from(core.0)] = false,
            Action::Confine(share) => self.confined = Some(share),
            Action::Unconfine => self.confined = None,
            Action::Recolour(apart) => self.apart = Some(apart),
            Action::Uncolour => self.apart = None,
        }
        self.effects.push(action);
    }

    fn generation(&self, action: Action) -> u32 {
        match action {
            Action::Pause(id) | Action::Resume(id) | Action::Migrate { task: id, .. } => {
                self.counts(id).map_or(0, |counts| counts.generation)
            }
            Action::Dedicate(_)
            | Action::Share(_)
            | Action::Confine(_)
            | Action::Unconfine
            | Action::Recolour(_)
            | Action::Uncolour => 0,
        }
    }

    fn task_mut(&mut self, id: TaskId) -> Option<&mut FakeTask> {
        self.tasks.get_mut(usize::from(id.0))?.as_mut().filter(|task| task.state != TaskState::Ended)
    }

    fn refusal(&self, action: Action) -> Option<Refusal> {
        match action {
            Action::Pause(id) | Action::Resume(id) | Action::Migrate { task: id, .. }
                if self.task(id).is_none_or(|task| task.state == TaskState::Ended) =>
            {
                Some(Refusal::NoSuchTask)
            }
            Action::Migrate { to, .. } => {
                let refuses = self.dedicated.get(usize::from(to.0)).copied().unwrap_or(true);
                refuses.then_some(Refusal::NoSuchCore)
            }
            _ => None,
        }
    }
}

impl Monitor for Fake {
    fn counts(&self, id: TaskId) -> Option<Counts> {
        let task = self.tasks.get(usize::from(id.0))?.as_ref()?;
        Some(Counts { generation: task.generation, instructions: Count::Unknown, ..Counts::default() })
    }
    fn busy_cycles(&self, _: CoreId) -> u64 {
        0
    }
}

impl Topology for Fake {
    fn cores(&self) -> CoreSet {
        (0..self.dedicated.len()).fold(CoreSet(0), |set, core| {
            set.with(CoreSet::only(CoreId(u8::try_from(core).expect("few cores"))))
        })
    }
    fn siblings(&self, core: CoreId) -> CoreSet {
        let pair = CoreSet::only(CoreId(core.0 & !1)).with(CoreSet::only(CoreId(core.0 | 1)));
        if self.threads { CoreSet(pair.0 & self.cores().0) } else { CoreSet::only(core) }
    }
    fn roles(&self, core: CoreId) -> Roles {
        if self.dedicated[usize::from(core.0)] { Roles::FIRST_CLASS } else { Roles::SECOND_CLASS }
    }
    fn task_slots(&self) -> u16 {
        u16::try_from(self.tasks.len()).expect("few tasks")
    }
    fn task(&self, id: TaskId) -> Option<TaskView> {
        let task = self.tasks.get(usize::from(id.0))?.as_ref()?;
        Some(TaskView { id, workload: task.workload, state: task.state, core: task.core })
    }
    fn tsc_hz(&self) -> u64 {
        1_000_000_000
    }
    fn llc_bytes(&self) -> u64 {
        1 << 24
    }
    fn colours(&self) -> u32 {
        16
    }
    fn memory_bandwidth(&self) -> u64 {
        1 << 33
    }
}

impl Actuator for Fake {
    fn apply(&mut self, action: Action) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal(action) {
            return Err(refusal);
        }
        if matches!(action, Action::Pause(_) | Action::Dedicate(_)) {
            assert!(!self.holds(action), "{action:?} is not asked for while it holds");
        }
        let delay = match self.fates.pop_front().unwrap_or(Fate::After(0)) {
            Fate::After(ticks) => u64::from(ticks),
            Fate::Lost => return Ok(()),
            Fate::Busy => return Err(Refusal::Busy),
            Fate::NoCore => match action {
                Action::Migrate { .. } => return Err(Refusal::NoSuchCore),
                Action::Dedicate(_) => return Err(Refusal::LastCore),
                _ => 0,
            },
        };
        let due = self.under_way.back().map_or(0, |(due, ..)| *due).max(self.now + delay);
        self.under_way.push_back((due, action, self.generation(action)));
        self.deliver();
        Ok(())
    }

    fn holds(&self, action: Action) -> bool {
        match action {
            Action::Pause(id) => self.task(id).is_some_and(|task| task.state == TaskState::Paused),
            Action::Resume(id) => self.task(id).is_some_and(|task| task.state == TaskState::Runnable),
            Action::Migrate { task, to } => self.task(task).is_some_and(|task| task.core == to),
            Action::Dedicate(core) => self.dedicated[usize::from(core.0)],
            Action::Share(core) => !self.dedicated[usize::from(core.0)],
            Action::Confine(share) => self.confined == Some(share),
            Action::Unconfine => self.confined.is_none(),
            Action::Recolour(apart) => self.apart == Some(apart),
            Action::Uncolour => self.apart.is_none(),
        }
    }
}
