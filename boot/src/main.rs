//! Writes the two disk images, one for UEFI and one for BIOS firmware, from a
//! kernel ELF and a ramdisk.
//!
//! The boot loader is the `bootloader` crate: the only one that brings both
//! firmwares from the crate registry alone. It passes no command line, so
//! everything that differs between runs travels in the ramdisk. Its own log
//! is switched off on both the serial line and the screen, because it would
//! interleave with the kernel's.

use std::path::Path;

use anyhow::{Context, Result, bail};
use bootloader::{BootConfig, DiskImageBuilder};

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [kernel, ramdisk, out_dir] = arguments.as_slice() else {
        bail!("expected three arguments: KERNEL RAMDISK OUT_DIR");
    };
    write_images(Path::new(kernel), Path::new(ramdisk), Path::new(out_dir))
}

fn write_images(kernel: &Path, ramdisk: &Path, out_dir: &Path) -> Result<()> {
    for input in [kernel, ramdisk] {
        if !input.is_file() {
            bail!("{} is not a file", input.display());
        }
    }
    std::fs::create_dir_all(out_dir).with_context(|| format!("cannot create {}", out_dir.display()))?;
    let mut builder = DiskImageBuilder::new(kernel.to_owned());
    builder.set_ramdisk(ramdisk.to_owned()).set_boot_config(&boot_config());
    builder.create_bios_image(&out_dir.join("umbra-bios.img")).context("cannot write the BIOS image")?;
    builder.create_uefi_image(&out_dir.join("umbra-uefi.img")).context("cannot write the UEFI image")
}

fn boot_config() -> BootConfig {
    let mut config = BootConfig::default();
    config.serial_logging = false;
    config.frame_buffer_logging = false;
    config
}
