//! Which known word a mistyped one was meant to be.

/// Longest word, in bytes, that is compared; longer ones have no neighbour.
const LONGEST: usize = 24;

/// The known word nearest to `word`: one it is the beginning of, or one at most
/// two edits away (one for words of up to three letters), an edit being a
/// letter inserted, left out, replaced, or swapped with its neighbour. Of equal
/// ones the first.
///
/// At most 24 × 24 steps a known word.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let most = if word.len() <= 3 { 1 } else { 2 };
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let distance = match distance(word.as_bytes(), candidate.as_bytes()) {
            _ if word.len() >= 2 && candidate.starts_with(word) => 1,
            Some(distance) if distance <= most => distance,
            _ => continue,
        };
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance (Damerau 1964, without repeated edits of
/// one substring); none for words too long.
pub(crate) fn distance(a: &[u8], b: &[u8]) -> Option<usize> {
    if a.len() > LONGEST || b.len() > LONGEST {
        return None;
    }
    let mut before_last = [0; LONGEST + 1];
    let mut last: [usize; LONGEST + 1] = core::array::from_fn(|column| column);
    for (row, &x) in a.iter().enumerate() {
        let mut now = [row + 1; LONGEST + 1];
        for (column, &y) in b.iter().enumerate() {
            let mut least =
                (last[column] + usize::from(x != y)).min(last[column + 1] + 1).min(now[column] + 1);
            if row > 0 && column > 0 && x == b[column - 1] && a[row - 1] == y {
                least = least.min(before_last[column - 1] + 1);
            }
            now[column + 1] = least;
        }
        before_last = last;
        last = now;
    }
    last.get(b.len()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("ps", "sp", 1),
            ("kitten", "sitting", 3),
            ("ca", "abc", 3),
            ("run", "run", 0),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), Some(edits), "{a} {b}");
        }
        assert_eq!(distance(&[b'a'; 25], b"a"), None);
    }

    #[test]
    fn finds_what_was_meant() {
        let known = ["quarantine", "run", "resume", "reboot", "ps"];
        assert_eq!(nearest("qurantine", known), Some("quarantine"));
        assert_eq!(nearest("quar", known), Some("quarantine"));
        assert_eq!(nearest("sp", known), Some("ps"));
        assert_eq!(nearest("rnu", known), Some("run"));
        assert_eq!(nearest("xyzzy", known), None);
        assert_eq!(nearest("r", known), None, "the beginning of too many");
        assert_eq!(nearest("", known), None);
    }

    proptest! {
        #[test]
        fn is_a_distance(a in "[a-d]{0,12}", b in "[a-d]{0,12}") {
            let between = distance(a.as_bytes(), b.as_bytes()).expect("short");
            prop_assert_eq!(distance(b.as_bytes(), a.as_bytes()), Some(between));
            prop_assert_eq!(between == 0, a == b);
            prop_assert!(between <= a.len().max(b.len()));
            prop_assert!(between >= a.len().abs_diff(b.len()));
        }

        #[test]
        fn no_word_panics(word in ".{0,40}") {
            let _ = nearest(&word, ["help", "quarantine"]);
        }
    }
}
