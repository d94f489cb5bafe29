//! Makes sure that everything the commands need is there, and installs what
//! is not.
//!
//! The bare-metal target comes from one of two places, decided at run time:
//! rustup, if it has (or may fetch) what `rust-toolchain.toml` names; else
//! Debian's own newer compiler with the standard library's sources, from
//! which cargo then builds `core` and `alloc`. Files are looked for, not
//! stamps, so a package removed behind our back is noticed and a second run
//! costs nothing.

mod debian;
mod environment;
mod privilege;
mod rustup;
mod toolchain;

use anyhow::Result;

pub(crate) use toolchain::{Toolchain, host_cargo};

use crate::say;

/// What a command needs beside a toolchain.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    /// QEMU and its firmware.
    pub(crate) emulator: bool,
    /// rustfmt and clippy.
    pub(crate) lints: bool,
}

/// Finds the toolchain, installing whatever is missing.
///
/// # Errors
/// One sentence saying what is missing and why it cannot be installed.
pub(crate) fn prepare(needs: Needs) -> Result<Toolchain> {
    let rustup = rustup::complete() || (!debian::toolchain_complete() && rustup::try_to_complete());
    let mut wanted = Vec::new();
    if !rustup {
        wanted.extend(debian::TOOLCHAIN);
    }
    if needs.emulator {
        wanted.extend(debian::EMULATOR.iter().filter(|package| !package.replaced_by_user()));
    }
    if needs.lints {
        wanted.extend(debian::lints_beside(rustup::has_clippy(), rustup::has_rustfmt()));
    }
    debian::install_missing(&wanted)?;
    if !rustup {
        debian::link_tools()?;
    }
    let toolchain = if rustup { Toolchain::rustup()? } else { Toolchain::debian() };
    say::step(&format!("toolchain: {}", toolchain.describe()));
    Ok(toolchain)
}
