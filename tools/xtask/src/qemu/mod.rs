//! QEMU as the machine: its arguments, its serial line, how it ended.

pub(crate) mod firmware;
pub(crate) mod firmware_text;
pub(crate) mod guest;
pub(crate) mod libtest;
mod lines;
pub(crate) mod machine;
mod model;
pub(crate) mod outcome;
mod screen;
mod terminal;

pub(crate) use guest::{Guest, Received};
pub(crate) use machine::{Firmware, Machine, Serial};
pub(crate) use model::{Emulator, Model, Outputs, described};
pub(crate) use outcome::Outcome;
pub(crate) use screen::plain;
pub(crate) use terminal::Terminal;

use std::ffi::{OsStr, OsString};
use std::process::Command;

/// The program, which `QEMU` in the environment may replace.
pub(crate) fn program() -> OsString {
    std::env::var_os("QEMU").unwrap_or_else(|| "qemu-system-x86_64".into())
}

/// The first line of `qemu --version`, of the program given or the usual one.
pub(crate) fn version(program: Option<&OsStr>) -> Option<String> {
    let mut command = Command::new(program.map_or_else(self::program, OsStr::to_owned));
    command.arg("--version");
    crate::process::output_of(command)?.lines().next().map(str::to_owned)
}
