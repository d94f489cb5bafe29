use super::Fault;
use crate::{
    msr,
    pmu::{Counter, Design, EventSelect, FixedControl, Pmu},
    rdt::{Association, QmEvent, Rdt, qm_event_select},
};

/// The processor whose registers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its counters, if it has any.
    pub pmu: Option<Pmu>,
    /// General counters can be written in their full width through their second
    /// address.
    pub full_width_writes: bool,
    /// What can be shared out.
    pub rdt: Rdt,
}

/// What a register holds after `value` was written to it, or the fault that the
/// processor raises (SDM volume 3B, sections 18.18, 18.19 and 20.2; KVM's
/// `pmu_intel.c` follows the same rules). An empty capacity mask is undefined
/// there and a fault here.
///
/// # Errors
/// The fault.
pub fn check_write(machine: &Machine, register: u32, value: u64) -> Result<u64, Fault> {
    let pmu = machine.pmu.as_ref().and_then(|pmu| pmu_write(machine, pmu, register, value));
    pmu.or_else(|| amd_write(machine, register, value))
        .or_else(|| rdt_write(&machine.rdt, register, value))
        .unwrap_or(Err(Fault::Absent { register }))
}

type Outcome = Option<Result<u64, Fault>>;

fn allowed(register: u32, value: u64, writable: u64) -> Result<u64, Fault> {
    match value & !writable {
        0 => Ok(value),
        bits => Err(Fault::Reserved { register, bits }),
    }
}

fn low_bits(count: u8) -> u64 {
    1u64.checked_shl(u32::from(count)).map_or(u64::MAX, |bit| bit - 1)
}

fn pmu_write(machine: &Machine, pmu: &Pmu, register: u32, value: u64) -> Outcome {
    match Counter::of_register(register, pmu) {
        Some((counter, true)) => {
            let writable =
                if matches!(counter, Counter::L3(_)) { u64::MAX } else { EventSelect::writable_bits(pmu) };
            return Some(allowed(register, value, writable));
        }
        Some((counter, false)) => {
            let reserved = Fault::Reserved { register, bits: value & !low_bits(counter.bits(pmu)) };
            return Some(counter_write(pmu, counter, register, value).ok_or(reserved));
        }
        None => {}
    }
    if pmu.design != Design::Architectural {
        return None;
    }
    let full_width = register.checked_sub(msr::A_PMC).and_then(|index| u8::try_from(index).ok());
    if let Some(index) = full_width.filter(|index| Counter::General(*index).exists(pmu)) {
        let exists = machine.full_width_writes && index < 8;
        return exists.then(|| allowed(register, value, low_bits(pmu.general_bits)));
    }
    control_write(pmu, register, value)
}

/// Writing the first address of a general counter extends bit 31, and ignores
/// what is above it; the others take their width.
fn counter_write(pmu: &Pmu, counter: Counter, register: u32, value: u64) -> Option<u64> {
    let width = low_bits(counter.bits(pmu));
    let extends = pmu.design == Design::Architectural && (msr::PMC..msr::PMC + 8).contains(&register);
    if extends {
        let low = value & 0xffff_ffff;
        let high = if low >> 31 == 1 { !0xffff_ffff } else { 0 };
        return Some((low | high) & width);
    }
    (value & !width == 0).then_some(value)
}

fn control_write(pmu: &Pmu, register: u32, value: u64) -> Outcome {
    let counters = u64::from(pmu.general) | u64::from(pmu.fixed) << 32;
    // Bits 55, 58 to 63: trace, last branch records, frozen, uncore, buffer, changed.
    let flags = counters | 0x0080_0000_0000_0000 | if pmu.version >= 4 { 0x7c << 56 } else { 0 } | 3 << 62;
    match (register, pmu.version) {
        (msr::FIXED_CTR_CTRL, 2..) if pmu.fixed != 0 => {
            Some(allowed(register, value, FixedControl::writable_bits(pmu)))
        }
        (msr::PERF_GLOBAL_STATUS, 2..) => Some(Err(Fault::ReadOnly { register })),
        (msr::PERF_GLOBAL_CTRL, 2..) => Some(allowed(register, value, counters)),
        (msr::PERF_GLOBAL_STATUS_RESET, 2..) => Some(allowed(register, value, flags)),
        (msr::PERF_GLOBAL_STATUS_SET, 4..) => Some(allowed(register, value, flags & !(1 << 63))),
        _ => None,
    }
}

