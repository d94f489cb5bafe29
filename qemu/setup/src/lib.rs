//! The QEMU that the machine model is made for, and the command line that
//! runs it.
//!
//! The model needs QEMU 10.0 (`umbra-model-plugin` says why no other). Debian
//! 12 has it in its backports, so it is fetched from there by package name and
//! unpacked below `target/`, beside the system's own QEMU and without root:
//! nothing is installed. A system QEMU of that version is used as it is.
#![forbid(unsafe_code)]

mod fetch;
mod run;

use std::path::{Path, PathBuf};
use std::process::Command;

pub use run::{Modelled, modelled_command, threads_of};

/// The version that the model was made for.
pub const VERSION: &str = "10.0.2";

/// A QEMU that can load the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelledQemu {
    /// The program.
    pub program: PathBuf,
    /// Where its firmware lies, when it is not where it was built for.
    pub data: Vec<PathBuf>,
    /// Where its modules lie, likewise.
    pub modules: Option<PathBuf>,
}

impl ModelledQemu {
    /// A command that runs it, without arguments yet.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(modules) = &self.modules {
            command.env("QEMU_MODULE_DIR", modules);
        }
        for data in &self.data {
            command.arg("-L").arg(data);
        }
        command
    }
}

/// Finds that QEMU, or fetches it below `target` (a build's target directory);
/// `say` is told what is done and why, line by line, only when something is.
///
/// # Errors
/// One line: what could not be done, and what can be done about it.
pub fn ensure_modelled_qemu(target: &Path, say: &mut dyn FnMut(&str)) -> Result<ModelledQemu, String> {
    if let Some(unpacked) = unpacked(target) {
        return Ok(unpacked);
    }
    let system = Path::new("qemu-system-x86_64");
    if version_of(system, None).is_some_and(|version| version == VERSION) {
        return Ok(ModelledQemu { program: system.into(), data: Vec::new(), modules: None });
    }
    fetch::fetch(target, say)?;
    unpacked(target)
        .ok_or_else(|| format!("QEMU {VERSION} was unpacked below {} but does not run", target.display()))
}

/// What an earlier call unpacked, if it runs.
fn unpacked(target: &Path) -> Option<ModelledQemu> {
    let root = fetch::root(target);
    let modules = root.join("usr/lib/x86_64-linux-gnu/qemu");
    let program = root.join("usr/bin/qemu-system-x86_64");
    let version = version_of(&program, Some(&modules))?;
    let data = ["usr/share/qemu", "usr/share/seabios"].map(|folder| root.join(folder)).to_vec();
    (version == VERSION).then_some(ModelledQemu { program, data, modules: Some(modules) })
}

/// "10.0.2" of "QEMU emulator version 10.0.2 (Debian …)".
fn version_of(program: &Path, modules: Option<&Path>) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("--version");
    if let Some(modules) = modules {
        command.env("QEMU_MODULE_DIR", modules);
    }
    let output = command.output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

fn parse_version(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("version ")?;
    let version = rest.split_whitespace().next()?;
    Some(version.trim_end_matches(|sign: char| !sign.is_ascii_digit()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_qemu_prints() {
        let debian = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright";
        assert_eq!(parse_version(debian).as_deref(), Some("10.0.2"));
        assert_eq!(parse_version("QEMU emulator version 7.2.22\n").as_deref(), Some("7.2.22"));
        assert_eq!(parse_version("no such thing"), None);
    }

    #[test]
    fn a_program_that_is_not_there_has_no_version() {
        assert_eq!(version_of(Path::new("/nonexistent/qemu"), None), None);
    }
}
