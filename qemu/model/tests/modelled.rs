//! The plugin in its QEMU: what a guest sees of the modelled machine.
//!
//! Expected figures are derived from the machine's description and from the
//! guest's own instructions, counted by hand in `guest/boot.s`.

mod guest;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use guest::{Bench, ENDED, Op, Outcome};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// Where the scripts' data begins.
const BASE: u64 = 16 * MIB;
/// Words that the guest itself keeps.
const TIMER_INTERRUPTS: u64 = 0x7000;
const COUNTER_INTERRUPTS: u64 = 0x7008;
const OTHER_INTERRUPTS: u64 = 0x7010;
const FLAG: u64 = 0x8000;
const FIRST_BARRIER: u64 = 0x8040;
const LAST_BARRIER: u64 = 0x8080;
const NOWHERE: u64 = 0x80C0;

const GENERAL_SELECT: u64 = 0x186;
const GENERAL_FULL: u64 = 0x4C1;
const FIXED_CONTROL: u64 = 0x38D;
const GLOBAL_STATUS: u64 = 0x38E;
const GLOBAL_CONTROL: u64 = 0x38F;
const ASSOCIATION: u64 = 0xC8F;
const MASK: u64 = 0xC90;
const SECOND_MASK: u64 = 0xD10;
const THROTTLE: u64 = 0xD50;
const QM_SELECT: u64 = 0xC8D;
const QM_COUNT: u64 = 0xC8E;
const LOCAL_APIC_COUNTERS: u64 = 0xFEE0_0340;

/// Instructions of the guest: one round of a random chase, of a spin.
const RANDOM_ROUND: u64 = 17;
const SPIN_ROUND: u64 = 2;

fn ended(outcome: Outcome) -> Vec<u64> {
    assert_eq!(outcome.code, Some(ENDED), "{}", outcome.errors);
    assert_eq!(outcome.errors, "");
    outcome.numbers
}

/// General counters 0 and 1: references to and misses of the shared level;
/// fixed 0 and 1: instructions and cycles.
fn counters_on() -> Vec<Op> {
    vec![
        Op::WriteRegister(GENERAL_SELECT, 0x43_4F2E),
        Op::WriteRegister(GENERAL_SELECT + 1, 0x43_412E),
        Op::WriteRegister(FIXED_CONTROL, 0x33),
        Op::WriteRegister(GLOBAL_CONTROL, 0x3_0000_0003),
    ]
}

fn read_counters() -> [Op; 4] {
    [0, 1, 1 << 30, 1 << 30 | 1].map(Op::ReadCounter)
}

#[test]
fn each_level_costs_its_latency_and_is_counted() {
    let Some(bench) = Bench::set_up("levels") else { return };
    let count = 50_000;
    // Size, cycles a load beyond its instructions, references and misses a thousand loads.
    for (bytes, stall, references, misses) in [
        (16 * KIB, 0..=0, 0..=0, 0..=0),
        (128 * KIB, 9..=12, 0..=0, 0..=0),
        (3 * MIB, 45..=49, 880..=940, 0..=0),
        (128 * MIB, 132..=150, 990..=1000, 950..=1000),
    ] {
        let lines = bytes / 64;
        let mut script = counters_on();
        script.push(Op::Read { base: BASE, lines, rounds: 2 });
        script.extend(read_counters());
        script.push(Op::Random { base: BASE, lines, count });
        script.extend(read_counters());
        let read = ended(bench.run("xeon4", &[script]));
        let counted = |at: usize| read[at + 4] - read[at];
        let a_thousand = |at: usize| (counted(at) + 5) * 1000 / count;
        assert!((RANDOM_ROUND * count..=RANDOM_ROUND * count + 2000).contains(&counted(2)), "{read:?}");
        let stalled = (counted(3) - counted(2)) / count;
        assert!(stall.contains(&stalled), "{bytes} bytes: {stalled} cycles a load");
        assert!(references.contains(&a_thousand(0)), "{bytes} bytes: {} references", counted(0));
        assert!(misses.contains(&a_thousand(1)), "{bytes} bytes: {} misses", counted(1));
    }
}

