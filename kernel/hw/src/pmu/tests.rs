use super::*;
use crate::{
    bus::{Bus, Machine, StrictBus},
    cpuid::{Inventory, Reader, Vendor},
    fixtures::Dump,
    msr,
};
use proptest::prelude::*;
use std::{collections::HashSet, vec, vec::Vec};

fn pmu_of(dump: &str) -> Option<Pmu> {
    let dump = Dump::read(dump);
    let inventory = Inventory::read(&dump);
    let identity = inventory.identity;
    Pmu::read(&Reader::new(&dump), identity.vendor, identity.family, inventory.features)
}

fn xeon() -> Pmu {
    pmu_of("cpuid_rustcpuid/xeon_gold_6252.cpu0.txt").unwrap()
}

/// A processor with leaf 0AH and nothing else.
fn with_leaf(max: u32, registers: [u32; 4]) -> Option<Pmu> {
    let processor = move |leaf: u32, _: u32| match leaf {
        0 => [max, 0, 0, 0],
        0xa => registers,
        _ => [0; 4],
    };
    Pmu::read(&Reader::new(&processor), Vendor::Intel, 6, crate::cpuid::Features::default())
}

#[test]
fn architectural_counters_are_described() {
    let pmu = xeon();
    assert_eq!((pmu.version, pmu.general_count(), pmu.general_bits), (4, 4, 48));
    assert_eq!((pmu.fixed_count(), pmu.fixed_bits, pmu.architectural_events), (3, 48, 0x7f));
    assert!(pmu.any_thread && pmu.has_global_control());
    let server = with_leaf(0x20, [0x0830_0805, 0, 0xf, 0x8604]).unwrap();
    assert_eq!(
        (server.version, server.general_count(), server.fixed, server.architectural_events),
        (5, 8, 0xf, 0xff)
    );
    assert!(!server.any_thread);
    let old = with_leaf(0xa, [0x0728_0202, 0, 0, 0]).unwrap();
    assert_eq!((old.version, old.general_count(), old.general_bits, old.fixed), (2, 2, 40, 0));
}

#[test]
fn no_leaf_means_no_counters() {
    assert_eq!(with_leaf(5, [0x665b_5001, 0, 0, 0x007b_7040]), None);
    assert_eq!(pmu_of("cpuid_libcpuid/qemu-virtual-cpu-version.cpu0.txt"), None);
}

#[test]
fn version_6_describes_its_counters_in_leaf_23h() {
    let processor = |leaf: u32, subleaf: u32| match (leaf, subleaf) {
        (0, _) => [0x23, 0, 0, 0],
        (7, 0) => [1, 0, 0, 0],
        (7, 1) => [1 << 8, 0, 0, 0],
        (0xa, _) => [0x0830_0806, 0, 0x7f, 0x8604],
        (0x23, 0) => [0b1011, 3, 0, 0],
        (0x23, 1) => [0x3ff, 0x7f, 0, 0],
        (0x23, 3) => [0x1fff, 0, 0, 0],
        _ => [0; 4],
    };
    let none = crate::cpuid::Features::default();
    let pmu = Pmu::read(&Reader::new(&processor), Vendor::Intel, 6, none).unwrap();
    assert_eq!((pmu.general, pmu.fixed, pmu.architectural_events), (0x3ff, 0x7f, 0x1fff));
    assert!(pmu.has_unit_mask2 && pmu.has_equal);
    assert_eq!(Counter::General(9).register(&pmu), Some(0x1924));
    assert_eq!(Counter::General(9).select_register(&pmu), Some(0x1925));
    assert_eq!(Counter::General(10).register(&pmu), None);
}

#[test]
fn amd_counters_follow_from_the_extended_leaves() {
    let pmu = pmu_of("cpuid_rustcpuid/ryzen_matisse.cpu0.txt").unwrap();
    assert_eq!((pmu.design, pmu.general_count(), pmu.general_bits), (Design::AmdCore, 6, 48));
    assert_eq!(Counter::General(5).select_register(&pmu), Some(0xc001_020a));
    assert_eq!(Counter::General(5).register(&pmu), Some(0xc001_020b));
    assert_eq!(Counter::L3(0).select_register(&pmu), Some(0xc001_0230));
    assert_eq!(Counter::L3(5).rdpmc_index(&pmu), Some(15));
    assert!(!pmu.has_global_control());
}

