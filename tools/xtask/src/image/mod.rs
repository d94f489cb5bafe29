//! From sources to bootable disk images: kernel, corpus, ramdisk, image.
//!
//! A [`Builder`] compiles once; [`Builder::images`] then makes a pair of images for
//! each boot configuration, which takes a tenth of a second, so every test
//! has images of its own.

mod boot;
pub(crate) mod configuration;
mod corpus;
mod fresh;
mod kernel;
mod ramdisk;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::setup::Toolchain;
use crate::workspace;
pub(crate) use configuration::Configuration;

/// What all images have in common.
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    kernel: PathBuf,
    corpus: corpus::Files,
    tool: PathBuf,
}

/// One boot configuration as disk images.
#[derive(Clone, Debug)]
pub(crate) struct Images {
    /// For BIOS firmware.
    pub(crate) bios: PathBuf,
    /// For UEFI firmware.
    pub(crate) uefi: PathBuf,
}

impl Builder {
    /// Compiles the kernel and the image builder and gathers the corpus.
    ///
    /// # Errors
    /// Whatever does not build; cargo has already said why.
    pub(crate) fn new(toolchain: &Toolchain) -> Result<Self> {
        let kernel = kernel::build(toolchain)?;
        let corpus = corpus::build(&toolchain.library_sources())?;
        let tool = boot::build(toolchain)?;
        Ok(Self { kernel, corpus, tool })
    }

    /// The stripped kernel that goes into the images.
    pub(crate) fn kernel(&self) -> &Path {
        &self.kernel
    }

    /// The images for `configuration`, in `target/images/NAME`.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub(crate) fn images(&self, name: &str, configuration: &Configuration) -> Result<Images> {
        self.images_in(&workspace::target("images").join(name), configuration)
    }

    /// The images for `configuration` in a directory of the caller's choice.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub(crate) fn images_in(&self, directory: &Path, configuration: &Configuration) -> Result<Images> {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let images =
            Images { bios: directory.join("umbra-bios.img"), uefi: directory.join("umbra-uefi.img") };
        let text = configuration.to_text();
        let state =
            fresh::State::of(&text, &[&self.kernel, &self.tool, &self.corpus.text, &self.corpus.index])?;
        let outputs = [&images.bios, &images.uefi];
        if !state.matches(directory, &outputs) {
            let archive = directory.join("umbra.tar");
            ramdisk::write(&archive, &text, &self.corpus)?;
            boot::write_images(&self.tool, &self.kernel, &archive, directory)?;
            state.record(directory)?;
        }
        Ok(images)
    }
}
