//! Formatting and lints, of the workspace and of `boot/`.

use std::process::Command;

use super::Counts;
use crate::setup::{Toolchain, host_cargo};
use crate::{process, workspace};

/// Packages for the bare-metal target only.
const BARE: &[&str] = &["umbra", "umbra-x86_64"];

/// Whether `cargo fmt` would change anything.
pub(super) fn formatting() -> Counts {
    let mut whole = host_cargo("fmt");
    whole.args(["--all", "--check"]);
    let mut boot = host_cargo("fmt");
    boot.arg("--manifest-path").arg(workspace::root().join("boot/Cargo.toml")).arg("--check");
    all([("formatting of the workspace", whole), ("formatting of boot", boot)])
}

/// Whether clippy has anything to say.
pub(super) fn clippy(toolchain: &Toolchain) -> Counts {
    let mut host = host_cargo("clippy");
    host.arg("--all-targets");
    let mut bare = toolchain.kernel_cargo("clippy");
    bare.args(BARE.iter().flat_map(|package| ["--package", package]));
    let boot = toolchain.boot_cargo("clippy");
    let checks =
        [("lints of the portable crates", host), ("lints of the kernel", bare), ("lints of boot", boot)];
    all(checks.map(|(name, mut cargo)| {
        cargo.args(["--", "-D", "warnings"]);
        (name, cargo)
    }))
}

fn all<const N: usize>(checks: [(&str, Command); N]) -> Counts {
    let mut counts = Counts::default();
    for (name, command) in checks {
        counts.add(Counts::one(name, process::run(command)));
    }
    counts
}
