use super::*;
use crate::sample::Deltas;
use proptest::prelude::*;

fn run(requests: u64, bytes_each: u64, working_set_bytes: u64) -> Deltas {
    Deltas {
        units: requests,
        read_bytes: requests * bytes_each,
        random_accesses: requests * 10,
        working_set_bytes,
        ..Deltas::default()
    }
}

#[test]
fn noise_is_no_change_but_a_step_is() {
    let mut detector = ChangeDetector::new();
    for noise in [0u64, 90, 30, 110, 60, 10, 100, 50, 120, 0, 80, 40] {
        assert!(!detector.see(&run(64, 1000 + noise, 1 << 20)));
    }
    let after = (1..).find(|_| detector.see(&run(64, 1600, 1 << 20)));
    assert!(after <= Some(2), "half again as many bytes a request: {after:?}");
    assert!((0..20).all(|_| !detector.see(&run(64, 1600, 1 << 20))), "the new ways are the ways now");
    let after = (1..).find(|_| detector.see(&run(64, 1600, 1 << 19)));
    assert!(after <= Some(2), "half the working set: {after:?}");
}

#[test]
fn a_slow_burst_is_no_change() {
    let mut detector = ChangeDetector::new();
    for cycles in [1, 1, 1, 1, 9, 9, 9, 9] {
        assert!(!detector.see(&Deltas { cycles: cycles * 1_000_000, ..run(64, 1000, 4096) }));
    }
}

#[test]
fn a_drift_within_the_slack_is_followed() {
    let mut detector = ChangeDetector::new();
    assert!((0..200).all(|n| !detector.see(&run(64, 10_000 + 100 * n, 4096))));
}

#[test]
fn echoes_get_rarer_while_the_shadow_is_right() {
    let mut ration = Ration::new();
    let mut echoes = std::vec::Vec::new();
    for burst in 0..70 {
        if ration.is_due() {
            echoes.push(burst);
            ration.echoed(50);
        }
        ration.burst();
    }
    assert_eq!(echoes, [0, 2, 6, 14, 30, 62]);
    assert!(ration.uncertainty_q16() < ONE / 10);
    ration.doubt();
    assert!(ration.is_due());
    ration.echoed(500);
    ration.burst();
    assert!(ration.is_due(), "wrong by half: the next burst gets another");
}

#[test]
fn a_shadow_without_use_gets_cheaper_and_a_late_burst_ends_that() {
    let mut effort = Effort::default();
    (0..8).for_each(|_| effort.burst(false, false));
    assert_eq!((effort.level(0), effort.level(ONE)), (1, 2));
    (0..200).for_each(|_| effort.burst(false, false));
    assert_eq!((effort.level(0), effort.level(ONE)), (3, 3));
    effort.burst(false, true);
    assert_eq!(effort.level(0), 0);
    (0..200).for_each(|_| effort.burst(true, false));
    assert_eq!(effort.level(0), 0);
}

#[test]
fn the_horizon_covers_what_preparing_takes() {
    let mut effort = Effort::new(1_000_000);
    assert_eq!(effort.horizon_ns(0), 10_000_000);
    effort.prepared(30_000_000);
    assert_eq!((effort.horizon_ns(0), effort.horizon_ns(ONE)), (60_000_000, 90_000_000));
    (0..100).for_each(|_| {
        effort.prepared(8_000_000);
        effort.acted(1_000_000);
    });
    assert_eq!((effort.horizon_ns(0), effort.acting_margin_ns()), (16_000_000, 2_000_000));
    effort.prepared(u64::MAX);
    assert_eq!(effort.horizon_ns(0), 1_000_000_000);
}

proptest! {
    #[test]
    fn corrections_arrive_at_the_ratio_and_stay_in_range(shadow in 1u64..1 << 40, echo in 1u64..1 << 40) {
        let mut correction = Correction::NONE;
        let demand = |value| Demand { read_bytes_per_s: value, ..Demand::NONE };
        for _ in 0..64 {
            learn_correction(&mut correction, &demand(shadow), &demand(echo));
            prop_assert!((LEAST..=MOST).contains(&correction.read_q16));
        }
        prop_assert_eq!(correction.read_q16, ratio(echo, shadow).clamp(LEAST, MOST));
        prop_assert_eq!(correction.cycles_q16, ONE);
    }

    #[test]
    fn any_run_is_taken(a: u64, b: u64, c: u64, units: u64) {
        let mut detector = ChangeDetector::new();
        for scale in 0..8 {
            let _ = detector.see(&Deltas { units, read_bytes: a >> scale, written_bytes: b, random_accesses: c,
                working_set_bytes: a ^ b, ..Deltas::default() });
        }
    }
}
