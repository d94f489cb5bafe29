use super::{EventSelect, Model, Pmu, Role, for_role};
use crate::cpuid::Vendor;

/// Where an event is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// In a core's general counters.
    Core,
    /// In a level 3 cache's counters.
    L3,
}

/// An event that counters can be told to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The name `perf list` gives it.
    pub name: &'static str,
    /// Its encoding, without the flags that say when to count.
    pub select: EventSelect,
    /// The fixed counter that counts it, if there is one.
    pub fixed: Option<u8>,
    /// The general counters that can count it; what a processor lacks of these
    /// does not matter.
    pub counters: u32,
    /// Where it is counted.
    pub unit: Unit,
}

impl Event {
    pub(crate) const fn core(name: &'static str, event: u16, unit_mask: u8) -> Self {
        let select = EventSelect::new(event, unit_mask);
        Self { name, select, fixed: None, counters: u32::MAX, unit: Unit::Core }
    }

    pub(crate) const fn l3(name: &'static str, event: u16, unit_mask: u8) -> Self {
        Self { unit: Unit::L3, ..Self::core(name, event, unit_mask) }
    }

    pub(crate) const fn at_least(self, counter_mask: u8) -> Self {
        Self { select: self.select.at_least(counter_mask), ..self }
    }

    /// Only the first four counters can count it.
    pub(crate) const fn on_first_four(self) -> Self {
        Self { counters: 0xf, ..self }
    }

    const fn fixed(self, index: u8) -> Self {
        Self { fixed: Some(index), ..self }
    }
}

/// An event whose presence CPUID states by a bit (SDM volume 3B, table 20-1 and
/// section 20.2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchitecturalEvent {
    /// The manual's name.
    pub name: &'static str,
    /// Event number.
    pub event: u8,
    /// Unit mask.
    pub unit_mask: u8,
}

const fn architectural(name: &'static str, event: u8, unit_mask: u8) -> ArchitecturalEvent {
    ArchitecturalEvent { name, event, unit_mask }
}

/// The architectural events by their bit.
pub const ARCHITECTURAL: [ArchitecturalEvent; 13] = [
    architectural("UnHalted Core Cycles", 0x3c, 0x00),
    architectural("Instructions Retired", 0xc0, 0x00),
    architectural("UnHalted Reference Cycles", 0x3c, 0x01),
    architectural("LLC References", 0x2e, 0x4f),
    architectural("LLC Misses", 0x2e, 0x41),
    architectural("Branch Instructions Retired", 0xc4, 0x00),
    architectural("Branch Misses Retired", 0xc5, 0x00),
    architectural("Topdown Slots", 0xa4, 0x01),
    architectural("Topdown Backend Bound", 0xa4, 0x02),
    architectural("Topdown Bad Speculation", 0x73, 0x00),
    architectural("Topdown Frontend Bound", 0x9c, 0x01),
    architectural("Topdown Retiring", 0xc2, 0x02),
    architectural("LBR Inserts", 0xe4, 0x01),
];

/// perf's own names on Intel with the bit of [`ARCHITECTURAL`] each needs.
/// Fixed counter 0 counts instructions, 1 cycles, 2 reference cycles, 3 slots.
const INTEL_GENERIC: [(Event, u32); 8] = [
    (Event::core("cycles", 0x3c, 0x00).fixed(1), 0),
    (Event::core("instructions", 0xc0, 0x00).fixed(0), 1),
    (Event::core("bus-cycles", 0x3c, 0x01), 2),
    (Event::core("cache-references", 0x2e, 0x4f), 3),
    (Event::core("cache-misses", 0x2e, 0x41), 4),
    (Event::core("branches", 0xc4, 0x00), 5),
    (Event::core("branch-misses", 0xc5, 0x00), 6),
    (Event::core("slots", 0xa4, 0x01).fixed(3), 7),
];

/// Reference cycles at the TSC's rate; only fixed counter 2 counts them. The
/// encoding is perf's stand-in for it and is never written to a register.
const REFERENCE_CYCLES: Event = Event { counters: 0, ..Event::core("ref-cycles", 0x00, 0x03).fixed(2) };

/// perf's own names on Zen (Linux `amd_zen2_perfmon_event_map`): references and
/// misses are those of the level 2 cache.
const AMD_GENERIC: [Event; 6] = [
    Event::core("cycles", 0x76, 0x00),
    Event::core("instructions", 0xc0, 0x00),
    Event::core("cache-references", 0x60, 0xff),
    Event::core("cache-misses", 0x64, 0x09),
    Event::core("branches", 0xc2, 0x00),
    Event::core("branch-misses", 0xc3, 0x00),
];

/// The events that perf names alike on every processor, as far as this one has
/// them.
pub fn generic(pmu: &Pmu, vendor: Vendor) -> impl Iterator<Item = Event> + use<> {
    let (available, fixed) = (pmu.architectural_events, pmu.fixed);
    let intel =
        INTEL_GENERIC.iter().filter(move |(_, bit)| available >> bit & 1 == 1).map(|(event, _)| *event);
    let reference = (fixed >> 2 & 1 == 1).then_some(REFERENCE_CYCLES);
    let amd = vendor.is_amd_like();
    let intel = intel.chain(reference).filter(move |_| !amd);
    intel.chain(AMD_GENERIC.into_iter().filter(move |_| amd))
}

/// What stands for misses of the last-level cache on a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlcMisses {
    /// The event counts them.
    Counted(Event),
    /// The event counts a part of them: loads that the cache did not serve,
    /// without what was fetched ahead.
    LoadsOnly(Event),
    /// No event of a core's counters does.
    Unknown,
}

/// The event of a core's own counters for misses of the last-level cache. What
/// perf calls cache-misses on AMD are those of the level 2 cache, which says
/// nothing of the last level.
#[must_use]
pub fn llc_misses(pmu: &Pmu, vendor: Vendor, model: Model) -> LlcMisses {
    let named = || generic(pmu, vendor).find(|event| event.name == "cache-misses");
    let loads = || for_role(model, Role::LlcMissLoads);
    match (vendor.is_amd_like(), named(), loads()) {
        (false, Some(event), _) => LlcMisses::Counted(event),
        (_, _, Some(event)) => LlcMisses::LoadsOnly(event),
        _ => LlcMisses::Unknown,
    }
}
