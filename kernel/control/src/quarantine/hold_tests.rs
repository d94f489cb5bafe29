//! What should hold, over the strict machine.

use super::fake::{Fake, FakeTask, Fate};
use super::tests::{FIRST, MS, Scene};
use super::*;
use crate::machine::{Action, CoreSet, Count, Share, TaskState, Topology};
use crate::sample::Watched;
use proptest::prelude::*;
use std::vec::Vec as Heap;

fn watched(fake: &Fake) -> Heap<Watched> {
    let tasks = fake.tasks.iter().zip(0u16..).filter_map(|(task, id)| task.as_ref().map(|task| (task, id)));
    let watched = tasks.map(|(task, id)| Watched {
        id: TaskId(id),
        generation: task.generation,
        workload: task.workload,
        core: task.core,
        runnable: task.state == TaskState::Runnable,
        traffic: Count::Unknown,
        misses_per_kilocycle: None,
        working_set_bytes: 0,
        work: 0,
    });
    watched.collect()
}

/// Ticks with `holding` to be held, `ticks` times.
fn steer(lease: &mut Lease, fake: &mut Fake, holding: &Holding, ticks: u64) {
    for _ in 0..ticks {
        let until = (fake.now * MS, 1000 * MS);
        lease.renew(until.0 + until.1);
        let tasks = watched(fake);
        let changes = reconcile(holding, FIRST, &tasks, until, fake, lease);
        assert!(usize::from(changes.taken.max(changes.given_back)) <= CHANGES_PER_TICK + 1);
        lease.tick(fake.now * MS, fake, |_| {});
        fake.pass();
    }
}

fn paused_set(ids: &[u16]) -> TaskSet {
    let mut set = TaskSet::NONE;
    ids.iter().for_each(|id| set.insert(TaskId(*id)));
    set
}

#[test]
fn what_should_hold_is_reached_step_by_step_and_given_back_singly() {
    let mut scene = Scene::new(4, &[(1, 0), (2, 0), (3, 0)]);
    let (fake, mut lease) = (&mut scene.fake, Lease::new());
    let share = |ways| Some(Share { ways, percent: 100 });
    let first =
        Holding { clear: CoreSet::only(FIRST), dedicate: true, paused: paused_set(&[1]), share: share(4) };
    steer(&mut lease, fake, &first, 4);
    let expected = [
        // Core 0 has nobody.
        Action::Migrate { task: TaskId(0), to: CoreId(0) },
        Action::Pause(TaskId(1)),
        Action::Confine(share(4).expect("one")),
        Action::Dedicate(FIRST),
    ];
    assert_eq!((core::mem::take(&mut fake.effects), lease.phase()), (expected.to_vec(), Phase::Active));
    steer(&mut lease, fake, &first, 3);
    assert_eq!(fake.effects, [], "it holds: nothing to do");
    let second = Holding { paused: paused_set(&[2]), share: share(2), ..first };
    steer(&mut lease, fake, &second, 4);
    let expected =
        [Action::Confine(share(2).expect("one")), Action::Resume(TaskId(1)), Action::Pause(TaskId(2))];
    let mut effects = core::mem::take(&mut fake.effects);
    effects.sort_by_key(|action| expected.iter().position(|other| other == action));
    assert_eq!(effects, expected, "only what differs");
    steer(&mut lease, fake, &Holding::NOTHING, 6);
    assert_eq!(lease.phase(), Phase::Idle);
    let shared = fake.effects.iter().position(|action| *action == Action::Share(FIRST));
    let home = Action::Migrate { task: TaskId(0), to: FIRST };
    let moved = fake.effects.iter().position(|action| *action == home);
    assert!(
        shared.is_some() && shared < moved,
        "the core takes tasks before one comes back: {:?}",
        fake.effects
    );
}

