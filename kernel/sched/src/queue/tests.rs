use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::string::ToString;
use std::vec::Vec;

const SLICE: u64 = 1000;

fn task(index: u16) -> TaskIndex {
    TaskIndex(index)
}

fn queue(tasks: &[(u16, Class)]) -> RunQueue {
    let mut queue = RunQueue::new(SLICE);
    for &(index, class) in tasks {
        queue.enqueue(task(index), class, NOMINAL_WEIGHT).expect("a new task");
    }
    queue
}

/// Runs whole slices and says who had them.
fn run(queue: &mut RunQueue, now: &mut u64, slices: usize) -> Vec<u16> {
    (0..slices)
        .filter_map(|_| {
            let picked = queue.pick(*now)?;
            *now += SLICE;
            queue.account(picked, SLICE);
            Some(picked.0)
        })
        .collect()
}

#[test]
fn higher_lanes_go_first() {
    let mut queue = queue(&[(3, Class::Second), (2, Class::Shadow), (1, Class::Control), (0, Class::First)]);
    let mut order = Vec::new();
    while let Some(picked) = queue.pick(0) {
        order.push(picked.0);
        assert!(queue.remove(picked) && !queue.remove(picked));
    }
    assert_eq!(order, [0, 1, 2, 3]);
    assert!(queue.is_empty());
}

#[test]
fn first_class_runs_to_completion_in_order_of_arrival() {
    let mut queue = queue(&[(9, Class::First), (4, Class::First), (1, Class::Control)]);
    let mut now = 0;
    assert_eq!(run(&mut queue, &mut now, 3), [9, 9, 9]);
    assert!(!queue.should_preempt(now, task(9)));
    assert_eq!(queue.slice_end(task(9)), None, "no tick is needed");
    assert!(queue.should_preempt(now, task(1)), "control gives way at once");
    queue.remove(task(9));
    assert!(queue.should_preempt(now, task(9)), "it is gone");
    assert_eq!(run(&mut queue, &mut now, 2), [4, 4]);
}

#[test]
fn second_class_waits_on_the_queue_and_nobody_else_does() {
    let mut queue = queue(&[(1, Class::Second), (2, Class::First), (3, Class::Second)]);
    queue.set_first_class_rule(FirstClassRule::Fair);
    let mut now = 0;
    queue.account(task(2), 3 * SLICE);
    queue.let_second_class_wait(true);
    assert!(queue.should_preempt(now, task(1)), "it may not go on");
    assert!(!queue.should_preempt(now, task(2)) || queue.pick(now) == Some(task(2)));
    assert_eq!(run(&mut queue, &mut now, 3), [2, 2, 2], "though the others have run less");
    queue.remove(task(2));
    assert_eq!((queue.pick(now), queue.len()), (None, 2));
    queue.let_second_class_wait(false);
    assert_eq!(run(&mut queue, &mut now, 2).len(), 2);
}

#[test]
fn first_class_shares_a_core_when_the_rule_says_so() {
    let mut queue = queue(&[(1, Class::Second), (2, Class::First)]);
    let mut now = 0;
    assert_eq!(run(&mut queue, &mut now, 2), [2, 2]);
    queue.set_first_class_rule(FirstClassRule::Fair);
    let shared = run(&mut queue, &mut now, 10);
    assert_eq!(shared.iter().filter(|&&index| index == 2).count(), 5, "{shared:?}");
    assert!(queue.tasks(Class::First).eq([task(2)]) && queue.tasks(Class::Second).eq([task(1)]));
    queue.set_first_class_rule(FirstClassRule::RunToCompletion);
    assert_eq!(run(&mut queue, &mut now, 3), [2, 2, 2]);
    assert_eq!(queue.len(), 2);
}

#[test]
fn a_slice_ends_when_another_has_run_less() {
    let mut queue = queue(&[(1, Class::Second)]);
    assert_eq!(queue.pick(100), Some(task(1)));
    assert_eq!(queue.slice_end(task(1)), None, "alone");
    queue.enqueue(task(2), Class::Second, NOMINAL_WEIGHT).expect("a new task");
    assert_eq!(queue.slice_end(task(1)), Some(1100));
    queue.account(task(1), 900);
    assert!(!queue.should_preempt(1000, task(1)), "its slice is not over");
    queue.account(task(1), 100);
    assert!(queue.should_preempt(1100, task(1)));
    assert_eq!(queue.pick(1100), Some(task(2)));
    queue.account(task(2), 400);
    assert!(!queue.should_preempt(2200, task(2)), "it has still run less");
    queue.enqueue(task(3), Class::Shadow, NOMINAL_WEIGHT).expect("a new task");
    assert!(queue.should_preempt(1101, task(2)));
}