#[test]
fn instructions_and_cycles_are_exact_and_the_timestamp_follows() {
    let Some(bench) = Bench::set_up("exact") else { return };
    let mut script = counters_on();
    let reading = [Op::ReadCounter(1 << 30), Op::ReadCounter(1 << 30 | 1), Op::Time];
    // Twice without work first, so that the cost of reading itself is known.
    script.extend(reading);
    script.extend(reading);
    script.push(Op::Spin(1_000_000));
    script.extend(reading);
    let read = ended(bench.run("xeon4", &[script]));
    let work = |at: usize| (read[at + 6] - read[at + 3]) - (read[at + 3] - read[at]);
    // A spin is its loop and the eight instructions that interpret it, and the jump back.
    let instructions = SPIN_ROUND * 1_000_000 + 10;
    assert!(work(0).abs_diff(instructions) <= 2, "{} instructions", work(0));
    assert!(work(1).abs_diff(instructions) <= 60, "{} cycles", work(1));
    let timestamp = read[8] - read[5];
    assert!(timestamp.abs_diff(work(1)) <= 20, "timestamp {timestamp}, cycles {}", work(1));
}

#[test]
fn the_modelled_part_begins_at_a_fixed_time_with_empty_caches() {
    let Some(bench) = Bench::set_up("start") else { return };
    let mut script = counters_on();
    script.extend([Op::Read { base: BASE, lines: 1000, rounds: 1 }, Op::ReadCounter(1), Op::Time]);
    // The firmware's first block is above 4 KiB, so everything is modelled either way.
    let [whole, begun] = [0, 0x1000].map(|start| ended(bench.run_from(start, "xeon4", &[script.clone()])));
    assert_eq!(begun[0], whole[0]);
    assert!((1000..1010).contains(&begun[0]), "{} misses", begun[0]);
    // Ten seconds at 2 GHz, and what came since.
    assert!((20_000_000_000..20_000_100_000).contains(&begun[1]), "{} cycles", begun[1]);
}

#[test]
fn a_halted_machine_jumps_to_its_timer() {
    let Some(bench) = Bench::set_up("sleep") else { return };
    let sleep = |count| [Op::Time, Op::Sleep(count), Op::Time];
    let script = [sleep(1_000), sleep(1_000_000), sleep(100_000_000)].concat();
    let read = ended(bench.run("xeon4", &[[script, vec![Op::Load(TIMER_INTERRUPTS)]].concat()]));
    // The local APIC counts nanoseconds, two cycles each.
    for (at, cycles) in [(1, 2_000), (3, 2_000_000), (5, 200_000_000)] {
        assert!((cycles..cycles + 2_000).contains(&read[at]), "{} cycles, expected {cycles}", read[at]);
    }
    assert_eq!(read[6], 3);
}

/// vCPU 0 chases through `bytes` and prints cycles for 50 000 loads; 1 to 3 do
/// `what` meanwhile, in class 2 and under identity 2.
fn beside(bytes: u64, prepare: &[Op], what: impl Fn(u64) -> Op) -> Vec<Vec<Op>> {
    let lines = bytes / 64;
    let mut victim = prepare.to_vec();
    victim.extend([
        Op::WriteRegister(ASSOCIATION, 1 << 32 | 1),
        Op::StartOthers,
        Op::Barrier { address: FIRST_BARRIER, vcpus: 4 },
        Op::Random { base: BASE, lines, count: 150_000 },
        Op::Time,
        Op::Random { base: BASE, lines, count: 50_000 },
        Op::Time,
        Op::WriteRegister(QM_SELECT, 1 << 32 | 1),
        Op::ReadRegister(QM_COUNT),
        Op::Store(FLAG, 1),
        Op::Barrier { address: LAST_BARRIER, vcpus: 4 },
    ]);
    let mut scripts = vec![victim];
    scripts.extend((1..4).map(|vcpu| {
        vec![
            Op::WriteRegister(ASSOCIATION, 2 << 32 | 2),
            Op::Barrier { address: FIRST_BARRIER, vcpus: 4 },
            what(256 * MIB * vcpu),
            Op::Barrier { address: LAST_BARRIER, vcpus: 4 },
        ]
    }));
    scripts
}

fn streams(base: u64) -> Op {
    Op::ReadUntil { base, lines: 64 * KIB, flag: FLAG }
}

fn writes(base: u64) -> Op {
    Op::WriteUntil { base, lines: 64 * KIB, flag: FLAG }
}

fn nothing(_: u64) -> Op {
    Op::Store(NOWHERE, 0)
}

/// Cycles of one load in the victim's loop, and its occupancy in bytes.
fn victim(bench: &Bench, scripts: &[Vec<Op>]) -> (u64, u64) {
    let read = ended(bench.run("xeon4", scripts));
    (read[1] / 50_000, read[2] * 1024)
}

