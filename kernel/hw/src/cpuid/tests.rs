//! Dumps of real processors, against another decoder where there is one.
use super::*;
use crate::fixtures::{Dump, dumps};
use proptest::prelude::*;
use raw_cpuid::{CpuId, CpuIdReader, CpuIdResult};
use std::{string::String, vec::Vec};

#[derive(Clone)]
struct Oracle(Dump);

impl CpuIdReader for Oracle {
    fn cpuid2(&self, leaf: u32, subleaf: u32) -> CpuIdResult {
        let [eax, ebx, ecx, edx] = self.0.cpuid(leaf, subleaf);
        CpuIdResult { eax, ebx, ecx, edx }
    }
}

fn inventory(name: &str) -> Inventory {
    Inventory::read(&Dump::read(name))
}

fn has_all(inventory: &Inventory, features: &[Feature]) -> bool {
    features.iter().all(|feature| inventory.features.has(*feature))
}

#[test]
fn every_dump_agrees_with_the_other_decoder() {
    for (name, dump) in dumps() {
        let ours = Inventory::read(&dump);
        let theirs = CpuId::with_cpuid_reader(Oracle(dump));
        let vendor = theirs.get_vendor_info().unwrap();
        assert_eq!(&ours.identity.vendor_id[..], vendor.as_str().as_bytes(), "{name}");
        if let Some(info) = theirs.get_feature_info() {
            assert_eq!(ours.identity.family, u16::from(info.family_id()), "{name}");
            assert_eq!(ours.identity.model, info.model_id(), "{name}");
            assert_eq!(ours.identity.stepping, info.stepping_id(), "{name}");
            for (feature, expected) in [
                (Feature::X2Apic, info.has_x2apic()),
                (Feature::TscDeadline, info.has_tsc_deadline()),
                (Feature::Monitor, info.has_monitor_mwait()),
                (Feature::Pcid, info.has_pcid()),
                (Feature::Apic, info.has_apic()),
                (Feature::Htt, info.has_htt()),
            ] {
                assert_eq!(ours.features.has(feature), expected, "{name} {feature:?}");
            }
        }
        if let Some(info) = theirs.get_extended_feature_info() {
            for (feature, expected) in [
                (Feature::Smep, info.has_smep()),
                (Feature::Smap, info.has_smap()),
                (Feature::Umip, info.has_umip()),
                (Feature::Fsgsbase, info.has_fsgsbase()),
                (Feature::Pqm, info.has_rdtm()),
                (Feature::Pqe, info.has_rdta()),
            ] {
                assert_eq!(ours.features.has(feature), expected, "{name} {feature:?}");
            }
        }
        if let Some(brand) = theirs.get_processor_brand_string() {
            assert_eq!(ours.identity.brand.as_str(), brand.as_str().trim(), "{name}");
        }
    }
}

#[test]
fn caches_agree_with_the_other_decoder() {
    for (name, dump) in dumps() {
        let ours = Inventory::read(&dump);
        let Some(theirs) = CpuId::with_cpuid_reader(Oracle(dump)).get_cache_parameters() else { continue };
        let theirs: Vec<_> = theirs
            .map(|cache| {
                let inclusive = cache.is_inclusive();
                (cache.level(), cache.associativity(), cache.sets(), cache.max_cores_for_cache(), inclusive)
            })
            .collect();
        let found: Vec<_> = ours
            .caches
            .iter()
            .map(|cache| {
                let sharing = usize::try_from(cache.sharing).unwrap();
                let ways = usize::try_from(cache.ways).unwrap();
                (cache.level, ways, usize::try_from(cache.sets).unwrap(), sharing, cache.inclusive)
            })
            .collect();
        if !theirs.is_empty() {
            assert_eq!(found, theirs, "{name}");
        }
    }
}