#[test]
fn leaving_for_a_moment_does_not_pay() {
    let mut queue = queue(&[(1, Class::Second), (2, Class::Second)]);
    let (mut now, mut ran) = (0, [0u64; 3]);
    for _ in 0..1000 {
        let picked = queue.pick(now).expect("two tasks");
        now += SLICE;
        queue.account(picked, SLICE);
        ran[usize::from(picked.0)] += SLICE;
        if picked == task(1) {
            queue.remove(picked);
            queue.enqueue(picked, Class::Second, NOMINAL_WEIGHT).expect("it left");
        }
    }
    assert!(ran[1].abs_diff(ran[2]) <= 2 * SLICE, "{ran:?}");
}

#[test]
fn a_stream_of_short_tasks_starves_nobody() {
    let mut queue = queue(&[(0, Class::Second)]);
    let mut now = 0;
    run(&mut queue, &mut now, 3);
    // Each newcomer is in before the last one is out and ends after one slice.
    let (mut waited, mut longest, mut next) = (0, 0, 1u16);
    queue.enqueue(task(next), Class::Second, NOMINAL_WEIGHT).expect("a new task");
    for _ in 0..10_000 {
        let picked = queue.pick(now).expect("somebody");
        now += SLICE;
        queue.account(picked, SLICE);
        if picked == task(0) {
            waited = 0;
            continue;
        }
        waited += 1;
        longest = longest.max(waited);
        next = next % 100 + 1;
        queue.enqueue(task(next), Class::Second, NOMINAL_WEIGHT).expect("a new task");
        queue.forget(picked);
    }
    assert!(longest <= 4, "waited {longest} slices with two tasks present");
}

#[test]
fn a_reused_slot_has_no_history() {
    let mut queue = queue(&[(1, Class::Second), (2, Class::Second)]);
    queue.account(task(1), 1_000_000);
    queue.forget(task(1));
    queue.enqueue(task(1), Class::Second, NOMINAL_WEIGHT).expect("a new task");
    let mut now = 0;
    assert_eq!(run(&mut queue, &mut now, 2), [1, 2]);
}

#[test]
fn a_clock_that_has_come_far_is_set_back_unnoticed() {
    let mut queue = queue(&[(1, Class::Second), (2, Class::Second), (3, Class::Second)]);
    queue.remove(task(3));
    for entry in &mut queue.entries {
        entry.virtual_time = REBASE - 1500;
    }
    for index in [1, 2] {
        queue.lanes[SECOND].set(index, REBASE - 1500);
    }
    let mut now = 0;
    assert_eq!(run(&mut queue, &mut now, 6), [1, 2, 1, 2, 1, 2]);
    assert!(queue.lanes[SECOND].first().expect("two").1 < 3000, "set back");
    queue.enqueue(task(3), Class::Second, NOMINAL_WEIGHT).expect("it left");
    let after = run(&mut queue, &mut now, 30);
    assert_eq!(after.iter().filter(|&&index| index == 3).count(), 10, "{after:?}");
}

#[test]
fn misuse_is_reported() {
    let mut queue = queue(&[(1, Class::Second)]);
    assert_eq!(queue.enqueue(task(1), Class::First, 64), Err(EnqueueError::Present(task(1))));
    assert_eq!(queue.enqueue(task(2), Class::Second, 0), Err(EnqueueError::Weight(0)));
    let error = queue.enqueue(task(128), Class::Second, 64).expect_err("beyond the table");
    assert_eq!(error.to_string(), "run queue: no task 128, expected 0 to 127");
    queue.account(task(999), u64::MAX);
    queue.forget(task(999));
    assert!(!queue.remove(task(300)) && !queue.contains(task(2)));
    queue.account(task(1), u64::MAX);
    queue.account(task(1), u64::MAX);
    assert_eq!(queue.pick(u64::MAX), Some(task(1)));
}

