//! Reference clocks, read for a short window to find out how fast the
//! time-stamp counter and the APIC timer run.
//!
//! Every wait is bounded in iterations: a clock that stands still is reported
//! as absent instead of holding the boot.

use crate::{apic, cpu, ports};

/// Polls of a reference clock before it is given up.
const POLL_LIMIT: u32 = 20_000_000;

/// What was measured against one reference clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Time-stamp counter, in Hz.
    pub tsc_hz: u64,
    /// APIC timer at divider 1, in Hz; 0 when the APIC was not counting.
    pub apic_hz: u64,
}

/// A clock that counts up and wraps.
trait Reference {
    fn count(&self) -> u64;
    fn mask(&self) -> u64;
    /// Femtoseconds per count.
    fn period_fs(&self) -> u64;
}

/// High-precision event timer (IA-PC HPET specification 1.0a, 2.3).
#[derive(Clone, Copy, Debug)]
pub struct Hpet {
    base: u64,
    period_fs: u64,
    wide: bool,
}

impl Hpet {
    /// Starts the main counter of the timer mapped at `base`; none when its
    /// period is not between 0.1 ns and 100 ns, as the specification demands.
    ///
    /// # Safety
    /// `base` is an uncached mapping of the HPET's register page.
    #[must_use]
    pub unsafe fn new(base: u64) -> Option<Self> {
        // SAFETY: the caller vouches for the mapping.
        let capabilities = unsafe { (base as *const u64).read_volatile() };
        let period_fs = capabilities >> 32;
        if !(100_000..=100_000_000).contains(&period_fs) {
            return None;
        }
        // SAFETY: as above; bit 0 of the configuration register starts the counter.
        unsafe {
            let configuration = (base + 0x10) as *mut u64;
            configuration.write_volatile(configuration.read_volatile() | 1);
        }
        Some(Self { base, period_fs, wide: capabilities & 1 << 13 != 0 })
    }

    /// Measures over `window_us` microseconds.
    #[must_use]
    pub fn measure(&self, window_us: u64) -> Option<Measured> {
        measure(self, window_us)
    }
}

impl Reference for Hpet {
    fn count(&self) -> u64 {
        // SAFETY: `new` was given a mapping that stays.
        unsafe { ((self.base + 0xF0) as *const u64).read_volatile() }
    }
    fn mask(&self) -> u64 {
        if self.wide { u64::MAX } else { 0xFFFF_FFFF }
    }
    fn period_fs(&self) -> u64 {
        self.period_fs
    }
}

/// ACPI power-management timer: 3.579545 MHz, 24 or 32 bits (ACPI 6.5, 4.8.2.1).
#[derive(Clone, Copy, Debug)]
pub struct PmTimer {
    /// I/O port of the counter.
    pub port: u16,
    /// Whether it has 32 bits (FADT flag TMR_VAL_EXT).
    pub wide: bool,
}

impl PmTimer {
    /// Measures over `window_us` microseconds.
    #[must_use]
    pub fn measure(&self, window_us: u64) -> Option<Measured> {
        measure(self, window_us)
    }
}

impl Reference for PmTimer {
    fn count(&self) -> u64 {
        // SAFETY: reading the timer port has no side effect.
        u64::from(unsafe { ports::read_u32(self.port) })
    }
    fn mask(&self) -> u64 {
        if self.wide { 0xFFFF_FFFF } else { 0xFF_FFFF }
    }
    fn period_fs(&self) -> u64 {
        // 1 / 3.579545 MHz
        279_365_115
    }
}

fn measure(clock: &impl Reference, window_us: u64) -> Option<Measured> {
    let window = window_us.saturating_mul(1_000_000_000) / clock.period_fs();
    let edge = clock.count();
    wait(clock, edge, 1)?;
    apic::start_count();
    let (begin, begin_tsc) = (clock.count(), cpu::timestamp());
    wait(clock, begin, window)?;
    let (end, end_tsc, apic_clocks) = (clock.count(), cpu::timestamp(), apic::counted());
    let elapsed_fs = u128::from(end.wrapping_sub(begin) & clock.mask()) * u128::from(clock.period_fs());
    let hz = |counted: u64| {
        u64::try_from(u128::from(counted) * 1_000_000_000_000_000 / elapsed_fs.max(1)).unwrap_or(0)
    };
    Some(Measured { tsc_hz: hz(end_tsc.wrapping_sub(begin_tsc)), apic_hz: hz(u64::from(apic_clocks)) })
}

fn wait(clock: &impl Reference, from: u64, counts: u64) -> Option<()> {
    (0..POLL_LIMIT).find(|_| clock.count().wrapping_sub(from) & clock.mask() >= counts).map(|_| ())
}

/// Measures against channel 2 of the 8254 timer (1.193182 MHz), the one whose
/// output can be read back; over 10 ms.
#[must_use]
pub fn measure_pit() -> Option<Measured> {
    const HZ: u64 = 1_193_182;
    const COUNT: u16 = 11_932;
    let [low, high] = COUNT.to_le_bytes();
    // SAFETY: port 61H gates the counter and the speaker (off here), 43H/42H
    // load it in mode 0; nothing else uses channel 2.
    unsafe {
        ports::write_u8(0x61, ports::read_u8(0x61) & !2 | 1);
        ports::write_u8(0x43, 0b1011_0000);
        ports::write_u8(0x42, low);
        ports::write_u8(0x42, high);
    }
    apic::start_count();
    let begin = cpu::timestamp();
    // SAFETY: reading the port has no side effect.
    (0..POLL_LIMIT).find(|_| unsafe { ports::read_u8(0x61) } & 0x20 != 0)?;
    let (cycles, apic_clocks) = (cpu::timestamp().wrapping_sub(begin), apic::counted());
    let hz = |counted: u64| counted.saturating_mul(HZ) / u64::from(COUNT);
    Some(Measured { tsc_hz: hz(cycles), apic_hz: hz(u64::from(apic_clocks)) })
}
