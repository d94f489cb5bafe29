//! What Debian's packages provide, and how they are installed.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::privilege::Privilege;
use crate::{process, say};

/// A package, what it is for, and the files that show that it is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Package {
    name: &'static str,
    why: &'static str,
    probe: Probe,
}

#[derive(Clone, Copy, Debug)]
enum Probe {
    /// All of these files.
    Files(&'static [&'static str]),
    /// Any of these files.
    AnyFile(&'static [&'static str]),
    /// A program that reports at least Rust 1.[`OLDEST_MINOR`].
    Rust(&'static str),
    /// A program on the path, which the user may replace by a variable.
    Program(&'static str),
}

/// Minor version of the oldest Rust that builds the workspace.
const OLDEST_MINOR: u32 = 95;

/// The compiler for the bare-metal target.
pub(super) const TOOLCHAIN: &[Package] = &[
    Package { name: "rustc-web", why: "compiles the kernel", probe: Probe::Rust("/usr/bin/rustc") },
    Package { name: "cargo-web", why: "builds the kernel", probe: Probe::Rust("/usr/bin/cargo") },
    Package {
        name: "rust-web-src",
        why: "core and alloc for the bare-metal target, and the text that is searched",
        probe: Probe::Files(&["/usr/lib/rustlib/src/rust/library/core/src/lib.rs"]),
    },
    Package {
        name: "lld-19",
        why: "links the kernel",
        probe: Probe::Files(&["/usr/lib/llvm-19/bin/ld.lld"]),
    },
    Package {
        name: "llvm-19",
        why: "strips the kernel and the boot loader",
        probe: Probe::Files(&["/usr/lib/llvm-19/bin/llvm-objcopy", "/usr/lib/llvm-19/bin/llvm-objdump"]),
    },
    CLIPPY,
];

/// The machine that Umbra is run in.
pub(super) const EMULATOR: &[Package] = &[
    Package {
        name: "qemu-system-x86",
        why: "the machine Umbra runs in",
        probe: Probe::Program("qemu-system-x86_64"),
    },
    Package {
        name: "ovmf",
        why: "UEFI firmware for it",
        probe: Probe::AnyFile(crate::qemu::firmware::UEFI_CODE),
    },
    Package {
        name: "seabios",
        why: "BIOS firmware for it",
        probe: Probe::AnyFile(&["/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/bios-256k.bin"]),
    },
];

const CLIPPY: Package = Package {
    name: "rust-web-clippy",
    why: "checks the kernel's code",
    probe: Probe::Files(&["/usr/bin/cargo-clippy", "/usr/bin/clippy-driver"]),
};
const RUSTFMT: Package = Package {
    name: "rustfmt-web",
    why: "checks the formatting",
    probe: Probe::Files(&["/usr/bin/cargo-fmt", "/usr/bin/rustfmt"]),
};

/// Where Debian's compiler looks for the linker and the LLVM tools. The
/// packages do not put them there.
const TOOLS: &str = "/usr/lib/rustlib/x86_64-unknown-linux-gnu/bin";
const LINKS: &[(&str, &str)] = &[
    ("rust-lld", "/usr/lib/llvm-19/bin/ld.lld"),
    ("llvm-objcopy", "/usr/lib/llvm-19/bin/llvm-objcopy"),
    ("llvm-objdump", "/usr/lib/llvm-19/bin/llvm-objdump"),
];

impl Package {
    /// Whether a variable names another program, which is then taken as it is.
    pub(super) fn replaced_by_user(&self) -> bool {
        matches!(self.probe, Probe::Program(_)) && std::env::var_os("QEMU").is_some()
    }

    fn is_there(&self) -> bool {
        let exists = |file: &&str| Path::new(file).exists();
        match self.probe {
            Probe::Files(files) => files.iter().all(exists),
            Probe::AnyFile(files) => files.iter().any(exists),
            Probe::Rust(program) => minor_version(program).is_some_and(|minor| minor >= OLDEST_MINOR),
            Probe::Program(program) => process::on_path(program),
        }
    }
}

/// Whether nothing of Debian's toolchain is missing, links included.
pub(super) fn toolchain_complete() -> bool {
    TOOLCHAIN.iter().all(Package::is_there) && missing_links().next().is_none()
}

/// The packages for those lints that rustup's toolchain lacks.
pub(super) fn lints_beside(clippy: bool, rustfmt: bool) -> impl Iterator<Item = &'static Package> {
    let compiler = TOOLCHAIN.iter().take(2);
    let clippy = compiler.chain([&CLIPPY]).filter(move |_| !clippy);
    clippy.chain([&RUSTFMT].into_iter().filter(move |_| !rustfmt))
}

