use super::generate::{RANDOM_COST, SEQUENTIAL_COST, SLICE_COST, STEP_COST};
use super::*;
use crate::demand::{Demand, Profile};
use crate::fixed::Clock;
use crate::machine::{Count, Counts};
use proptest::prelude::*;
use std::vec::Vec as Heap;
use workload_api::{Meter, Workload};

const CLOCK: Clock = Clock::new(2_000_000_000);
const LIMITS: Limits = Limits { colours: 32, memory_bytes: 4 << 20, window_ns: 20_000_000, level: 0 };

fn bin(instructions_per_s: u64, read: u64, write: u64, sequential: u32) -> Demand {
    Demand {
        cpu_permille: 500,
        cycles_per_s: 1_000_000_000,
        instructions_per_s: Count::Counted(instructions_per_s),
        working_set_bytes: 32 << 20,
        read_bytes_per_s: read,
        write_bytes_per_s: write,
        sequential_permille: Some(sequential),
        write_permille: Some(u32::try_from(write * 1000 / (read + write).max(1)).unwrap_or(0)),
        ..Demand::NONE
    }
}

fn profile(bins: &[Demand]) -> Profile {
    let bin_ns = 1 << 21;
    let mut mean = *bins.first().expect("a bin");
    let average = |of: &dyn Fn(&Demand) -> u64| bins.iter().map(of).sum::<u64>() / bins.len() as u64;
    mean.instructions_per_s =
        Count::Counted(average(&|b| crate::sample::value(b.instructions_per_s).unwrap_or(0)));
    (mean.read_bytes_per_s, mean.write_bytes_per_s) =
        (average(&|b| b.read_bytes_per_s), average(&|b| b.write_bytes_per_s));
    Profile {
        version: 7,
        runs: 1,
        requests: 64,
        duration_ns: bin_ns * bins.len() as u64,
        bin_ns,
        mean,
        bins: bins.iter().copied().collect(),
    }
}

fn generate(profile: &Profile, limits: &Limits) -> ShadowPlan {
    let mut plan = ShadowPlan::new();
    if let Some(mut generator) = Generator::begin(profile, limits, &mut plan) {
        let steps = (0..20).take_while(|_| !generator.step(profile, &mut plan, 4)).count();
        assert!(steps <= 17);
    }
    plan
}

/// Runs all units and returns the counts a monitor would have seen.
fn execute(plan: &ShadowPlan) -> (Counts, u64) {
    let shadow = Shadow::new(plan);
    let mut scratch = std::vec![0u64; shadow.scratch_words()];
    let (mut meter, mut checksum) = (Meter::default(), 0u64);
    for index in 0..shadow.units() {
        checksum = checksum.rotate_left(1) ^ shadow.unit(index, &mut scratch, &mut meter);
    }
    let counts = Counts {
        generation: 1,
        cycles: plan.cost_instructions,
        units: shadow.units(),
        instructions: Count::Counted(plan.cost_instructions),
        read_bytes: meter.read_bytes,
        written_bytes: meter.written_bytes,
        sequential_bytes: meter.sequential_bytes,
        random_accesses: meter.random_accesses,
        working_set_bytes: shadow.working_set_bytes(),
        ..Counts::default()
    };
    (counts, checksum)
}

#[test]
fn sampling_follows_the_colours() {
    let profile = profile(&[bin(1_000_000_000, 400_000_000, 100_000_000, 800); 16]);
    let of = |colours| generate(&profile, &Limits { colours, ..LIMITS });
    let divided = |plan: &ShadowPlan| (plan.sampled_colours, plan.time_divisor, plan.scale_q16 / ONE);
    assert_eq!(divided(&of(32)), (1, 2, 64), "34 ms do not fit a window of 20 ms");
    assert_eq!(divided(&of(128)), (4, 2, 64));
    assert_eq!(divided(&of(1)), (1, 32, 32), "without colours all sampling is in time");
    assert_eq!(divided(&generate(&profile, &Limits { level: 1, ..LIMITS })), (1, 4, 128));
}

