//! ACPI: which processors there are, where the clocks are, how to switch off.

use bootloader_api::BootInfo;
use heapless::Vec;
use umbra_hw::acpi::{Fadt, Hpet, Madt, Physical, Problem, Processor, Register, Root, Tables, soft_off};

use crate::cores::MAX_CORES;
use crate::hardware::nodes::Nodes;

/// What boot needs of the tables. Absent tables leave safe defaults: one
/// processor, no HPET, no PM timer.
#[derive(Debug, Default)]
pub(crate) struct Platform {
    /// Processors that may be started, the boot processor among them.
    pub(crate) processors: Vec<Processor, MAX_CORES>,
    /// Physical address of the local APIC's registers.
    pub(crate) local_apic: u64,
    /// Physical address of the HPET.
    pub(crate) hpet: Option<u64>,
    /// The power-management timer and whether it has 32 bits.
    pub(crate) pm_timer: Option<(Register, bool)>,
    /// Whether legacy interrupt controllers are there to be masked.
    pub(crate) has_8259: bool,
    /// Memory nodes.
    pub(crate) nodes: Nodes,
    /// Problems met, all reported on the console.
    pub(crate) problems: u32,
}

/// Physical memory through the boot loader's window.
struct Window {
    end: u64,
}

impl Physical for Window {
    fn bytes(&self, address: u64, length: usize) -> Option<&[u8]> {
        let end = address.checked_add(u64::try_from(length).ok()?)?;
        if end > self.end {
            return None;
        }
        // SAFETY: the window shows all physical memory below `end`; tables lie
        // in memory that firmware reserved, so nobody writes them.
        Some(unsafe { core::slice::from_raw_parts(crate::memory::window(address) as *const u8, length) })
    }
}

/// Reads the tables, reporting every problem and going on without what it
/// spoils.
pub(crate) fn read(info: &BootInfo) -> Platform {
    let mut platform = Platform { local_apic: 0xFEE0_0000, has_8259: true, ..Platform::default() };
    let mut count = 0;
    let mut report = |problem: Problem| {
        count += 1;
        crate::log_line!(Warn, "acpi: {problem}");
    };
    let highest = info.memory_regions.iter().map(|region| region.end).max().unwrap_or(0);
    let memory = Window { end: highest.max(1 << 32) };
    if let Err(problem) = read_into(&mut platform, &memory, info.rsdp_addr.into_option(), &mut report) {
        report(problem);
    }
    platform.problems = count;
    platform
}

fn read_into(
    platform: &mut Platform,
    memory: &Window,
    root: Option<u64>,
    report: &mut dyn FnMut(Problem),
) -> Result<(), Problem> {
    let root = match root {
        Some(address) => Root::read(memory, address),
        None => Root::search(memory),
    }?;
    let tables = Tables::open(memory, root, report)?;
    match tables.find(b"APIC", report).and_then(Madt::parse) {
        Ok(madt) => {
            platform.local_apic = madt.local_apic_address;
            platform.has_8259 = madt.has_8259;
            platform.processors = madt.processors(report);
            platform.processors.retain(|processor| processor.enabled);
            madt.stopped.into_iter().for_each(&mut *report);
        }
        Err(problem) => report(problem),
    }
    if let Ok(hpet) = tables.find(b"HPET", &mut |_| {}).and_then(Hpet::parse) {
        platform.hpet = Some(hpet.address);
    }
    platform.nodes = Nodes::read(&tables, report);
    match tables.find(b"FACP", report).and_then(Fadt::parse) {
        Ok(fadt) => {
            platform.pm_timer = fadt.pm_timer.map(|register| (register, fadt.pm_timer_is_32_bit));
            let sleep = tables.at(fadt.dsdt).ok().and_then(|dsdt| soft_off(dsdt.body()));
            crate::exit::learn(fadt.pm1a_control, sleep.map(|sleep| sleep.pm1a), fadt.reset());
        }
        Err(problem) => report(problem),
    }
    Ok(())
}
