//! CPUID: the leaves that describe caches, counters, monitoring and
//! allocation, the vendor and the signature; the rest is the emulator's.

use crate::description::{Allocation, Description, Vendor};

/// The last basic leaf, so that 15H and 16H state the clock.
const INTEL_MAX_BASIC: u32 = 0x16;
const AMD_MAX_BASIC: u32 = 0x10;
const AMD_MAX_EXTENDED: u32 = 0x8000_0020;

/// Skylake-SP and Rome.
const INTEL_SIGNATURE: u32 = 0x0005_0654;
const AMD_SIGNATURE: u32 = 0x0083_0F10;

/// CPUID.1:ECX: PERF_CAPABILITIES exists.
const PDCM: u32 = 1 << 15;
/// CPUID.7:EBX: monitoring, allocation.
const MONITORING: u32 = 1 << 12;
const ALLOCATION: u32 = 1 << 15;
/// CPUID.80000001H:ECX: leaf 8000001DH, six core counters, L3 counters.
const AMD_TOPOLOGY: u32 = 1 << 22;
const AMD_CORE_COUNTERS: u32 = 1 << 23;
const AMD_L3_COUNTERS: u32 = 1 << 28;

/// Architectural events whose bits are set are not available: branches and
/// their misses (the model predicts nothing).
const NO_BRANCH_EVENTS: u32 = 0b110_0000;
/// Architectural events that are enumerated.
const EVENT_BITS: u32 = 7;

const NOTHING: [u32; 4] = [0; 4];

pub(super) fn answer(
    machine: &Description,
    thread: usize,
    leaf: u32,
    subleaf: u32,
    emulated: [u32; 4],
) -> Option<[u32; 4]> {
    let [eax, ebx, ecx, edx] = emulated;
    match (machine.vendor, leaf) {
        (Vendor::Intel, 0) => Some([INTEL_MAX_BASIC, word(b"Genu"), word(b"ntel"), word(b"ineI")]),
        (Vendor::Amd, 0) => Some([AMD_MAX_BASIC, word(b"Auth"), word(b"cAMD"), word(b"enti")]),
        (Vendor::Intel, 1) => Some([INTEL_SIGNATURE, ebx, ecx | PDCM, edx]),
        (Vendor::Amd, 1) => Some([AMD_SIGNATURE, ebx, ecx & !PDCM, edx]),
        (Vendor::Intel, 4) => Some(cache(machine, subleaf)),
        (Vendor::Amd, 4 | 0xA) => Some(NOTHING),
        (_, 7) if subleaf == 0 => {
            let both = MONITORING | ALLOCATION;
            let bits = if machine.allocation.is_some() { both } else { 0 };
            Some([eax, ebx & !both | bits, ecx, edx])
        }
        (Vendor::Intel, 0xA) => Some(counters(machine)),
        (_, 0xE) => Some(NOTHING),
        (_, 0xF) => Some(machine.allocation.map_or(NOTHING, |one| monitoring(machine.vendor, one, subleaf))),
        (_, 0x10) => Some(machine.allocation.map_or(NOTHING, |one| allocation(machine, one, subleaf))),
        (Vendor::Intel, 0x11..=0x14) => Some(NOTHING),
        (Vendor::Intel, 0x15) => Some([1, mhz(machine) / 25, 25_000_000, 0]),
        (Vendor::Intel, 0x16) => Some([mhz(machine), mhz(machine), 100, 0]),
        (Vendor::Amd, 0x8000_0000) => Some([AMD_MAX_EXTENDED, word(b"Auth"), word(b"cAMD"), word(b"enti")]),
        (Vendor::Amd, 0x8000_0001) => {
            Some([AMD_SIGNATURE, ebx, ecx | AMD_TOPOLOGY | AMD_CORE_COUNTERS | AMD_L3_COUNTERS, edx])
        }
        (_, 0x8000_0002..=0x8000_0004) => Some(brand(&machine.name, leaf - 0x8000_0002)),
        (Vendor::Amd, 0x8000_001D) => Some(cache(machine, subleaf)),
        (Vendor::Amd, 0x8000_001E) => {
            let (thread, per_core) = (small(thread), small(machine.threads_per_core));
            Some([thread, ((per_core - 1) << 8) | (thread / per_core), 0, 0])
        }
        (Vendor::Amd, 0x8000_0020) => {
            Some(machine.allocation.map_or(NOTHING, |one| amd_bandwidth(one, subleaf)))
        }
        (Vendor::Amd, 0x8000_000B..=0x8000_001F) => Some(NOTHING),
        _ => None,
    }
}

/// A third of the 48 bytes that name the processor, zeros at the end.
fn brand(name: &str, third: u32) -> [u32; 4] {
    let text = format!("Umbra machine model {name}");
    let mut bytes =
        text.bytes().take(47).chain(std::iter::repeat(0)).skip(16 * usize::try_from(third).unwrap_or(0));
    [0; 4].map(|_: u32| u32::from_le_bytes([0; 4].map(|_: u8| bytes.next().unwrap_or(0))))
}