#[test]
fn masks_protect_the_shared_level() {
    let Some(bench) = Bench::set_up("masks") else { return };
    let masks = [Op::WriteRegister(MASK + 1, 0x7F0), Op::WriteRegister(MASK + 2, 0x00F)];
    let (alone, _) = victim(&bench, &beside(2 * MIB, &[], nothing));
    let (contended, held) = victim(&bench, &beside(2 * MIB, &[], streams));
    let (divided, held_divided) = victim(&bench, &beside(2 * MIB, &masks, streams));
    println!(
        "2 MiB chase: alone {alone}, beside three streams {contended}, with masks {divided} cycles a load"
    );
    assert!(contended > alone * 2, "alone {alone}, beside three streams {contended}");
    assert!(divided <= alone + 3, "alone {alone}, with masks {divided}");
    assert!(held_divided > held && held_divided > 2 * MIB * 9 / 10, "held {held}, with masks {held_divided}");
}

#[test]
fn a_throttle_protects_memory() {
    let Some(bench) = Bench::set_up("throttle") else { return };
    let throttle = [Op::WriteRegister(THROTTLE + 2, 90)];
    let (alone, _) = victim(&bench, &beside(128 * MIB, &[], nothing));
    let (contended, _) = victim(&bench, &beside(128 * MIB, &[], writes));
    let (throttled, _) = victim(&bench, &beside(128 * MIB, &throttle, writes));
    println!(
        "128 MiB chase: alone {alone}, beside three writers {contended}, throttled {throttled} cycles a load"
    );
    assert!(contended > alone * 3 / 2, "alone {alone}, beside three writers {contended}");
    assert!(throttled < alone * 5 / 4, "alone {alone}, throttled {throttled}");
}

#[test]
fn every_run_is_the_same_however_loaded_the_host_is() {
    let Some(bench) = Bench::set_up("same") else { return };
    let mut scripts = beside(2 * MIB, &counters_on(), writes);
    scripts[0].extend([
        Op::Time,
        Op::Sleep(12_345),
        Op::Time,
        Op::Load(TIMER_INTERRUPTS),
        Op::Load(OTHER_INTERRUPTS),
    ]);
    scripts[0].extend(read_counters());
    for script in &mut scripts[1..] {
        // Others print too, while vCPU 0 does: even that order is fixed.
        script.extend([Op::Time, Op::Sleep(777), Op::Time]);
    }
    let single =
        vec![[counters_on(), read_counters().to_vec(), vec![Op::Time, Op::Sleep(999), Op::Time]].concat()];
    for scripts in [single, scripts] {
        let first = bench.run("xeon4", &scripts);
        assert_eq!(first.code, Some(ENDED), "{}", first.errors);
        for run in 1..5 {
            let stop = AtomicBool::new(false);
            let again = thread::scope(|scope| {
                if run % 2 == 0 {
                    for _ in 0..3 {
                        scope.spawn(|| {
                            while !stop.load(Ordering::Relaxed) {
                                std::hint::spin_loop();
                            }
                        });
                    }
                }
                let again = bench.run("xeon4", &scripts);
                stop.store(true, Ordering::Relaxed);
                again
            });
            assert_eq!(
                String::from_utf8_lossy(&again.text),
                String::from_utf8_lossy(&first.text),
                "run {run}"
            );
        }
    }
}

#[test]
fn an_overflow_interrupts() {
    let Some(bench) = Bench::set_up("overflow") else { return };
    let mut script = vec![
        Op::Store(LOCAL_APIC_COUNTERS, 0x41),
        Op::WriteRegister(GENERAL_FULL, (1 << 48) - 100_000),
        Op::WriteRegister(GENERAL_SELECT, 0x53_00C0),
        Op::AllowInterrupts,
        Op::Spin(49_000),
        Op::Load(COUNTER_INTERRUPTS),
        Op::Spin(10_000),
        Op::Load(COUNTER_INTERRUPTS),
        Op::ReadRegister(GLOBAL_STATUS),
    ];
    // The entry masked itself: a second overflow stays silent.
    script.extend([
        Op::WriteRegister(GENERAL_FULL, (1 << 48) - 10),
        Op::Spin(10_000),
        Op::Load(COUNTER_INTERRUPTS),
    ]);
    assert_eq!(ended(bench.run("xeon4", &[script])), [0, 1, 1, 1]);
}

