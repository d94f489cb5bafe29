//! The search of the oracle.

use super::*;
use crate::policy::oracle::MAX_TRIALS;

/// What the oracle tries, in order, when a burst's late requests and the work
/// of its tasks follow from what holds.
fn search(
    shares: Shares,
    tasks: &[Watched],
    late: impl Fn(&Holding, u32) -> u32,
) -> (Vec<Holding>, Holding, Policies) {
    let mut policies = policies(Policy::Oracle);
    let (mut tried, mut now_ns) = (Vec::new(), MS);
    assert_eq!(policies.hooks().wants_burst(), Some(0));
    for _ in 0..500 {
        let mut tick = |runs: bool, holding: &Holding| {
            now_ns += MS;
            let burst = runs.then(|| burst(1, 0, Close::NONE));
            let work = |task: &Watched| if holding.paused.has(task.id) { 0 } else { task.work };
            let seen: Vec<Watched> = tasks.iter().map(|task| Watched { work: work(task), ..*task }).collect();
            policies.hooks().steer(&Sight { now_ns, burst, shares, ..sight(&seen) })
        };
        let holding = tick(false, &Holding::NOTHING);
        for _ in 0..5 {
            assert_eq!(tick(true, &holding), holding, "nothing changes during a burst");
        }
        let Some(index) = policies.hooks().wants_burst() else { return (tried, holding, policies) };
        policies.hooks().after_run(&burst(64, late(&holding, index), Close::NONE));
        tried.push(holding);
    }
    panic!("the search does not end");
}

#[test]
fn the_oracle_tries_every_partition_and_holds_the_best() {
    let tasks: Vec<Watched> = (0..5).map(|id| task(id, 10 * u64::from(id))).collect();
    // Tasks 1 and 3 do harm; ways and bandwidth do not matter.
    let harm = |holding: &Holding, _| {
        u32::from(!holding.paused.has(TaskId(1))) + u32::from(!holding.paused.has(TaskId(3)))
    };
    let (tried, best, mut policies) = search(RDT, &tasks, harm);
    assert_eq!(MAX_TRIALS, 62, "32 sets, and 6 sets with each of 5 shares");
    let (trials, checks) = tried.split_at(62);
    let unlike = |i: usize| trials[i + 1..].iter().all(|other| *other != trials[i]);
    assert!((0..62).all(unlike), "none twice");
    assert_eq!(checks, [best; 4], "four more bursts for the best");
    assert_eq!((tried[0].paused, tried[0].share), (TaskSet::NONE, None));
    assert_eq!((paused(&best), best.share), (std::vec![1, 3], None));
    assert!(best.dedicate && best.clear == FIRST);
    policies.hooks().after_run(&burst(64, 64, Close::NONE));
    let later = policies.hooks().steer(&sight(&tasks));
    assert_eq!(later, best, "it is held whatever comes");
}

#[test]
fn the_oracle_prefers_a_share_to_a_pause() {
    let tasks: Vec<Watched> = (0..5).map(|id| task(id, 10 * u64::from(id))).collect();
    let few_ways = |holding: &Holding, _| u32::from(holding.share.is_none_or(|share| share.ways > 2));
    let (_, best, _) = search(RDT, &tasks, few_ways);
    assert_eq!(best.share, Some(Share { ways: 2, percent: 100 }));
    assert_eq!(best.paused, TaskSet::NONE);
    let (tried, best, _) = search(Shares::default(), &tasks[..2], |_, _| 7);
    assert_eq!(tried.len(), 4 + 9, "eight are put aside, the ninth is held all the same");
    assert_eq!((best.paused, best.share), (TaskSet::NONE, None), "nothing helps: the one with most work");
}

#[test]
fn the_oracle_puts_aside_what_later_bursts_do_not_bear_out() {
    let tasks: Vec<Watched> = (0..2).map(|id| task(id, 10 * u64::from(id))).collect();
    // The first burst bears anything, the third only that task 0 is paused.
    let late = |holding: &Holding, index| u32::from(index == 2 && !holding.paused.has(TaskId(0)));
    let (tried, best, _) = search(Shares::default(), &tasks, late);
    assert_eq!(paused(&best), [0]);
    // Nobody paused fails its third check, then one of the two passes or fails.
    assert!((4 + 3 + 4..=4 + 3 + 3 + 4).contains(&tried.len()), "{}", tried.len());
}

#[test]
fn the_trials_are_of_all_tasks_however_they_are_started() {
    let tasks: Vec<Watched> = (0..5).map(|id| task(id, 10 * u64::from(id))).collect();
    let mut policies = policies(Policy::Oracle);
    for count in 1..=5 {
        policies.hooks().steer(&Sight { holds: count > 1, ..sight(&tasks[..count]) });
    }
    let mut bursts = 0;
    while policies.hooks().wants_burst() == Some(0) && bursts < 62 {
        policies.hooks().steer(&sight(&tasks));
        let burst = Some(burst(1, 0, Close::NONE));
        policies.hooks().steer(&Sight { burst, now_ns: (2 + bursts) * MS, ..sight(&tasks) });
        policies.hooks().after_run(&self::burst(64, 0, Close::NONE));
        bursts += 1;
    }
    assert_eq!(bursts, 62);
}

#[test]
fn between_trials_everything_is_given_back() {
    let tasks = [task(1, 1)];
    let mut policies = policies(Policy::Oracle);
    let first = policies.hooks().steer(&sight(&tasks));
    assert!(first.dedicate);
    let runs = Sight { burst: Some(burst(1, 0, Close::NONE)), holds: true, now_ns: 2 * MS, ..sight(&tasks) };
    policies.hooks().steer(&runs);
    policies.hooks().after_run(&burst(64, 0, Close::NONE));
    let held = Sight { holds: true, ..sight(&tasks) };
    assert_eq!(policies.hooks().steer(&held), Holding::NOTHING);
    assert_eq!(paused(&policies.hooks().steer(&sight(&tasks))), [1], "the next trial");
}
