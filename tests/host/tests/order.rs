//! Each stage knows only those before it: held by reading the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// What all may know, then the stages in order, then what may know them all.
const GROUND: [&str; 2] = ["fixed", "machine"];
const STAGES: [&str; 8] = ["sample", "demand", "shadow", "predict", "quarantine", "adapt", "policy", "line"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("readable").path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

fn stage_of(path: &Path) -> Option<&str> {
    let first = path.iter().next()?.to_str()?;
    Some(first.strip_suffix(".rs").unwrap_or(first))
}

/// The modules that a source names by `crate::`.
fn known(source: &str) -> Vec<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn each_stage_knows_only_those_before_it() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../kernel/control/src");
    let files = sources(&root);
    assert!(files.len() > 30, "the sources are where they are expected");
    for file in files {
        let path = file.strip_prefix(&root).expect("below the root");
        let Some(at) = stage_of(path).and_then(|stage| STAGES.iter().position(|name| *name == stage)) else {
            continue;
        };
        for name in known(&fs::read_to_string(&file).expect("a source")) {
            let before = STAGES.iter().take(at + 1).any(|stage| *stage == name);
            assert!(
                before || GROUND.contains(&name.as_str()),
                "{}: {} must not know `{name}`",
                path.display(),
                STAGES[at]
            );
        }
    }
}

#[test]
fn a_stage_is_used_by_the_next_one() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../kernel/control/src/line");
    let all: String = sources(&root).iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    let names = known(&all);
    for stage in &STAGES[..7] {
        assert!(names.iter().any(|name| name == stage), "the line calls `{stage}`");
    }
}
