use super::*;
use crate::{
    bus::{Bus, Machine, StrictBus},
    cpuid::{Inventory, Reader, Vendor},
    fixtures::Dump,
    msr,
};
use proptest::prelude::*;
use std::{string::ToString, vec::Vec};

fn read(dump: &Dump) -> (Rdt, Vec<Refusal>) {
    let inventory = Inventory::read(dump);
    let mut problems = Vec::new();
    let rdt = Rdt::read(&Reader::new(dump), inventory.identity.vendor, inventory.features, &mut |problem| {
        problems.push(problem);
    });
    (rdt, problems)
}

fn xeon() -> Rdt {
    read(&Dump::read("cpuid_rustcpuid/xeon_gold_6252.cpu0.txt")).0
}

#[test]
fn a_server_says_what_it_can_share_out() {
    let rdt = xeon();
    let l3 = rdt.l3.unwrap();
    assert_eq!((l3.rules.length, l3.classes, l3.cdp, l3.shareable), (11, 16, true, 0x600));
    assert_eq!(rdt.mba, Some(Mba { linear: true, max_throttle: 90, classes: 8, per_thread: false }));
    let monitoring = rdt.monitoring.unwrap();
    assert_eq!((monitoring.max_rmid, monitoring.upscale, monitoring.counter_bits), (0xcf, 0x1a000, 24));
    assert!(monitoring.occupancy && monitoring.total && monitoring.local);
    assert_eq!((rdt.association_classes(), rdt.common_classes(false), rdt.common_classes(true)), (16, 8, 8));
}

#[test]
fn leaves_that_are_not_announced_are_not_asked() {
    // A maximum leaf of 10H, nothing announced, and the leaf DH data that such processors show.
    let processor = |leaf: u32, _: u32| match leaf {
        0 => [0x10, 0, 0, 0],
        1 | 7 => [0; 4],
        _ => [0xff, 0x240, 0x240, 0xffff_ffff],
    };
    let reader = Reader::new(&processor);
    let features = crate::cpuid::Features::read(&reader);
    let rdt = Rdt::read(&reader, Vendor::Intel, features, &mut |problem| panic!("{problem}"));
    assert_eq!(rdt, Rdt::default());
}

#[test]
fn amd_limits_are_absolute() {
    let mut dump = Dump::read("cpuid_rustcpuid/ryzen_matisse.cpu0.txt");
    dump.0.insert((0x8000_0000, 0), [0x8000_0023, 0, 0, 0]);
    dump.0.insert((0x8000_0020, 0), [0, 0x26, 0, 0]);
    dump.0.insert((0x8000_0020, 1), [0xb, 0, 0, 0xf]);
    dump.0.insert((0x8000_0020, 2), [0xc, 0, 0, 0xf]);
    dump.0.insert((0x8000_0020, 5), [0, 0x1f, 0, 0]);
    let (rdt, problems) = read(&dump);
    assert!(problems.is_empty());
    let limit = rdt.bandwidth.unwrap();
    assert_eq!((limit.classes, limit.value_for(2048), limit.unlimited()), (16, Ok(0x800), 0x800));
    assert!(limit.value_for(2049).is_err());
    assert_eq!(rdt.slow_bandwidth.unwrap().unlimited(), 0x1000);
}

#[test]
fn a_throttle_without_precision_is_reported_and_left_out() {
    let mut dump = Dump::read("cpuid_rustcpuid/xeon_gold_6252.cpu0.txt");
    dump.0.insert((0x10, 3), [0x63, 0, 4, 7]);
    let (rdt, problems) = read(&dump);
    assert_eq!((rdt.mba, problems.len()), (None, 1));
}

#[test]
fn refusals_say_why() {
    let rules = MaskRules { length: 11, non_contiguous: false, min_bits: 2 };
    let text = |mask| rules.check(mask).unwrap_err().to_string();
    assert_eq!(text(0), "empty mask; at least one bit must be set");
    assert_eq!(text(0x800), "mask 0x800 has bits beyond the cache's 11");
    assert_eq!(text(0x5), "mask 0x5 is non-contiguous, which this processor does not take");
    assert_eq!(text(0x4), "mask 0x4 has fewer than 2 bits");
    assert_eq!(rules.ways(2, 3), Some(0x1c));
    assert_eq!((rules.ways(9, 3), rules.ways(0, 1), rules.ways(250, 10)), (None, None, None));
}

