//! The kernel ELF.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::setup::Toolchain;
use crate::{process, say, workspace};

/// Compiles the kernel and returns the stripped ELF; the one with symbols
/// stays in cargo's directory for `addr2line` and debuggers.
pub(super) fn build(toolchain: &Toolchain) -> Result<PathBuf> {
    say::step("building the kernel");
    let mut cargo = toolchain.kernel_cargo("build");
    cargo.args(["--release", "--package", "umbra"]);
    process::run(cargo)?;
    let built = workspace::target("kernel/x86_64-unknown-none/release/umbra");
    let stripped = workspace::target("kernel/umbra");
    if !newer(&stripped, &built) {
        let mut objcopy = toolchain.objcopy();
        objcopy.arg("--strip-all").arg(&built).arg(&stripped);
        process::run(objcopy)?;
    }
    Ok(stripped)
}

fn newer(output: &Path, input: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|about| about.modified()).ok();
    modified(output).is_some_and(|output| modified(input).is_some_and(|input| output >= input))
}
