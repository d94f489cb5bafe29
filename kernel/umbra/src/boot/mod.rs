//! Bringing the machine up, one step a function, in the order of
//! [`crate::kernel_main`].

pub(crate) mod bandwidth;
pub(crate) mod clock;
pub(crate) mod local_apic;
pub(crate) mod processor;
pub(crate) mod ramdisk;
pub(crate) mod report;
pub(crate) mod start_cores;
pub(crate) mod steps;
pub(crate) mod tables;

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

static PROCESSORS: AtomicU32 = AtomicU32::new(1);
static TO_CONSOLE: AtomicU64 = AtomicU64::new(0);

/// Keeps what tests and benchmarks ask for later.
pub(crate) fn note(platform: &tables::Platform, steps: &steps::Steps) {
    let named = u32::try_from(platform.processors.len()).unwrap_or(u32::MAX).max(1);
    PROCESSORS.store(named, Ordering::Relaxed);
    TO_CONSOLE.store(steps.total(), Ordering::Relaxed);
}

/// Processors that the platform names as enabled.
pub(crate) fn processors_named() -> u32 {
    PROCESSORS.load(Ordering::Relaxed)
}

/// Cycles from the kernel's first instruction to the console.
pub(crate) fn cycles_to_console() -> u64 {
    TO_CONSOLE.load(Ordering::Relaxed)
}
