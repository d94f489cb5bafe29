use super::fake::{Fake, FakeTask, Fate};
use super::*;
use crate::demand::{Capacity, Compact, Demand, Tasks};
use crate::fixed::{Clock, ONE};
use crate::machine::{Action, Colouring, Monitor, Shares, TaskState, Topology};
use crate::predict::{Predictions, System};
use crate::sample::{Deltas, Sample, Visit};
use proptest::prelude::*;
use std::vec::Vec as Heap;

pub(super) const MS: u64 = 1_000_000;
const CLOCK: Clock = Clock::new(1_000_000_000);
pub(super) const FIRST: CoreId = CoreId(1);

/// A scene: the machine, and what sampling and scoring made of it.
pub(super) struct Scene {
    pub(super) fake: Fake,
    tasks: Tasks,
    predictions: Predictions,
}

impl Scene {
    /// `tasks` are (core, cache share in eighths).
    pub(super) fn new(cores: u8, tasks: &[(u8, u64)]) -> Self {
        let mut scene = Self { fake: Fake::new(cores), tasks: Tasks::new(), predictions: Predictions::new() };
        for (core, eighths) in tasks {
            scene.fake.put(*core, TaskState::Runnable);
            scene.see(u16::try_from(scene.fake.tasks.len() - 1).expect("few"), *eighths);
        }
        scene.score();
        scene
    }

    fn see(&mut self, slot: u16, eighths: u64) {
        let capacity = Capacity::new(1 << 23, 1 << 33);
        let view = self.fake.task(TaskId(slot)).expect("put");
        let generation = self.fake.counts(TaskId(slot)).expect("put").generation;
        let deltas = Deltas { cycles: 10, working_set_bytes: eighths << 20, ..Deltas::default() };
        let sample = Sample { task: view.id, interval_cycles: 10, deltas };
        self.tasks.see(&Visit::Task(view, generation, None), CLOCK, &capacity);
        self.tasks.see(&Visit::Task(view, generation, Some(sample)), CLOCK, &capacity);
    }

    fn score(&mut self) {
        let demand = Demand { cpu_permille: 1000, working_set_bytes: 1 << 23, ..Demand::NONE };
        self.predictions.expect(Compact::of(&demand, &Capacity::new(1 << 23, 1 << 33)), &self.tasks);
        while !self.predictions.is_settled() {
            self.predictions.tick(&self.tasks, FIRST, &System { load: 0 }, |_, _| {});
        }
    }

    fn plan_with(&self, planner: &mut Planner, rule: Rule) -> Plan {
        let mut plan = Plan::new();
        planner.begin(rule, 1000 * MS, FIRST, &self.fake, &self.tasks, &mut plan);
        let steps =
            (0..99).take_while(|_| !planner.step(&self.fake, &self.tasks, &self.predictions, &mut plan));
        assert!(steps.count() <= self.fake.tasks.len() / usize::from(TASKS_PER_TICK));
        plan
    }

    fn plan(&self, rule: Rule) -> Plan {
        self.plan_with(&mut Planner::new(), rule)
    }
}

fn actions(plan: &Plan) -> Heap<Action> {
    plan.steps.iter().map(|step| step.action).collect()
}

const THRESHOLD: Rule = Rule::Predicted(ONE / 2);

#[test]
fn each_task_gets_the_mildest_treatment_that_passes() {
    // Scores without the core are 0.6 * cache share; on the core 0.6 * (1 - (1-7/8) * (1-cache)).
    let scene = Scene::new(4, &[(1, 0), (2, 8), (2, 1), (1, 8), (3, 0)]);
    let plan = scene.plan(THRESHOLD);
    let expected = [
        // Core 2 has two, core 3 one, core 0 none.
        Action::Migrate { task: TaskId(0), to: CoreId(0) },
        Action::Pause(TaskId(1)),
        Action::Pause(TaskId(3)),
        Action::Dedicate(FIRST),
    ];
    assert_eq!(actions(&plan), expected);
    assert_eq!((plan.left_running, plan.lost_permille), (3, 2000));
    assert!(plan.worst_left_q16.abs_diff(ONE / 40 * 3) < 20, "0.6 / 8: {}", plan.worst_left_q16);
    for step in &plan.steps {
        assert!(step.expected_q16 <= ONE / 2);
        assert_eq!(step.undo, opposite(&scene, step.action));
    }
}

