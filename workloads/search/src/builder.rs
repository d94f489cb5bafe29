//! Builds the index: count, number, sort.
//!
//! Three passes. The first only counts words, so that every array is taken at
//! its exact size. The second numbers the terms and writes the forward view.
//! The third is a counting sort of the forward view by term, which leaves each
//! term's positions ascending. About 36 instructions a byte of text altogether.

use crate::dictionary::Dictionary;
use crate::index::{BLOCK, GAP, Index};
use crate::score::norm_q8;
use crate::token::{Token, Tokens};
use crate::{Config, PrepareError};
use workload_api::{Corpus, Document, Memory, OutOfMemory};

/// How large each array has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    documents: usize,
    /// Words, and one gap a document.
    positions: usize,
    terms: usize,
}

impl Sizes {
    /// Reads the corpus once.
    pub(crate) fn of(corpus: Corpus<'_>, config: Config) -> Self {
        let (mut documents, mut words) = (0, 0);
        for document in corpus.documents() {
            documents += 1;
            words += Tokens::new(document.text).count();
        }
        let limit = config.terms_max.unwrap_or(TERMS_MIN + corpus.text().len() / TEXT_BYTES_A_TERM);
        Self { documents, positions: words + documents, terms: limit.min(words) }
    }

    /// Bytes that [`build`] takes, each array rounded up to eight.
    pub(crate) fn bytes(self) -> usize {
        let blocks = self.positions.div_ceil(BLOCK);
        let words = [
            Dictionary::slots_for(self.terms),
            4 * self.terms + 1,
            2 * self.positions,
            4 * self.documents + 1,
            2 * blocks,
        ];
        const ARRAYS: usize = 12;
        words.iter().sum::<usize>() * 4 + ARRAYS * 8
    }
}

/// Terms a small corpus may have without counting how often they repeat.
const TERMS_MIN: usize = 65_536;
/// A larger one may have one more for each so many bytes. Sources of 8 MiB
/// have about 28 000 terms, a seventh of what this allows.
const TEXT_BYTES_A_TERM: usize = 64;

struct Builder<'m> {
    text: &'m [u8],
    dictionary: Dictionary<'m>,
    term_starts: &'m mut [u32],
    term_documents: &'m mut [u32],
    forward: &'m mut [u32],
    positions: &'m mut [u32],
    document_starts: &'m mut [u32],
    document_offsets: &'m mut [u32],
    document_ends: &'m mut [u32],
    document_norms_q8: &'m mut [u32],
    block_offsets: &'m mut [u32],
    block_documents: &'m mut [u32],
}

/// Builds the index over `corpus`.
pub(crate) fn build<'m>(
    corpus: Corpus<'m>,
    mut memory: Memory<'m>,
    config: Config,
) -> Result<Index<'m>, PrepareError> {
    let sizes = Sizes::of(corpus, config);
    if sizes.positions == sizes.documents {
        return Err(PrepareError::BadInput("no words in the corpus: expected text to search"));
    }
    if u32::try_from(corpus.text().len()).is_err() || u32::try_from(sizes.positions).is_err() {
        return Err(PrepareError::BadInput("corpus too large: expected at most 4 GiB of text"));
    }
    let mut builder = Builder::new(corpus.text(), &mut memory, sizes)?;
    builder.number(corpus)?;
    builder.sort();
    builder.weigh();
    Ok(builder.finish())
}

impl<'m> Builder<'m> {
    fn new(text: &'m [u8], memory: &mut Memory<'m>, sizes: Sizes) -> Result<Self, OutOfMemory> {
        let blocks = sizes.positions.div_ceil(BLOCK);
        let builder = Self {
            text,
            dictionary: Dictionary::new(memory, sizes.terms)?,
            term_starts: memory.take_u32(sizes.terms + 1)?,
            term_documents: memory.take_u32(sizes.terms)?,
            forward: memory.take_u32(sizes.positions)?,
            positions: memory.take_u32(sizes.positions - sizes.documents)?,
            document_starts: memory.take_u32(sizes.documents + 1)?,
            document_offsets: memory.take_u32(sizes.documents)?,
            document_ends: memory.take_u32(sizes.documents)?,
            document_norms_q8: memory.take_u32(sizes.documents)?,
            block_offsets: memory.take_u32(blocks)?,
            block_documents: memory.take_u32(blocks)?,
        };
        builder.term_starts.fill(0);
        builder.term_documents.fill(0);
        Ok(builder)
    }

