//! What the processor is and which protections it offers.

use umbra_hw::cpuid::{Feature, Inventory};
use umbra_memory::{Colours, Geometry};
use umbra_x86_64::cpu::{self, Protection};

/// Reads CPUID. Nothing is assumed of a leaf that is not announced.
pub(crate) fn inventory() -> Inventory {
    Inventory::read(&|leaf, subleaf| cpu::cpuid(leaf, subleaf))
}

/// The protections CPUID announces.
pub(crate) fn protections(inventory: &Inventory) -> Protection {
    let has = |feature| inventory.features.has(feature);
    Protection {
        no_execute: has(Feature::Nx),
        smep: has(Feature::Smep),
        smap: has(Feature::Smap),
        umip: has(Feature::Umip),
    }
}

/// Colours of the last-level cache; one where its shape is unknown.
pub(crate) fn colours(inventory: &Inventory) -> Colours {
    let Some(cache) = inventory.last_level_cache().filter(|cache| !cache.fully_associative) else {
        return Colours::ONE;
    };
    Geometry::unknown_slices(cache.sets, cache.ways, cache.line_bytes).colours().unwrap_or(Colours::ONE)
}
