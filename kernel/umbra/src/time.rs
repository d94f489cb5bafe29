//! Time: the time-stamp counter, what it is in nanoseconds, and the timer
//! interrupt that goes with it.

use core::sync::atomic::{AtomicU64, Ordering};

use umbra_x86_64::{apic, cpu};

static BOOT_TSC: AtomicU64 = AtomicU64::new(0);
static TSC_HZ: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds per cycle, Q32.
static NS_PER_CYCLE: AtomicU64 = AtomicU64::new(0);
/// Cycles per nanosecond, Q32.
static CYCLES_PER_NS: AtomicU64 = AtomicU64::new(0);
/// APIC timer clocks per cycle, Q32; 0 where the TSC-deadline mode is used.
static CLOCKS_PER_CYCLE: AtomicU64 = AtomicU64::new(0);

/// Remembers when boot began. Called first of all.
pub(crate) fn begin() {
    BOOT_TSC.store(cpu::timestamp(), Ordering::Relaxed);
}

/// Sets the rates that calibration found. `apic_hz` is none where the timer
/// takes a deadline in cycles.
pub(crate) fn set_rates(tsc_hz: u64, apic_hz: Option<u64>) {
    let tsc_hz = tsc_hz.max(1);
    let ratio = |numerator: u64, denominator: u64| {
        u64::try_from((u128::from(numerator) << 32) / u128::from(denominator)).unwrap_or(u64::MAX)
    };
    TSC_HZ.store(tsc_hz, Ordering::Relaxed);
    NS_PER_CYCLE.store(ratio(1_000_000_000, tsc_hz), Ordering::Relaxed);
    CYCLES_PER_NS.store(ratio(tsc_hz, 1_000_000_000), Ordering::Relaxed);
    CLOCKS_PER_CYCLE.store(apic_hz.map_or(0, |hz| ratio(hz, tsc_hz)), Ordering::Relaxed);
}

/// Cycles of the time-stamp counter per second.
pub(crate) fn tsc_hz() -> u64 {
    TSC_HZ.load(Ordering::Relaxed)
}

/// Whether the timer takes deadlines in cycles.
pub(crate) fn has_deadline_timer() -> bool {
    CLOCKS_PER_CYCLE.load(Ordering::Relaxed) == 0
}

/// Nanoseconds since boot.
pub(crate) fn now_ns() -> u64 {
    ns_at(cpu::timestamp())
}

/// The nanosecond since boot at which the counter read `tsc`.
pub(crate) fn ns_at(tsc: u64) -> u64 {
    cycles_to_ns(tsc.wrapping_sub(BOOT_TSC.load(Ordering::Relaxed)))
}

/// The counter's reading at a nanosecond since boot.
pub(crate) fn tsc_at(ns: u64) -> u64 {
    BOOT_TSC.load(Ordering::Relaxed).wrapping_add(ns_to_cycles(ns))
}

/// A span of cycles in nanoseconds.
pub(crate) fn cycles_to_ns(cycles: u64) -> u64 {
    scale(cycles, NS_PER_CYCLE.load(Ordering::Relaxed))
}

/// A span of nanoseconds in cycles.
pub(crate) fn ns_to_cycles(ns: u64) -> u64 {
    scale(ns, CYCLES_PER_NS.load(Ordering::Relaxed))
}

fn scale(value: u64, factor_q32: u64) -> u64 {
    u64::try_from((u128::from(value) * u128::from(factor_q32)) >> 32).unwrap_or(u64::MAX)
}

/// Arms this core's timer for the moment the counter reads `tsc`.
pub(crate) fn arm(tsc: u64) {
    let clocks_per_cycle = CLOCKS_PER_CYCLE.load(Ordering::Relaxed);
    if clocks_per_cycle == 0 {
        // SAFETY: `set_rates` was given no APIC rate, which boot does only when
        // CPUID announces the deadline mode.
        unsafe { apic::arm_deadline(tsc) };
        return;
    }
    let cycles = tsc.saturating_sub(cpu::timestamp());
    let clocks = scale(cycles, clocks_per_cycle).clamp(1, u64::from(u32::MAX));
    apic::arm_count(u32::try_from(clocks).unwrap_or(u32::MAX));
}

/// Spins for at least `us` microseconds.
pub(crate) fn pause_us(us: u64) {
    let until = cpu::timestamp().wrapping_add(ns_to_cycles(us.saturating_mul(1_000)));
    while cpu::timestamp().wrapping_sub(until) > u64::MAX / 2 {
        cpu::relax();
    }
}
