//! From scores and placements to a plan, some tasks at a time.

use super::{Plan, Step, Subject};
use crate::demand::Tasks;
use crate::fixed::{ONE, to_permille};
use crate::machine::{Action, CoreId, CoreSet, Roles, TaskId, TaskState, TaskView, Topology, WorkloadId};
use crate::predict::{Predictions, Score};
use crate::sample::MAX_TASKS;

/// Most tasks planned for in one tick.
pub const TASKS_PER_TICK: u16 = 8;

/// Most slots looked at in one tick; an empty one costs next to nothing.
pub const SLOTS_PER_TICK: u16 = 32;

/// A task that was paused in one of this many plans before is paused again
/// unless its score has fallen well below the threshold.
const REMEMBERED_PLANS: u8 = 4;

/// How far "well below" is: 1/16.
const HYSTERESIS: u32 = ONE / 16;

/// A set of workloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkloadSet([u64; 4]);

impl WorkloadSet {
    /// No workload.
    pub const NONE: Self = Self([0; 4]);

    /// Adds one.
    pub const fn insert(&mut self, workload: WorkloadId) {
        self.0[(workload.0 >> 6) as usize] |= 1 << (workload.0 & 63);
    }

    /// Whether it is in the set.
    #[must_use]
    pub const fn has(&self, workload: WorkloadId) -> bool {
        self.0[(workload.0 >> 6) as usize] >> (workload.0 & 63) & 1 == 1
    }
}

/// By what a plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Every task left running scores at most this, Q16.16; the first-class
    /// core is dedicated where there is another for the rest.
    Predicted(u32),
    /// Only the first-class core is cleared and dedicated.
    ClearCore,
    /// Only tasks of these workloads are paused.
    Pause(WorkloadSet),
}

/// Where the machine lets second-class tasks go.
#[derive(Clone, Copy, Debug)]
struct Division {
    first_class: CoreId,
    /// The first-class core and the threads that share it.
    shared: CoreSet,
    /// Cores that may take tasks and are none of these.
    targets: CoreSet,
    /// Whether the first-class core is to be made, and can be made, alone.
    dedicate: bool,
}

/// Plans, one at a time, with a memory of the last ones.
#[derive(Debug)]
pub struct Planner {
    rule: Rule,
    division: Division,
    next_slot: u16,
    /// The plan sets first and second class apart in the cache.
    cache_apart: bool,
    /// Runnable tasks by core, moves included.
    crowd: [u8; 64],
    /// Plans for which a slot's task (by generation) counts as paused lately.
    paused: [(u32, u8); MAX_TASKS],
}

impl Default for Planner {
    fn default() -> Self {
        Self::new()
    }
}

