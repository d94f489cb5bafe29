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

    /// Block `index`, of as many blocks of `block_bytes` (at least 1; the last
    /// may be shorter) as the text has; beyond them it starts over.
    #[must_use]
    pub fn block(&self, block_bytes: usize, index: u64) -> &'a [u8] {
        let block_bytes = block_bytes.max(1);
        let blocks = self.text.len().div_ceil(block_bytes).max(1);
        let number = usize::try_from(index % blocks as u64).unwrap_or(0);
        self.text.chunks(block_bytes).nth(number).unwrap_or(&[])
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
    fn blocks_start_over_at_the_end() {
        let corpus = Corpus::new(b"0123456789", "").expect("no documents");
        let blocks: [&[u8]; 4] = core::array::from_fn(|index| corpus.block(4, index as u64));
        assert_eq!(blocks, [b"0123".as_slice(), b"4567", b"89", b"0123"]);
        assert_eq!((corpus.block(0, 11), Corpus::EMPTY.block(4, 1)), (b"1".as_slice(), [].as_slice()));
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
