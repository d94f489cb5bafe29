//! What `cargo xtask` inherits from cargo and rustup must not reach the
//! cargos that it starts: rustup's choice of toolchain would override
//! Debian's, and `CARGO_TARGET_DIR` dead-locks the boot loader's nested
//! builds (they wait for the outer cargo's lock on the same directory).

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Names that are removed; a trailing `*` stands for any ending. Settings
/// such as `CARGO_HOME`, `CARGO_NET_*` and proxies stay.
const REMOVED: &[&str] = &[
    "CARGO",
    "CARGO_BIN_NAME",
    "CARGO_BUILD_*",
    "CARGO_CRATE_NAME",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_MANIFEST_*",
    "CARGO_PKG_*",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_DIR",
    "OUT_DIR",
    "RUSTC",
    "RUSTC_*",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "RUST_RECURSION_COUNT",
];

/// Removes what an outer cargo left behind. The choice of rustup's toolchain
/// stays: the host's own crates are built with it.
pub(super) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_removed) {
            command.env_remove(name);
        }
    }
    // `cargo run` prepends directories of ours and of rustup's toolchain.
    command.env_remove("LD_LIBRARY_PATH");
    if let Some(kept) = kept_libraries() {
        command.env("LD_LIBRARY_PATH", kept);
    }
}

/// Also removes rustup's choice of toolchain and puts `first` before
/// everything else on the path.
pub(super) fn clean_of_rustup(command: &mut Command, first: &Path) {
    clean(command);
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTUP_TOOLCHAIN_SOURCE");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(first.to_owned()).chain(std::env::split_paths(&path));
    // Only a directory with a colon in its name could fail to join.
    command.env("PATH", std::env::join_paths(directories).unwrap_or(path));
}

fn is_removed(name: &str) -> bool {
    REMOVED.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *pattern,
    })
}

fn kept_libraries() -> Option<OsString> {
    let path = std::env::var_os("LD_LIBRARY_PATH")?;
    let ours = crate::workspace::target("");
    let kept = std::env::split_paths(&path).filter(|directory| {
        !directory.starts_with(&ours) && !directory.to_string_lossy().contains("/toolchains/")
    });
    std::env::join_paths(kept).ok().filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::is_removed;

    #[test]
    fn removes_choices_and_keeps_settings() {
        for name in [
            "CARGO",
            "CARGO_TARGET_DIR",
            "CARGO_PKG_NAME",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "CARGO_BUILD_TARGET",
        ] {
            assert!(is_removed(name), "{name}");
        }
        for name in
            ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_HTTP_PROXY", "RUSTUP_HOME", "PATH", "RUST_BACKTRACE"]
        {
            assert!(!is_removed(name), "{name}");
        }
    }
}