/// Installs those of `wanted` that are not there, after saying so.
///
/// # Errors
/// One sentence: what is missing and why it cannot be installed.
pub(super) fn install_missing(wanted: &[&Package]) -> Result<()> {
    let mut missing: Vec<&Package> = Vec::new();
    for package in wanted {
        if !package.is_there() && missing.iter().all(|other| other.name != package.name) {
            missing.push(package);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    for package in &missing {
        say::step(&format!("{} is missing: {}", package.name, package.why));
    }
    let names: Vec<_> = missing.iter().map(|package| package.name).collect();
    install(&names)?;
    match missing.iter().find(|package| !package.is_there()) {
        Some(package) => {
            bail!("{} was installed, but what it should provide is still not there", package.name)
        }
        None => Ok(()),
    }
}

/// Puts the links to the LLVM tools where the compiler looks for them.
///
/// # Errors
/// If that needs root and root cannot be had.
pub(super) fn link_tools() -> Result<()> {
    let missing: Vec<_> = missing_links().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
    say::step(&format!("linking {} into {TOOLS}: Debian's compiler looks for them there", say::list(&names)));
    let Some(root) = Privilege::find() else {
        bail!("links in {TOOLS} need root, and neither root nor sudo is available");
    };
    let mut make = root.command("mkdir", &[]);
    make.args(["-p", TOOLS]);
    process::run(make)?;
    for (name, tool) in missing {
        let mut link = root.command("ln", &[]);
        link.args(["-sfn", tool, &format!("{TOOLS}/{name}")]);
        process::run(link)?;
    }
    Ok(())
}

fn missing_links() -> impl Iterator<Item = (&'static str, &'static str)> {
    LINKS.iter().copied().filter(|(name, _)| !Path::new(TOOLS).join(name).exists())
}

fn install(names: &[&str]) -> Result<()> {
    let listed = say::list(names);
    if !process::on_path("apt-get") {
        bail!("{listed} must be installed by hand, since this system has no apt-get");
    }
    let Some(root) = Privilege::find() else {
        bail!(
            "{listed} must be installed by root (apt-get install {}), and neither root nor sudo is available",
            names.join(" ")
        );
    };
    say::step(&format!("installing {listed} with apt-get"));
    // A repository that does not answer is no reason to stop while the others do.
    if process::run(apt(root, &["-qq", "update"])).is_err() {
        say::step("apt-get could not refresh its package lists; going on with those it has");
    }
    let mut install = apt(root, &["-y", "-q", "--no-install-recommends", "install"]);
    install.args(names);
    if process::run(install).is_err() {
        bail!(
            "apt-get could not install {listed}: see its messages above (is there a network, and is this Debian 12 or later?)"
        );
    }
    Ok(())
}

fn apt(root: Privilege, arguments: &[&str]) -> Command {
    let mut command = root.command("apt-get", &[("DEBIAN_FRONTEND", "noninteractive")]);
    command.args(["-o", "DPkg::Lock::Timeout=300"]).args(arguments);
    command.stdin(Stdio::null()).stdout(std::io::stderr());
    command
}

fn minor_version(program: &str) -> Option<u32> {
    let mut command = Command::new(program);
    command.arg("--version");
    super::environment::clean_of_rustup(&mut command, Path::new("/usr/bin"));
    minor_of(&process::output_of(command)?)
}

/// 96 of "rustc 1.96.0 (…)".
fn minor_of(version: &str) -> Option<u32> {
    version.split(' ').nth(1)?.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        assert_eq!(minor_of("rustc 1.96.0 (ac68faa20 2026-05-25)"), Some(96));
        assert_eq!(minor_of("cargo 1.63.0"), Some(63));
        assert_eq!(minor_of("gcc (Debian 12.2.0)"), None);
    }

    #[test]
    fn only_the_lints_that_are_missing_are_wanted() {
        let names =
            |clippy, rustfmt| lints_beside(clippy, rustfmt).map(|package| package.name).collect::<Vec<_>>();
        assert!(names(true, true).is_empty());
        assert_eq!(names(true, false), ["rustfmt-web"]);
        assert_eq!(names(false, true), ["rustc-web", "cargo-web", "rust-web-clippy"]);
    }
}
