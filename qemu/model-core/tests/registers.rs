//! The register model against tables computed from the manuals.

use umbra_model::description::Counters;
use umbra_model::hierarchy::Throttle;
use umbra_model::registers::{Effect, Monitored, Outcome, Raw};
use umbra_model::{Description, Registers};

const MSR_RULES: &str = include_str!("../../../tests/fixtures/rdt_pmu/msr_gp_rules.tsv");
const MASKS: &str = include_str!("../../../tests/fixtures/rdt_pmu/cat_mask_validity.tsv");
const EVENTS: &str = include_str!("../../../tests/fixtures/rdt_pmu/perfevtsel_arch_events.tsv");
const THROTTLES: &str = include_str!("../../../tests/fixtures/rdt_pmu/mba_rounding.tsv");
const AMD_LIMITS: &str = include_str!("../../../tests/fixtures/rdt_pmu/amd_mba.tsv");
const COUNTER_INDICES: &str = include_str!("../../../tests/fixtures/rdt_pmu/rdpmc_index.tsv");

fn machine(name: &str) -> Description {
    Description::named(name).expect("built in")
}

/// The rows of a table below its comments and heading.
fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().filter(|line| !line.starts_with('#')).skip(1).map(|line| line.split('\t').collect())
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or_else(|_| panic!("{text} is not hexadecimal"))
}

struct Nothing;

impl Monitored for Nothing {
    fn occupancy_bytes(&self, _: u8) -> u64 {
        0
    }
    fn memory_bytes(&self, _: u8) -> u64 {
        0
    }
}

/// 192 identities, as the row that names the largest, bf, asks for.
fn with(version: &str, general: &str, fixed: &str) -> Registers {
    let mut machine = machine("xeon4");
    let or = |text: &str, usual| text.parse().unwrap_or(usual);
    machine.counters =
        Counters { version: or(version, 4), general: or(general, 4), fixed: or(fixed, 3), width: 48 };
    if let Some(allocation) = &mut machine.allocation {
        allocation.resource_ids = 192;
    }
    Registers::new(&machine)
}

#[test]
fn writes_fault_where_the_manuals_say_so() {
    let mut checked = 0;
    for row in rows(MSR_RULES) {
        let [register, value, version, general, fixed, expected] = row[..] else {
            panic!("six columns: {row:?}")
        };
        let mut registers = with(version, general, fixed);
        let register = u32::try_from(hex(register.split(' ').next().unwrap_or(""))).expect("register");
        let outcome = registers.write(0, register, hex(value), &Raw::default());
        if expected.starts_with("accept") {
            assert!(matches!(outcome, Outcome::Done(_)), "{row:?}: {outcome:?}");
            if let Some(read) = expected.split("reads ").nth(1) {
                let outcome = registers.read(0, register, &Raw::default(), &Nothing);
                assert_eq!(outcome, Outcome::Done(hex(read)), "{row:?}");
            }
        } else {
            assert!(matches!(outcome, Outcome::Fault(_)), "{row:?}: {outcome:?}");
        }
        checked += 1;
    }
    assert!(checked >= 20, "{checked} rows");
}

#[test]
fn capacity_masks_are_valid_as_in_the_table() {
    for row in rows(MASKS) {
        let [length, mask, scattered, least, expected] = [row[0], row[1], row[2], row[3], row[4]];
        let length: usize = length.parse().expect("length");
        // Scattered masks exist on AMD here; two bits at least, and more than 20, nowhere.
        if least != "1" || length > 20 {
            continue;
        }
        let mut machine = machine(if scattered == "1" { "epyc8" } else { "xeon4" });
        machine.shared_level.ways = length;
        let outcome = Registers::new(&machine).write(0, 0xC91, hex(mask), &Raw::default());
        match (expected, outcome) {
            ("accept", Outcome::Done(Effect::Mask { class: 1, mask: set })) => {
                assert_eq!(u64::from(set), hex(mask));
            }
            ("reject", Outcome::Fault(_)) => {}
            other => panic!("{row:?}: {other:?}"),
        }
    }
}

