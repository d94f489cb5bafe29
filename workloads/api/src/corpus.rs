//! Read-only input: one block of text and an index of the documents in it.

/// The text and where its documents lie.
#[derive(Clone, Copy, Debug)]
pub struct Corpus<'a> {
    text: &'a [u8],
    index: &'a str,
}

/// One document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document<'a> {
    /// Its path in the source tree.
    pub path: &'a str,
    /// Where it starts in [`Corpus::text`].
    pub offset: usize,
    /// Its bytes.
    pub text: &'a [u8],
}

/// The index does not describe the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorpusError {
    /// The line of the index, from 1.
    pub line: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl core::fmt::Display for CorpusError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "corpus index line {}: expected {}", self.line, self.expected)
    }
}

impl<'a> Corpus<'a> {
    /// No text and no documents, for workloads that need no input.
    pub const EMPTY: Corpus<'static> = Corpus { text: &[], index: "" };

    /// Checks that each line of `index` reads `OFFSET LENGTH PATH` (decimal,
    /// single spaces) and names a part of `text`, in ascending order.
    ///
    /// # Errors
    /// The first line that does not.
    pub fn new(text: &'a [u8], index: &'a str) -> Result<Self, CorpusError> {
        let mut end = 0;
        for (number, line) in index.lines().enumerate() {
            let fail = |expected| CorpusError { line: number + 1, expected };
            let (offset, length, path) = split(line).ok_or_else(|| fail("OFFSET LENGTH PATH"))?;
            if offset < end {
                return Err(fail("an offset at or after the end of the line before"));
            }
            end = offset.checked_add(length).ok_or_else(|| fail("a length that fits"))?;
            if end > text.len() {
                return Err(fail("a document inside the text"));
            }
            if path.is_empty() {
                return Err(fail("a path"));
            }
        }
        Ok(Self { text, index })
    }

    /// The whole text, documents one after the other.
    #[must_use]
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The documents in order.
    pub fn documents(&self) -> impl Iterator<Item = Document<'a>> + use<'a> {
        let text = self.text;
        self.index.lines().filter_map(move |line| {
            let (offset, length, path) = split(line)?;
            let text = text.get(offset..offset.checked_add(length)?)?;
            Some(Document { path, offset, text })
        })
    }
}

fn split(line: &str) -> Option<(usize, usize, &str)> {
    let mut parts = line.splitn(3, ' ');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yields_the_documents() {
        let corpus = Corpus::new(b"onetwothree", "0 3 a.rs\n6 5 dir/c d.rs\n").expect("valid");
        let found: [_; 2] = core::array::from_fn(|i| corpus.documents().nth(i).expect("two"));
        assert_eq!(found[0], Document { path: "a.rs", offset: 0, text: b"one" });
        assert_eq!(found[1], Document { path: "dir/c d.rs", offset: 6, text: b"three" });
        assert_eq!(corpus.documents().count(), 2);
    }

    #[test]
    fn names_the_bad_line() {
        let fail = |index| Corpus::new(b"0123456789", index).expect_err("bad").line;
        assert_eq!(fail("0 3 a\nx 2 b"), 2);
        assert_eq!(fail("0 11 a"), 1);
        assert_eq!(fail("0 3 a\n2 1 b"), 2);
        assert_eq!(fail("1 18446744073709551615 a"), 1);
        assert_eq!(fail("0 3 "), 1);
        assert!(Corpus::new(b"", "").is_ok());
    }
}