#[test]
fn selects_have_the_manuals_bits() {
    let select = EventSelect { user: true, kernel: true, enable: true, ..EventSelect::new(0x2e, 0x41) };
    assert_eq!(select.bits(), 0x0043_412e);
    let rare =
        EventSelect { user: true, enable: true, invert: true, ..EventSelect::new(0x3c, 0).at_least(1) };
    assert_eq!(rare.bits(), 0x01c1_003c);
    let amd = EventSelect { user: true, kernel: true, enable: true, ..EventSelect::new(0x1c7, 0) };
    assert_eq!(amd.bits(), 0x1_0043_00c7);
    let zen2 =
        L3Select { event: 0x06, unit_mask: 0x01 }.bits(L3Counters { count: 6, by_core_and_slice: false });
    assert_eq!(zen2, 0xff0f_0000_0040_0106);
    let zen4 =
        L3Select { event: 0x04, unit_mask: 0xff }.bits(L3Counters { count: 6, by_core_and_slice: true });
    assert_eq!(zen4, 0x0300_c000_0040_ff04);
}

#[test]
fn differences_survive_a_wrap() {
    assert_eq!(delta(5, 10, 48), 5);
    assert_eq!(delta(0xffff_ffff_fffe, 3, 48), 5);
    assert_eq!(delta(u64::MAX, 0, 64), 1);
    assert_eq!(preload(1000, 48, true), Some(0x1_0000_0000_0000 - 1000));
    assert_eq!(preload(0, 48, true), None);
    assert_eq!(preload(1 << 32, 48, false), None);
    assert_eq!(preload(1 << 31, 40, false), Some((1 << 40) - (1 << 31)));
}

#[test]
fn shared_counters_are_scaled_as_perf_does() {
    assert_eq!(scale(100, 10, 10), Some(Scaled { value: 100, running_permille: 1000 }));
    assert_eq!(scale(100, 10, 4), Some(Scaled { value: 250, running_permille: 400 }));
    assert_eq!(scale(100, 10, 0), None);
    assert_eq!(scale(u64::MAX, u64::MAX, 1).unwrap().value, u64::MAX);
    assert!(!scale(7, 1_000_000, 999_999).unwrap().is_exact());
}

#[test]
fn names_are_perfs() {
    let pmu = xeon();
    let parse = |text| parse_event(text, &pmu, Vendor::Intel, Model::SkylakeServer);
    let cycles = parse("cycles").unwrap();
    assert_eq!((cycles.event.fixed, cycles.user, cycles.kernel), (Some(1), true, true));
    assert_eq!(
        parse("cpu-cycles:u").map(|request| (request.event, request.user, request.kernel)).unwrap(),
        (cycles.event, true, false)
    );
    assert_eq!(parse("LLC-load-misses").unwrap().event.select, EventSelect::new(0x2e, 0x41));
    assert_eq!(parse("r412e").unwrap().event.select, EventSelect::new(0x2e, 0x41));
    let stalls = parse("CYCLE_ACTIVITY.STALLS_L3_MISS").unwrap().event;
    assert_eq!((stalls.select, stalls.counters), (EventSelect::new(0xa3, 6).at_least(6), 0xf));
    let described = parse("cpu/event=0xc0,umask=0x1,cmask=1,inv,edge/k").unwrap();
    assert!(
        described.event.select.invert && described.event.select.edge && described.kernel && !described.user
    );
    assert_eq!(
        parse("slots").map(|request| request.event),
        Err(EventError::Unknown),
        "version 4 has no slots"
    );
    assert_eq!(parse("cycles:z").map(|request| request.event), Err(EventError::Modifier));
    assert_eq!(parse("cpu/frob=1/").map(|request| request.event), Err(EventError::Field));
    assert_eq!(parse("r123456789").map(|request| request.event), Err(EventError::Raw));
}