#[test]
fn masks_of_the_second_level_and_their_switch_exist_where_cpuid_says_so() {
    let registers = Registers::new(&machine("rdt4"));
    let ask = |subleaf| registers.cpuid(0, 0x10, subleaf, [0; 4]).expect("modelled leaf");
    assert_eq!(ask(0), [0, 0b1110, 0, 0]);
    assert_eq!((ask(1), ask(2), ask(3)), ([10, 0, 4, 15], [7, 0, 4, 7], [0x59, 0, 5, 7]));
    let mut registers = registers;
    let raw = Raw::default();
    let mut write = |register, value| registers.write(0, register, value, &raw);
    assert_eq!(write(0xD13, 0x3C), Outcome::Done(Effect::SecondMask { class: 3, mask: 0x3C }));
    for (register, value) in [(0xD13, 0), (0xD13, 0x100), (0xD13, 5), (0xD18, 1), (0xC82, 2), (0xC83, 0)] {
        assert!(matches!(write(register, value), Outcome::Fault(_)), "{register:x} {value:x}");
    }
    let apart = |second| Outcome::Done(Effect::CodeAndData { second, apart: true });
    assert_eq!((write(0xC81, 1), write(0xC82, 1)), (apart(false), apart(true)));
    for (register, expected) in [(0xD13, 0x3C), (0xD10, 0xFF), (0xC81, 1), (0xC82, 1)] {
        assert_eq!(registers.read(0, register, &raw, &Nothing), Outcome::Done(expected), "{register:x}");
    }
    // The others have none of it.
    for register in [0xD10, 0xC81, 0xC82] {
        let outcome = Registers::new(&machine("xeon4")).write(0, register, 1, &raw);
        assert!(matches!(outcome, Outcome::Fault(_)), "{register:x}");
    }
}

#[test]
fn throttle_values_are_rounded_down_to_a_step() {
    for row in rows(THROTTLES).filter(|row| row[0].starts_with("sdm") && row[1] == "1") {
        let value: u64 = row[3].parse().expect("value");
        let outcome = with("4", "4", "3").write(0, 0xD50, value, &Raw::default());
        if value > 90 {
            // The table clamps what software may ask for; the register faults.
            assert!(matches!(outcome, Outcome::Fault(_)), "{row:?}");
            continue;
        }
        let percent = row[4].parse().expect("throttle");
        let throttle = Throttle::Percent(percent);
        assert_eq!(outcome, Outcome::Done(Effect::Throttle { class: 0, throttle }), "{row:?}");
    }
}

#[test]
fn amd_limits_are_accepted_up_to_none() {
    for row in rows(AMD_LIMITS) {
        let value: u64 = row[2].parse().expect("value");
        let outcome = Registers::new(&machine("epyc8")).write(0, 0xC000_0203, value, &Raw::default());
        assert_eq!(row[3].starts_with("accept"), matches!(outcome, Outcome::Done(_)), "{row:?}");
    }
}

#[test]
fn counters_are_read_by_index_as_in_the_table() {
    for row in rows(COUNTER_INDICES) {
        let index = u32::try_from(hex(row[0])).expect("index");
        let outcome = with("4", row[1], row[2]).read_counter(0, index, &Raw::default());
        assert_eq!(row[3].starts_with("ok"), matches!(outcome, Outcome::Done(0)), "{row:?}: {outcome:?}");
    }
}

/// What the manual's event numbers count here.
#[test]
fn events_count_what_they_name_and_unknown_ones_nothing() {
    let raw = Raw { cycles: 1_000, instructions: 700, shared_references: 50, shared_misses: 20 };
    for row in rows(EVENTS) {
        let expected = match row[0] {
            "0" | "2" => 1_000,
            "4" => 20,
            _ => 0,
        };
        for control in &row[4..7] {
            let mut registers = with("4", "4", "3");
            registers.write(0, 0x186, hex(control), &Raw::default());
            assert_eq!(registers.read_counter(0, 0, &raw), Outcome::Done(expected), "{row:?}");
        }
    }
    for (control, expected) in [(0x43_00C0, 700), (0x43_4F2E, 50), (0x03_003C, 0), (0x40_003C, 0)] {
        let mut registers = with("4", "4", "3");
        registers.write(0, 0x186, control, &Raw::default());
        assert_eq!(registers.read_counter(0, 0, &raw), Outcome::Done(expected), "{control:x}");
    }
}

