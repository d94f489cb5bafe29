//! `cargo xtask image`: the disk images for a real machine.

use std::path::PathBuf;

use anyhow::Result;

use crate::image::{Builder, Configuration, configuration::Mode};
use crate::{setup, workspace};

/// Write the UEFI and the BIOS disk image.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory to write to [default: target/image]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Builds both images and says what to do with them.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let toolchain = setup::prepare(setup::Needs::default())?;
    let directory = arguments.out.clone().unwrap_or_else(|| workspace::target("image"));
    let images = Builder::new(&toolchain)?.images_in(&directory, &Configuration::new(Mode::Main))?;
    let (bios, uefi) = (workspace::shown(&images.bios), workspace::shown(&images.uefi));
    println!("{uefi}   for machines with UEFI firmware (switch Secure Boot off)");
    println!("{bios}   for machines with BIOS firmware, or UEFI in legacy mode");
    println!();
    println!("To put one on a USB stick, which erases the stick (find its name with `lsblk`):");
    println!("  sudo dd if={uefi} of=/dev/sdX bs=4M conv=fsync status=progress");
    println!("Then choose the stick in the firmware's boot menu; the console is on the first serial port,");
    println!("115200 baud, 8N1. To run the UEFI image in QEMU: cargo xtask run --firmware uefi");
    Ok(())
}