proptest! {
    /// However tasks of any weights come and go, and however long their runs
    /// turn out, two that were there all along differ by one run at the lower
    /// of their weights at most.
    #[test]
    fn shares_follow_weights(
        weights in prop::collection::vec(1u16..=1024, 2..20),
        runs in prop::collection::vec((1u64..=SLICE, 0u8..10, 20u16..40, 1u16..=1024), 200..1500),
    ) {
        let mut queue = RunQueue::new(SLICE);
        for (index, &weight) in (0..).zip(&weights) {
            queue.enqueue(task(index), Class::Second, weight).expect("a new task");
        }
        let (mut now, mut ran) = (0, BTreeMap::<u16, u64>::new());
        for (cycles, visit, visitor, weight) in runs {
            match visit {
                0 if !queue.contains(task(visitor)) => {
                    queue.enqueue(task(visitor), Class::Second, weight).expect("not present");
                }
                1 => { queue.remove(task(visitor)); }
                _ => {}
            }
            let picked = queue.pick(now).expect("never empty");
            now += cycles;
            queue.account(picked, cycles);
            *ran.entry(picked.0).or_default() += cycles;
        }
        let share = |index: usize| {
            let ran = ran.get(&u16::try_from(index).expect("few")).copied().unwrap_or(0);
            i128::from(ran) * 1_000_000 / i128::from(weights[index])
        };
        for a in 0..weights.len() {
            for b in 0..weights.len() {
                let bound = i128::from(SLICE) * 1_000_000 / i128::from(weights[a].min(weights[b]));
                // Rounding up costs each run less than a cycle of virtual time.
                let rounding = 1500 * 1_000_000 / i128::from(NOMINAL_WEIGHT);
                prop_assert!(share(a) - share(b) <= bound + rounding, "{} {}", a, b);
            }
        }
    }

    /// Every task that stays runnable is picked again and again.
    #[test]
    fn everyone_has_a_turn(tasks in prop::collection::vec(1u16..=1024, 1..128)) {
        let mut queue = RunQueue::new(SLICE);
        for (index, &weight) in (0..).zip(&tasks) {
            queue.enqueue(task(index), Class::Second, weight).expect("a new task");
        }
        // While the lightest waits for one turn, each other has at most
        // (its weight / the lightest's) + 1.
        let lightest = u64::from(*tasks.iter().min().expect("one at least"));
        let turns: u64 = tasks.iter().map(|&weight| u64::from(weight) / lightest + 1).sum();
        let mut now = 0;
        let mut left: std::collections::BTreeSet<u16> = (0..).zip(&tasks).map(|(index, _)| index).collect();
        for _ in 0..turns {
            let picked = queue.pick(now).expect("never empty");
            now += SLICE;
            queue.account(picked, SLICE);
            left.remove(&picked.0);
        }
        prop_assert!(left.is_empty(), "{left:?}");
    }

    /// Against a list of who is where: membership, counts, and that the one
    /// picked is of the highest lane that has any.
    #[test]
    fn membership_agrees_with_a_model(steps in prop::collection::vec((0u16..20, 0u8..4, 0u8..6), 0..300)) {
        let classes = [Class::First, Class::Control, Class::Shadow, Class::Second];
        let mut queue = RunQueue::new(SLICE);
        let mut model: BTreeMap<u16, usize> = BTreeMap::new();
        let mut fair = false;
        for (index, class, step) in steps {
            let class = usize::from(class);
            match step {
                0 | 1 => {
                    let added = queue.enqueue(task(index), classes[class], NOMINAL_WEIGHT).is_ok();
                    prop_assert_eq!(added, !model.contains_key(&index));
                    model.entry(index).or_insert(class);
                }
                2 => prop_assert_eq!(queue.remove(task(index)), model.remove(&index).is_some()),
                3 => {
                    fair = !fair;
                    let rule = if fair { FirstClassRule::Fair } else { FirstClassRule::RunToCompletion };
                    queue.set_first_class_rule(rule);
                }
                _ => queue.account(task(index), 700),
            }
            let lane = |class: usize| if fair && class == 0 { 3 } else { class };
            prop_assert_eq!(queue.len(), model.len());
            let highest = model.values().map(|&class| lane(class)).min();
            let picked = queue.pick(0).map(|task| lane(model[&task.0]));
            prop_assert_eq!(picked, highest);
            for (number, class) in classes.into_iter().enumerate() {
                let mut listed: Vec<u16> = queue.tasks(class).map(|task| task.0).collect();
                listed.sort_unstable();
                prop_assert!(listed.iter().eq(model.iter().filter(|(_, c)| **c == number).map(|(i, _)| i)));
            }
        }
    }
}
