//! Word to number: an open-addressed hash table whose words stay in the corpus.
//!
//! A term keeps where it was first seen instead of a copy of its bytes, so the
//! dictionary costs 8 bytes a term and 4 bytes a slot whatever the words are.
//! The table is sized once (at most three quarters full) and never rehashed.

use crate::token::{Token, same_word};
use workload_api::{Memory, OutOfMemory};

/// Low bits of a tag hold the length (up to 32), the others hash bits.
const LENGTH_MASK: u32 = 63;

/// The dictionary while it grows.
pub(crate) struct Dictionary<'m> {
    /// Term number + 1, or 0. A power of two of them.
    slots: &'m mut [u32],
    tags: &'m mut [u32],
    offsets: &'m mut [u32],
    terms: usize,
}

impl<'m> Dictionary<'m> {
    /// Slots for up to `terms` terms.
    pub(crate) fn slots_for(terms: usize) -> usize {
        (terms + terms / 3 + 1).next_power_of_two().max(8)
    }

    /// An empty dictionary for up to `terms` terms.
    pub(crate) fn new(memory: &mut Memory<'m>, terms: usize) -> Result<Self, OutOfMemory> {
        let slots = memory.take_u32(Self::slots_for(terms))?;
        slots.fill(0);
        Ok(Self { slots, tags: memory.take_u32(terms)?, offsets: memory.take_u32(terms)?, terms: 0 })
    }

    /// How many terms there are.
    pub(crate) const fn len(&self) -> usize {
        self.terms
    }

    /// The number of a word of `text`, a new one for a new word, or `None`
    /// when it is new and the dictionary is full.
    #[inline]
    pub(crate) fn number(&mut self, text: &[u8], token: Token) -> Option<u32> {
        let word = text.get(token.offset..)?.get(..token.length)?;
        let slot = match self.probe(text, word, token.hash) {
            Ok(term) => return Some(term),
            Err(slot) => slot,
        };
        let tag = self.tags.get_mut(self.terms)?;
        *tag = tag_of(token.hash, token.length);
        self.offsets[self.terms] = u32::try_from(token.offset).ok()?;
        let term = u32::try_from(self.terms).ok()?;
        self.terms += 1;
        self.slots[slot] = term + 1;
        Some(term)
    }

    /// The number of `word`, whose hash is `hash`, if it is known.
    pub(crate) fn find(&self, text: &[u8], word: &[u8], hash: u32) -> Option<u32> {
        self.probe(text, word, hash).ok()
    }

    /// The bytes of `term` where it was first seen.
    pub(crate) fn word<'t>(&self, text: &'t [u8], term: u32) -> Option<&'t [u8]> {
        let term = usize::try_from(term).ok()?;
        let offset = usize::try_from(*self.offsets.get(term)?).ok()?;
        let length = usize::try_from(self.tags.get(term)? & LENGTH_MASK).ok()?;
        text.get(offset..)?.get(..length)
    }

    /// The term, or the free slot where it belongs. Ends because a quarter of
    /// the slots stay free.
    #[inline]
    fn probe(&self, text: &[u8], word: &[u8], hash: u32) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let tag = tag_of(hash, word.len());
        // Fibonacci hashing spreads FNV's weak low bits over the whole table.
        let mut slot = (hash.wrapping_mul(0x9E37_79B1) as usize >> 8) & mask;
        loop {
            let Some(term) = self.slots[slot].checked_sub(1) else { return Err(slot) };
            if self.tags[term as usize] == tag && self.word(text, term).is_some_and(|w| same_word(w, word)) {
                return Ok(term);
            }
            slot = (slot + 1) & mask;
        }
    }
}

#[inline]
fn tag_of(hash: u32, length: usize) -> u32 {
    hash & !LENGTH_MASK | u32::try_from(length).unwrap_or(0) & LENGTH_MASK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Tokens;

    #[test]
    fn numbers_words_in_order_of_first_sight() {
        let mut region = [0u64; 32];
        let text = b"one two ONE three";
        let mut dictionary = Dictionary::new(&mut Memory::new(&mut region), 2).expect("fits");
        let mut numbers = Tokens::new(text).map(|token| dictionary.number(text, token));
        let found: [_; 4] = core::array::from_fn(|_| numbers.next().expect("four words"));
        assert_eq!(found, [Some(0), Some(1), Some(0), None], "the third does not fit");
        assert_eq!(dictionary.len(), 2);
        let find = |word: &'static [u8]| {
            let token = Tokens::new(word).next().expect("a word");
            dictionary.find(text, word, token.hash)
        };
        assert_eq!((find(b"Two"), find(b"three")), (Some(1), None));
        assert_eq!(dictionary.word(text, 1), Some(&b"two"[..]));
        assert_eq!(dictionary.word(text, 2), None);
    }
}
