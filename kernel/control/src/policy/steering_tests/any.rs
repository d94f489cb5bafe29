//! Whatever is seen.

use super::*;
use proptest::prelude::*;

fn any_task() -> impl Strategy<Value = Watched> {
    (0u16..128, any::<(u32, bool, u64, Option<u32>, u64, u64)>(), 0u8..64).prop_map(
        |(id, (generation, runnable, traffic, misses_per_kilocycle, working_set_bytes, work), core)| {
            Watched {
                id: TaskId(id),
                generation,
                workload: WorkloadId(1),
                core: CoreId(core),
                runnable,
                traffic: if traffic % 3 == 0 { Count::Unknown } else { Count::Estimated(traffic) },
                misses_per_kilocycle,
                working_set_bytes,
                work,
            }
        },
    )
}

proptest! {
    /// Whatever is seen, nothing overflows, the share is one the machine has,
    /// and some core is left to second-class tasks where there are several.
    #[test]
    fn any_sight_gives_a_holding_that_can_be(
        which in 0usize..10,
        ticks in proptest::collection::vec(
            (
                proptest::collection::vec(any_task(), 0..12),
                any::<(u64, Option<u32>, Option<u32>, u64, bool)>(),
                proptest::option::of((any::<u32>(), any::<u32>(), any::<(u32, u32, u32)>())),
            ),
            1..30,
        ),
        ways: u8, least_percent in 0u8..=100, cores in 1u32..=64,
    ) {
        let mut policies = policies(Policy::ALL[which]);
        let shares = Shares { ways, least_percent };
        let all = CoreSet(u64::MAX >> (64 - cores));
        let mut now_ns = 0u64;
        for (tasks, (idle, load_permille, traffic_permille, step_ns, holds), seen) in &ticks {
            now_ns = now_ns.saturating_add(step_ns % 100_000_000);
            let seen = seen.map(|(answered, late, (fifth, tenth, twentieth))| {
                let part = |count: u32| count % 1000;
                let close = Close { fifth: part(fifth), tenth: part(tenth), twentieth: part(twentieth) };
                burst(part(answered), part(late), close)
            });
            let sight = Sight {
                now_ns, burst: seen, load_permille: *load_permille, traffic_permille: *traffic_permille,
                second_class_cores: all, first_class_cores: CoreSet(1), cores, idle: Some(CoreSet(*idle & all.0)),
                shares, holds: *holds, ..sight(tasks)
            };
            let holding = policies.hooks().steer(&sight);
            if let Some(view) = seen.filter(|_| step_ns % 5 == 0) {
                policies.hooks().after_run(&view);
            }
            if let Some(share) = holding.share {
                prop_assert!(ways >= 2 && (1..=ways).contains(&share.ways), "{:?}", holding);
                prop_assert!((least_percent.max(1)..=100).contains(&share.percent), "{:?}", holding);
            }
            prop_assert_eq!(holding.clear.without(all), CoreSet(0));
            prop_assert!(cores == 1 || all.without(holding.clear).count() > 0);
        }
    }
}