#[test]
fn a_server_is_read_whole() {
    let xeon = inventory("cpuid_rustcpuid/xeon_gold_6252.cpu0.txt");
    assert_eq!(xeon.identity.vendor, Vendor::Intel);
    assert_eq!((xeon.identity.family, xeon.identity.model, xeon.identity.stepping), (6, 0x55, 7));
    assert!(xeon.identity.brand.as_str().contains("Gold 6252"));
    assert!(has_all(
        &xeon,
        &[Feature::Pqe, Feature::Pqm, Feature::InvariantTsc, Feature::Page1Gib, Feature::Nx]
    ));
    assert_eq!(xeon.tsc, Some(TscRate::FromBaseFrequency { hz: 2_100_000_000 }));
    let llc = xeon.last_level_cache().unwrap();
    assert_eq!((llc.level, llc.bytes(), llc.ways, llc.sharing), (3, 53_248 * 11 * 64, 11, 64));
    assert!(llc.complex_indexing && !llc.inclusive);
    assert_eq!(llc.colouring(), Colouring::WithinSlices { colours: 32 });
    let level2 = xeon.caches.iter().find(|cache| cache.level == 2).unwrap();
    assert_eq!(level2.colouring(), Colouring::Linear { colours: 16 });
    let odd = Cache { sets: 491_520, complex_indexing: false, ..*llc };
    assert_eq!(odd.colouring(), Colouring::WithinSlices { colours: 32 });
    assert_eq!(xeon.topology.source, 0xb);
    // APIC id C7H: seven bits for the package's threads, the lowest for the thread.
    let place = xeon.topology.place(0xc7);
    assert_eq!(place, Place { package: 3, die: 0, cluster: 0, core: 3, thread: 1 });
    assert_eq!(xeon.topology.threads_per_core(), 2);
    assert!(xeon.topology.are_siblings(0xc6, 0xc7) && !xeon.topology.are_siblings(0xc5, 0xc6));
}

#[test]
fn core_complexes_follow_from_the_shared_cache() {
    let zen2 = inventory("cpuid_rustcpuid/ryzen_matisse.cpu0.txt");
    assert_eq!(zen2.identity.vendor, Vendor::Amd);
    assert_eq!((zen2.identity.family, zen2.identity.model), (0x17, 0x71));
    let llc = *zen2.last_level_cache().unwrap();
    assert_eq!((llc.bytes(), llc.ways), (16 << 20, 16));
    let shift = llc.sharing_shift();
    assert!(llc.is_shared_by(0, (1 << shift) - 1) && !llc.is_shared_by(0, 1 << shift));
    assert_eq!(zen2.topology.place(1 << shift).cluster, 1);
    assert_eq!(zen2.topology.place((1 << shift) - 1).cluster, 0);
    assert!(zen2.topology.are_siblings(0, 1) && !zen2.topology.are_siblings(1, 2));
}

#[test]
fn hybrid_cores_say_what_they_are() {
    let hybrid = inventory("cpuid_rustcpuid/i7_12700k.cpu0.txt");
    assert!(hybrid.features.has(Feature::Hybrid));
    assert_ne!(hybrid.core_kind, CoreKind::Uniform);
    let uniform = inventory("cpuid_rustcpuid/xeon_gold_6252.cpu0.txt");
    assert_eq!(uniform.core_kind, CoreKind::Uniform);
}

#[test]
fn leaves_above_the_maximum_are_not_asked() {
    let asked = core::cell::RefCell::new(Vec::new());
    let processor = |leaf: u32, subleaf: u32| {
        asked.borrow_mut().push(leaf);
        match (leaf, subleaf) {
            (0, _) => [0xd, 0x756e_6547, 0x6c65_746e, 0x4965_6e69],
            (0x8000_0000, _) => [0x8000_0008, 0, 0, 0],
            (1..=0xd, _) => [0; 4],
            // What a processor without the leaf answers: leaf DH again.
            _ => [0xff, 0x240, 0x240, 0],
        }
    };
    let found = Inventory::read(&processor);
    assert_eq!((found.max_basic, found.max_extended), (0xd, 0x8000_0008));
    assert!(asked.borrow().iter().all(|leaf| *leaf <= 0xd || (0x8000_0000..=0x8000_0008).contains(leaf)));
    assert_eq!(found.tsc, None);
}

#[test]
fn an_answer_from_another_range_means_no_extended_leaves() {
    let old = inventory("cpuid_libcpuid/intel-pentium-ii-dixon.cpu0.txt");
    assert_eq!(old.max_extended, 0);
    assert_eq!(old.identity.brand.as_str(), "");
    assert!(!old.features.has(Feature::LongMode));
}

