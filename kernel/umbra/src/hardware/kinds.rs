//! Kinds of cores: on a hybrid processor each core says itself which counters
//! it has and what kind it is, when it arrives.
//!
//! What is asked of several cores at once is what all of them have; which
//! events a kind has beyond the architectural ones goes by the kind.

use spin::Once;
use umbra_control::machine::CoreSet;
use umbra_hw::cpuid::{CoreKind, Inventory, Reader};
use umbra_hw::pmu::{Model, Pmu};
use umbra_x86_64::cpu;

use super::the;
use crate::cores::MAX_CORES;

/// What a core says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) kind: CoreKind,
    pub(crate) model: Model,
    pub(crate) pmu: Option<Pmu>,
}

static KINDS: [Once<Kind>; MAX_CORES] = [const { Once::new() }; MAX_CORES];

/// Asks the core this runs on.
pub(super) fn arrive(number: u8) -> Option<Kind> {
    let leaf = |leaf: u32, subleaf: u32| cpu::cpuid(leaf, subleaf);
    let boot = &the().inventory;
    let kind = match boot.core_kind {
        // CPUID's answers are all of one kind.
        CoreKind::Uniform => Kind { kind: CoreKind::Uniform, model: the().model, pmu: the().pmu },
        _ => {
            let inventory = Inventory::read(&leaf);
            let identity = &inventory.identity;
            let reader = Reader::new(&leaf);
            let pmu = Pmu::read(&reader, identity.vendor, identity.family, inventory.features);
            Kind { kind: inventory.core_kind, model: Model::of(identity, inventory.core_kind), pmu }
        }
    };
    KINDS.get(usize::from(number)).map(|place| *place.call_once(|| kind))
}

/// What a core said.
pub(crate) fn of(number: u8) -> Option<Kind> {
    KINDS.get(usize::from(number))?.get().copied()
}

/// The counters that all of `cores` have beside those that always run, and whose
/// events they count: those of no particular model when they differ.
pub(crate) fn common(cores: CoreSet, rest: &Pmu) -> (Option<Pmu>, Model) {
    let mut pmu = Some(*rest);
    let mut model = None;
    for kind in cores.iter().filter_map(|core| of(core.0)) {
        pmu = pmu.zip(kind.pmu).and_then(|(ours, theirs)| ours.common(&theirs));
        model = match model {
            None => Some(kind.model),
            Some(known) if known == kind.model => Some(known),
            Some(_) => Some(Model::Other),
        };
    }
    (pmu, model.unwrap_or(Model::Other))
}