impl Planner {
    /// A planner that has planned nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rule: Rule::ClearCore,
            division: Division {
                first_class: CoreId(0),
                shared: CoreSet(0),
                targets: CoreSet(0),
                dedicate: false,
            },
            next_slot: 0,
            cache_apart: false,
            crowd: [0; 64],
            paused: [(0, 0); MAX_TASKS],
        }
    }

    /// Begins a plan. At most 64 roles are looked at.
    pub fn begin<M: Topology>(
        &mut self,
        rule: Rule,
        lease_ns: u64,
        first_class: CoreId,
        machine: &M,
        tasks: &Tasks,
        plan: &mut Plan,
    ) {
        let second_class = |core: CoreId| machine.roles(core).has(Roles::SECOND_CLASS);
        let all = machine.cores().iter().filter(|core| second_class(*core));
        let all = all.fold(CoreSet::default(), |set, core| set.with(CoreSet::only(core)));
        let shared = machine.siblings(first_class).with(CoreSet::only(first_class));
        let targets = all.without(shared);
        let exclusive = !matches!(rule, Rule::Pause(_));
        let dedicate = exclusive && all.has(first_class) && targets.count() > 0;
        plan.clear();
        plan.lease_ns = lease_ns;
        self.rule = rule;
        self.division = Division { first_class, shared, targets, dedicate };
        self.next_slot = 0;
        self.cache_apart = false;
        self.crowd = *tasks.crowd();
    }

    /// The plan that was begun keeps second-class tasks out of the first class's
    /// part of the cache: scores are judged without it.
    pub const fn expect_cache_apart(&mut self) {
        self.cache_apart = true;
    }

    /// Plans for the next [`TASKS_PER_TICK`] tasks, or as many as there are in
    /// the next [`SLOTS_PER_TICK`] slots; true when the plan is complete. A
    /// task started too lately to have been seen is not in it.
    pub fn step<M: Topology>(
        &mut self,
        machine: &M,
        tasks: &Tasks,
        predictions: &Predictions,
        plan: &mut Plan,
    ) -> bool {
        let slots = machine.task_slots();
        let end = self.next_slot.saturating_add(SLOTS_PER_TICK).min(slots);
        let mut decided = 0;
        while self.next_slot < end && decided < TASKS_PER_TICK {
            let view = machine.task(TaskId(self.next_slot));
            self.next_slot += 1;
            if let Some(view) = view.filter(|view| view.state == TaskState::Runnable) {
                self.decide(&view, tasks, predictions, plan);
                decided += 1;
            }
        }
        if self.next_slot < slots {
            return false;
        }
        if self.division.dedicate {
            let core = self.division.first_class;
            let step = Step {
                action: Action::Dedicate(core),
                undo: Action::Share(core),
                subject: Subject::Core(core),
                score_q16: 0,
                expected_q16: 0,
            };
            let _ = plan.steps.push(step);
        }
        true
    }

    fn decide(&mut self, view: &TaskView, tasks: &Tasks, predictions: &Predictions, plan: &mut Plan) {
        let known = tasks.get(view.id).filter(|task| task.view.workload == view.workload);
        let Some(task) = known else { return };
        let score = predictions.get(view.id).copied().unwrap_or_default();
        let score = if self.cache_apart { score.without_cache() } else { score };
        let treatment = self.treatment(view, task.generation, &score);
        let subject = Subject::Task { id: view.id, generation: task.generation, workload: view.workload };
        let step =
            |action, undo, expected_q16| Step { action, undo, subject, score_q16: score.total, expected_q16 };
        match treatment {
            Treatment::Leave(expected) => plan.leave(expected),
            Treatment::Move(to, expected) => {
                self.crowd_in(to);
                plan.leave(expected);
                let (task, back) = (view.id, view.core);
                let action = Action::Migrate { task, to };
                let _ = plan.steps.push(step(action, Action::Migrate { task, to: back }, expected));
            }
            Treatment::Pause => {
                plan.lost_permille = plan.lost_permille.saturating_add(to_permille(task.compact.cores));
                let _ = plan.steps.push(step(Action::Pause(view.id), Action::Resume(view.id), 0));
            }
        }
    }

    fn treatment(&mut self, view: &TaskView, generation: u32, score: &Score) -> Treatment {
        let on_core = self.division.shared.has(view.core);
        let beside = on_core && view.core != self.division.first_class;
        let apart = score.without_core().total;
        match self.rule {
            Rule::Pause(set) if set.has(view.workload) => Treatment::Pause,
            // There is nowhere else, and no task may share the physical core.
            _ if beside && self.division.targets.count() == 0 && !matches!(self.rule, Rule::Pause(_)) => {
                Treatment::Pause
            }
            Rule::Pause(_) => Treatment::Leave(if on_core { score.total } else { apart }),
            Rule::ClearCore => match self.target().filter(|_| on_core) {
                Some(to) => Treatment::Move(to, apart),
                None => Treatment::Leave(if on_core { score.total } else { apart }),
            },
            Rule::Predicted(threshold) => {
                let to = self.target().filter(|_| on_core);
                let left = if on_core && to.is_none() { score.total } else { apart };
                let pause = left > self.remembered_threshold(view.id, generation, threshold);
                self.remember(view.id, generation, pause);
                match to {
                    _ if pause => Treatment::Pause,
                    Some(to) => Treatment::Move(to, apart),
                    None => Treatment::Leave(left),
                }
            }
        }
    }

    /// The core with the fewest runnable tasks; at most 64 are compared.
    fn target(&self) -> Option<CoreId> {
        let crowd = |core: &CoreId| self.crowd.get(usize::from(core.0)).copied().unwrap_or(u8::MAX);
        self.division.targets.iter().min_by_key(crowd)
    }

    fn crowd_in(&mut self, core: CoreId) {
        if let Some(crowd) = self.crowd.get_mut(usize::from(core.0)) {
            *crowd = crowd.saturating_add(1);
        }
    }

    fn remembered_threshold(&self, task: TaskId, generation: u32, threshold: u32) -> u32 {
        match self.paused.get(usize::from(task.0)) {
            Some((of, plans)) if *of == generation && *plans > 0 => threshold.saturating_sub(HYSTERESIS),
            _ => threshold,
        }
    }

    fn remember(&mut self, task: TaskId, generation: u32, pause: bool) {
        if let Some(memory) = self.paused.get_mut(usize::from(task.0)) {
            let before = if memory.0 == generation { memory.1 } else { 0 };
            *memory = (generation, if pause { REMEMBERED_PLANS } else { before.saturating_sub(1) });
        }
    }
}

impl Plan {
    fn leave(&mut self, score_q16: u32) {
        self.left_running = self.left_running.saturating_add(1);
        self.worst_left_q16 = self.worst_left_q16.max(score_q16);
    }
}

/// What becomes of a task, with the score that is expected then.
enum Treatment {
    Leave(u32),
    Move(CoreId, u32),
    Pause,
}