fn opposite(scene: &Scene, action: Action) -> Action {
    match action {
        Action::Pause(id) => Action::Resume(id),
        Action::Migrate { task, .. } => {
            Action::Migrate { task, to: scene.fake.task(task).expect("there").core }
        }
        Action::Dedicate(core) => Action::Share(core),
        other => panic!("{other:?} is never planned"),
    }
}

#[test]
fn the_other_thread_of_the_first_class_core_is_cleared_too() {
    // Threads 0 and 1 are one core, 2 and 3 another.
    let mut scene = Scene::new(4, &[(0, 0), (1, 0), (2, 0), (0, 8)]);
    scene.fake.threads = true;
    let plan = scene.plan(THRESHOLD);
    let expected = [
        // Core 2 has one task, core 3 none.
        Action::Migrate { task: TaskId(0), to: CoreId(3) },
        Action::Migrate { task: TaskId(1), to: CoreId(2) },
        Action::Pause(TaskId(3)),
        Action::Dedicate(FIRST),
    ];
    assert_eq!(actions(&plan), expected);
    let mut lease = Lease::new();
    lease.begin(0, &plan);
    // The machine panics if the other thread is not clear by then.
    run(&mut lease, &mut scene.fake, Phase::Active, 20);
    lease.undo();
    run(&mut lease, &mut scene.fake, Phase::Idle, 20);
    let cores: Heap<u8> = scene.fake.tasks.iter().flatten().map(|task| task.core.0).collect();
    assert_eq!(cores, [0, 1, 2, 0]);
}

#[test]
fn where_all_cores_are_threads_of_one_the_other_thread_is_paused() {
    let mut scene = Scene::new(2, &[(0, 0), (1, 8)]);
    scene.fake.threads = true;
    assert_eq!(actions(&scene.plan(Rule::ClearCore)), [Action::Pause(TaskId(0))], "there is nowhere to go");
    let paused = [Action::Pause(TaskId(0)), Action::Pause(TaskId(1))];
    assert_eq!(actions(&scene.plan(THRESHOLD)), paused);
}

#[test]
fn on_one_core_tasks_are_paused_or_stay() {
    let mut fake = Scene::new(2, &[(1, 8), (1, 0)]);
    fake.fake.dedicated[0] = true; // Core 0 takes no tasks: core 1 is all there is.
    // A task alone on the core scores 0.6 * 7/8 = 0.525 at least.
    assert_eq!(actions(&fake.plan(THRESHOLD)), [Action::Pause(TaskId(0)), Action::Pause(TaskId(1))]);
    let lenient = Rule::Predicted(ONE / 100 * 55);
    assert_eq!(actions(&fake.plan(lenient)), [Action::Pause(TaskId(0))]);
    assert_eq!(actions(&fake.plan(Rule::ClearCore)), []);
}

#[test]
fn other_rules_do_no_more_than_they_say() {
    let scene = Scene::new(3, &[(1, 8), (2, 8), (0, 8)]);
    let mut set = WorkloadSet::NONE;
    set.insert(WorkloadId(2));
    assert_eq!(actions(&scene.plan(Rule::Pause(set))), [Action::Pause(TaskId(2))]);
    let cleared = [Action::Migrate { task: TaskId(0), to: CoreId(0) }, Action::Dedicate(FIRST)];
    assert_eq!(actions(&scene.plan(Rule::ClearCore)), cleared);
}

#[test]
fn a_task_on_the_brink_is_not_flapped() {
    // 0.6 * 7/8 = 0.525 and 0.6 * 6/8 = 0.45 around a threshold of 0.5.
    let (mut scene, mut planner) = (Scene::new(3, &[(2, 7)]), Planner::new());
    let pauses = |plan: &Plan| actions(plan).contains(&Action::Pause(TaskId(0)));
    assert!(pauses(&scene.plan_with(&mut planner, THRESHOLD)));
    for _ in 0..40 {
        scene.see(0, 6);
    }
    scene.score();
    let history: Heap<bool> =
        (0..6).map(|_| pauses(&scene.plan_with(&mut planner, Rule::Predicted(ONE / 100 * 47)))).collect();
    assert_eq!(history, [true; 6], "0.45 is not well below 0.47");
    assert!(!pauses(&scene.plan_with(&mut planner, Rule::Predicted(ONE / 100 * 52))));
    assert!(!pauses(&scene.plan(Rule::Predicted(ONE / 100 * 47))), "without a memory it passes");
}

