//! What was found and what is in use, once, at the end of boot.

use umbra_hw::cpuid::Inventory;
use umbra_x86_64::cpu::Protection;
use umbra_x86_64::paging::Audit;

use super::steps::Steps;
use crate::{cores, memory, println, time};

/// Prints the boot report.
pub(crate) fn print(
    inventory: &Inventory,
    protection: Protection,
    audit: Audit,
    apic: &str,
    clock: &str,
    steps: &Steps,
) {
    let identity = &inventory.identity;
    println!("processor: {} ({} cores run)", identity.brand.as_str(), cores::count());
    let flag = |on: bool| if on { "on" } else { "absent" };
    println!(
        "protection: NX {}, SMEP {}, SMAP {}, UMIP {}; {} mappings, {} executable, {} writable ones made non-executable",
        flag(protection.no_execute),
        flag(protection.smep),
        flag(protection.smap),
        flag(protection.umip),
        audit.mappings,
        audit.executable,
        audit.repaired
    );
    let timer = if time::has_deadline_timer() { "TSC deadline" } else { "one-shot count" };
    println!("interrupts: {apic}, timer by {timer}; clock {} MHz by {clock}", time::tsc_hz() / 1_000_000);
    if let Some(usage) = memory::usage() {
        println!(
            "memory: {} MiB managed, {} MiB free, {} page colours",
            usage.managed / 256,
            usage.free / 256,
            usage.colours
        );
    }
    println!("boot steps:");
    steps.print();
}