#[test]
fn a_counter_counts_only_while_it_is_enabled() {
    let mut registers = with("4", "4", "3");
    let at = |cycles| Raw { cycles, ..Raw::default() };
    registers.write(0, 0x38D, 0x30, &at(100));
    assert_eq!(registers.read_counter(0, 1 << 30 | 1, &at(200)), Outcome::Done(0));
    registers.write(0, 0x38F, 1 << 33, &at(300));
    registers.write(0, 0x38F, 0, &at(450));
    assert_eq!(registers.read_counter(0, 1 << 30 | 1, &at(900)), Outcome::Done(150));
    assert_eq!(registers.read(1, 0x30A, &at(900), &Nothing), Outcome::Done(0), "another thread's");
}

#[test]
fn an_overflow_sets_its_status_and_asks_for_its_interrupt_once() {
    let mut registers = with("4", "4", "3");
    let at = |instructions| Raw { instructions, ..Raw::default() };
    registers.write(0, 0x4C2, (1 << 48) - 500, &at(0));
    registers.write(0, 0x187, 0x53_00C0, &at(0));
    assert_eq!(registers.cycles_to_interrupt(0), Some(500));
    assert!(!registers.settle(0, &at(499)));
    assert_eq!(registers.cycles_to_interrupt(0), Some(1));
    assert!(registers.settle(0, &at(510)));
    assert!(!registers.settle(0, &at(511)));
    assert_eq!(registers.read(0, 0x38E, &at(511), &Nothing), Outcome::Done(2));
    assert_eq!(registers.read(0, 0xC2, &at(511), &Nothing), Outcome::Done(11));
    registers.write(0, 0x390, 2, &at(511));
    assert_eq!(registers.read(0, 0x38E, &at(511), &Nothing), Outcome::Done(0));
}

#[test]
fn monitoring_counts_are_scaled_cut_to_their_width_and_refused() {
    struct Busy;
    impl Monitored for Busy {
        fn occupancy_bytes(&self, resource_id: u8) -> u64 {
            u64::from(resource_id) * 1024
        }
        fn memory_bytes(&self, _: u8) -> u64 {
            ((1 << 24) + 5) * 1024
        }
    }
    let mut registers = with("4", "4", "3");
    for (selection, expected) in [(7 << 32 | 1, 7), (7 << 32 | 2, 5), (7 << 32 | 3, 5), (4, 1 << 63)] {
        let outcome = registers.write(0, 0xC8D, selection, &Raw::default());
        assert_eq!(outcome, Outcome::Done(Effect::None), "{selection:x}");
        let count = registers.read(0, 0xC8E, &Raw::default(), &Busy);
        assert_eq!(count, Outcome::Done(expected), "{selection:x}");
    }
    for wrong in [192 << 32 | 1, 1 << 42 | 1, 0x101] {
        assert!(matches!(registers.write(0, 0xC8D, wrong, &Raw::default()), Outcome::Fault(_)), "{wrong:x}");
    }
}

#[test]
fn association_names_class_and_identity() {
    let mut registers = with("4", "4", "3");
    let outcome = registers.write(2, 0xC8F, 5 << 32 | 17, &Raw::default());
    assert_eq!(outcome, Outcome::Done(Effect::Associate { class: 5, resource_id: 17 }));
    assert_eq!(registers.read(2, 0xC8F, &Raw::default(), &Nothing), Outcome::Done(5 << 32 | 17));
    assert_eq!(registers.read(1, 0xC8F, &Raw::default(), &Nothing), Outcome::Done(0));
}