#[test]
fn a_task_that_is_to_run_again_opens_the_core_first() {
    let mut scene = Scene::new(4, &[(1, 0)]);
    let (fake, mut lease) = (&mut scene.fake, Lease::new());
    let paused =
        Holding { clear: CoreSet::only(FIRST), dedicate: true, paused: paused_set(&[0]), share: None };
    steer(&mut lease, fake, &paused, 4);
    assert_eq!(core::mem::take(&mut fake.effects), [Action::Pause(TaskId(0)), Action::Dedicate(FIRST)]);
    steer(&mut lease, fake, &Holding { paused: TaskSet::NONE, ..paused }, 8);
    let expected = [
        Action::Share(FIRST),
        Action::Resume(TaskId(0)),
        Action::Migrate { task: TaskId(0), to: CoreId(0) },
        Action::Dedicate(FIRST),
    ];
    assert_eq!(fake.effects, expected);
}

/// Something a policy may want: cores to clear and tasks to pause as bits.
fn any_holding() -> impl Strategy<Value = (Holding, u64)> {
    (0u64..64, any::<bool>(), any::<u16>(), proptest::option::of(1u8..11), 0u64..12).prop_map(
        |(clear, dedicate, bits, ways, ticks)| {
            let ids: Heap<u16> = (0..16).filter(|id| bits >> id & 1 == 1).collect();
            let clear = if dedicate { CoreSet(clear | CoreSet::only(FIRST).0) } else { CoreSet(clear) };
            let share = ways.map(|ways| Share { ways, percent: 100 });
            (Holding { clear, dedicate, paused: paused_set(&ids), share }, ticks)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn steering_leaves_nothing_behind(
        cores in 2u8..6, placed in proptest::collection::vec((0u8..6, any::<bool>()), 0..16),
        holdings in proptest::collection::vec(any_holding(), 1..8),
        fates in proptest::collection::vec(prop_oneof![6 => (0u8..4).prop_map(Fate::After), 2 => Just(Fate::Busy)], 0..80),
        ends in proptest::collection::vec((0usize..8, 0usize..16, any::<bool>()), 0..4),
        threads: bool,
    ) {
        let tasks: Heap<(u8, u64)> = placed.iter().map(|(core, _)| (core % cores, 0)).collect();
        let mut scene = Scene::new(cores, &tasks);
        let fake = &mut scene.fake;
        fake.threads = threads && cores > 3;
        for (task, (_, paused)) in fake.tasks.iter_mut().flatten().zip(&placed) {
            if *paused {
                task.state = TaskState::Paused;
            }
        }
        let (mut expected, mut lease) = (fake.tasks.clone(), Lease::new());
        fake.fates = fates.into();
        for (number, (holding, ticks)) in holdings.iter().enumerate() {
            // Some core always takes tasks, as with every policy.
            let first = fake.siblings(FIRST).0;
            let all = fake.cores().0;
            let clear = CoreSet(holding.clear.0 & all & !(1 << (cores - 1)) | if holding.dedicate { first } else { 0 });
            let holding = Holding { clear, ..*holding };
            steer(&mut lease, fake, &holding, *ticks);
            for (_, slot, reused) in ends.iter().filter(|(at, ..)| *at == number) {
                if let (Some(task), Some(expected)) = (fake.tasks.get_mut(*slot), expected.get_mut(*slot)) {
                    let next = reused.then_some(FakeTask {
                        generation: 2, state: TaskState::Runnable, core: CoreId(0), workload: WorkloadId(77),
                    });
                    *task = next;
                    *expected = next;
                }
            }
        }
        lease.undo();
        for _ in 0..400 {
            lease.tick(fake.now * MS, fake, |_| {});
            if lease.phase() == Phase::Idle {
                break;
            }
            fake.pass();
        }
        prop_assert_eq!(lease.phase(), Phase::Idle);
        (0..99).for_each(|_| fake.pass());
        prop_assert!(fake.dedicated.iter().all(|dedicated| !dedicated));
        prop_assert_eq!(fake.confined, None);
        prop_assert_eq!(&fake.tasks, &expected);
    }
}