#[test]
fn a_shadow_shows_the_demand_it_was_made_from() {
    let bins = [bin(1_000_000_000, 400_000_000, 100_000_000, 800), bin(2_000_000_000, 900_000_000, 0, 1000)];
    let profile = profile(&bins.repeat(12));
    let plan = generate(&profile, &LIMITS);
    let (counts, _) = execute(&plan);
    let demand = shadow_demand(&plan, &counts, CLOCK).expect("a mirrored burst");
    let truth = &profile.mean;
    let near = |got: u64, want: u64| got.abs_diff(want) * 100 <= want;
    assert!(near(demand.read_bytes_per_s, truth.read_bytes_per_s), "{demand}\n{truth}");
    assert!(near(demand.write_bytes_per_s, truth.write_bytes_per_s), "{demand}\n{truth}");
    assert!(near(demand.working_set_bytes, truth.working_set_bytes), "{demand}\n{truth}");
    // 800 permille of the first bin's bytes and all of the second's.
    assert!(demand.sequential_permille.expect("moved").abs_diff(928) <= 3, "{demand}");
    let instructions = crate::sample::value(demand.instructions_per_s).expect("counted");
    assert!(instructions.abs_diff(1_500_000_000) * 50 <= 1_500_000_000, "{instructions}");
    assert_eq!(demand.instructions_per_s, Count::Estimated(instructions), "scaled, so no longer counted");
}

#[test]
fn a_shadow_touches_its_memory_alone_and_repeats() {
    let plan = generate(&profile(&[bin(900_000_000, 300_000_000, 200_000_000, 300); 4]), &LIMITS);
    let shadow = Shadow::new(&plan);
    let words = shadow.scratch_words();
    let mut scratch = std::vec![0xA5u64; words + 64];
    let mut meter = Meter::default();
    let first: Heap<u64> = (0..shadow.units()).map(|i| shadow.unit(i, &mut scratch, &mut meter)).collect();
    assert!(scratch[words..].iter().all(|word| *word == 0xA5));
    assert!(scratch[..words].iter().any(|word| *word != 0xA5));
    // Other contents and less memory than asked for: the same checksums.
    let mut small = [7u64; 3];
    let again: Heap<u64> = (0..shadow.units()).map(|i| shadow.unit(i, &mut scratch, &mut meter)).collect();
    assert_eq!(first, again);
    let third: Heap<u64> = (0..shadow.units()).map(|i| shadow.unit(i, &mut small, &mut meter)).collect();
    assert_eq!(first, third);
    assert_eq!(shadow.unit(0, &mut [], &mut meter), shadow.unit(0, &mut [], &mut meter));
    assert_eq!(Shadow::new(&ShadowPlan::new()).unit(9, &mut small, &mut meter), 0);
}

#[test]
fn units_lie_in_order_in_time_and_in_their_phases() {
    let plan = generate(&profile(&[bin(1_000_000_000, 400_000_000, 0, 1000); 8]), &LIMITS);
    assert!(plan.slices > 8);
    let due: Heap<u64> = (0..plan.slices).map(|slice| plan.due_ns(slice)).collect();
    assert!(due.is_sorted() && due[0] == 0);
    assert!(due[due.len() - 1] < plan.mirrored_ns / u64::from(plan.time_divisor));
    assert!((0..plan.slices).all(|slice| plan.phase_of(slice).is_some()));
    assert!(plan.phase_of(plan.slices).is_none());
}

#[test]
fn nothing_known_gives_no_shadow() {
    assert!(generate(&Profile::new(), &LIMITS).is_empty());
    let idle = Demand { cycles_per_s: 0, instructions_per_s: Count::Unknown, ..bin(0, 0, 0, 0) };
    assert!(
        generate(&profile(&[Demand { instructions_per_s: Count::Counted(0), ..idle }]), &LIMITS).is_empty()
    );
}

