use super::*;
use crate::{
    msr,
    pmu::{Design, Pmu},
    rdt::{AbsoluteLimit, Allocation, MaskRules, Mba, Monitoring, Rdt},
};
use proptest::prelude::*;

pub(crate) fn pmu(version: u8, general: u32, fixed: u32) -> Pmu {
    Pmu {
        design: Design::Architectural,
        version,
        general: (1 << general) - 1,
        general_bits: 48,
        fixed: (1 << fixed) - 1,
        fixed_bits: 48,
        architectural_events: 0x7f,
        any_thread: matches!(version, 3 | 4),
        has_unit_mask2: false,
        has_equal: false,
        l3: None,
    }
}

pub(crate) fn rdt() -> Rdt {
    let rules = MaskRules { length: 11, non_contiguous: false, min_bits: 1 };
    let allocation = Allocation { rules, classes: 16, cdp: true, shareable: 0x600 };
    Rdt {
        monitoring: Some(Monitoring {
            max_rmid: 0xbf,
            upscale: 0x1a000,
            counter_bits: 24,
            has_overflow_flag: false,
            occupancy: true,
            total: true,
            local: true,
            assignable_counters: None,
        }),
        l3: Some(allocation),
        l2: None,
        mba: Some(Mba { linear: true, max_throttle: 90, classes: 8, per_thread: false }),
        bandwidth: Some(AbsoluteLimit { bits: 11, classes: 16 }),
        slow_bandwidth: None,
    }
}

fn bus() -> StrictBus {
    StrictBus::new(Machine { pmu: Some(pmu(4, 4, 3)), full_width_writes: true, rdt: rdt() })
}

#[test]
fn absent_registers_fault_both_ways() {
    let mut bus = bus();
    for register in [0x18a, 0x30c, 0xca0, 0xd58, 0xd10, 0xc82, 0xc84, 0xc5, 0x4c5, 0, u32::MAX] {
        assert_eq!(bus.read(register), Err(Fault::Absent { register }));
        assert_eq!(bus.write(register, 0), Err(Fault::Absent { register }));
    }
    assert_eq!((bus.faults(), bus.log().len()), (22, 0));
}

#[test]
fn both_addresses_of_a_counter_are_one_register() {
    let mut bus = bus();
    bus.write(msr::PMC + 1, 0x8000_0001).unwrap();
    assert_eq!(bus.read(msr::A_PMC + 1), Ok(0xffff_8000_0001));
    bus.write(msr::A_PMC + 1, 0x7fff_0000_0000).unwrap();
    assert_eq!(bus.read(msr::PMC + 1), Ok(0x7fff_0000_0000));
    let reserved = Fault::Reserved { register: msr::A_PMC, bits: 1 << 48 };
    assert_eq!(bus.write(msr::A_PMC, 1 << 48), Err(reserved));
    assert_eq!(bus.log(), [(msr::PMC + 1, 0x8000_0001), (msr::A_PMC + 1, 0x7fff_0000_0000)]);
}

#[test]
fn masks_are_full_after_reset_and_read_only_registers_stay() {
    let mut bus = bus();
    assert_eq!(bus.read(msr::L3_MASK + 15), Ok(0x7ff));
    assert_eq!(bus.read(msr::AMD_BANDWIDTH), Ok(0x800));
    assert_eq!(bus.read(msr::MBA_THROTTLE + 7), Ok(0));
    for register in [msr::QM_CTR, msr::PERF_GLOBAL_STATUS] {
        assert_eq!(bus.write(register, 0), Err(Fault::ReadOnly { register }));
    }
    assert_eq!(bus.read(msr::PERF_GLOBAL_STATUS), Ok(0));
}

#[test]
fn monitoring_shows_what_was_prepared_for_the_selected_event() {
    let mut bus = bus();
    bus.set_count(5 << 32 | 1, 77);
    bus.write(msr::QM_EVTSEL, 5 << 32 | 1).unwrap();
    assert_eq!(bus.read(msr::QM_CTR), Ok(77));
    bus.write(msr::QM_EVTSEL, 6 << 32 | 1).unwrap();
    assert_eq!(bus.read(msr::QM_CTR), Ok(1 << 62));
    assert!(bus.write(msr::QM_EVTSEL, 0xc0 << 32 | 1).is_err());
    assert!(bus.write(msr::QM_EVTSEL, 4).is_err());
}

proptest! {
    #[test]
    fn any_write_is_survived_and_what_is_accepted_reads_back_in_range(
        register in prop_oneof![
            any::<u32>(), 0xc0..0xd0u32, 0x180..0x1a0u32, 0x300..0x3a0u32, 0x4c0..0x4d0u32, 0xc80..0xd60u32,
            0xc000_0200..0xc000_0310u32,
        ],
        value in prop_oneof![any::<u64>(), 0..0x1000u64],
        version in 1..=6u8,
    ) {
        let machine = Machine { pmu: Some(pmu(version, 8, 4)), full_width_writes: true, rdt: rdt() };
        let mut bus = StrictBus::new(machine);
        if bus.write(register, value).is_ok() {
            prop_assert!(bus.read(register).is_ok());
            prop_assert_eq!(bus.faults(), 0);
        }
    }
}
