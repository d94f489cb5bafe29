//! Register numbers, each once.

use crate::description::Vendor;

pub(super) const PMC_BASE: u32 = 0xC1;
pub(super) const PERFEVTSEL_BASE: u32 = 0x186;
pub(super) const FIXED_CTR_BASE: u32 = 0x309;
pub(super) const PERF_CAPABILITIES: u32 = 0x345;
pub(super) const FIXED_CTR_CTRL: u32 = 0x38D;
pub(super) const PERF_GLOBAL_STATUS: u32 = 0x38E;
pub(super) const PERF_GLOBAL_CTRL: u32 = 0x38F;
pub(super) const PERF_GLOBAL_STATUS_RESET: u32 = 0x390;
pub(super) const PERF_GLOBAL_STATUS_SET: u32 = 0x391;
pub(super) const PERF_GLOBAL_INUSE: u32 = 0x392;
pub(super) const FULL_WIDTH_PMC_BASE: u32 = 0x4C1;

pub(super) const L3_QOS_CFG: u32 = 0xC81;
pub(super) const L2_QOS_CFG: u32 = 0xC82;
pub(super) const QM_EVTSEL: u32 = 0xC8D;
pub(super) const QM_CTR: u32 = 0xC8E;
pub(super) const PQR_ASSOC: u32 = 0xC8F;
pub(super) const L3_MASK_BASE: u32 = 0xC90;
pub(super) const L2_MASK_BASE: u32 = 0xD10;
pub(super) const THROTTLE_BASE: u32 = 0xD50;

pub(super) const AMD_LEGACY_CTL_BASE: u32 = 0xC001_0000;
pub(super) const AMD_LEGACY_CTR_BASE: u32 = 0xC001_0004;
pub(super) const AMD_CTL_BASE: u32 = 0xC001_0200;
pub(super) const AMD_L3_CTL_BASE: u32 = 0xC001_0230;
pub(super) const AMD_BANDWIDTH_BASE: u32 = 0xC000_0200;

/// General counters that the architecture has numbers for.
pub(super) const GENERAL_NUMBERS: u32 = 8;
/// Classes that the architecture has numbers for.
pub(super) const CLASS_NUMBERS: u32 = 64;

/// Whether a number belongs to allocation and monitoring, on a machine with
/// or without them.
pub(super) fn divides(vendor: Vendor, register: u32) -> bool {
    let bandwidth = match vendor {
        Vendor::Intel => THROTTLE_BASE..THROTTLE_BASE + CLASS_NUMBERS,
        Vendor::Amd => AMD_BANDWIDTH_BASE..AMD_BANDWIDTH_BASE + CLASS_NUMBERS,
    };
    matches!(register, L3_QOS_CFG..=0xC84 | QM_EVTSEL..=PQR_ASSOC)
        || (L3_MASK_BASE..THROTTLE_BASE).contains(&register)
        || bandwidth.contains(&register)
}

/// The index of `register` in a row of `count` numbers `step` apart.
pub(super) fn index_in(register: u32, base: u32, count: u32, step: u32) -> Option<usize> {
    let offset = register.checked_sub(base)?;
    let index = offset / step;
    (offset.is_multiple_of(step) && index < count).then(|| usize::try_from(index).unwrap_or(usize::MAX))
}