#[test]
fn nobody_gets_less_than_was_asked_for() {
    let mba = xeon().mba.unwrap();
    for percent in 10..=100 {
        let throttle = mba.throttle_for(percent, Rounding::Down).unwrap();
        assert!(mba.percent_of(throttle).unwrap() >= percent && throttle.is_multiple_of(10));
    }
    assert_eq!(mba.throttle_for(44, Rounding::Down), Ok(50));
    assert_eq!(
        mba.throttle_for(101, Rounding::Down).unwrap_err().to_string(),
        "bandwidth 101 cannot be had; expected 10 to 100"
    );
    let steps = Mba { linear: false, max_throttle: 64, ..mba };
    assert_eq!((steps.round_throttle(63), steps.round_throttle(0)), (Ok(32), Ok(0)));
    assert!(steps.round_throttle(128).is_err() && steps.throttle_for(50, Rounding::Down).is_err());
}

#[test]
fn readings_tell_errors_from_counts() {
    assert_eq!(QmReading::from_bits(5, false), QmReading::Count(5));
    assert_eq!(QmReading::from_bits(1 << 63 | 5, false), QmReading::Error);
    assert_eq!(QmReading::from_bits(1 << 62, false), QmReading::Unavailable);
    assert_eq!(QmReading::from_bits(1 << 61 | 5, true), QmReading::Overflowed(5));
    assert_eq!(QmReading::from_bits(1 << 61 | 5, false), QmReading::Count(1 << 61 | 5));
    assert_eq!(bytes(5, 0x18000), 491_520);
    assert_eq!(chunks_between(0xff_fffe, 3, 24), 5);
    // 2²⁴ chunks of 104 KiB are 1.66 TiB: at 100 GB/s half of that lasts 8.9 s.
    assert_eq!(max_interval_ms(24, 0x1a000, 100_000_000_000), Some(8933));
    assert_eq!(max_interval_ms(24, 0x1a000, 0), None);
}

#[test]
fn a_switch_writes_once_and_only_on_change() {
    let rdt = xeon();
    let mut bus = StrictBus::new(Machine { rdt, ..Machine::default() });
    let mut associate = Associate::read(&mut bus).unwrap();
    let next = Association { class: 3, rmid: 7 };
    assert_eq!(associate.switch(&mut bus, &rdt, next), Ok(true));
    assert_eq!(associate.switch(&mut bus, &rdt, next), Ok(false));
    let beyond = Association { class: 16, rmid: 0 };
    assert_eq!(associate.switch(&mut bus, &rdt, beyond), Err(Refusal::Class { class: 16, count: 16 }));
    let rmid = Association { class: 0, rmid: 0xd0 };
    assert_eq!(associate.switch(&mut bus, &rdt, rmid), Err(Refusal::Rmid { rmid: 0xd0, max: 0xcf }));
    assert_eq!(bus.log(), [(msr::PQR_ASSOC, 3 << 32 | 7)]);
}

#[test]
fn telling_code_from_data_halves_the_classes_and_is_undone() {
    let rdt = xeon();
    let mut bus = StrictBus::new(Machine { rdt, ..Machine::default() });
    let mut session = Session::new(&rdt);
    session.set_mask(&mut bus, Resource::L3, Part::Both, 2, 0xf).unwrap();
    assert!(session.set_mask(&mut bus, Resource::L3, Part::Code, 2, 0xf).is_err());
    session.set_cdp(&mut bus, Resource::L3, true).unwrap();
    assert_eq!((bus.read(msr::L3_MASK + 2), session.classes(Resource::L3)), (Ok(0x7ff), 8));
    session.set_mask(&mut bus, Resource::L3, Part::Code, 7, 0x3).unwrap();
    session.set_mask(&mut bus, Resource::L3, Part::Both, 1, 0x1).unwrap();
    let masks: Vec<u64> =
        [15, 14, 2, 3].iter().map(|index| bus.read(msr::L3_MASK + index).unwrap()).collect();
    assert_eq!(masks, [0x3, 0x7ff, 0x1, 0x1]);
    let beyond = session.set_mask(&mut bus, Resource::L3, Part::Data, 8, 1);
    assert_eq!(beyond, Err(Refusal::Class { class: 8, count: 8 }));
    session.undo(&mut bus).unwrap();
    assert_eq!((bus.read(msr::L3_QOS_CFG), bus.read(msr::L3_MASK + 2)), (Ok(0), Ok(0x7ff)));
    assert!(session.is_unchanged() && session.classes(Resource::L3) == 16);
    assert_eq!(bus.faults(), 0);
}

/// A processor whose register ignores writes.
struct Deaf;

