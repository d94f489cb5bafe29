use super::*;
use crate::fixed::ONE;
use proptest::prelude::*;
use std::string::{String, ToString};

const CLOCK: Clock = Clock::new(1_000_000_000);

fn deltas(cycles: u64, read: u64, written: u64) -> Deltas {
    Deltas {
        cycles,
        read_bytes: read,
        written_bytes: written,
        sequential_bytes: read,
        working_set_bytes: 4096,
        instructions: Count::Counted(2 * cycles),
        ..Deltas::default()
    }
}

#[test]
fn rates_are_per_second_of_wall_time() {
    // 10 ms of wall time at 1 GHz, 2.5 ms of them on a core.
    let demand =
        Demand::of(&deltas(2_500_000, 3_000_000, 1_000_000), 10_000_000, CLOCK).expect("time passed");
    assert_eq!((demand.cpu_permille, demand.cycles_per_s), (250, 250_000_000));
    assert_eq!(demand.instructions_per_s, Count::Counted(500_000_000));
    assert_eq!((demand.read_mb_per_s(), demand.write_mb_per_s()), (300, 100));
    assert_eq!((demand.sequential_permille, demand.write_permille), (Some(750), Some(250)));
    assert_eq!((demand.llc_misses_per_s, demand.disk), (Count::Unknown, None));
    assert_eq!(Demand::of(&deltas(1, 1, 1), 0, CLOCK), None);
}

#[test]
fn following_keeps_what_is_not_known_any_more_as_an_estimate() {
    let mut demand = Demand::of(&deltas(8000, 0, 0), 1_000_000, CLOCK).expect("time passed");
    let silent = Demand { instructions_per_s: Count::Unknown, ..demand };
    demand.follow(&silent, 3);
    assert_eq!(demand.instructions_per_s, Count::Estimated(16_000_000));
    assert_eq!(demand.sequential_permille, None);
}

#[test]
fn compact_shares_of_the_machine() {
    let capacity = Capacity::new(1 << 20, 1_000_000_000);
    let demand = Demand {
        cpu_permille: 500,
        working_set_bytes: 1 << 19,
        read_bytes_per_s: 500_000_000,
        write_bytes_per_s: 250_000_000,
        sequential_permille: Some(1000),
        write_permille: Some(333),
        ..Demand::NONE
    };
    let compact = Compact::of(&demand, &capacity);
    assert_eq!((compact.cores, compact.cache), (ONE / 2, ONE / 2));
    // Half of the working set fits no more than half: half the bytes count.
    assert_eq!((compact.read, compact.write), (ONE / 4, ONE / 8));
    assert_eq!((compact.sequential, compact.patterned), (ONE, ONE));
    // With a miss counter the misses decide: 3 MB/s of 750 MB/s moved.
    let counted = Demand { llc_misses_per_s: Count::Counted(46_875), ..demand };
    assert!(Compact::of(&counted, &capacity).read.abs_diff(ONE / 500) <= 1);
    assert_eq!(Compact::of(&Demand::NONE, &capacity), Compact::default());
    assert_eq!(Compact::of(&demand, &Capacity::NONE).cache, 0, "an unknown cache is not shared");
}

#[test]
fn a_recording_grows_with_its_burst() {
    let mut recording = Recording::new();
    recording.start(1000);
    for ms in 1..=400u64 {
        recording.add(1000 + ms * 1_000_000, &deltas(500_000, 1000, 0));
    }
    // 400 ms in bins of 2^21 ns would be 191: two doublings.
    assert_eq!((recording.bin_ns(), recording.bins()), (BASE_BIN_NS * 4, 48));
    assert_eq!(recording.total().cycles, 200_000_000);
    let mean = recording.mean(CLOCK).expect("recorded");
    assert_eq!((mean.cpu_permille, mean.read_bytes_per_s), (500, 1_000_000));
    let sum: u64 = (0..48).filter_map(|bin| recording.demand(bin, CLOCK)).map(|d| d.cycles_per_s).sum();
    let total = u128::from(sum) * u128::from(recording.bin_ns()) / 1_000_000_000;
    assert!(total.abs_diff(200_000_000) < 200, "{total}");
}

fn run(profile: &mut Profile, milliseconds: u64, cycles_per_ms: u64, anew: bool) {
    let mut recording = Recording::new();
    recording.start(0);
    (1..=milliseconds).for_each(|ms| recording.add(ms * 1_000_000, &deltas(cycles_per_ms, 100, 50)));
    let mut update = Update::begin(profile, &mut recording, 10, CLOCK, anew).expect("recorded");
    let steps = (0..40).take_while(|_| !update.step(profile, &recording, CLOCK, 4)).count();
    assert!(steps <= 16, "at most 64 bins, four a step");
}

