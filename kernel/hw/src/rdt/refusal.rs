use crate::bus::Fault;
use core::fmt;

/// Why a request to share out caches or bandwidth was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The processor does not have it.
    Absent(&'static str),
    /// A class that does not exist.
    Class {
        /// The class asked for.
        class: u32,
        /// How many there are, from 0 on.
        count: u32,
    },
    /// An RMID that does not exist.
    Rmid {
        /// The RMID asked for.
        rmid: u32,
        /// The largest.
        max: u32,
    },
    /// A mask without a bit.
    EmptyMask,
    /// A mask with bits beyond the cache's.
    MaskTooLong {
        /// The mask.
        mask: u64,
        /// Bits the processor has.
        length: u8,
    },
    /// A mask with a gap where only masks in one piece work.
    MaskHasGap {
        /// The mask.
        mask: u64,
    },
    /// Fewer bits than the processor takes.
    MaskTooSmall {
        /// The mask.
        mask: u64,
        /// Bits it must have.
        min_bits: u8,
    },
    /// A throttle above the largest, or a share of bandwidth outside 1 to 100.
    Bandwidth {
        /// What was asked for.
        asked: u32,
        /// The least that can be had.
        least: u32,
        /// The most.
        most: u32,
    },
    /// The processor's own description makes no sense.
    Description(&'static str),
    /// The register would not take it.
    Fault(Fault),
    /// The register shows something else than what was written.
    ReadBack {
        /// The register.
        register: u32,
        /// What was written.
        written: u64,
        /// What it shows.
        found: u64,
    },
    /// More registers are changed than can be remembered for undoing.
    TooManyChanges,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Absent(what) => write!(out, "this processor has no {what}"),
            Self::Class { class, count } => {
                write!(out, "class {class} does not exist; there are {count}, from 0")
            }
            Self::Rmid { rmid, max } => write!(out, "RMID {rmid} does not exist; the largest is {max}"),
            Self::EmptyMask => out.write_str("empty mask; at least one bit must be set"),
            Self::MaskTooLong { mask, length } => {
                write!(out, "mask {mask:#x} has bits beyond the cache's {length}")
            }
            Self::MaskHasGap { mask } => {
                write!(out, "mask {mask:#x} is non-contiguous, which this processor does not take")
            }
            Self::MaskTooSmall { mask, min_bits } => {
                write!(out, "mask {mask:#x} has fewer than {min_bits} bits")
            }
            Self::Bandwidth { asked, least, most } => {
                write!(out, "bandwidth {asked} cannot be had; expected {least} to {most}")
            }
            Self::Description(what) => {
                write!(out, "the processor describes {what} in a way that makes no sense")
            }
            Self::Fault(fault) => write!(out, "{fault}"),
            Self::ReadBack { register, written, found } => {
                write!(out, "register {register:#x} shows {found:#x} after {written:#x} was written")
            }
            Self::TooManyChanges => out.write_str("too many registers changed to undo them all"),
        }
    }
}

impl core::error::Error for Refusal {}