impl Bus for Deaf {
    fn read(&mut self, _: u32) -> Result<u64, crate::bus::Fault> {
        Ok(0x7ff)
    }
    fn write(&mut self, _: u32, _: u64) -> Result<(), crate::bus::Fault> {
        Ok(())
    }
}

#[test]
fn a_write_without_effect_is_noticed() {
    let rdt = xeon();
    let refused = Session::new(&rdt).set_mask(&mut Deaf, Resource::L3, Part::Both, 1, 0xf);
    assert_eq!(refused, Err(Refusal::ReadBack { register: 0xc91, written: 0xf, found: 0x7ff }));
}

#[derive(Clone, Debug)]
enum Step {
    Mask(Resource, Part, u32, u64),
    Percent(u32, u32),
    Limit(Resource, u32, u32),
    Cdp(bool),
    Undo,
}

fn any_step() -> impl Strategy<Value = Step> {
    let resource = prop_oneof![Just(Resource::L3), Just(Resource::L2), Just(Resource::AmdBandwidth)];
    let part = prop_oneof![Just(Part::Both), Just(Part::Data), Just(Part::Code)];
    let mask = prop_oneof![
        0..0x1000u64,
        any::<u64>(),
        (0..11u32, 1..11u32).prop_map(|(at, n)| ((1 << n) - 1) << at)
    ];
    prop_oneof![
        8 => (resource.clone(), part, 0..20u32, mask).prop_map(|(a, b, c, d)| Step::Mask(a, b, c, d)),
        2 => (0..10u32, 0..120u32).prop_map(|(class, percent)| Step::Percent(class, percent)),
        2 => (resource, 0..20u32, 0..4000u32).prop_map(|(a, b, c)| Step::Limit(a, b, c)),
        1 => any::<bool>().prop_map(Step::Cdp),
        1 => Just(Step::Undo),
    ]
}

proptest! {
    #[test]
    fn no_request_faults_writes_zero_or_leaves_anything_behind(steps in proptest::collection::vec(any_step(), 0..40)) {
        let rdt = crate::bus::tests::rdt();
        let mut bus = StrictBus::new(Machine { rdt, ..Machine::default() });
        let before: Vec<(u32, u64)> = bus.registers().collect();
        let mut session = Session::new(&rdt);
        for step in steps {
            let outcome = match step {
                Step::Mask(resource, part, class, mask) => session.set_mask(&mut bus, resource, part, class, mask),
                Step::Percent(class, percent) => {
                    session.set_bandwidth_percent(&mut bus, class, percent).map(drop)
                }
                Step::Limit(resource, class, limit) => {
                    session.set_bandwidth_limit(&mut bus, resource, class, limit)
                }
                Step::Cdp(on) => session.set_cdp(&mut bus, Resource::L3, on),
                Step::Undo => session.undo(&mut bus),
            };
            prop_assert!(!matches!(outcome, Err(Refusal::Fault(_) | Refusal::ReadBack { .. })), "{outcome:?}");
        }
        let masks = msr::L3_MASK..msr::L3_MASK + 16;
        prop_assert!(bus.log().iter().all(|(register, value)| !masks.contains(register) || *value != 0));
        session.undo(&mut bus).unwrap();
        prop_assert_eq!(bus.faults(), 0);
        for (register, value) in bus.registers() {
            let former = before.iter().find(|(known, _)| *known == register).map_or(0, |(_, value)| *value);
            prop_assert_eq!(value, former, "register {:#x}", register);
        }
    }

    #[test]
    fn a_mask_is_in_one_piece_exactly_if_its_ones_are_adjacent(mask in 1..1u64 << 20) {
        let rules = MaskRules { length: 20, non_contiguous: false, min_bits: 1 };
        let digits = std::format!("{mask:b}");
        let adjacent = !digits.trim_end_matches('0').contains('0');
        prop_assert_eq!(rules.check(mask).is_ok(), adjacent);
    }

    #[test]
    fn rounding_never_divides_by_zero(eax in any::<u32>(), ecx in any::<u32>(), asked in any::<u32>()) {
        if let Ok(mba) = Mba::decode(eax, ecx, 7) {
            let _ = mba.round_throttle(asked);
            for rounding in [Rounding::Down, Rounding::PqosNearest, Rounding::LinuxUp] {
                if let Ok(throttle) = mba.throttle_for(asked, rounding) {
                    prop_assert!(throttle <= mba.max_throttle, "{mba:?} {asked} {throttle}");
                }
            }
        }
    }
}

