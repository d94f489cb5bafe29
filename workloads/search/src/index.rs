//! The finished index: three views of one numbering of words.
//!
//! Every word of the corpus has a *position*, its ordinal over all documents;
//! after each document one position is left empty, so that no phrase can run
//! from one document into the next. Over the positions lie
//! - the **forward** view, position -> term, which answers "what stands next to
//!   this word" and makes a phrase a few comparisons beside its rarest word;
//! - the **inverted** view, term -> ascending positions, which is all an AND
//!   query needs, because a document is a range of positions;
//! - **blocks** of 32 positions, position -> document and byte of the text.
//!
//! Plain `u32` in all of them: 8 bytes a word come to less than the text
//! itself, and reading them costs a load. Delta-coded lists (a byte or two a
//! word) were refused: they save memory that is not short, cost about eight
//! instructions a posting, and would need skip lists to be searched.

use crate::dictionary::Dictionary;
use crate::token::Tokens;

/// The term number that stands for the end of a document.
pub(crate) const GAP: u32 = u32::MAX;
/// Positions a block.
pub(crate) const BLOCK: usize = 32;
/// A line is shown up to this many bytes either side of the hit.
pub(crate) const LINE_HALF_BYTES: usize = 100;

/// Where a document lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its number, from 0, in the order of the corpus.
    pub(crate) document: u32,
    /// Position of its first word.
    pub(crate) start: u32,
    /// Position after its last word.
    pub(crate) end: u32,
}

/// The index over `text`.
pub(crate) struct Index<'m> {
    pub(crate) text: &'m [u8],
    pub(crate) dictionary: Dictionary<'m>,
    /// Where each term's positions start; one more than there are terms.
    pub(crate) term_starts: &'m [u32],
    /// In how many documents each term is.
    pub(crate) term_documents: &'m [u32],
    /// The inverted view.
    pub(crate) positions: &'m [u32],
    /// The forward view.
    pub(crate) forward: &'m [u32],
    /// First position of each document; one more than there are documents.
    pub(crate) document_starts: &'m [u32],
    /// First byte of each document.
    pub(crate) document_offsets: &'m [u32],
    /// Byte after each document.
    pub(crate) document_ends: &'m [u32],
    /// The part of BM25 that depends on the document's length alone, Q8.
    pub(crate) document_norms_q8: &'m [u32],
    /// Byte of the first word at or after each block's first position.
    pub(crate) block_offsets: &'m [u32],
    /// Document of each block's first position.
    pub(crate) block_documents: &'m [u32],
}

impl<'m> Index<'m> {
    pub(crate) const fn documents(&self) -> usize {
        self.document_offsets.len()
    }

    /// Where `term` stands, ascending; empty for a term that is not there.
    pub(crate) fn postings(&self, term: u32) -> &'m [u32] {
        let term = term as usize;
        let bounds = self.term_starts.get(term).zip(self.term_starts.get(term.wrapping_add(1)));
        bounds.and_then(|(&from, &to)| self.positions.get(from as usize..to as usize)).unwrap_or(&[])
    }

    /// The document that `position` lies in. At most [`BLOCK`] steps, for a
    /// block can hold the ends of no more documents than positions.
    #[inline]
    pub(crate) fn span_of(&self, position: u32) -> Option<Span> {
        let mut document = *self.block_documents.get(position as usize / BLOCK)?;
        while *self.document_starts.get(document as usize + 1)? <= position {
            document += 1;
        }
        self.span(document)
    }

    #[inline]
    pub(crate) fn span(&self, document: u32) -> Option<Span> {
        let start = *self.document_starts.get(document as usize)?;
        let next = *self.document_starts.get(document as usize + 1)?;
        Some(Span { document, start, end: next - 1 })
    }

    /// The byte at which the word at `position` starts, and how many bytes of
    /// text were read to find it: at most those of one block's words and what
    /// lies between them.
    pub(crate) fn byte_of(&self, position: u32, span: Span) -> Option<(usize, usize)> {
        let block = position as usize / BLOCK;
        let first = u32::try_from(block * BLOCK).ok()?;
        let (from, ordinal) = if first <= span.start {
            (*self.document_offsets.get(span.document as usize)?, span.start)
        } else {
            (*self.block_offsets.get(block)?, first)
        };
        let end = *self.document_ends.get(span.document as usize)?;
        let text = self.text.get(from as usize..end as usize)?;
        let token = Tokens::new(text).nth((position - ordinal) as usize)?;
        Some((from as usize + token.offset, token.offset + token.length))
    }

    /// The line around byte `at`, without its end, cut to
    /// [`LINE_HALF_BYTES`] either side.
    pub(crate) fn line_at(&self, at: usize, span: Span) -> Option<&'m [u8]> {
        let (start, end) = self.bytes(span.document)?;
        let from = start.max(at.saturating_sub(LINE_HALF_BYTES));
        let to = end.min(at.saturating_add(LINE_HALF_BYTES));
        let before = self.text.get(from..at)?;
        let after = self.text.get(at..to)?;
        let back = before.iter().rev().position(|&byte| byte == b'\n').unwrap_or(before.len());
        let ahead = after.iter().position(|&byte| byte == b'\n').unwrap_or(after.len());
        self.text.get(at - back..at + ahead)
    }

    /// First and past-the-end byte of a document.
    pub(crate) fn bytes(&self, document: u32) -> Option<(usize, usize)> {
        let start = *self.document_offsets.get(document as usize)?;
        let end = *self.document_ends.get(document as usize)?;
        Some((start as usize, end as usize))
    }

    /// Bytes of the arrays that queries read.
    pub(crate) const fn bytes_read_by_queries(&self) -> usize {
        let words = self.positions.len()
            + self.forward.len()
            + self.term_starts.len()
            + self.term_documents.len()
            + 4 * self.document_offsets.len()
            + 2 * self.block_offsets.len();
        words * 4
    }
}