#[test]
fn a_machine_without_division_faults_on_all_of_it() {
    let mut registers = Registers::new(&machine("nordt"));
    for register in [0xC8D, 0xC8E, 0xC8F, 0xC90, 0xD50] {
        assert!(matches!(registers.write(0, register, 0, &Raw::default()), Outcome::Fault(_)));
        assert!(matches!(registers.read(0, register, &Raw::default(), &Nothing), Outcome::Fault(_)));
    }
    assert_eq!(registers.write(0, 0xC000_0080, 0, &Raw::default()), Outcome::NotModelled);
    let leaf_7 = registers.cpuid(0, 7, 0, [0, u32::MAX, 0, 0]).expect("leaf 7");
    assert_eq!(leaf_7[1] & (1 << 12 | 1 << 15), 0);
}

/// Fields cut out by hand, as the manual numbers them.
#[test]
fn cpuid_describes_the_machine() {
    let registers = Registers::new(&machine("xeon4"));
    let ask = |leaf, subleaf| registers.cpuid(0, leaf, subleaf, [0; 4]).expect("modelled leaf");
    let field = |word: u32, low: u32, high: u32| word >> low & (u32::MAX >> (31 - (high - low)));
    let sizes: Vec<u64> = (0..4)
        .map(|subleaf| {
            let [_, ebx, ecx, _] = ask(4, subleaf);
            let size = [field(ebx, 22, 31), field(ebx, 12, 21), field(ebx, 0, 11), ecx];
            size.iter().map(|one| u64::from(*one) + 1).product()
        })
        .collect();
    assert_eq!(sizes, [32 << 10, 32 << 10, 256 << 10, 11 << 19]);
    assert_eq!(field(ask(4, 3)[0], 14, 25), 3, "all four cores share the last level");
    assert_eq!(ask(4, 4)[0] & 31, 0);
    let counters = ask(0xA, 0);
    assert_eq!([field(counters[0], 0, 7), field(counters[0], 8, 15), field(counters[0], 16, 23)], [4, 4, 48]);
    assert_eq!([field(counters[3], 0, 4), field(counters[3], 5, 12)], [3, 48]);
    assert_eq!(ask(0xF, 0), [0, 63, 0, 2]);
    assert_eq!(ask(0xF, 1), [0, 1024, 63, 7]);
    assert_eq!(ask(0x10, 0), [0, 0b1010, 0, 0]);
    assert_eq!(ask(0x10, 1), [10, 0, 0, 15]);
    assert_eq!(ask(0x10, 3), [0x59, 0, 4, 7]);
    let [denominator, numerator, crystal, _] = ask(0x15, 0);
    assert_eq!(u64::from(crystal) * u64::from(numerator) / u64::from(denominator), 2_000_000_000);
    let name: Vec<u8> =
        (0x8000_0002..=0x8000_0004).flat_map(|leaf| ask(leaf, 0)).flat_map(u32::to_le_bytes).collect();
    assert_eq!(String::from_utf8_lossy(&name).trim_end_matches('\0'), "Umbra machine model xeon4");
    assert_eq!(name.len(), 48);
    assert_eq!(registers.cpuid(0, 0x8000_0008, 0, [1; 4]), None);
}

#[test]
fn cpuid_of_the_amd_machine_has_its_own_leaves() {
    let registers = Registers::new(&machine("epyc8"));
    let ask = |leaf, subleaf| registers.cpuid(3, leaf, subleaf, [0; 4]).expect("modelled leaf");
    assert_eq!(ask(0xA, 0), [0; 4]);
    assert_eq!(ask(0x10, 0), [0, 2, 0, 0]);
    assert_eq!(ask(0x8000_0020, 0)[1] & 2, 2);
    assert_eq!(ask(0x8000_0020, 1), [11, 0, 0, 15]);
    assert_eq!(ask(0x8000_001D, 3)[1] >> 22, 15);
    assert_eq!(ask(0x8000_001E, 0)[0], 3);
    let mut registers = Registers::new(&machine("epyc8"));
    registers.write(0, 0xC001_0200, 0x43_0076, &Raw::default());
    let raw = Raw { cycles: 9, shared_misses: 4, ..Raw::default() };
    assert_eq!(registers.read_counter(0, 0, &raw), Outcome::Done(9));
    assert!(matches!(registers.write(0, 0xC001_0200, 1 << 21, &raw), Outcome::Fault(_)));
    assert!(matches!(registers.write(0, 0x38F, 0, &raw), Outcome::Fault(_)));
}
