use super::*;
use crate::demand::{Capacity, Tasks};
use crate::fixed::Clock;
use crate::machine::{CoreId, TaskId, TaskState, TaskView, WorkloadId};
use crate::sample::Visit;
use proptest::prelude::*;
use std::string::ToString;
use std::vec::Vec as Heap;

const HALF: u32 = ONE / 2;
const QUARTER: u32 = ONE / 4;

fn compact(cores: u32, cache: u32, read: u32, write: u32, sequential: u32, writes: u32) -> Compact {
    Compact { cores, cache, read, write, disk: 0, network: 0, sequential, writes, patterned: ONE }
}

#[test]
fn hand_computed_scores() {
    let first = compact(HALF, ONE, QUARTER, 0, HALF, 0);
    // (second, same core, load) -> (overlap, pattern, total) in ten-thousandths.
    let table = [
        // Nothing in common: 0.6*0 + 0.3*(1-(0.5+1)/2) + 0.1*0
        (compact(ONE, 0, 0, ONE, 0, ONE), false, 0, (0, 2500, 750)),
        // Core only: 0.5 * 7/8 = 0.4375; pattern 1: 0.2625 + 0.3
        (compact(ONE, 0, 0, 0, HALF, 0), true, 0, (4375, 10_000, 5625)),
        // The same on another core: 0.3 + 0.1*0.5
        (compact(ONE, 0, 0, 0, HALF, 0), false, HALF, (0, 10_000, 3500)),
        // Cache 0.5 and reads 0.25: 1 - 0.5*0.75 = 0.625; pattern 0.75
        (compact(ONE, HALF, HALF, 0, ONE, 0), false, ONE, (6250, 7500, 7000)),
        // A whole cache contested is an overlap of 1 whatever else there is.
        (compact(ONE, ONE, HALF, HALF, HALF, 0), true, ONE, (10_000, 10_000, 10_000)),
    ];
    for (index, (second, same_core, load, expected)) in table.into_iter().enumerate() {
        let score = score(&first, &second, Relation::usual(same_core), &System { load });
        let ten_thousandths = |value: u32| (u64::from(value) * 10_000 + u64::from(HALF)) >> 16;
        let got =
            (ten_thousandths(score.overlap), ten_thousandths(score.pattern), ten_thousandths(score.total));
        assert_eq!(got, expected, "row {index}: {score:?}");
    }
    assert_eq!(OVERLAP_WEIGHT + PATTERN_WEIGHT + LOAD_WEIGHT, ONE);
}

#[test]
fn lower_priority_contests_less_of_a_core() {
    let weight = |first, second, same_core| {
        Relation { same_core, first: Priority(first), second: Priority(second) }.core_weight()
    };
    assert_eq!((weight(4, 4, true), weight(4, 3, true), weight(7, 0, true)), (ONE, ONE / 8 * 7, ONE / 8));
    assert_eq!((weight(3, 7, true), weight(255, 0, true), weight(4, 3, false)), (ONE, ONE / 8, 0));
}

#[test]
fn an_unknown_pattern_is_similar_to_nothing() {
    let first = compact(HALF, HALF, 0, 0, 0, 0);
    let score = score(&first, &Compact::UNSEEN, Relation::usual(true), &System { load: 0 });
    assert_eq!((score.pattern, score.cores), (0, HALF / 8 * 7));
    let other = Compact { disk: HALF, network: QUARTER, ..first };
    let both = super::score(&other, &other, Relation::usual(false), &System::default());
    // 1 - 0.5 * 0.5 * 0.75
    assert_eq!((both.disk, both.network, both.overlap), (HALF, QUARTER, ONE / 16 * 13));
}

#[test]
fn the_explanation_adds_up() {
    let (first, second) = (compact(HALF, ONE, QUARTER, 0, HALF, 0), compact(ONE, HALF, HALF, 0, ONE, 0));
    let (relation, system) = (Relation::usual(false), System { load: ONE });
    let explanation = Explanation {
        task: TaskId(3),
        workload: WorkloadId(2),
        samples: 9,
        first,
        second,
        relation,
        system,
        score: score(&first, &second, relation, &system),
        threshold: DEFAULT_THRESHOLD,
    };
    assert!(explanation.interferes());
    let expected = "\
resource      first  second contested
core          0.500   1.000     0.000
cache         1.000   0.500     0.500
memory read   0.250   0.500     0.250
memory write  0.000   0.000     0.000
disk          0.000   0.000     0.000
network       0.000   0.000     0.000
the task is on another core, priority 3 against 4
sequential 1.000 against 0.500, stores 0.000 against 0.000
overlap  0.600 x 0.625 = 0.375
pattern  0.300 x 0.750 = 0.225
load     0.100 x 1.000 = 0.100
score    0.700 > threshold 0.500: interferes
";
    assert_eq!(explanation.to_string(), expected);
}

