//! The image builder in `boot/`.
//!
//! Its first build compiles the boot loader's five stages, which takes two to
//! five minutes and which cargo hides; hence the heartbeat. Its directory is
//! never cleaned.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::setup::Toolchain;
use crate::{process, say, workspace};

/// Compiles the image builder.
pub(super) fn build(toolchain: &Toolchain) -> Result<PathBuf> {
    let built = workspace::target("boot/debug/umbra-boot");
    if built.is_file() {
        say::step("building the image builder");
    } else {
        say::step("building the image builder and the boot loader (the first time this takes some minutes)");
    }
    let mut cargo = toolchain.boot_cargo("build");
    cargo.arg("--locked");
    process::run_with_heartbeat(cargo, "building the boot loader")?;
    Ok(built)
}

/// Writes both images into `directory`.
pub(super) fn write_images(tool: &Path, kernel: &Path, ramdisk: &Path, directory: &Path) -> Result<()> {
    let mut command = Command::new(tool);
    command.arg(kernel).arg(ramdisk).arg(directory);
    process::run(command)
}
