//! The serial console: bytes in, commands and well-formed replies out.
//!
//! Nothing here touches a device, a clock or the scheduler. The kernel feeds
//! each received byte to the [`Editor`], hands a finished line to
//! [`parse::commands`], carries the commands out itself and answers through
//! [`reply`], [`Table`], [`format`] and [`json`]. So the whole conversation runs
//! under `cargo test`, and a slow terminal costs the control core only.
//!
//! One table of command descriptions ([`parse::SPECS`]) drives parsing, help
//! and completion; they cannot disagree. A ready-made embedded shell was
//! refused: none of those looked at has a kill buffer, reverse search and
//! lines of log above the prompt without a heap.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod complete;
mod editor;
pub mod format;
pub mod help;
pub mod json;
pub mod parse;
pub mod reply;
mod sink;
mod table;

pub use complete::{NameKind, Names, NoNames};
pub use editor::{Editor, Event, LINE_BYTES, LineText, PROMPT};
pub use parse::{Command, ParseError};
pub use sink::{CrLf, Frame};
pub use table::{Align, Column, Table};
