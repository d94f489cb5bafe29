use super::*;
use crate::plan::Plan;
use crate::results::{Served, SloCount};
use crate::rig::{LineStats, Predictions};
use proptest::prelude::*;

fn served(p50_ns: u64, p99_ns: u64) -> Served {
    let latencies = Latencies {
        count: 200,
        mean_ns: p50_ns,
        p50_ns: Some(p50_ns),
        p99_ns: Some(p99_ns),
        p999_ns: None,
        max_ns: p99_ns,
    };
    Served {
        latencies,
        bursts: 2,
        slo: Some(SloCount { missed_bursts: 1, late_requests: 9, requests_within: 100 }),
    }
}

fn run() -> PolicyRun {
    let mut second = [None; SECOND_MAX];
    second[0] = Some(Throughput { units: 30, window_ns: 1000 });
    second[1] = Some(Throughput { units: 9, window_ns: 1000 });
    PolicyRun { served: served(300, 3000), window_ns: 1000, second, line: LineStats::default() }
}

fn results() -> Results {
    let mut plan = Plan::standard();
    plan.second_class.extend(["a", "b"]);
    let mut results = Results::new(plan);
    results.service_ns = Some(4);
    results.alone = Some(served(200, 1000));
    results.second_alone[0] = Some(Throughput { units: 100, window_ns: 2000 });
    results.second_alone[1] = Some(Throughput { units: 20, window_ns: 2000 });
    results
}

#[test]
fn works_out_an_example() {
    let figures = results().figures(&run());
    assert_eq!(figures.multiples.p50_q16, Some(3 << 15));
    assert_eq!(figures.multiples.p99_q16, Some(3 << 16));
    assert_eq!(figures.multiples.p999_q16, None);
    // 100 requests of 4 ns in 1000 ns.
    assert_eq!(figures.first_share_permille, Some(400));
    // 30 against 50 a microsecond, 9 against 10.
    assert_eq!(figures.second_shares_permille[..3], [Some(600), Some(900), None]);
    assert_eq!(figures.second_share_permille, Some(750));
    assert_eq!(figures.emu_permille, Some(1150));
    assert_eq!((figures.shadow_cost_permille, figures.actions), (None, 0));
    assert_eq!(results().slo_ns(), Some(3000));
}

#[test]
fn what_rests_on_nothing_is_none() {
    let mut results = results();
    results.service_ns = None;
    let figures = results.figures(&run());
    assert_eq!((figures.first_share_permille, figures.emu_permille), (None, None));
    assert_eq!(figures.second_share_permille, Some(750));
    results.alone = None;
    assert_eq!((results.slo_ns(), results.figures(&run()).multiples), (None, Multiples::default()));
    let mut run = run();
    run.second[1] = None;
    assert_eq!(results.figures(&run).second_share_permille, None, "a mean over fewer is another mean");
    results.second_alone[1] = None;
    assert_eq!(results.figures(&run).second_share_permille, Some(600));
    results.second_alone[0] = Some(Throughput { units: 0, window_ns: 2000 });
    assert_eq!(results.figures(&run).second_shares_permille[0], None);
}

#[test]
fn predictions_are_judged_by_the_pairs() {
    let mut results = results();
    results.pairs[0] = Some(served(200, 1501));
    results.pairs[1] = Some(served(200, 1500));
    assert_eq!(
        (results.interferes(0), results.interferes(1), results.interferes(2)),
        (Some(true), Some(false), None)
    );
    let mut run = run();
    run.line.predictions[0] = Predictions { interferes: 5, harmless: 2 };
    run.line.predictions[1] = Predictions { interferes: 1, harmless: 6 };
    run.line.predictions[2] = Predictions { interferes: 3, harmless: 0 };
    assert_eq!(results.figures(&run).predictions, Judged { made: 17, judged: 14, right: 11 });
}

#[test]
fn shadow_cost_prefers_instructions() {
    let cycles = ShadowCost { shadow_cycles: 30, mirrored_cycles: 1000, ..ShadowCost::default() };
    assert_eq!(shadow_cost(&cycles), Some(30));
    assert_eq!(shadow_cost(&ShadowCost { shadow_instructions: Some(1), ..cycles }), Some(30));
    let both = ShadowCost { shadow_instructions: Some(1), mirrored_instructions: Some(16), ..cycles };
    assert_eq!(shadow_cost(&both), Some(63));
    assert_eq!(shadow_cost(&ShadowCost { mirrored_instructions: Some(0), ..both }), Some(30));
    assert_eq!(shadow_cost(&ShadowCost::default()), None);
}

#[test]
fn actions_of_every_kind_count_but_not_refusals() {
    let actions = Actions {
        pause: 1,
        resume: 2,
        migrate: 4,
        dedicate: 8,
        share: 16,
        confine: 32,
        unconfine: 64,
        refused: 128,
    };
    assert_eq!(total(&actions), 127);
}

#[test]
fn a_burst_may_have_one_percent_late() {
    assert!(!misses_slo(0, 0) && !misses_slo(0, 64) && misses_slo(1, 64));
    assert!(!misses_slo(1, 100) && misses_slo(2, 100) && !misses_slo(u32::MAX / 100, u32::MAX));
}

proptest! {
    #[test]
    fn multiples_are_rounded_quotients(value in any::<u64>(), unit in 1..u64::MAX, shift in 0..64u32) {
        let (value, unit) = (value >> shift, (unit >> shift).max(1));
        match multiple_q16(value, unit) {
            Some(q16) => {
                let exact = value as f64 / unit as f64 * 65_536.0;
                prop_assert!((q16 as f64 - exact).abs() <= 0.5 + exact * 1e-12, "{q16} {exact}");
            }
            None => prop_assert!(value as f64 / unit as f64 > 2.0f64.powi(47)),
        }
    }

    #[test]
    fn shares_are_rounded_quotients(units in any::<u32>(), window_ns in 1..u64::MAX, alone in 1..u32::MAX, window_alone_ns in 1..u64::MAX) {
        let beside = Throughput { units: u64::from(units), window_ns };
        let alone = Throughput { units: u64::from(alone), window_ns: window_alone_ns };
        let exact = (units as f64 / window_ns as f64) / (alone.units as f64 / window_alone_ns as f64) * 1000.0;
        match rate_share(beside, alone) {
            Some(share) => prop_assert!((f64::from(share) - exact).abs() <= 0.5 + exact * 1e-9),
            None => prop_assert!(exact > 4.29e9),
        }
    }

    #[test]
    fn no_measurement_panics(words in prop::collection::vec(any::<u64>(), 16)) {
        let mut results = results();
        let mut run = run();
        results.service_ns = Some(words[0]);
        results.alone = Some(served(words[1], words[2]));
        results.pairs[0] = Some(served(words[3], words[4]));
        results.second_alone[0] = Some(Throughput { units: words[5], window_ns: words[6] });
        run.window_ns = words[7];
        run.second[0] = Some(Throughput { units: words[8], window_ns: words[9] });
        run.served = served(words[10], words[11]);
        run.served.slo = Some(SloCount { missed_bursts: 1, late_requests: 1, requests_within: words[12] });
        run.line.shadow = ShadowCost { shadow_cycles: words[13], mirrored_cycles: words[14], ..ShadowCost::default() };
        let _ = results.figures(&run);
        let _ = results.interferes(0);
    }
}