#[test]
fn a_profile_follows_its_runs() {
    let mut profile = Profile::new();
    run(&mut profile, 20, 400_000, false);
    assert_eq!((profile.version, profile.runs, profile.bins.len()), (1, 1, 10));
    assert_eq!((profile.mean.cpu_permille, profile.cycles_per_burst()), (400, 8_000_000));
    run(&mut profile, 20, 800_000, false);
    assert_eq!(profile.mean.cpu_permille, 450);
    run(&mut profile, 300, 800_000, false);
    assert_eq!((profile.bin_ns, profile.bins.len()), (BASE_BIN_NS * 4, 36));
    run(&mut profile, 20, 100_000, true);
    assert_eq!((profile.version, profile.runs, profile.mean.cpu_permille), (4, 1, 100));
    // Bins that are not reached any more fade.
    for _ in 0..400 {
        run(&mut profile, 8, 100_000, false);
    }
    assert!(profile.bins.len() <= 4, "{}", profile.bins.len());
}

#[test]
fn text_names_the_line_and_what_was_expected() {
    let mut profile = Profile::new();
    run(&mut profile, 4, 400_000, false);
    let text = profile.to_string();
    assert_eq!(Profile::parse(&text).as_ref(), Ok(&profile));
    let error = |text: &str| Profile::parse(text).expect_err("not a profile").to_string();
    assert_eq!(error(""), "profile line 1: expected umbra-profile 1");
    assert_eq!(error(&text.replace("bins 2", "bins 65")), "profile line 2: expected bins 0 to 64");
    assert_eq!(error(&text.replace("bins 2", "bins 3")), "profile line 6: expected bin and a demand");
    assert_eq!(
        error(&text.replacen("cpu_permille 400", "cpu_permille -4", 1)),
        "profile line 3: expected cpu_permille NUMBER"
    );
}

fn any_count() -> impl Strategy<Value = Count> {
    prop_oneof![
        any::<u64>().prop_map(Count::Counted),
        any::<u64>().prop_map(Count::Estimated),
        Just(Count::Unknown)
    ]
}

fn any_demand() -> impl Strategy<Value = Demand> {
    let share = || proptest::option::of(0u32..=1000);
    let disk = any::<Option<(u32, u32, u32, u64, u64, u32)>>();
    let network = any::<Option<(u32, u32, u32, u64, u64)>>();
    let counts = (any_count(), any_count(), any_count());
    (any::<(u32, u64, u64, u64, u64)>(), counts, share(), share(), disk, network).prop_map(
        |(a, counts, sequential_permille, write_permille, disk, network)| Demand {
            cpu_permille: a.0,
            cycles_per_s: a.1,
            working_set_bytes: a.2,
            read_bytes_per_s: a.3,
            write_bytes_per_s: a.4,
            instructions_per_s: counts.0,
            llc_references_per_s: counts.1,
            llc_misses_per_s: counts.2,
            sequential_permille,
            write_permille,
            disk: disk.map(|d| Disk {
                busy_permille: d.0,
                reads_per_s: d.1,
                writes_per_s: d.2,
                read_bytes_per_s: d.3,
                write_bytes_per_s: d.4,
                sequential_permille: d.5,
            }),
            network: network.map(|n| Network {
                busy_permille: n.0,
                received_per_s: n.1,
                sent_per_s: n.2,
                received_bytes_per_s: n.3,
                sent_bytes_per_s: n.4,
            }),
        },
    )
}

proptest! {
    #[test]
    fn text_round_trips(numbers: (u32, u32, u32, u64), shift in 0u32..=52, mean in any_demand(),
        bins in proptest::collection::vec(any_demand(), 0..=64)) {
        let (version, runs, requests, duration_ns) = numbers;
        let bins = bins.into_iter().collect();
        let profile = Profile { version, runs, requests, duration_ns, bin_ns: 1 << shift, mean, bins };
        let parsed = Profile::parse(&profile.to_string());
        prop_assert_eq!(parsed.as_ref(), Ok(&profile));
    }

    #[test]
    fn any_text_is_read_or_refused(text: String, cut in 0usize..500, swap: char) {
        let _ = Profile::parse(&text);
        let mut profile = Profile::new();
        run(&mut profile, 4, 400_000, false);
        let good = profile.to_string();
        let at = cut.min(good.len());
        let damaged: String = good.chars().take(at).chain([swap]).chain(good.chars().skip(at + 1)).collect();
        let _ = Profile::parse(&damaged);
    }

    #[test]
    fn shares_stay_shares(demand in any_demand(), other in any_demand(), llc: u64, bandwidth: u64, shift in 0u32..70) {
        let compact = Compact::of(&demand, &Capacity::new(llc, bandwidth));
        for share in [compact.cores, compact.cache, compact.read, compact.write, compact.disk, compact.network,
            compact.sequential, compact.writes, compact.patterned] {
            prop_assert!(share <= ONE);
        }
        prop_assert!(compact.weight() <= 6 * ONE);
        let mut following = demand;
        following.follow(&other, shift);
        prop_assert!(demand.error_permille(&other) <= 1000);
    }

    #[test]
    fn any_deltas_make_a_demand(cycles: u64, read: u64, written: u64, interval in 1u64.., hz: u64) {
        let _ = Demand::of(&deltas(cycles / 2, read, written), interval, Clock::new(hz));
    }
}
