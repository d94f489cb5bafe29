use super::*;
use crate::quarantine::WorkloadSet;

fn view(answered: u32, late: u32) -> View {
    View {
        first_class: WorkloadId(1),
        threshold_q16: 7,
        horizon_ns: 99,
        late_permille: 10,
        requests: 64,
        answered,
        late,
        close: Close::NONE,
    }
}

#[test]
fn names_round_trip() {
    assert!(Policy::ALL.iter().all(|policy| Policy::named(policy.name()) == Some(*policy)));
    assert_eq!(Policy::named("umbrella"), None);
}

#[test]
fn the_patent_stops_one_suspect_at_a_time_and_remembers() {
    let mut policies = Policies::new();
    policies.set(Policy::Patent);
    let hooks = policies.hooks();
    assert_eq!(hooks.before_release(&view(0, 0)), Intent::Nothing);
    assert_eq!(hooks.during_run(&view(3, 3)), Intent::Nothing, "too few answers to judge");
    assert_eq!(hooks.during_run(&view(4, 1)), Intent::StopSuspect);
    hooks.stopped(&view(4, 1), WorkloadId(9));
    assert_eq!(hooks.during_run(&view(7, 4)), Intent::Nothing, "the stop is given time to show");
    assert_eq!(hooks.during_run(&view(20, 1)), Intent::Nothing, "and it helped");
    assert_eq!(hooks.during_run(&view(21, 2)), Intent::StopSuspect);
    let mut known = WorkloadSet::NONE;
    known.insert(WorkloadId(9));
    assert_eq!(hooks.before_release(&view(0, 0)), Intent::Apply(Rule::Pause(known)));
    let other = View { first_class: WorkloadId(2), ..view(0, 0) };
    assert_eq!(hooks.before_release(&other), Intent::Nothing, "another first-class workload, another ledger");
    policies.forget_pairs();
    assert_eq!(policies.ledger().iter().count(), 0);
}

#[test]
fn the_ledger_is_bounded_and_keeps_the_latest() {
    let mut ledger = Ledger::new();
    (0..100).for_each(|n| ledger.remember(WorkloadId(0), WorkloadId(n)));
    (90..100).for_each(|n| ledger.remember(WorkloadId(0), WorkloadId(n)));
    assert_eq!(ledger.iter().count(), MAX_PAIRS);
    let set = ledger.incompatible_with(WorkloadId(0));
    assert!((0..68).all(|n| !set.has(WorkloadId(n))) && (68..100).all(|n| set.has(WorkloadId(n))));
}

#[test]
fn the_others_are_what_they_say() {
    let mut policies = Policies::new();
    assert_eq!(policies.hooks().before_release(&view(0, 0)), Intent::Nothing);
    policies.set(Policy::Static);
    assert_eq!(policies.hooks().at_rest(), Some(Rule::ClearCore));
    policies.set(Policy::Concept);
    assert_eq!(policies.hooks().before_release(&view(0, 0)), Intent::Foresee(Rule::Predicted(7)));
    assert_eq!((policies.hooks().at_rest(), policies.hooks().horizon_ns(&view(0, 0))), (None, 99));
}

#[test]
fn the_usual_ones_are_a_part_of_all_in_the_same_order() {
    let usual = Policy::ALL.into_iter().filter(|policy| Policy::USUAL.contains(policy));
    assert!(usual.eq(Policy::USUAL));
}

#[test]
fn periods_say_how_they_are_scaled() {
    let with_period = Policy::ALL.into_iter().filter(|policy| policy.period(1_000_000).is_some());
    assert_eq!(
        with_period.map(Policy::name).collect::<std::vec::Vec<_>>(),
        ["perfiso", "reactive", "heracles", "parties", "lfoc"]
    );
    let period = |policy: Policy| policy.period(1_000_000).expect("has one");
    assert_eq!(period(Policy::PerfIso), Period { paper_ns: None, ours_ns: 1_000_000 });
    assert_eq!(period(Policy::Reactive), Period { paper_ns: Some(10_000), ours_ns: 1_000_000 });
    assert_eq!(period(Policy::Heracles), Period { paper_ns: Some(15_000_000_000), ours_ns: 7_500_000 });
    assert_eq!(period(Policy::Parties), Period { paper_ns: Some(500_000_000), ours_ns: 2_000_000 });
    assert_eq!(period(Policy::Lfoc), Period { paper_ns: Some(500_000_000), ours_ns: 2_000_000 });
}

#[test]
fn only_lfoc_needs_a_cache_that_can_be_divided() {
    let idle =
        |shares| Policy::ALL.into_iter().filter(move |policy| policy.is_idle_because(shares).is_some());
    assert!(idle(Shares::default()).eq([Policy::Lfoc]));
    assert_eq!(idle(Shares { ways: 2, least_percent: 0 }).count(), 0);
}