#[test]
fn an_echo_stands_for_the_whole_burst() {
    let counts =
        Counts { units: 4, cycles: 4_000_000, read_bytes: 8000, working_set_bytes: 99, ..Counts::default() };
    let demand = echo_demand(&counts, 64, 100_000_000, CLOCK).expect("four requests");
    // 16 times as much in 0.1 s.
    assert_eq!((demand.cycles_per_s, demand.read_bytes_per_s), (640_000_000, 1_280_000));
    assert_eq!((demand.cpu_permille, demand.working_set_bytes), (320, 99));
    assert_eq!(echo_demand(&Counts::default(), 64, 100_000_000, CLOCK), None);
    let doubled = Correction { read_q16: 2 * ONE, ..Correction::NONE }.apply(&demand);
    assert_eq!((doubled.read_bytes_per_s, doubled.cycles_per_s), (2_560_000, 640_000_000));
}

proptest! {
    #[test]
    fn the_budget_holds_for_any_profile(
        bins in proptest::collection::vec((1_000_000u64..10_000_000_000, 0u64..40_000_000_000, 0u64..10_000_000_000,
            0u32..=1000), 1..=64),
        colours in 0u32..300, level in 0u8..8, memory_bytes in 0u64..8 << 20, window_ns in 0u64..1 << 34,
    ) {
        let bins: Heap<Demand> = bins.iter().map(|b| bin(b.0, b.1, b.2, b.3)).collect();
        let profile = profile(&bins);
        let plan = generate(&profile, &Limits { colours, memory_bytes, window_ns, level });
        prop_assert!(plan.cost_instructions * BUDGET_SHARE <= plan.mirrored_instructions);
        // The same cost, counted from the plan.
        let cost: u64 = plan.phases.iter().map(|phase| {
            let random = u64::from(phase.accesses) * u64::from(phase.random_permille) / 1000;
            random * RANDOM_COST + (u64::from(phase.accesses) - random) * SEQUENTIAL_COST
                + u64::from(phase.steps) * STEP_COST + u64::from(phase.slices) * SLICE_COST
        }).sum();
        prop_assert_eq!(cost, plan.cost_instructions);
        for phase in &plan.phases {
            prop_assert!(phase.accesses <= phase.slices * SLICE_ACCESSES);
            prop_assert!(phase.steps <= phase.slices * SLICE_STEPS);
        }
        prop_assert!(u64::from(plan.working_set_words()) * 8 <= memory_bytes);
    }

    #[test]
    fn scaled_demand_is_within_five_percent(
        instructions in 200_000_000u64..4_000_000_000, intensity in 1u64..400, write_permille in 0u64..500,
        sequential in 0u32..=1000, count in 2usize..64,
    ) {
        // Up to 0.4 bytes an instruction, so that accesses leave room for padding.
        let bytes = instructions / 1000 * intensity;
        let write = bytes * write_permille / 1000;
        let profile = profile(&std::vec![bin(instructions, bytes - write, write, sequential); count]);
        let plan = generate(&profile, &LIMITS);
        let (counts, _) = execute(&plan);
        let demand = shadow_demand(&plan, &counts, CLOCK).expect("a mirrored burst");
        let near = |got: u64, want: u64| {
            // One access of each kind may be lost to rounding in every phase.
            let rounding = u64::from(plan.scale_q16 >> 16) * 16 * count as u64 * 1_000_000_000 / plan.mirrored_ns;
            // Shares have a resolution of one in a thousand.
            got.abs_diff(want) <= want / 20 + bytes / 1000 + rounding
        };
        prop_assert!(near(demand.read_bytes_per_s, profile.mean.read_bytes_per_s), "{}\n{}", demand, profile.mean);
        prop_assert!(near(demand.write_bytes_per_s, profile.mean.write_bytes_per_s), "{}\n{}", demand, profile.mean);
    }
}
