//! Whether images still match what they were made from.
//!
//! The state of each input is its size and modification time. Hashing the
//! contents was refused: the kernel is rewritten only by a new build, and
//! making images anew costs less than hashing the corpus.

use std::fmt::Write;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};

const RECORD: &str = "made-from";

/// What the images of a directory were, or would be, made from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State(String);

impl State {
    /// Describes the configuration `text` and the input `files`.
    pub(super) fn of(text: &str, files: &[&Path]) -> Result<Self> {
        let mut state = text.to_owned();
        for file in files {
            let about = file.metadata().with_context(|| format!("cannot read {}", file.display()))?;
            let age = about.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            // Writing to a string does not fail.
            let _ = writeln!(state, "{} {} {}", file.display(), about.len(), age.as_nanos());
        }
        Ok(Self(state))
    }

    /// Whether `outputs` exist and `directory` records this very state.
    pub(super) fn matches(&self, directory: &Path, outputs: &[&impl AsRef<Path>]) -> bool {
        let recorded = std::fs::read_to_string(directory.join(RECORD));
        recorded.is_ok_and(|recorded| recorded == self.0)
            && outputs.iter().all(|output| output.as_ref().is_file())
    }

    /// Records the state once the outputs are complete.
    pub(super) fn record(&self, directory: &Path) -> Result<()> {
        let path = directory.join(RECORD);
        std::fs::write(&path, &self.0).with_context(|| format!("cannot write {}", path.display()))
    }
}
