//! Model-specific registers as something that can refuse.
//!
//! What programs registers takes a [`Bus`]: the kernel's executes RDMSR and
//! WRMSR, tests use [`StrictBus`], which faults wherever the manuals say that
//! the processor faults, and remembers what was written in which order.

mod rules;
mod strict;

#[cfg(test)]
pub(crate) mod tests;

pub use rules::{Machine, check_write};
pub use strict::StrictBus;

use core::fmt;

/// Reads and writes model-specific registers of one logical processor.
pub trait Bus {
    /// Reads a register.
    ///
    /// # Errors
    /// The processor raised a general-protection exception.
    fn read(&mut self, register: u32) -> Result<u64, Fault>;

    /// Writes a register.
    ///
    /// # Errors
    /// The processor raised a general-protection exception.
    fn write(&mut self, register: u32, value: u64) -> Result<(), Fault>;
}

/// A general-protection exception on a register, and what caused it as far as
/// is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no such register.
    Absent {
        /// The register.
        register: u32,
    },
    /// The register cannot be written.
    ReadOnly {
        /// The register.
        register: u32,
    },
    /// Reserved bits were set.
    Reserved {
        /// The register.
        register: u32,
        /// The bits that may not be set.
        bits: u64,
    },
    /// The value is none of those the register takes.
    Value {
        /// The register.
        register: u32,
        /// The value.
        value: u64,
    },
    /// The processor faulted and did not say why.
    Unexplained {
        /// The register.
        register: u32,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Absent { register } => write!(out, "#GP: register {register:#x} does not exist"),
            Self::ReadOnly { register } => write!(out, "#GP: register {register:#x} is read only"),
            Self::Reserved { register, bits } => {
                write!(out, "#GP: bits {bits:#x} of register {register:#x} are reserved")
            }
            Self::Value { register, value } => {
                write!(out, "#GP: register {register:#x} does not take {value:#x}")
            }
            Self::Unexplained { register } => write!(out, "#GP on register {register:#x}"),
        }
    }
}

impl core::error::Error for Fault {}