    /// Writes the forward view, counts each term and notes the blocks.
    fn number(&mut self, corpus: Corpus<'_>) -> Result<(), PrepareError> {
        let mut position = 0;
        for (number, document) in corpus.documents().enumerate() {
            let number = narrow(number);
            self.begin(number, &document, position);
            for token in Tokens::new(document.text) {
                let token = Token { offset: document.offset + token.offset, ..token };
                let term = self.dictionary.number(self.text, token).ok_or(DICTIONARY_FULL)?;
                self.term_starts[term as usize] += 1;
                self.place(position, term, number, token.offset);
                position += 1;
            }
            self.place(position, GAP, number, document.offset + document.text.len());
            position += 1;
        }
        self.document_starts[self.document_offsets.len()] = narrow(position);
        Ok(())
    }

    fn begin(&mut self, number: u32, document: &Document<'_>, position: usize) {
        let at = number as usize;
        self.document_starts[at] = narrow(position);
        self.document_offsets[at] = narrow(document.offset);
        self.document_ends[at] = narrow(document.offset + document.text.len());
    }

    #[inline]
    fn place(&mut self, position: usize, term: u32, document: u32, offset: usize) {
        self.forward[position] = term;
        if position.is_multiple_of(BLOCK) {
            self.block_offsets[position / BLOCK] = narrow(offset);
            self.block_documents[position / BLOCK] = document;
        }
    }

    /// Counting sort of the positions by term; counts documents on the way.
    fn sort(&mut self) {
        let terms = self.dictionary.len();
        let mut sum = 0;
        for start in &mut self.term_starts[..=terms] {
            sum += core::mem::replace(start, sum);
        }
        let mut document_start = 0;
        for (position, &term) in self.forward.iter().enumerate() {
            let position = narrow(position);
            if term == GAP {
                document_start = position + 1;
                continue;
            }
            let term = term as usize;
            let next = self.term_starts[term] as usize;
            // The entry before the first is another term's; the count is 0 then.
            if self.term_documents[term] == 0 || self.positions[next - 1] < document_start {
                self.term_documents[term] += 1;
            }
            self.positions[next] = position;
            self.term_starts[term] += 1;
        }
        // Each start has moved on to the next term's.
        self.term_starts.copy_within(..terms, 1);
        self.term_starts[0] = 0;
    }

    fn weigh(&mut self) {
        let documents = narrow(self.document_offsets.len());
        let mean_words = narrow(self.positions.len()).div_ceil(documents.max(1));
        for (bounds, norm) in self.document_starts.windows(2).zip(&mut *self.document_norms_q8) {
            *norm = norm_q8(bounds[1] - bounds[0] - 1, mean_words);
        }
    }

    fn finish(self) -> Index<'m> {
        let terms = self.dictionary.len();
        Index {
            text: self.text,
            dictionary: self.dictionary,
            term_starts: &self.term_starts[..=terms],
            term_documents: &self.term_documents[..terms],
            positions: self.positions,
            forward: self.forward,
            document_starts: self.document_starts,
            document_offsets: self.document_offsets,
            document_ends: self.document_ends,
            document_norms_q8: self.document_norms_q8,
            block_offsets: self.block_offsets,
            block_documents: self.block_documents,
        }
    }
}

const DICTIONARY_FULL: PrepareError =
    PrepareError::BadInput("too many different words: expected at most Config::terms_max of them");

/// Offsets and positions were checked to fit 32 bits before the build began.
#[inline]
fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
