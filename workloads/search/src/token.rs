//! What a word is: a run of ASCII letters, digits and `_`, 2 to 32 bytes long,
//! compared without case.
//!
//! Single letters (loop variables, lifetimes) would make the longest lists of
//! all and tell documents apart least; runs over 32 bytes are data, not names.
//! Both are passed over as if they were punctuation, in text and in queries
//! alike, so that a phrase still matches across them. Splitting `snake_case`
//! and `CamelCase` was refused: whoever searches code types whole names.

/// Fewest bytes of a word.
pub const SHORTEST: usize = 2;
/// Most bytes of a word.
pub const LONGEST: usize = 32;

/// One word of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// Where it starts.
    pub(crate) offset: usize,
    /// Its bytes, [`SHORTEST`] to [`LONGEST`].
    pub(crate) length: usize,
    /// FNV-1a of its lower-cased bytes.
    pub(crate) hash: u32,
}

/// The words of `text` in order. One pass: work is proportional to the text.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    text: &'a [u8],
    next: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { text, next: 0 }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    #[inline]
    fn next(&mut self) -> Option<Token> {
        loop {
            let rest = self.text.get(self.next..)?;
            let gap = rest.iter().position(|&byte| fold(byte) != 0)?;
            let (length, hash) = word(&rest[gap..]);
            let offset = self.next + gap;
            self.next = offset + length;
            if (SHORTEST..=LONGEST).contains(&length) {
                return Some(Token { offset, length, hash });
            }
        }
    }
}

/// The word's length and hash (FNV-1a, 32 bits; Fowler, Noll and Vo).
#[inline]
fn word(bytes: &[u8]) -> (usize, u32) {
    let mut hash = 0x811C_9DC5u32;
    for (length, &byte) in bytes.iter().enumerate() {
        let folded = fold(byte);
        if folded == 0 {
            return (length, hash);
        }
        hash = (hash ^ u32::from(folded)).wrapping_mul(0x0100_0193);
    }
    (bytes.len(), hash)
}

/// Whether two words are the same but for case.
pub(crate) fn same_word(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(&a, &b)| fold(a) == fold(b))
}

/// The lower-cased byte, or 0 for a byte that separates words.
#[inline]
const fn fold(byte: u8) -> u8 {
    FOLDED[byte as usize]
}

static FOLDED: [u8; 256] = folded();

const fn folded() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_words_and_passes_over_the_rest() {
        let text = b"fn Vec_2::x(y: &Str) \xC3\xA9t a_";
        let found: [_; 4] = core::array::from_fn(|i| {
            let token = Tokens::new(text).nth(i).expect("four words");
            &text[token.offset..][..token.length]
        });
        assert_eq!(found, [&b"fn"[..], b"Vec_2", b"Str", b"a_"]);
        assert_eq!(Tokens::new(text).count(), 4);
    }

    #[test]
    fn bounds_the_length_and_ignores_case() {
        let long = [b'a'; 33];
        assert_eq!(Tokens::new(&long).count(), 0);
        assert_eq!(Tokens::new(&long[1..]).count(), 1);
        let hash = |text: &'static [u8]| Tokens::new(text).next().expect("a word").hash;
        assert_eq!(hash(b"HashMap"), hash(b"hashmap"));
        // "foobar" is a published FNV-1a vector.
        assert_eq!(hash(b"foobar"), 0xBF9C_F968);
        assert!(same_word(b"HashMap", b"hASHmAP"));
        assert!(!same_word(b"hash", b"hashmap"));
    }
}