/// Runs the lease until it is in `phase`.
fn run(lease: &mut Lease, fake: &mut Fake, phase: Phase, ticks: u64) -> Heap<LeaseEvent> {
    let mut events = Heap::new();
    for _ in 0..ticks {
        lease.tick(fake.now * MS, fake, |event| events.push(event));
        if lease.phase() == phase {
            return events;
        }
        fake.pass();
    }
    panic!("not {phase:?} after {ticks} ticks: {lease:?}");
}

#[test]
fn a_plan_is_applied_in_order_read_back_and_undone_in_reverse() {
    let mut scene = Scene::new(4, &[(1, 0), (2, 8)]);
    let before = scene.fake.clone();
    let (plan, mut lease) = (scene.plan(THRESHOLD), Lease::new());
    scene.fake.fates = [Fate::After(2), Fate::After(2), Fate::After(3)].into();
    assert!(lease.begin(0, &plan));
    assert!(!lease.begin(0, &plan), "one at a time");
    let events = run(&mut lease, &mut scene.fake, Phase::Active, 20);
    assert_eq!(scene.fake.effects, actions(&plan));
    assert_eq!(events.last(), Some(&LeaseEvent::Holds));
    assert_eq!(lease.held_at_ns(), 5 * MS, "two ticks for the tasks, then three for the core");
    scene.fake.effects.clear();
    lease.undo();
    run(&mut lease, &mut scene.fake, Phase::Idle, 20);
    let undone: Heap<Action> = plan.steps.iter().rev().map(|step| step.undo).collect();
    assert_eq!(scene.fake.effects, undone);
    assert_eq!(scene.fake.tasks, before.tasks);
}

#[test]
fn a_lease_runs_out_unless_it_is_renewed() {
    let mut scene = Scene::new(4, &[(2, 8)]);
    let (plan, mut lease) = (Plan { lease_ns: 10 * MS, ..scene.plan(THRESHOLD) }, Lease::new());
    lease.begin(0, &plan);
    run(&mut lease, &mut scene.fake, Phase::Active, 5);
    lease.renew(30 * MS);
    lease.renew(20 * MS);
    scene.fake.now = 29;
    lease.tick(29 * MS, &mut scene.fake, |_| {});
    assert_eq!(lease.phase(), Phase::Active);
    let events = run(&mut lease, &mut scene.fake, Phase::Idle, 5);
    assert_eq!((events.first(), events.last()), (Some(&LeaseEvent::Expired), Some(&LeaseEvent::Undone)));
    assert_eq!(scene.fake.task(TaskId(0)).map(|task| task.state), Some(TaskState::Runnable));
}

#[test]
fn a_move_that_is_refused_becomes_a_pause() {
    let mut scene = Scene::new(2, &[(1, 0)]);
    let (plan, mut lease) = (scene.plan(THRESHOLD), Lease::new());
    scene.fake.fates = [Fate::NoCore].into();
    lease.begin(0, &plan);
    run(&mut lease, &mut scene.fake, Phase::Active, 5);
    assert_eq!(scene.fake.effects, [Action::Pause(TaskId(0)), Action::Dedicate(FIRST)]);
}

#[test]
fn what_others_did_is_not_taken_back() {
    let mut scene = Scene::new(4, &[(2, 8), (3, 8)]);
    let (plan, mut lease) = (scene.plan(THRESHOLD), Lease::new());
    scene.fake.tasks[0].as_mut().expect("put").state = TaskState::Paused;
    lease.begin(0, &plan);
    run(&mut lease, &mut scene.fake, Phase::Active, 5);
    lease.undo();
    run(&mut lease, &mut scene.fake, Phase::Idle, 5);
    let states: Heap<TaskState> = scene.fake.tasks.iter().flatten().map(|task| task.state).collect();
    assert_eq!(states, [TaskState::Paused, TaskState::Runnable], "it was paused by somebody else");
}

