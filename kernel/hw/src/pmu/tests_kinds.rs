//! Processors that differ: AMD's counters by generation, hybrid cores, and which
//! event stands for misses of the last level.
use super::*;
use crate::cpuid::{CoreKind, Feature, Features, Identity, Inventory, Reader, Vendor};
use crate::fixtures::Dump;
use proptest::prelude::*;
use std::vec::Vec;

/// An AMD processor of a family with the counters that leaf 80000001H, ECX and
/// leaf 80000022H announce.
fn amd(family: u16, extended_features: u32, counters: Option<[u32; 4]>) -> Pmu {
    let processor = move |leaf: u32, _: u32| match leaf {
        0x8000_0000 => [0x8000_0022, 0, 0, 0],
        // Bit 29 of EDX: 64-bit mode.
        0x8000_0001 => [0, 0, extended_features, 1 << 29],
        0x8000_0022 => counters.unwrap_or_default(),
        _ => [0; 4],
    };
    let reader = Reader::new(&processor);
    Pmu::read(&reader, Vendor::Amd, family, Features::read(&reader)).unwrap()
}

const CORE: u32 = 1 << 23;
const L3: u32 = 1 << 28;

fn registers(pmu: &Pmu, counter: Counter) -> (Option<u32>, Option<u32>, Option<u32>) {
    (counter.select_register(pmu), counter.register(pmu), counter.rdpmc_index(pmu))
}

#[test]
fn zen_has_six_counters_and_six_more_for_each_level_3_cache() {
    let zen2 = amd(0x17, CORE | L3, None);
    assert_eq!((zen2.design, zen2.version, zen2.general), (Design::AmdCore, 1, 0x3f));
    assert_eq!(registers(&zen2, Counter::General(5)), (Some(0xc001_020a), Some(0xc001_020b), Some(5)));
    // ChL3PmcCfg and ChL3Pmc (PPR, MSRC001_023[0..A] and [1..B]).
    assert_eq!(registers(&zen2, Counter::L3(0)), (Some(0xc001_0230), Some(0xc001_0231), Some(10)));
    assert_eq!(registers(&zen2, Counter::L3(5)), (Some(0xc001_023a), Some(0xc001_023b), Some(15)));
    assert!(!Counter::L3(6).exists(&zen2) && !Counter::General(6).exists(&zen2));
    // Zen 4 and 5 count them in 80000022H and start them by one register.
    let zen4 = amd(0x19, CORE | L3, Some([1, 6, 0, 0]));
    assert_eq!((zen4.version, zen4.general, zen4.has_global_control()), (2, 0x3f, true));
    assert_eq!(amd(0x17, CORE, None).l3, None);
    assert_eq!(amd(0x0f, 0, None).design, Design::AmdLegacy);
}

#[test]
fn level_3_selects_name_everyone_in_their_generation_s_way() {
    let miss = |model| {
        let event = for_role(model, Role::L3Misses).unwrap();
        L3Select { event: u8::try_from(event.select.event).unwrap(), unit_mask: event.select.unit_mask }
    };
    let (zen2, zen3) = (amd(0x17, CORE | L3, None).l3.unwrap(), amd(0x19, CORE | L3, None).l3.unwrap());
    // Family 17H: all four slices (48 to 51) and all eight threads (56 to 63).
    assert_eq!(miss(Model::Zen2).bits(zen2), 0xff0f_0000_0040_0106);
    // From family 19H: both threads (56, 57), all slices (46), all cores (47).
    for model in [Model::Zen3, Model::Zen4, Model::Zen5] {
        assert_eq!(miss(model).bits(zen3), 0x0300_c000_0040_0104, "{model:?}");
    }
}

#[test]
fn cores_of_every_zen_count_what_tells_of_interference() {
    for model in [Model::Zen2, Model::Zen3, Model::Zen4, Model::Zen5] {
        let pmu = amd(0x19, CORE | L3, None);
        let events: Vec<Event> = events_of(model).map(|(_, event)| event).collect();
        let placed: usize = assign(&events, &pmu).iter().map(|group| group.len()).sum();
        assert_eq!(placed, events.len(), "{model:?}: every event finds a counter");
        for role in [Role::LlcHitLoads, Role::LlcMissLoads, Role::StoreStalls, Role::L3Lookups] {
            assert!(for_role(model, role).is_some(), "{model:?} {role:?}");
        }
    }
    let encoded = |model, role| for_role(model, role).map(|event| event.select.bits());
    assert_eq!(encoded(Model::Zen4, Role::LoadStalls), Some(0xa2d6));
    assert_eq!(encoded(Model::Zen3, Role::LlcMissLoads), Some(0x4843));
}

#[test]
fn misses_of_level_2_do_not_pass_for_misses_of_the_last_level() {
    let zen = amd(0x19, CORE | L3, None);
    let loads = for_role(Model::Zen3, Role::LlcMissLoads).unwrap();
    assert_eq!(llc_misses(&zen, Vendor::Amd, Model::Zen3), LlcMisses::LoadsOnly(loads));
    assert_eq!(llc_misses(&zen, Vendor::Amd, Model::Other), LlcMisses::Unknown);
    let dump = Dump::read("cpuid_rustcpuid/xeon_gold_6252.cpu0.txt");
    let inventory = Inventory::read(&dump);
    let xeon = Pmu::read(&Reader::new(&dump), Vendor::Intel, 6, inventory.features).unwrap();
    let LlcMisses::Counted(event) = llc_misses(&xeon, Vendor::Intel, Model::SkylakeServer) else {
        panic!("architectural")
    };
    assert_eq!(event.select.bits(), 0x412e);
    let without = Pmu { architectural_events: 0x3, ..xeon };
    assert_eq!(llc_misses(&without, Vendor::Intel, Model::Other), LlcMisses::Unknown);
}

