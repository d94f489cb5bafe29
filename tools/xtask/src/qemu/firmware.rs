//! UEFI firmware files. The code is read from where the distribution put it;
//! the variables, which the firmware writes, are a copy for each machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where distributions put the code; the first that exists is taken.
pub(crate) const UEFI_CODE: &[&str] = &[
    "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/OVMF/OVMF_CODE.fd",
    "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
];

/// Code and variables of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uefi {
    /// Shared and read-only.
    pub(crate) code: PathBuf,
    /// This machine's own.
    pub(crate) variables: PathBuf,
}

impl Uefi {
    /// Finds the firmware and copies fresh variables next to `image`.
    ///
    /// # Errors
    /// If there is no firmware or the copy fails.
    pub(crate) fn beside(image: &Path) -> Result<Self> {
        let code = UEFI_CODE.iter().map(Path::new).find(|path| path.is_file());
        let code = code.context("no UEFI firmware for QEMU is installed (Debian: apt-get install ovmf)")?;
        let original = PathBuf::from(code.to_string_lossy().replace("_CODE", "_VARS"));
        let variables = image.with_extension("vars");
        std::fs::copy(&original, &variables)
            .with_context(|| format!("cannot copy {}", original.display()))?;
        Ok(Self { code: code.to_owned(), variables })
    }
}
