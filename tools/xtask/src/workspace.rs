//! Where things are.

use std::path::{Path, PathBuf};

/// The directory with the root `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    // tools/xtask, as it was when this was compiled; cargo recompiles after a move.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map_or_else(PathBuf::new, Path::to_owned)
}

/// A path below `target/`, where all that is built goes.
pub(crate) fn target(below: &str) -> PathBuf {
    root().join("target").join(below)
}

/// A path as the user would type it: relative if it is below the current
/// directory.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}