#[test]
fn what_the_manual_says_faults_ends_the_run_and_is_named() {
    let Some(bench) = Bench::set_up("fault") else { return };
    for (machine, op, words) in [
        ("xeon4", Op::WriteRegister(MASK, 0x505), ["WRMSR 0xc90 of 0x505", "not contiguous"]),
        ("xeon4", Op::WriteRegister(GLOBAL_STATUS, 1), ["WRMSR 0x38e of 0x1", "read only"]),
        ("nordt", Op::ReadRegister(QM_COUNT), ["RDMSR 0xc8e", "no such register"]),
        ("xeon4", Op::ReadCounter(5), ["RDPMC 0x5", "no such counter"]),
    ] {
        let outcome = bench.run(machine, &[vec![Op::Print(7), op, Op::Print(8)]]);
        assert_eq!(outcome.code, Some(75), "{}", outcome.errors);
        assert_eq!(outcome.numbers, [7]);
        for word in words.iter().chain(&["vCPU 0 at RIP 0xffff"]) {
            assert!(outcome.errors.contains(word), "{word:?} in {:?}", outcome.errors);
        }
        assert_eq!(outcome.errors.lines().count(), 1);
    }
}

#[test]
fn cpuid_is_the_machines() {
    let Some(bench) = Bench::set_up("cpuid") else { return };
    let read = ended(bench.run("xeon4", &[vec![Op::Cpuid(0x10, 1), Op::Cpuid(0, 0), Op::Cpuid(7, 0)]]));
    assert_eq!(read[..4], [10, 0, 0, 15]);
    assert_eq!(read[5..8], [0x756E_6547, 0x6C65_746E, 0x4965_6E69]);
    assert_eq!(read[9] & 0x9000, 0x9000);
    let read = ended(bench.run("epyc8", &[vec![Op::Cpuid(0x8000_0020, 1), Op::Cpuid(0, 0)]]));
    assert_eq!(read[..4], [11, 0, 0, 15]);
    assert_eq!(read[5], 0x6874_7541);
    assert_eq!(ended(bench.run("nordt", &[vec![Op::Cpuid(0x10, 0)]])), [0, 0, 0, 0]);
}

#[test]
fn a_run_is_told_in_rows_and_writes() {
    let Some(bench) = Bench::set_up("told") else { return };
    let script = vec![
        Op::WriteRegister(MASK + 1, 0xF),
        Op::WriteRegister(SECOND_MASK + 1, 0x3),
        Op::WriteRegister(THROTTLE + 2, 40),
        Op::Random { base: BASE, lines: 64 * KIB, count: 20_000 },
    ];
    let (outcome, told) = bench.run_traced("rdt4", &[script]);
    assert_eq!((outcome.code, outcome.errors.as_str()), (Some(ENDED), ""));
    for write in ["0,\"mask\",1,15]", "0,\"second level mask\",1,3]", "0,\"throttle percent\",2,40]"] {
        assert!(told.contains(write), "{write} in {told}");
    }
    // Time, utilisation, latency; instructions, cycles, references, misses.
    let rows: Vec<Vec<u64>> = told
        .lines()
        .filter_map(|line| line.strip_prefix('[')?.split(']').next())
        .filter_map(|row| row.split(',').map(|figure| figure.parse().ok()).collect())
        .collect();
    assert!(rows.len() > 50 && rows.iter().all(|row| row.len() == 7), "{} rows", rows.len());
    for figure in [0, 3, 4, 5, 6] {
        assert!(rows.is_sorted_by_key(|row| row[figure]), "figure {figure} falls");
    }
    let last = rows.last().expect("rows");
    assert!(last[3] > 20_000 * RANDOM_ROUND && last[6] > 15_000 && last[5] >= last[6], "{last:?}");
}

#[test]
fn threads_of_a_core_slow_each_other() {
    let Some(bench) = Bench::set_up("threads") else { return };
    let spin = [Op::Time, Op::Spin(500_000), Op::Time];
    let pair = |other: Op| {
        let mut first = vec![Op::StartOthers, Op::Barrier { address: FIRST_BARRIER, vcpus: 2 }];
        first.extend(spin);
        vec![first, vec![Op::Barrier { address: FIRST_BARRIER, vcpus: 2 }, other]]
    };
    let alone = ended(bench.run("xeon8smt", &pair(nothing(0))))[1];
    let both = ended(bench.run("xeon8smt", &pair(Op::Spin(5_000_000))))[1];
    // Each thread gets 5/8 of the core while both run.
    let ratio = both * 1000 / alone;
    assert!((1560..=1610).contains(&ratio), "alone {alone}, beside the sibling {both}");
}
