//! The text that `search` indexes: the sources of Rust's standard library,
//! which every toolchain brings. Nothing of it is committed.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{say, workspace};

/// Files are added whole until there are at least this many bytes.
const BUDGET_BYTES: usize = 8 << 20;

/// The corpus on disk.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// All documents, one after the other.
    pub(super) text: PathBuf,
    /// A line of `OFFSET LENGTH PATH` for each.
    pub(super) index: PathBuf,
}

/// Gathers the corpus from `library` unless that was done before.
pub(super) fn build(library: &Path) -> Result<Files> {
    let directory = workspace::target("corpus");
    let files = Files { text: directory.join("text"), index: directory.join("index") };
    // Debian's path is a link that carries the version.
    let library = library.canonicalize().with_context(|| format!("cannot read {}", library.display()))?;
    let stamp = format!("{} {BUDGET_BYTES}\n", library.display());
    let stamp_file = directory.join("made-from");
    let done = std::fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp);
    if done && files.text.is_file() && files.index.is_file() {
        return Ok(files);
    }
    say::step("gathering the corpus from Rust's library sources");
    let documents = documents(&library)?;
    let (text, index) = concatenate(&library, &documents, BUDGET_BYTES)?;
    if text.len() < BUDGET_BYTES {
        bail!("{} holds {} bytes of Rust; expected at least {BUDGET_BYTES}", library.display(), text.len());
    }
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for (path, bytes) in
        [(&files.text, text.as_slice()), (&files.index, index.as_bytes()), (&stamp_file, stamp.as_bytes())]
    {
        std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(files)
}

/// All `.rs` files below `library`, relative to it, in byte order of their
/// paths. Links are not followed.
fn documents(library: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut directories = vec![library.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = directory.read_dir().with_context(|| format!("cannot read {}", directory.display()))?;
        for entry in entries {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(library).unwrap_or(&path);
                // A line of the index holds one path.
                found.extend(relative.to_str().filter(|path| !path.contains('\n')).map(str::to_owned));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn concatenate(library: &Path, documents: &[String], budget: usize) -> Result<(Vec<u8>, String)> {
    let (mut text, mut index) = (Vec::new(), String::new());
    for path in documents {
        if text.len() >= budget {
            break;
        }
        let bytes = std::fs::read(library.join(path)).with_context(|| format!("cannot read {path}"))?;
        // Writing to a string does not fail.
        let _ = writeln!(index, "{} {} {path}", text.len(), bytes.len());
        text.extend(bytes);
    }
    Ok((text, index))
}

#[cfg(test)]
mod tests {
    use workload_api::Corpus;

    use super::*;

    #[test]
    fn the_index_describes_whole_files_in_order_up_to_the_budget() {
        let directory = workspace::target("test-corpus");
        let write = |path: &str, text: &str| {
            let path = directory.join(path);
            std::fs::create_dir_all(path.parent().expect("below")).expect("writable");
            std::fs::write(path, text).expect("writable");
        };
        write("b/lib.rs", "second");
        write("a.rs", "first");
        write("b/notes.txt", "no source");
        write("c.rs", "beyond the budget");
        let found = documents(&directory).expect("readable");
        assert_eq!(found, ["a.rs", "b/lib.rs", "c.rs"]);
        let (text, index) = concatenate(&directory, &found, 6).expect("readable");
        assert_eq!((text.as_slice(), index.as_str()), (&b"firstsecond"[..], "0 5 a.rs\n5 6 b/lib.rs\n"));
        let corpus = Corpus::new(&text, &index).expect("as the workloads read it");
        let documents: Vec<_> = corpus.documents().map(|document| (document.path, document.text)).collect();
        assert_eq!(documents, [("a.rs", &b"first"[..]), ("b/lib.rs", &b"second"[..])]);
        std::fs::remove_dir_all(directory).expect("removable");
    }
}