fn amd_write(machine: &Machine, register: u32, value: u64) -> Outcome {
    let pmu = machine.pmu.as_ref().filter(|pmu| pmu.design == Design::AmdCore && pmu.has_global_control())?;
    match register {
        msr::AMD_GLOBAL_STATUS => Some(Err(Fault::ReadOnly { register })),
        msr::AMD_GLOBAL_CTRL | msr::AMD_GLOBAL_STATUS_CLEAR => {
            Some(allowed(register, value, u64::from(pmu.general)))
        }
        _ => None,
    }
}

fn rdt_write(rdt: &Rdt, register: u32, value: u64) -> Outcome {
    let fault = Fault::Value { register, value };
    let class = |first: u32, classes: u32| register.checked_sub(first).is_some_and(|index| index < classes);
    if let Some(l3) = rdt.l3.filter(|l3| class(msr::L3_MASK, l3.classes)) {
        return Some(l3.rules.check(value).map(|()| value).map_err(|_| fault));
    }
    if let Some(l2) = rdt.l2.filter(|l2| class(msr::L2_MASK, l2.classes)) {
        return Some(l2.rules.check(value).map(|()| value).map_err(|_| fault));
    }
    if let Some(mba) = rdt.mba.filter(|mba| class(msr::MBA_THROTTLE, mba.classes)) {
        let throttle = u32::try_from(value).ok().filter(|throttle| *throttle <= mba.max_throttle);
        let rounded = throttle.and_then(|throttle| mba.round_throttle(throttle).ok());
        return Some(rounded.map(u64::from).ok_or(fault));
    }
    limit_write(rdt, register, value).or_else(|| monitoring_write(rdt, register, value))
}

fn limit_write(rdt: &Rdt, register: u32, value: u64) -> Outcome {
    let limits = [(msr::AMD_BANDWIDTH, rdt.bandwidth), (msr::AMD_SLOW_BANDWIDTH, rdt.slow_bandwidth)];
    limits.into_iter().find_map(|(first, limit)| {
        let limit = limit?;
        register.checked_sub(first).filter(|index| *index < limit.classes)?;
        let fault = Fault::Value { register, value };
        Some(if value <= limit.unlimited() { Ok(value) } else { Err(fault) })
    })
}

fn monitoring_write(rdt: &Rdt, register: u32, value: u64) -> Outcome {
    let has_cdp = |allocation: Option<crate::rdt::Allocation>| allocation.is_some_and(|cache| cache.cdp);
    let announced = rdt.monitoring.is_some() || rdt.association_classes() > 1;
    let fault = Fault::Value { register, value };
    match register {
        msr::L3_QOS_CFG if has_cdp(rdt.l3) => Some(allowed(register, value, 1)),
        msr::L2_QOS_CFG if has_cdp(rdt.l2) => Some(allowed(register, value, 1)),
        msr::MBA_CFG if rdt.mba.is_some_and(|mba| mba.per_thread) => Some(allowed(register, value, 1)),
        msr::PQR_ASSOC if announced => {
            let association = Association::from_bits(value);
            Some(association.bits(rdt.association_classes(), rdt.max_rmid()).map_err(|_| fault))
        }
        msr::QM_CTR if rdt.monitoring.is_some() => Some(Err(Fault::ReadOnly { register })),
        msr::QM_EVTSEL => rdt.monitoring.map(|monitoring| {
            let rmid = u32::try_from(value >> 32).unwrap_or(u32::MAX);
            let event = match value & 0xffff_ffff {
                0 => return if rmid <= monitoring.max_rmid { Ok(value) } else { Err(fault) },
                1 => QmEvent::Occupancy,
                2 => QmEvent::TotalBandwidth,
                3 => QmEvent::LocalBandwidth,
                _ => return Err(fault),
            };
            qm_event_select(event, rmid, &monitoring).map_err(|_| fault)
        }),
        _ => None,
    }
}

/// Every counter that there may be.
pub(super) fn counters(pmu: &Pmu) -> impl Iterator<Item = Counter> + '_ {
    let general = (0..32).map(Counter::General);
    let others = (0..16).flat_map(|index| [Counter::Fixed(index), Counter::L3(index)]);
    general.chain(others).filter(|counter| counter.exists(pmu))
}
