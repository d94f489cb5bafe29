//! How cargo is called for each kind of package.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{environment, rustup};
use crate::{process, workspace};

/// The compiler for the bare-metal target, ready to use.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    kind: Kind,
    /// Below it are the LLVM tools and Rust's library sources.
    sysroot: PathBuf,
    tools: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// rustup's, with a ready-made `core` for the target.
    Rustup,
    /// Debian's, which builds `core` from its sources.
    Debian,
}

impl Toolchain {
    /// The toolchain on the path, which must be complete.
    pub(super) fn rustup() -> Result<Self> {
        let sysroot = rustup::sysroot().context("rustc does not say where its files are")?;
        let tools = rustup::tools_directory(&sysroot).context("rustc has no llvm-objcopy")?;
        Ok(Self { kind: Kind::Rustup, sysroot, tools })
    }

    /// Debian's toolchain, which must be complete.
    pub(super) fn debian() -> Self {
        let tools = PathBuf::from("/usr/lib/rustlib/x86_64-unknown-linux-gnu/bin");
        Self { kind: Kind::Debian, sysroot: PathBuf::from("/usr"), tools }
    }

    /// Which it is, in a few words.
    pub(crate) fn describe(&self) -> String {
        let (whose, program) = match self.kind {
            Kind::Rustup => ("rustup's", "rustc"),
            Kind::Debian => ("Debian's", "/usr/bin/rustc"),
        };
        let mut command = Command::new(program);
        command.arg("--version").current_dir(workspace::root());
        self.set_environment(&mut command);
        let version = process::output_of(command).unwrap_or_else(|| "rustc".to_owned());
        format!("{whose} {version}")
    }

    /// `cargo VERB` for the kernel: bare-metal target, its own target
    /// directory.
    pub(crate) fn kernel_cargo(&self, verb: &str) -> Command {
        let mut command = self.cargo(verb);
        command.args(["--target", rustup::TARGET]);
        command.arg("--target-dir").arg(workspace::target("kernel"));
        if self.kind == Kind::Debian {
            command.args(["-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"]);
        }
        command
    }

    /// `cargo VERB` for the image builder in `boot/`: this toolchain's cargo,
    /// because the boot loader's build script runs it again for its stages.
    pub(crate) fn boot_cargo(&self, verb: &str) -> Command {
        let mut command = self.cargo(verb);
        command.arg("--manifest-path").arg(workspace::root().join("boot/Cargo.toml"));
        command.arg("--target-dir").arg(workspace::target("boot"));
        command
    }

    /// `llvm-objcopy`.
    pub(crate) fn objcopy(&self) -> Command {
        Command::new(self.tools.join("llvm-objcopy"))
    }

    /// Rust's library sources.
    pub(crate) fn library_sources(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library")
    }

    fn cargo(&self, verb: &str) -> Command {
        let mut command = match self.kind {
            Kind::Rustup => Command::new("cargo"),
            Kind::Debian => Command::new("/usr/bin/cargo"),
        };
        self.set_environment(&mut command);
        // Lets a stable compiler build `core` and the boot loader's stages.
        command.env("RUSTC_BOOTSTRAP", "1").arg(verb).current_dir(workspace::root());
        command
    }

    fn set_environment(&self, command: &mut Command) {
        match self.kind {
            Kind::Rustup => environment::clean(command),
            Kind::Debian => environment::clean_of_rustup(command, Path::new("/usr/bin")),
        }
    }
}

/// `cargo VERB` for the crates that run on the host.
pub(crate) fn host_cargo(verb: &str) -> Command {
    let debian = match verb {
        "clippy" => !rustup::has_clippy(),
        "fmt" => !rustup::has_rustfmt(),
        _ => false,
    };
    let mut command;
    if debian {
        command = Command::new("/usr/bin/cargo");
        environment::clean_of_rustup(&mut command, Path::new("/usr/bin"));
    } else {
        command = Command::new("cargo");
        environment::clean(&mut command);
    }
    command.arg(verb).current_dir(workspace::root());
    command
}