#[test]
fn lists_keep_the_fields_of_one_event_together() {
    let pmu = xeon();
    let list =
        parse_list("cycles,cpu/event=0xc0,umask=0x1/,cache-misses:k", &pmu, Vendor::Intel, Model::Other)
            .unwrap();
    let names: Vec<&str> = list.iter().map(|request| request.name).collect();
    assert_eq!(names, ["cycles", "cpu/event=0xc0,umask=0x1/", "cache-misses"]);
    let unknown = parse_list("cycles,bogus", &pmu, Vendor::Intel, Model::Other);
    assert_eq!(unknown, Err(("bogus", EventError::Unknown)));
}

#[test]
fn every_model_has_events_that_tell_about_interference() {
    for model in [Model::SkylakeServer, Model::IceLakeServer, Model::SapphireRapids, Model::GraniteRapids] {
        for role in
            [Role::L2MissStalls, Role::L3MissStalls, Role::L2LinesIn, Role::LlcHitLoads, Role::StoreStalls]
        {
            assert!(for_role(model, role).is_some(), "{model:?} {role:?}");
        }
    }
    for model in [Model::Zen2, Model::Zen3, Model::Zen4, Model::Zen5] {
        for role in [Role::L2Misses, Role::LlcHitLoads, Role::LlcMissLoads, Role::StoreStalls, Role::L3Misses]
        {
            assert!(for_role(model, role).is_some(), "{model:?} {role:?}");
        }
    }
    assert_eq!(for_role(Model::Other, Role::L3Misses), None);
}

fn event(name: &str, pmu: &Pmu) -> Event {
    parse_event(name, pmu, Vendor::Intel, Model::SkylakeServer).unwrap().event
}

#[test]
fn constrained_events_get_the_counters_they_need() {
    let mut pmu = xeon();
    pmu.general = 0xff;
    let names = [
        "branches",
        "branch-misses",
        "cache-misses",
        "cache-references",
        "cycle_activity.stalls_l2_miss",
        "cycle_activity.stalls_l3_miss",
        "l2_lines_in.all",
        "mem_load_retired.l3_miss",
        "cycles",
    ];
    let events: Vec<Event> = names.iter().map(|name| event(name, &pmu)).collect();
    let groups = assign(&events, &pmu);
    assert_eq!(groups.len(), 1, "eight general counters hold eight events if the first four are kept free");
    for (index, counter) in &groups[0] {
        match counter {
            Counter::General(number) => assert!(events[*index].counters >> number & 1 == 1),
            Counter::Fixed(number) => assert_eq!(events[*index].fixed, Some(*number)),
            Counter::L3(_) => panic!("no such counters here"),
        }
    }
    pmu.general = 0xf;
    assert_eq!(assign(&events, &pmu).len(), 2);
}

#[test]
fn what_nothing_counts_is_in_no_group() {
    let pmu = xeon();
    let groups = assign(&[Event::l3("l3", 4, 1), event("cycles", &pmu)], &pmu);
    assert_eq!(groups.iter().map(|group| group.as_slice()).collect::<Vec<_>>(), [[(1, Counter::Fixed(1))]]);
}

fn strict(pmu: Pmu) -> StrictBus {
    StrictBus::new(Machine { pmu: Some(pmu), ..Machine::default() })
}

#[test]
fn programs_stop_everything_first_and_start_it_last() {
    let pmu = xeon();
    let events = [event("cycles", &pmu), event("cache-misses", &pmu)];
    let groups = assign(&events, &pmu);
    let program = Program::new(&pmu, &events, &groups[0], true, true);
    let writes: Vec<(u32, u64)> = program.start().map(|write| (write.register, write.value)).collect();
    assert_eq!(
        writes,
        [
            (msr::PERF_GLOBAL_CTRL, 0),
            (msr::PERFEVTSEL, 0x43_412e),
            (msr::FIXED_CTR + 1, 0),
            (msr::PMC, 0),
            (msr::FIXED_CTR_CTRL, 0x30),
            (msr::PERF_GLOBAL_CTRL, 0x2_0000_0001),
        ]
    );
}