#[test]
fn the_counter_rate_is_exact_where_the_crystal_is_named() {
    let crystal = |leaf: u32, _: u32| match leaf {
        0 => [0x16, 0, 0, 0],
        0x15 => [2, 216, 24_000_000, 0],
        0x16 => [2600, 0, 100, 0],
        _ => [0; 4],
    };
    assert_eq!(tsc_rate(&Reader::new(&crystal)), Some(TscRate::Exact { hz: 2_592_000_000 }));
    let guest = |leaf: u32, _: u32| match leaf {
        1 => [0, 0, 1 << 31, 0],
        0 => [1, 0, 0, 0],
        0x4000_0000 => [0x4000_0010, 0, 0, 0],
        0x4000_0010 => [2_100_000, 0, 0, 0],
        _ => [0; 4],
    };
    assert_eq!(tsc_rate(&Reader::new(&guest)), Some(TscRate::Hypervisor { hz: 2_100_000_000 }));
}

#[test]
fn dies_and_complexes_are_counted_within_what_holds_them() {
    // 80000026H of a processor with 2 threads, 8 cores, 1 complex a die, 8 dies.
    let processor = |leaf: u32, subleaf: u32| match (leaf, subleaf) {
        (0, _) => {
            [0xd, u32::from_le_bytes(*b"Auth"), u32::from_le_bytes(*b"cAMD"), u32::from_le_bytes(*b"enti")]
        }
        (0x8000_0000, _) => [0x8000_0026, 0, 0, 0],
        (0x8000_0026, 0) => [1, 2, 0x100, 0x5b],
        (0x8000_0026, 1) => [4, 16, 0x201, 0x5b],
        (0x8000_0026, 2) => [4, 16, 0x302, 0x5b],
        (0x8000_0026, 3) => [7, 128, 0x403, 0x5b],
        _ => [0; 4],
    };
    let topology = Inventory::read(&processor).topology;
    assert_eq!((topology.source, topology.apic_id), (0x8000_0026, 0x5b));
    let expected = Place { package: 1, die: 5, cluster: 0, core: 5, thread: 1 };
    assert_eq!(topology.place(0xdb), expected);
}

#[test]
fn names_are_those_of_proc_cpuinfo() {
    let names: Vec<&str> = inventory("cpuid_rustcpuid/xeon_gold_6252.cpu0.txt").features.names().collect();
    for name in ["nx", "rdt_a", "cqm", "pdpe1gb", "tsc_deadline_timer", "smep"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
}

proptest! {
    #[test]
    fn any_answers_are_survived(
        seed in any::<u32>(),
        kind in 0..3usize,
        max in 0..0x40u32,
        apic_id in any::<u32>(),
    ) {
        let vendors: [[u32; 3]; 3] = [
            [*b"Genu", *b"ntel", *b"ineI"].map(u32::from_le_bytes),
            [*b"Auth", *b"cAMD", *b"enti"].map(u32::from_le_bytes),
            [seed; 3],
        ];
        let [ebx, ecx, edx] = vendors[kind];
        let processor = |leaf: u32, subleaf: u32| match leaf {
            0 => [max, ebx, ecx, edx],
            0x8000_0000 => [0x8000_0000 + max, 0, 0, 0],
            _ => core::array::from_fn(|index| {
                let mixed = (leaf ^ seed).wrapping_mul(0x9e37_79b9).rotate_left(subleaf & 31);
                (mixed ^ u32::try_from(index).unwrap()).wrapping_mul(0x85eb_ca6b)
            }),
        };
        let found = Inventory::read(&processor);
        let _ = found.topology.place(apic_id);
        prop_assert!(found.topology.are_siblings(apic_id, apic_id));
        for cache in &found.caches {
            prop_assert!(cache.bytes() > 0 && cache.colouring().colours() > 0);
            prop_assert!(cache.is_shared_by(apic_id, apic_id));
        }
        let name: String = found.identity.brand.as_str().into();
        prop_assert!(name.len() <= 48);
    }
}
