//! What CPUID, RDMSR, WRMSR and RDPMC say, read from the manuals a second
//! time and on purpose not shared with the kernel: where the two readings
//! differ, a run ends and names the instruction.
//!
//! A write is decided here and carried out by the caller: it returns an
//! [`Effect`]. What a real machine would answer with #GP is a
//! [`Outcome::Fault`]; registers that are not modelled are
//! [`Outcome::NotModelled`] and left to the emulator.
//!
//! Sources: Intel SDM vol. 2A (CPUID), vol. 3B chapters "Performance
//! Monitoring" and "Intel Resource Director Technology"; AMD APM vol. 2
//! ("Performance Monitoring Counters", "Platform QoS").

mod counters;
mod cpuid;
mod division;
mod numbers;

use counters::CounterBank;
use division::Division;

use crate::description::{Description, Vendor};
use crate::hierarchy::{Hierarchy, Throttle};

/// What the machine makes of an access to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It succeeds.
    Done(T),
    /// It raises #GP(0); why, in a few words.
    Fault(&'static str),
    /// The model does not have this register.
    NotModelled,
}

/// What a write changes beside the register itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// The writing thread changes its class and identity.
    Associate {
        /// Class of service.
        class: usize,
        /// Monitoring identity.
        resource_id: u8,
    },
    /// A class may allocate elsewhere.
    Mask {
        /// Class of service.
        class: usize,
        /// Ways.
        mask: u32,
    },
    /// A class may allocate elsewhere in the second level.
    SecondMask {
        /// Class of service.
        class: usize,
        /// Ways.
        mask: u32,
    },
    /// Code and data get masks of their own, or no longer do.
    CodeAndData {
        /// In the second level; else in the shared one.
        second: bool,
        /// Whether they are apart.
        apart: bool,
    },
    /// A class is slowed differently.
    Throttle {
        /// Class of service.
        class: usize,
        /// How.
        throttle: Throttle,
    },
}

/// Everything that is counted for one thread, since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Raw {
    /// Cycles while not halted.
    pub cycles: u64,
    /// Instructions retired.
    pub instructions: u64,
    /// References to the shared level.
    pub shared_references: u64,
    /// Misses of the shared level.
    pub shared_misses: u64,
}

/// Where QM_CTR looks.
pub trait Monitored {
    /// Bytes of the shared level charged to an identity.
    fn occupancy_bytes(&self, resource_id: u8) -> u64;
    /// Bytes to and from memory charged to an identity.
    fn memory_bytes(&self, resource_id: u8) -> u64;
}

impl Monitored for Hierarchy {
    fn occupancy_bytes(&self, resource_id: u8) -> u64 {
        self.occupancy_bytes(resource_id)
    }

    fn memory_bytes(&self, resource_id: u8) -> u64 {
        self.memory_bytes(resource_id)
    }
}

/// The registers of all threads of one machine.
#[derive(Clone, Debug)]
pub struct Registers {
    machine: Description,
    banks: Vec<CounterBank>,
    division: Option<Division>,
}

impl Registers {
    /// As after reset.
    #[must_use]
    pub fn new(machine: &Description) -> Self {
        let bank = CounterBank::new(machine.vendor, machine.counters);
        Self {
            machine: machine.clone(),
            banks: vec![bank; machine.threads()],
            division: machine.allocation.map(|allocation| Division::new(machine, allocation)),
        }
    }

    /// What CPUID returns for a leaf, given what the emulator would return
    /// (EAX, EBX, ECX, EDX), or none when the emulator's answer stands.
    #[must_use]
    pub fn cpuid(&self, thread: usize, leaf: u32, subleaf: u32, emulated: [u32; 4]) -> Option<[u32; 4]> {
        cpuid::answer(&self.machine, thread, leaf, subleaf, emulated)
    }

    /// RDMSR.
    pub fn read(
        &mut self,
        thread: usize,
        register: u32,
        raw: &Raw,
        monitored: &impl Monitored,
    ) -> Outcome<u64> {
        let Some(bank) = self.banks.get_mut(thread) else { return Outcome::NotModelled };
        bank.settle(raw);
        match bank.read(register) {
            Outcome::NotModelled => match &self.division {
                Some(division) => division.read(thread, register, monitored),
                None if numbers::divides(self.machine.vendor, register) => {
                    Outcome::Fault("the machine has no such register")
                }
                None => Outcome::NotModelled,
            },
            outcome => outcome,
        }
    }

    /// WRMSR.
    pub fn write(&mut self, thread: usize, register: u32, value: u64, raw: &Raw) -> Outcome<Effect> {
        let Some(bank) = self.banks.get_mut(thread) else { return Outcome::NotModelled };
        bank.settle(raw);
        match bank.write(register, value) {
            Outcome::Done(()) => Outcome::Done(Effect::None),
            Outcome::Fault(why) => Outcome::Fault(why),
            Outcome::NotModelled => match &mut self.division {
                Some(division) => division.write(thread, register, value),
                None if numbers::divides(self.machine.vendor, register) => {
                    Outcome::Fault("the machine has no such register")
                }
                None => Outcome::NotModelled,
            },
        }
    }

    /// RDPMC with this ECX.
    pub fn read_counter(&mut self, thread: usize, index: u32, raw: &Raw) -> Outcome<u64> {
        let Some(bank) = self.banks.get_mut(thread) else { return Outcome::NotModelled };
        bank.settle(raw);
        bank.read_counter(index)
    }

    /// Brings a thread's counters up to date; true when one of them
    /// overflowed that asks for an interrupt.
    pub fn settle(&mut self, thread: usize, raw: &Raw) -> bool {
        self.banks.get_mut(thread).is_some_and(|bank| {
            bank.settle(raw);
            bank.take_interrupt()
        })
    }

    /// A lower bound of the cycles until an interrupting counter of cycles or
    /// instructions of this thread overflows; none when none will.
    #[must_use]
    pub fn cycles_to_interrupt(&self, thread: usize) -> Option<u64> {
        self.banks.get(thread)?.cycles_to_interrupt()
    }

    /// Whose manual the machine follows.
    #[must_use]
    pub fn vendor(&self) -> Vendor {
        self.machine.vendor
    }
}