#[test]
fn pairs_are_spread_over_ticks() {
    let (mut tasks, mut predictions) = (Tasks::new(), Predictions::new());
    for slot in 0..64u16 {
        let view = TaskView {
            id: TaskId(slot * 2),
            workload: WorkloadId(0),
            state: TaskState::Runnable,
            core: CoreId(1),
        };
        tasks.see(&Visit::Task(view, 1, None), Clock::UNSET, &Capacity::NONE);
    }
    let tick = |predictions: &mut Predictions, load| {
        let mut scored = Heap::new();
        predictions.tick(&tasks, CoreId(1), &System { load }, |id, _| scored.push(id.0));
        scored
    };
    assert_eq!(tick(&mut predictions, 0), Heap::<u16>::new(), "no first-class demand, no score");
    predictions.expect(compact(HALF, HALF, 0, 0, 0, 0), &tasks);
    assert_eq!(tick(&mut predictions, 0), [0, 2, 4, 6]);
    let rest: usize = (0..15).map(|_| tick(&mut predictions, 0).len()).sum();
    assert_eq!((rest, tick(&mut predictions, 0).len(), predictions.is_settled()), (60, 0, true));
    predictions.mark(TaskId(126));
    predictions.mark(TaskId(4000));
    assert_eq!(tick(&mut predictions, ONE / 32), [126], "a small change of load is let pass");
    assert_eq!(tick(&mut predictions, HALF).len(), 4);
    assert_eq!(predictions.made(), 69);
}

/// The same formula in floating point.
fn reference(first: &Compact, second: &Compact, relation: Relation, system: &System) -> f64 {
    let q = |value: u32| f64::from(value) / 65_536.0;
    let below = f64::from(relation.first.0.saturating_sub(relation.second.0).min(7));
    let weight = if relation.same_core { (8.0 - below) / 8.0 } else { 0.0 };
    let contested = [
        q(first.cores).min(q(second.cores)) * weight,
        q(first.cache).min(q(second.cache)),
        q(first.read).min(q(second.read)),
        q(first.write).min(q(second.write)),
        q(first.disk).min(q(second.disk)),
        q(first.network).min(q(second.network)),
    ];
    let overlap = 1.0 - contested.iter().map(|c| 1.0 - c).product::<f64>();
    let apart =
        (q(first.sequential) - q(second.sequential)).abs() + (q(first.writes) - q(second.writes)).abs();
    let pattern = if first.patterned.min(second.patterned) > 0 { 1.0 - apart / 2.0 } else { 0.0 };
    0.6 * overlap + 0.3 * pattern + 0.1 * q(system.load)
}

fn any_compact() -> impl Strategy<Value = Compact> {
    (proptest::array::uniform8(0..=ONE), any::<bool>()).prop_map(|(s, patterned)| Compact {
        cores: s[0],
        cache: s[1],
        read: s[2],
        write: s[3],
        disk: s[4],
        network: s[5],
        sequential: s[6],
        writes: s[7],
        patterned: if patterned { ONE } else { 0 },
    })
}

prop_compose! {
    fn any_relation()(same_core: bool, first in 0u8..=7, second in 0u8..=7) -> Relation {
        Relation { same_core, first: Priority(first), second: Priority(second) }
    }
}

proptest! {
    #[test]
    fn fixed_point_is_within_its_bound(a in any_compact(), b in any_compact(), r in any_relation(), load in 0..=ONE) {
        let system = System { load };
        let got = f64::from(score(&a, &b, r, &system).total) / 65_536.0;
        let want = reference(&a, &b, r, &system);
        // Six products rounded down, three weights and one sum: under 8 parts in 65,536.
        prop_assert!((got - want).abs() < 8.0 / 65_536.0, "{got} {want}");
    }

    #[test]
    fn scores_are_shares_and_symmetric(a in any_compact(), b in any_compact(), same_core: bool, load: u32) {
        let (system, r) = (System { load }, Relation::usual(same_core));
        let one = score(&a, &b, r, &system);
        prop_assert!(one.total <= ONE && one.overlap <= ONE && one.pattern <= ONE);
        prop_assert_eq!(one, score(&b, &a, r, &system));
        prop_assert_eq!(predict_interference(&a, &b, r, &system, HALF), one.total > HALF);
        let apart = score(&a, &b, Relation::usual(false), &system);
        prop_assert_eq!(one.without_core(), apart);
        prop_assert!(apart.total <= one.total);
    }

    #[test]
    fn more_demand_never_scores_less(a in any_compact(), b in any_compact(), which in 0usize..6, more in 0..=ONE,
        r in any_relation(), load in 0..=ONE) {
        let mut bigger = b;
        let field = [&mut bigger.cores, &mut bigger.cache, &mut bigger.read, &mut bigger.write, &mut bigger.disk,
            &mut bigger.network].into_iter().nth(which).expect("six");
        *field = (*field).max(more);
        let system = System { load };
        prop_assert!(score(&a, &bigger, r, &system).total >= score(&a, &b, r, &system).total);
    }
}