/// Leaf 4 of Intel, 8000001DH of AMD; the same fields.
fn cache(machine: &Description, subleaf: u32) -> [u32; 4] {
    const DATA: u32 = 1;
    const INSTRUCTION: u32 = 2;
    const UNIFIED: u32 = 3;
    let core = machine.threads_per_core;
    let (first, second, shared) = (machine.first_level, machine.second_level, machine.shared_level);
    let sets = |kib: u64, ways: usize| kib * 16 / ways as u64;
    let (kind, level, ways, sets, sharing) = match subleaf {
        0 => (DATA, 1, first.ways, sets(first.kib, first.ways), core),
        1 => (INSTRUCTION, 1, first.ways, sets(first.kib, first.ways), core),
        2 => (UNIFIED, 2, second.ways, sets(second.kib, second.ways), core),
        3 => (UNIFIED, 3, shared.ways, shared.slices * shared.sets_per_slice, machine.threads()),
        _ => return NOTHING,
    };
    // Only Intel states the cores of the package here, as ids that are set aside.
    let cores = match machine.vendor {
        Vendor::Intel => (small(machine.cores).next_power_of_two() - 1) << 26,
        Vendor::Amd => 0,
    };
    let sharing = small(sharing).next_power_of_two() - 1;
    let hashed = u32::from(level == 3 && shared.slices > 1) << 2;
    [
        kind | level << 5 | 1 << 8 | sharing << 14 | cores,
        63 | (small(ways) - 1) << 22,
        u32::try_from(sets).unwrap_or(u32::MAX) - 1,
        hashed,
    ]
}

fn counters(machine: &Description) -> [u32; 4] {
    let counters = machine.counters;
    let general = counters.version | counters.general << 8 | counters.width << 16 | EVENT_BITS << 24;
    [general, NO_BRANCH_EVENTS, 0, counters.fixed | counters.width << 5]
}

fn monitoring(vendor: Vendor, allocation: Allocation, subleaf: u32) -> [u32; 4] {
    const L3: u32 = 1 << 1;
    const OCCUPANCY_TOTAL_LOCAL: u32 = 0b111;
    // Width of the counts, as an offset from 24: 24 bits on Skylake, 44 on Rome.
    let width = match vendor {
        Vendor::Intel => 0,
        Vendor::Amd => 20,
    };
    let last = allocation.resource_ids - 1;
    match subleaf {
        0 => [0, last, 0, L3],
        1 => [width, allocation.scale_bytes, last, OCCUPANCY_TOTAL_LOCAL],
        _ => NOTHING,
    }
}

fn allocation(machine: &Description, allocation: Allocation, subleaf: u32) -> [u32; 4] {
    const L3: u32 = 1 << 1;
    const L2: u32 = 1 << 2;
    const BANDWIDTH: u32 = 1 << 3;
    const PER_THREAD: u32 = 1;
    const LINEAR: u32 = 1 << 2;
    const CODE_AND_DATA: u32 = 1 << 2;
    let second = if allocation.second_mask_classes > 0 { L2 } else { 0 };
    let apart = if allocation.code_and_data { CODE_AND_DATA } else { 0 };
    let per_thread = if allocation.throttle_per_thread { PER_THREAD } else { 0 };
    match (machine.vendor, subleaf) {
        (Vendor::Intel, 0) => [0, L3 | second | BANDWIDTH, 0, 0],
        (Vendor::Amd, 0) => [0, L3, 0, 0],
        (_, 1) => [small(machine.shared_level.ways) - 1, 0, apart, allocation.mask_classes - 1],
        (Vendor::Intel, 2) if second != 0 => {
            [small(machine.second_level.ways) - 1, 0, apart, allocation.second_mask_classes - 1]
        }
        (Vendor::Intel, 3) => {
            let most = allocation.throttle_max.saturating_sub(1);
            [most, 0, LINEAR | per_thread, allocation.throttle_classes - 1]
        }
        _ => NOTHING,
    }
}

/// Limits of 11 bits in eighths of 10^9 bytes a second, of which the value
/// above the largest means none.
fn amd_bandwidth(allocation: Allocation, subleaf: u32) -> [u32; 4] {
    match subleaf {
        0 => [0, 1 << 1, 0, 0],
        1 => [11, 0, 0, allocation.throttle_classes - 1],
        _ => NOTHING,
    }
}

fn mhz(machine: &Description) -> u32 {
    u32::try_from(machine.clock_mhz).unwrap_or(u32::MAX)
}

fn small(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

const fn word(text: &[u8; 4]) -> u32 {
    u32::from_le_bytes(*text)
}