#[test]
fn each_kind_of_a_hybrid_processor_has_its_own_events() {
    let dump = Dump::read("cpuid_rustcpuid/i7_12700k.cpu0.txt");
    let inventory = Inventory::read(&dump);
    assert!(inventory.features.has(Feature::Hybrid));
    let of = |kind| Model::of(&inventory.identity, kind);
    assert_eq!(of(CoreKind::Performance), Model::GoldenCove);
    assert_eq!((of(CoreKind::Efficient), inventory.core_kind), (Model::Gracemont, CoreKind::Performance));
    let fast = for_role(Model::GoldenCove, Role::L3MissStalls).unwrap();
    assert_eq!((fast.select.bits(), fast.counters), (0x0900_0947, 0xf));
    let small = for_role(Model::Gracemont, Role::L3MissStalls).unwrap();
    assert_eq!(small.select.bits(), 0x0434);
    let n100 = Identity { model: 0xbe, ..inventory.identity };
    assert_eq!(Model::of(&n100, CoreKind::Uniform), Model::Gracemont);
}

#[test]
fn both_kinds_together_have_what_each_has() {
    let small = {
        let dump = Dump::read("cpuid_rustcpuid/i7_12700k.cpu0.txt");
        let inventory = Inventory::read(&dump);
        Pmu::read(&Reader::new(&dump), Vendor::Intel, 6, inventory.features).unwrap()
    };
    assert_eq!((small.general, small.fixed), (0x3f, 0x7));
    let fast = Pmu { general: 0xff, fixed: 0xf, architectural_events: 0xff, ..small };
    let both = fast.common(&small).unwrap();
    assert_eq!((both.general, both.fixed, both.architectural_events), (0x3f, 0x7, 0x7f));
    assert_eq!(small.common(&amd(0x19, CORE, None)), None);
}

proptest! {
    #[test]
    fn any_leaves_give_counters_that_can_be_named(
        leaves in proptest::collection::vec(any::<[u32; 4]>(), 8),
        version in 0..8u32,
        amd: bool,
    ) {
        let processor = |leaf: u32, subleaf: u32| match (leaf, subleaf) {
            (0, _) => [0x23, 0, 0, 0],
            (0x8000_0000, _) => [0x8000_0026, 0, 0, 0],
            (7, 0) => [1, 0, 0, 0],
            (7, 1) => [1 << 8, 0, 0, 0],
            (0xa, _) => [leaves[0][0] & !0xff | version, leaves[0][1], leaves[0][2], leaves[0][3]],
            (0x23, subleaf) => leaves[1 + usize::try_from(subleaf % 4).unwrap()],
            _ => leaves[5 + usize::try_from(leaf % 3).unwrap()],
        };
        let reader = Reader::new(&processor);
        let vendor = if amd { Vendor::Amd } else { Vendor::Intel };
        if let Some(pmu) = Pmu::read(&reader, vendor, 0x19, Features::read(&reader)) {
            prop_assert!(pmu.general != 0);
            for counter in (0..32).flat_map(|i| [Counter::General(i), Counter::Fixed(i), Counter::L3(i)]) {
                prop_assert_eq!(counter.register(&pmu).is_some(), counter.exists(&pmu));
            }
            let events: Vec<Event> = generic(&pmu, vendor).collect();
            for group in assign(&events, &pmu) {
                prop_assert!(group.iter().all(|(_, counter)| counter.exists(&pmu)));
            }
            prop_assert_eq!(pmu.common(&pmu), Some(pmu));
        }
    }

    #[test]
    fn a_register_s_counter_is_the_one_that_has_that_register(
        general: u32, fixed in 0..=0xffffu32, design in 0..3u8, l3: bool,
    ) {
        let pmu = Pmu {
            design: [Design::Architectural, Design::AmdCore, Design::AmdLegacy][usize::from(design)],
            general: if design == 0 { general } else { general & 0x3f },
            fixed: if design == 0 { fixed } else { 0 },
            ..amd(0x19, if l3 { CORE | L3 } else { CORE }, None)
        };
        let pmu = if design == 2 { Pmu { general: pmu.general & 0xf, ..pmu } } else { pmu };
        let pmu = if design == 0 { Pmu { l3: None, ..pmu } } else { pmu };
        let all = || (0..32).flat_map(|i| [Counter::General(i), Counter::Fixed(i), Counter::L3(i)]);
        let near = [0xc0..0xd0, 0x180..0x190, 0x300..0x320, 0x1900..0x19c0, 0xc001_0000..0xc001_0010];
        for register in near.into_iter().flatten().chain(0xc001_0200..0xc001_0250) {
            let holds = all().find(|counter| counter.register(&pmu) == Some(register));
            let selects = all().find(|counter| counter.select_register(&pmu) == Some(register));
            let expected = selects.map(|one| (one, true)).or(holds.map(|one| (one, false)));
            prop_assert_eq!(Counter::of_register(register, &pmu), expected, "{:#x}", register);
        }
    }
}
