//! RDMSR and WRMSR behind the strict rules.
//!
//! The tests' strict bus and this one ask the same function what the processor
//! would refuse, so what passes there passes here, and what is absent is never
//! touched: no general-protection exception can come of it.

use spin::Once;
use umbra_hw::bus::{Bus, Fault, Machine, check_write};
use umbra_x86_64::cpu;

/// The registers of the core this runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MsrBus;

static MACHINE: Once<Machine> = Once::new();

/// Notes which registers were found.
pub(super) fn learn(machine: Machine) {
    MACHINE.call_once(|| machine);
}

fn machine() -> Machine {
    MACHINE.get().copied().unwrap_or_default()
}

impl Bus for MsrBus {
    fn read(&mut self, register: u32) -> Result<u64, Fault> {
        match check_write(&machine(), register, 0) {
            Err(fault @ Fault::Absent { .. }) => Err(fault),
            // SAFETY: the register is one of those that were found.
            _ => Ok(unsafe { cpu::read_msr(register) }),
        }
    }

    fn write(&mut self, register: u32, value: u64) -> Result<(), Fault> {
        check_write(&machine(), register, value)?;
        // SAFETY: the register was found and takes the value; counters, masks
        // and throttles change what is fast, not what is in memory.
        unsafe { cpu::write_msr(register, value) };
        Ok(())
    }
}
