//! How fast the time-stamp counter and the APIC timer run: asked of CPUID,
//! measured against every reference clock there is, and cross-checked.

use heapless::Vec;
use umbra_hw::acpi::Space;
use umbra_hw::cpuid::{Feature, Inventory};
use umbra_x86_64::clock::{self, Hpet, Measured, PmTimer};

use super::tables::Platform;
use crate::{log_line, memory, time};

/// Length of a measurement.
const WINDOW_US: u64 = 10_000;
/// Sources that differ by more than this are reported.
const TOLERANCE_PERMILLE: u64 = 20;

/// A rate and where it comes from.
#[derive(Clone, Copy, Debug)]
struct Source {
    name: &'static str,
    measured: Measured,
}

/// Calibrates and tells [`time`]. The first source in order of trust wins;
/// the others are compared with it.
pub(crate) fn calibrate(inventory: &Inventory, platform: &Platform) -> &'static str {
    let sources = measure(platform);
    let stated = inventory.tsc.map(|rate| rate.hz()).filter(|hz| *hz > 0);
    let best = sources.first().copied();
    let tsc_hz = stated.or(best.map(|source| source.measured.tsc_hz));
    let Some(tsc_hz) = tsc_hz else {
        panic!("no clock to measure time with: no CPUID leaf 15H, HPET, ACPI PM timer or PIT answered");
    };
    let name = if stated.is_some() { "CPUID 15H" } else { best.map_or("none", |source| source.name) };
    for source in &sources {
        let difference = source.measured.tsc_hz.abs_diff(tsc_hz).saturating_mul(1000) / tsc_hz;
        let level =
            if difference > TOLERANCE_PERMILLE { crate::log::Level::Warn } else { crate::log::Level::Info };
        log_line!(@level, "clock: {} says {} kHz ({difference} permille off {name})",
            source.name, source.measured.tsc_hz / 1000);
    }
    let deadline = inventory.features.has(Feature::TscDeadline);
    let apic_hz = best.map(|source| source.measured.apic_hz).filter(|_| !deadline);
    assert!(deadline || apic_hz.is_some_and(|hz| hz > 0), "the local APIC timer does not count");
    time::set_rates(tsc_hz, apic_hz);
    name
}

fn measure(platform: &Platform) -> Vec<Source, 3> {
    let mut sources = Vec::new();
    let mut add = |name, measured: Option<Measured>| {
        // Capacity is one entry a clock.
        let _ = measured.map(|measured| sources.push(Source { name, measured }));
    };
    let hpet = platform.hpet.and_then(|address| memory::map_device(address, 0x400).ok());
    // SAFETY: the page was just mapped for it.
    add("HPET", hpet.and_then(|base| unsafe { Hpet::new(base) }).and_then(|hpet| hpet.measure(WINDOW_US)));
    let port = platform.pm_timer.filter(|(register, _)| register.space == Space::Port);
    let timer = port
        .and_then(|(register, wide)| u16::try_from(register.address).ok().map(|port| PmTimer { port, wide }));
    add("ACPI PM timer", timer.and_then(|timer| timer.measure(WINDOW_US)));
    add("PIT", clock::measure_pit());
    sources
}