/// A machine may lose actions or bring them after their time-out, but not both.
fn any_fate() -> impl Strategy<Value = (Fate, Fate)> {
    let usual = prop_oneof![
        6 => (0u8..4).prop_map(Fate::After),
        2 => Just(Fate::Busy),
        1 => Just(Fate::NoCore),
    ];
    let slow = (12u8..30).prop_map(Fate::After);
    prop_oneof![8 => usual.prop_map(|fate| (fate, fate)), 1 => slow.prop_map(|slow| (slow, Fate::Lost))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn nothing_is_ever_left_behind(
        cores in 1u8..6, placed in proptest::collection::vec((0u8..6, 0u64..=8, any::<bool>()), 0..40),
        fates in proptest::collection::vec(any_fate(), 0..120),
        ends in proptest::collection::vec((0u64..60, 0usize..40, any::<bool>()), 0..6),
        slow: bool, threads: bool, confine: bool, recolour: bool, undo_after in 0u64..40, rule in prop_oneof![Just(THRESHOLD), Just(Rule::ClearCore)],
    ) {
        let tasks: Heap<(u8, u64)> = placed.iter().map(|(core, share, _)| (core % cores, *share)).collect();
        let mut scene = Scene::new(cores.max(2), &tasks);
        scene.fake.threads = threads;
        for (task, (_, _, paused)) in scene.fake.tasks.iter_mut().flatten().zip(&placed) {
            if *paused {
                task.state = TaskState::Paused;
            }
        }
        let mut expected = scene.fake.tasks.clone();
        let (mut plan, mut lease) = (scene.plan(rule), Lease::new());
        if confine {
            let demand = Compact { cache: ONE / 2, ..Compact::UNSEEN };
            let step = confinement(&demand, Shares { ways: 11, least_percent: 10 }).expect("divisible");
            plan.steps.insert(0, step).expect("room");
        }
        if recolour {
            let colouring = Colouring { shared: 28, first_pages: 9, second_pages: 9, page_ns: 1 };
            let demand = Compact { cache: ONE / 4, ..Compact::UNSEEN };
            let planned = recolouring(&demand, &colouring, Shares::default(), u64::MAX).expect("it fits");
            plan.steps.insert(0, planned.step).expect("room");
        }
        // No action twice, no task in two steps.
        let whom = |step: &Step| match step.action {
            Action::Recolour(_) => "colours".into(),
            _ => std::format!("{:?}", step.subject),
        };
        let mut subjects: Heap<_> = plan.steps.iter().map(whom).collect();
        subjects.sort_unstable();
        prop_assert!(subjects.windows(2).all(|pair| pair[0] != pair[1]));
        let fake = &mut scene.fake;
        fake.fates = fates.iter().map(|fate| if slow { fate.0 } else { fate.1 }).collect();
        lease.begin(0, &plan);
        let mut undoing = false;
        for tick in 0..400u64 {
            for (_, slot, reused) in ends.iter().filter(|(at, ..)| *at == tick) {
                if let (Some(task), Some(expected)) = (fake.tasks.get_mut(*slot), expected.get_mut(*slot)) {
                    let next = reused.then_some(FakeTask {
                        generation: 2, state: TaskState::Runnable, core: CoreId(0), workload: WorkloadId(77),
                    });
                    *task = next;
                    *expected = next;
                }
            }
            if tick == undo_after {
                undoing = true;
                lease.undo();
            }
            lease.tick(fake.now * MS, fake, |_| {});
            if undoing && lease.phase() == Phase::Idle {
                break;
            }
            fake.pass();
        }
        prop_assert_eq!(lease.phase(), Phase::Idle);
        (0..99).for_each(|_| fake.pass());
        prop_assert!(fake.dedicated.iter().all(|dedicated| !dedicated));
        prop_assert_eq!(fake.confined, None);
        prop_assert_eq!(fake.apart, None);
        prop_assert_eq!(&fake.tasks, &expected);
    }
}
