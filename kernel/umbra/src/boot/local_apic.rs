//! Which way this machine's local APICs are reached.

use umbra_hw::cpuid::{Feature, Inventory};
use umbra_x86_64::apic::{self, Mode};
use umbra_x86_64::ports;

use super::tables::Platform;
use crate::{cores, memory};

/// Masks the legacy controllers and enables this core's APIC: x2APIC where
/// CPUID announces it, memory-mapped otherwise.
pub(crate) fn enable(inventory: &Inventory, platform: &Platform) -> &'static str {
    assert!(inventory.features.has(Feature::Apic), "this processor has no local APIC");
    if platform.has_8259 {
        ports::disable_legacy_pic();
    }
    let (mode, name) = if inventory.features.has(Feature::X2Apic) {
        (Mode::X2, "x2APIC")
    } else {
        let base = memory::map_device(platform.local_apic, 4096).expect("a mapping for the local APIC");
        (Mode::Memory(base), "xAPIC")
    };
    // SAFETY: the mapping stays, or CPUID announces x2APIC; the interrupt
    // table is loaded.
    unsafe {
        apic::choose(mode);
        apic::enable();
    }
    apic::mask_timer();
    cores::learn_apic_id(apic::id());
    name
}
