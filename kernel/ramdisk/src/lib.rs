//! What the boot loader hands to the kernel beside itself: one archive with
//! the boot configuration and the corpus.
//!
//! The archive is POSIX `ustar`, so that `tar tf` lists it on any host and
//! nobody needs a tool of ours to look inside. `cpio` (newc) was refused: it
//! is as simple, but its sizes end at 4 GiB and its headers have no checksum.
//! The configuration is lines of `key value`: the boot loader passes no
//! command line.
//!
//! Everything borrows from the ramdisk; nothing allocates or panics,
//! whatever the bytes are.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod archive;
mod config;
mod list;

pub use archive::{Archive, ArchiveError, File, Files};
pub use config::{Config, ConfigError, Mode, Scenario, Share};
pub use list::{List, MAX_LISTED};

/// Name of the boot configuration in the archive.
pub const CONFIG_FILE: &str = "umbra.conf";
/// Name of the corpus text in the archive.
pub const CORPUS_TEXT_FILE: &str = "corpus/text";
/// Name of the corpus index in the archive: lines of `OFFSET LENGTH PATH`.
pub const CORPUS_INDEX_FILE: &str = "corpus/index";
