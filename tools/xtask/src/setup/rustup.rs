//! The toolchain that `rust-toolchain.toml` names.

use std::path::PathBuf;
use std::process::Command;

use super::environment;
use crate::{process, say, workspace};

/// The bare-metal target.
pub(super) const TARGET: &str = "x86_64-unknown-none";

/// Whether the compiler on the path has the target, the sources and the LLVM
/// tools.
pub(super) fn complete() -> bool {
    sysroot().is_some_and(|root| {
        let library = root.join("lib/rustlib");
        library.join(TARGET).join("lib").is_dir()
            && library.join("src/rust/library/core/src/lib.rs").is_file()
            && tools_directory(&root).is_some()
    })
}

/// Asks rustup for what is missing, if it is there and may install. Returns
/// whether everything is there now; a failure is reported, not fatal, since
/// Debian's packages can take its place.
pub(super) fn try_to_complete() -> bool {
    // `RUSTUP_AUTO_INSTALL=0` says that rustup must not, or cannot, install.
    if std::env::var_os("RUSTUP_AUTO_INSTALL").is_some_and(|value| value == "0")
        || !process::on_path("rustup")
    {
        return false;
    }
    say::step(
        "installing the bare-metal target, Rust's library sources and LLVM tools with rustup: the kernel is built with them",
    );
    let added = rustup(&["target", "add", TARGET]) && rustup(&["component", "add", "rust-src", "llvm-tools"]);
    if !added {
        say::step("rustup could not install them; using Debian's compiler instead");
    }
    added && complete()
}

/// Where the compiler on the path keeps its files.
pub(super) fn sysroot() -> Option<PathBuf> {
    let mut command = Command::new("rustc");
    command.args(["--print", "sysroot"]).current_dir(workspace::root());
    environment::clean(&mut command);
    process::output_of(command).map(PathBuf::from)
}

/// Where `llvm-objcopy` is below `sysroot`.
pub(super) fn tools_directory(sysroot: &std::path::Path) -> Option<PathBuf> {
    let hosts = std::fs::read_dir(sysroot.join("lib/rustlib")).ok()?;
    hosts.filter_map(|host| Some(host.ok()?.path().join("bin"))).find(|bin| bin.join("llvm-objcopy").exists())
}

/// Whether `cargo clippy` works with the compiler on the path.
pub(super) fn has_clippy() -> bool {
    has(&["cargo-clippy", "clippy-driver"])
}

/// Whether `cargo fmt` works with the compiler on the path.
pub(super) fn has_rustfmt() -> bool {
    has(&["cargo-fmt", "rustfmt"])
}

fn has(programs: &[&str]) -> bool {
    sysroot().is_some_and(|root| programs.iter().all(|program| root.join("bin").join(program).is_file()))
}

fn rustup(arguments: &[&str]) -> bool {
    let mut command = Command::new("rustup");
    command.args(arguments).current_dir(workspace::root());
    process::run(command).is_ok()
}