fn any_division() -> impl Strategy<Value = Rdt> {
    let cache = (1u8..=32, any::<bool>(), 1u8..=2, 1u32..=32).prop_map(
        |(length, non_contiguous, min_bits, classes)| Allocation {
            rules: MaskRules { length, non_contiguous, min_bits },
            classes,
            cdp: false,
            shareable: 0,
        },
    );
    let throttle = (any::<bool>(), 1u32..100, 1u32..=16).prop_map(|(linear, max_throttle, classes)| Mba {
        linear,
        max_throttle,
        classes,
        per_thread: false,
    });
    let limit = (1u8..=12, 1u32..=16).prop_map(|(bits, classes)| AbsoluteLimit { bits, classes });
    let any = (proptest::option::of(cache), proptest::option::of(throttle), proptest::option::of(limit));
    any.prop_map(|(l3, mba, bandwidth)| Rdt { l3, mba, bandwidth, ..Rdt::default() })
}

#[test]
fn a_class_is_confined_to_the_lowest_ways_and_to_a_throttle() {
    let rdt = xeon();
    let mut bus = StrictBus::new(Machine { rdt, ..Machine::default() });
    let mut confinement = Confinement::new(&rdt, 1);
    confinement.set_ways(&mut bus, Some(4)).unwrap();
    confinement.set_limit(&mut bus, Some(Limit::Throttle(65))).unwrap();
    assert_eq!(bus.log(), [(msr::L3_MASK + 1, 0xf), (msr::MBA_THROTTLE + 1, 60)]);
    let refused = confinement.set_ways(&mut bus, Some(12));
    assert_eq!(refused, Err(Refusal::MaskTooLong { mask: 0xfff, length: 11 }));
    assert_eq!((bus.read(msr::L3_MASK + 1), bus.read(msr::MBA_THROTTLE + 1)), (Ok(0x7ff), Ok(60)));
    confinement.set_limit(&mut bus, None).unwrap();
    assert_eq!(bus.read(msr::MBA_THROTTLE + 1), Ok(0));
    assert!(confinement.is_lifted());
    let absent = confinement.set_limit(&mut bus, Some(Limit::Eighths(8)));
    assert_eq!(absent, Err(Refusal::Absent("bandwidth limits")));
}

proptest! {
    #[test]
    fn confining_never_faults_and_leaves_nothing_behind(
        rdt in any_division(), class in 0u32..20, former in 1u8..=32,
        steps in prop::collection::vec((0u8..5, 0u32..5000), 0..16),
    ) {
        let mut bus = StrictBus::new(Machine { rdt, ..Machine::default() });
        // Somebody else had divided the cache before.
        if let Some(mask) = rdt.l3.and_then(|l3| l3.rules.ways(0, former)) {
            let _ = Session::new(&rdt).set_mask(&mut bus, Resource::L3, Part::Both, class, mask);
        }
        let registers = |bus: &StrictBus, of: fn(u32) -> bool| {
            // One that was never written is zero too.
            let mut all: Vec<_> =
                bus.registers().filter(|(register, value)| *value != 0 && of(*register)).collect();
            all.sort_unstable();
            all
        };
        let is_mask = |register: u32| (msr::L3_MASK..msr::L3_MASK + 128).contains(&register);
        let is_limit = |register: u32| !(msr::L3_MASK..msr::L3_MASK + 128).contains(&register);
        let before = (registers(&bus, is_mask), registers(&bus, is_limit));
        let mut confinement = Confinement::new(&rdt, class);
        for (step, amount) in steps {
            let ways = u8::try_from(amount % 40).unwrap_or(0);
            match step {
                0 => prop_assert!(
                    confinement.set_ways(&mut bus, Some(ways)).is_ok() || registers(&bus, is_mask) == before.0
                ),
                1 | 2 => {
                    let limit = if step == 1 { Limit::Throttle(amount) } else { Limit::Eighths(amount) };
                    let refused = confinement.set_limit(&mut bus, Some(limit)).is_err();
                    prop_assert!(!refused || registers(&bus, is_limit) == before.1);
                }
                3 => prop_assert_eq!(confinement.set_ways(&mut bus, None), Ok(())),
                _ => prop_assert_eq!(confinement.set_limit(&mut bus, None), Ok(())),
            }
        }
        prop_assert_eq!(confinement.set_ways(&mut bus, None), Ok(()));
        prop_assert_eq!(confinement.set_limit(&mut bus, None), Ok(()));
        prop_assert!(confinement.is_lifted());
        prop_assert_eq!((registers(&bus, is_mask), registers(&bus, is_limit)), before);
        prop_assert_eq!(bus.faults(), 0);
        prop_assert!(bus.log().iter().all(|(register, value)| !is_mask(*register) || *value != 0));
    }
}
