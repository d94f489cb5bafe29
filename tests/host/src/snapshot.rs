//! Expected texts, one file each in `snapshots/`.

use std::path::PathBuf;

/// Holds `text` against `snapshots/NAME.txt`.
///
/// # Panics
/// When they differ, naming the first line that does, or when the file cannot
/// be read.
pub fn assert_snapshot(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).expect("the snapshot can be written");
        return;
    }
    let expected =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if expected == text {
        return;
    }
    let mut lines = expected.lines().zip(text.lines()).enumerate();
    let (number, (want, got)) = lines
        .find(|(_, (want, got))| want != got)
        .unwrap_or((usize::MAX - 1, ("the same", "more or fewer lines")));
    panic!(
        "{}, line {}:\n  expected {want}\n  got      {got}\nwhole text:\n{text}",
        path.display(),
        number + 1
    );
}
