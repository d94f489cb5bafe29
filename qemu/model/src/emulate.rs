//! The instructions that the model answers: it writes the guest's registers,
//! moves its instruction pointer and leaves the block.

use umbra_model::registers::Outcome;

use crate::decode::Special;
use crate::entries::Caller;
use crate::internals::GuestRegisters;
use crate::model::model;
use crate::rota::restore;

/// The guest did what raises #GP on the real machine.
const FAULT: i32 = 75;
/// Cycles of a PAUSE (Skylake and later: about 140).
const PAUSE_CYCLES: u64 = 140;
/// The counters' entry of the local vector table, as an x2APIC register.
const X2APIC_COUNTER_ENTRY: u32 = 0x834;

/// Where a special instruction stands; packed into the callback's user data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) special: Special,
    /// Its bytes.
    pub(crate) size: usize,
    /// Instructions of the block that come after it. They were counted when
    /// the block was entered and will be again when it is left here.
    pub(crate) after: usize,
}

impl Site {
    pub(crate) fn pack(self) -> usize {
        usize::from(self.special as u8) | self.size << 8 | self.after << 16
    }

    fn unpack(packed: usize) -> Option<Self> {
        let number = u8::try_from(packed & 0xFF).ok()?;
        let special = Special::from_number(number)?;
        Some(Self { special, size: packed >> 8 & 0xFF, after: packed >> 16 })
    }
}

/// What becomes of the instruction.
enum Answer {
    /// It is done.
    Done,
    /// The emulator carries it out.
    Emulator,
    /// The real machine raises #GP.
    Fault { what: &'static str, register: u32, value: u64, why: &'static str },
}

/// A special instruction was reached.
///
/// # Safety
/// Called by translated code, which the state is restored from.
pub(crate) unsafe fn special_reached(at: usize, packed: usize, caller: Caller) {
    let Some(site) = Site::unpack(packed) else { return };
    let guest = GuestRegisters(caller.registers);
    // User code gets the emulator's #GP for the first three; RDPMC and PAUSE and CPUID it may use.
    let privileged = matches!(site.special, Special::ReadRegister | Special::WriteRegister);
    if privileged && guest.privilege() != 0 {
        return;
    }
    // SAFETY: the emulating thread.
    unsafe {
        let counted_ahead = u64::try_from(site.after).unwrap_or(0);
        *model().vcpus[at].word -= counted_ahead;
        model().settle(at);
        let answer = answer(at, site.special, guest);
        if matches!(answer, Answer::Emulator) {
            *model().vcpus[at].word += counted_ahead;
            return;
        }
        let qemu = model().qemu;
        let cpu = model().vcpus[at].state.0;
        restore(&qemu, cpu, caller);
        let here = guest.instruction_pointer();
        if let Answer::Fault { what, register, value, why } = answer {
            fault(at, here, what, register, value, why);
        }
        guest.set_instruction_pointer(here.wrapping_add(u64::try_from(site.size).unwrap_or(0)));
        model().wind(at);
        if site.special == Special::Pause {
            model().stall(at, PAUSE_CYCLES);
        }
        (qemu.leave_loop)(cpu)
    }
}

/// Decides and, where it is done, writes the guest's result registers.
unsafe fn answer(at: usize, special: Special, guest: GuestRegisters) -> Answer {
    // SAFETY: the emulating thread.
    let model = unsafe { model() };
    let raw = model.vcpus[at].raw;
    let register = guest.low(GuestRegisters::RCX);
    match special {
        Special::Pause => Answer::Done,
        Special::Translation => Answer::Emulator,
        Special::Cpuid => {
            let (leaf, subleaf) = (guest.low(GuestRegisters::RAX), register);
            let mut words = [0u32; 4];
            let [eax, ebx, ecx, edx] = &mut words;
            // SAFETY: the registers of the vCPU that asks; four words to write to.
            unsafe { (model.qemu.emulated_cpuid)(guest.0, leaf, subleaf, eax, ebx, ecx, edx) };
            let [eax, ebx, ecx, edx] = model.registers.cpuid(at, leaf, subleaf, words).unwrap_or(words);
            guest.set(GuestRegisters::RAX, eax.into());
            guest.set(GuestRegisters::RBX, ebx.into());
            guest.set(GuestRegisters::RCX, ecx.into());
            guest.set(GuestRegisters::RDX, edx.into());
            Answer::Done
        }
        Special::ReadRegister => {
            let outcome = model.registers.read(at, register, &raw, &model.hierarchy);
            read("RDMSR", register, outcome, guest)
        }
        Special::ReadCounter => {
            let outcome = model.registers.read_counter(at, register, &raw);
            read("RDPMC", register, outcome, guest)
        }
        Special::WriteRegister => {
            let value = guest.pair();
            if register == X2APIC_COUNTER_ENTRY {
                model.vcpus[at].counter_vector = guest.low(GuestRegisters::RAX);
            }
            match model.registers.write(at, register, value, &raw) {
                Outcome::Done(effect) => {
                    model.carry_out(at, effect);
                    model.mark(at, register, value);
                    Answer::Done
                }
                Outcome::Fault(why) => Answer::Fault { what: "WRMSR", register, value, why },
                Outcome::NotModelled => Answer::Emulator,
            }
        }
    }
}

fn read(what: &'static str, register: u32, outcome: Outcome<u64>, guest: GuestRegisters) -> Answer {
    match outcome {
        Outcome::Done(value) => {
            guest.set_pair(value);
            Answer::Done
        }
        Outcome::Fault(why) => Answer::Fault { what, register, value: 0, why },
        Outcome::NotModelled => Answer::Emulator,
    }
}

/// Reports the access and ends the run.
fn fault(at: usize, here: u64, what: &str, register: u32, value: u64, why: &str) -> ! {
    let value = if what == "WRMSR" { format!(" of {value:#x}") } else { String::new() };
    eprintln!("umbra model: {what} {register:#x}{value} on vCPU {at} at RIP {here:#x} raises #GP: {why}");
    // SAFETY: ends the process without running anything else of it.
    unsafe { libc::_exit(FAULT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_survives_packing() {
        let site = Site { special: Special::ReadCounter, size: 15, after: 511 };
        assert_eq!(Site::unpack(site.pack()), Some(site));
        assert_eq!(Site::unpack(0), None);
    }
}