fn any_pmu() -> impl Strategy<Value = Pmu> {
    let intel = (1..=6u8, 1..=10u32, 0..=6u32).prop_map(|(version, general, fixed)| {
        let processor = move |leaf: u32, _: u32| match leaf {
            0 => [0x23, 0, 0, 0],
            0xa => [0x0830_0000 | general << 8 | u32::from(version), 0, 0, 0x600 | fixed],
            _ => [0; 4],
        };
        Pmu::read(&Reader::new(&processor), Vendor::Intel, 6, crate::cpuid::Features::default()).unwrap()
    });
    prop_oneof![intel, Just(pmu_of("cpuid_rustcpuid/ryzen_matisse.cpu0.txt").unwrap())]
}

proptest! {
    #[test]
    fn no_program_faults_on_a_strict_processor(
        pmu in any_pmu(), chosen in proptest::collection::vec(0..20usize, 0..20), user in any::<bool>(),
    ) {
        let vendor = if pmu.design == Design::Architectural { Vendor::Intel } else { Vendor::Amd };
        let model = if vendor == Vendor::Intel { Model::SapphireRapids } else { Model::Zen2 };
        let known: Vec<Event> = generic(&pmu, vendor).chain(events_of(model).map(|(_, event)| event)).collect();
        let events: Vec<Event> = chosen.iter().filter_map(|index| known.get(*index).copied()).collect();
        let mut seen = HashSet::new();
        for group in &assign(&events, &pmu) {
            let counters: HashSet<Counter> = group.iter().map(|(_, counter)| *counter).collect();
            prop_assert_eq!(counters.len(), group.len());
            let mut bus = strict(pmu);
            let program = Program::new(&pmu, &events, group, user, true);
            for write in program.start().chain(program.stop()) {
                prop_assert_eq!(bus.write(write.register, write.value), Ok(()));
            }
            for (index, counter) in group {
                prop_assert!(seen.insert(*index), "counted twice");
                prop_assert!(bus.read(counter.register(&pmu).unwrap()).is_ok());
                let ecx = counter.rdpmc_index(&pmu).unwrap();
                prop_assert_eq!(Counter::from_rdpmc_index(ecx, &pmu), Some(*counter));
            }
        }
    }

    #[test]
    fn any_name_is_survived(text in "(cpu/)?[a-z0-9_.=,x:/-]{0,30}", other in any::<std::string::String>()) {
        for text in [text, other] {
            let _ = parse_list(&text, &xeon(), Vendor::Intel, Model::SkylakeServer);
        }
    }

    #[test]
    fn a_difference_is_what_was_added(start in any::<u64>(), added in 0..1u64 << 40, bits in 40..=64u8) {
        let mask = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
        prop_assert_eq!(delta(start & mask, start.wrapping_add(added) & mask, bits), added & mask);
        prop_assert!(scale(added, start, added).is_none_or(|scaled| scaled.running_permille <= 1000));
    }

    #[test]
    fn a_preloaded_counter_overflows_after_its_period(period in 1..1u64 << 31, bits in 33..=64u8) {
        let start = preload(period, bits, false).unwrap();
        prop_assert_eq!(delta(start, 0, bits), period);
        let extended = u64::from(u32::try_from(start & 0xffff_ffff).unwrap());
        prop_assert!(extended >> 31 == 1, "the part that can be written carries the sign");
    }
}

#[test]
fn models_are_those_of_perfs_map() {
    let model_of = |dump: &str| {
        let inventory = Inventory::read(&Dump::read(dump));
        Model::of(&inventory.identity, inventory.core_kind)
    };
    for (dump, model) in [
        ("cpuid_rustcpuid/xeon_gold_6252.cpu0.txt", Model::SkylakeServer),
        ("cpuid_rustcpuid/ryzen_matisse.cpu0.txt", Model::Zen2),
        ("cpuid_libcpuid/amd-ryzen-7-5800x3d-8-core-processor.cpu0.txt", Model::Zen3),
        ("cpuid_libcpuid/amd-ryzen-7-7735hs-with-radeon-graphics.cpu0.txt", Model::Zen3),
        ("cpuid_rustcpuid/i7_12700k.cpu0.txt", Model::GoldenCove),
    ] {
        assert_eq!(model_of(dump), model, "{dump}");
    }
    assert_eq!(vec![Model::Other], [model_of("cpuid_libcpuid/intel-atom-cpu-230.cpu0.txt")]);
}
