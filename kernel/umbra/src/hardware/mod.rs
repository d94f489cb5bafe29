//! The processor's own instruments: what was found, what is in use, and why
//! the rest is not.
//!
//! Everything is asked of CPUID and ACPI, once, on the boot core, before
//! others start. A register is reached only through [`bus::MsrBus`], which
//! lets through what the strict rules of `umbra-hw` accept for the registers
//! that were found. Counters that are announced but stand still (an emulator)
//! are found out by trying and left alone. AMD's first four counters, which no
//! CPUID bit announces, are not tried under a hypervisor.

pub(crate) mod budget;
pub(crate) mod bus;
pub(crate) mod calibrate;
pub(crate) mod confine;
pub(crate) mod counters;
pub(crate) mod division;
pub(crate) mod hold;
pub(crate) mod kinds;
pub(crate) mod nodes;
pub(crate) mod places;
pub(crate) mod stat;
pub(crate) mod traffic;

use core::fmt::{self, Display, Formatter};

use heapless::Vec;
use spin::Once;
use umbra_hw::bus::{Bus, Machine};
use umbra_hw::cpuid::{Feature, Inventory, Reader};
use umbra_hw::msr;
use umbra_hw::pmu::{Design, Model, Pmu};
use umbra_hw::rdt::{Rdt, Refusal};
use umbra_x86_64::cpu;

use bus::MsrBus;
use counters::Base;
use nodes::Nodes;

/// Problems of the processor's own description that are kept.
const REFUSALS: usize = 4;

/// What was found.
#[derive(Debug)]
pub(crate) struct Hardware {
    pub(crate) inventory: Inventory,
    /// Which model's events there are.
    pub(crate) model: Model,
    /// The counters that are announced.
    pub(crate) pmu: Option<Pmu>,
    /// The counters in use, or why there are none.
    pub(crate) base: Result<Base, NoCounters>,
    /// What can be divided and monitored.
    pub(crate) rdt: Rdt,
    pub(crate) nodes: Nodes,
    pub(crate) refusals: Vec<Refusal, REFUSALS>,
}

/// Why no counters are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoCounters {
    Absent,
    NotAnnounced,
    StandStill,
    Unfit,
}

impl Display for NoCounters {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "the processor announces no performance counters",
            Self::NotAnnounced => "no CPUID bit announces counters, and a hypervisor is there",
            Self::StandStill => "the counters that are announced stand still",
            Self::Unfit => "no counter counts instructions",
        })
    }
}

static HARDWARE: Once<Hardware> = Once::new();

/// Finds out what there is, on the boot core.
pub(crate) fn detect(inventory: &Inventory, nodes: &Nodes) {
    let leaf = |leaf: u32, subleaf: u32| cpu::cpuid(leaf, subleaf);
    let reader = Reader::new(&leaf);
    let (identity, features) = (&inventory.identity, inventory.features);
    let mut refusals = Vec::new();
    let rdt = Rdt::read(&reader, identity.vendor, features, &mut |refusal| {
        crate::log_line!(Warn, "hardware: {refusal}");
        // The first few tell enough.
        let _ = refusals.push(refusal);
    });
    let pmu = Pmu::read(&reader, identity.vendor, identity.family, features);
    let full_width_writes = pmu.is_some() && full_width_writes(inventory);
    bus::learn(Machine { pmu, full_width_writes, rdt });
    let model = Model::of(identity, inventory.core_kind);
    let base = choose_counters(inventory, pmu, model);
    HARDWARE.call_once(|| Hardware {
        inventory: inventory.clone(),
        model,
        pmu,
        base,
        rdt,
        nodes: nodes.clone(),
        refusals,
    });
    if let Ok(base) = &the().base {
        counters::use_everywhere(base);
    }
    division::begin();
}

/// A core's own part, at its start, with interrupts off.
pub(crate) fn arrive(number: u8) {
    let kind = kinds::arrive(number);
    counters::arrive(number, kind.and_then(|kind| kind.pmu));
    division::arrive(number);
}

/// What was found. After [`detect`].
pub(crate) fn the() -> &'static Hardware {
    HARDWARE.get().expect("boot detects the hardware")
}

fn choose_counters(inventory: &Inventory, pmu: Option<Pmu>, model: Model) -> Result<Base, NoCounters> {
    let pmu = pmu.ok_or(NoCounters::Absent)?;
    if pmu.design == Design::AmdLegacy && inventory.features.has(Feature::Hypervisor) {
        return Err(NoCounters::NotAnnounced);
    }
    let base = Base::choose(pmu, inventory.identity.vendor, model).ok_or(NoCounters::Unfit)?;
    if base.counts(&mut MsrBus) { Ok(base) } else { Err(NoCounters::StandStill) }
}

/// Bit 13 of the capabilities register that CPUID announces by PDCM (SDM
/// volume 3B, section 20.2.8).
fn full_width_writes(inventory: &Inventory) -> bool {
    if !inventory.features.has(Feature::Pdcm) {
        return false;
    }
    // SAFETY: CPUID announces the register.
    let capabilities = unsafe { cpu::read_msr(msr::PERF_CAPABILITIES) };
    capabilities >> 13 & 1 == 1
}

/// Runs `writes` on this core; false when one was refused.
fn write_all(bus: &mut impl Bus, writes: impl Iterator<Item = umbra_hw::pmu::Write>) -> bool {
    let mut taken = true;
    for write in writes {
        taken &= bus.write(write.register, write.value).is_ok();
    }
    taken
}
