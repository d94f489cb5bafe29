//! Full-text search over source code: the first-class workload.
//!
//! Prepared once: an index with word positions ([`Search::statistics`] tells
//! its size). Each unit answers one query of a seeded stream that mixes single
//! words, two to four words that must all occur, and phrases; it ranks the best
//! ten documents and extracts the line to show for each. Its cost has the long
//! tail that search has (a common word costs a hundred times a rare one) and a
//! bound ([`UNIT_STEPS_MAX`]).
//!
//! Nothing but the caller's stack is written while a query runs: hits are kept
//! in a list of ten, documents are taken in order, so no accumulator per
//! document and no scratch are needed.
#![no_std]
#![forbid(unsafe_code)]

mod builder;
mod dictionary;
mod evaluate;
mod index;
mod query;
mod score;
mod token;
mod traffic;

pub use evaluate::{HITS, Hit, NEAR_WORDS, Results, TYPED_STEPS_MAX, UNIT_STEPS_MAX};
pub use query::{CLAUSE_WORDS, CLAUSES, QueryError};
pub use token::{LONGEST, SHORTEST};
use workload_api::{Class, Corpus, Memory, Meter, PrepareError, Spec, Workload};

use evaluate::{Cost, evaluate};
use index::Index;
use query::Query;

/// The workload's name and class.
pub const SPEC: Spec = Spec {
    name: "search",
    class: Class::First,
    summary: "full-text search over source code, one query a unit",
};

/// What may be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Most different words the dictionary has room for. By default 65 536 and
    /// one more for each 64 bytes of text; memory is 21 to 27 bytes for each.
    pub terms_max: Option<usize>,
}

/// Bytes that [`prepare`] takes over the same corpus with the same choices.
/// Reads the corpus once, at about ten instructions a byte.
#[must_use]
pub fn memory_bytes(corpus: Corpus<'_>, config: Config) -> usize {
    builder::Sizes::of(corpus, config).bytes()
}

/// Builds the index.
///
/// # Errors
/// [`PrepareError::OutOfMemory`] with less than [`memory_bytes`];
/// [`PrepareError::BadInput`] for a corpus without words, of 4 GiB or more, or
/// with more different words than [`Config::terms_max`].
pub fn prepare<'m>(
    corpus: Corpus<'m>,
    memory: Memory<'m>,
    config: Config,
) -> Result<Search<'m>, PrepareError> {
    Ok(Search { index: builder::build(corpus, memory, config)?, corpus })
}

/// The prepared workload.
pub struct Search<'m> {
    index: Index<'m>,
    corpus: Corpus<'m>,
}

/// How large the index came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Documents indexed.
    pub documents: usize,
    /// Different words.
    pub terms: usize,
    /// Words in all, each with its position.
    pub postings: usize,
    /// Bytes of text indexed.
    pub text_bytes: usize,
    /// Bytes of the arrays that queries read.
    pub index_bytes: usize,
}

/// Where a hit is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'m> {
    /// The document's path.
    pub path: &'m str,
    /// The line, from 1.
    pub line: usize,
    /// The line's bytes, cut to 100 either side of the word.
    pub text: &'m [u8],
}

impl<'m> Search<'m> {
    /// How large the index came out.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics {
            documents: self.index.documents(),
            terms: self.index.dictionary.len(),
            postings: self.index.positions.len(),
            text_bytes: self.corpus.documents().map(|document| document.text.len()).sum(),
            index_bytes: self.index.bytes_read_by_queries(),
        }
    }

    /// Answers a query as a person types it: words that must all occur, and
    /// `"words in sequence"`.
    ///
    /// # Errors
    /// A text without words, with too many, or with an odd number of quotes.
    pub fn query(&self, text: &str, meter: &mut Meter, results: &mut Results) -> Result<(), QueryError> {
        let query = Query::parse(text, self.index.text, &self.index.dictionary)?;
        *results = self.answer(&query, TYPED_STEPS_MAX, meter);
        Ok(())
    }

    /// Path, line number and line of a hit. Reads the document up to the hit.
    #[must_use]
    pub fn place(&self, hit: &Hit) -> Option<Place<'m>> {
        let span = self.index.span(hit.document).filter(|s| (s.start..s.end).contains(&hit.position))?;
        let (at, _) = self.index.byte_of(hit.position, span)?;
        let (start, _) = self.index.bytes(hit.document)?;
        let before = self.index.text.get(start..at)?;
        let path = self.corpus.documents().nth(hit.document as usize)?.path;
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        Some(Place { path, line, text: self.index.line_at(at, span)? })
    }

    fn answer(&self, query: &Query, steps_max: u32, meter: &mut Meter) -> Results {
        let mut cost = Cost::up_to(steps_max);
        let results = evaluate(&self.index, query, &mut cost);
        meter.read_sequential(4 * (u64::from(cost.postings) + u64::from(cost.neighbours)));
        meter.read_random(u64::from(cost.jumps), 4 * u64::from(cost.jumps));
        results
    }

    /// The line to show for `hit`; empty if it cannot be found.
    fn line(&self, hit: &Hit, meter: &mut Meter) -> &'m [u8] {
        let find = || {
            let span = self.index.span(hit.document)?;
            let (at, read) = self.index.byte_of(hit.position, span)?;
            Some((self.index.line_at(at, span)?, read))
        };
        let Some((line, read)) = find() else { return &[] };
        meter.read_random(1, 0);
        meter.read_sequential(u64::try_from(read + line.len()).unwrap_or(0));
        line
    }
}

impl Workload for Search<'_> {
    fn scratch_words(&self) -> usize {
        0
    }

    fn working_set_bytes(&self) -> u64 {
        // Queries read the whole index, and the text around what they show.
        u64::try_from(self.index.bytes_read_by_queries() + self.index.text.len()).unwrap_or(u64::MAX)
    }

    fn unit(&self, index: u64, _scratch: &mut [u64], meter: &mut Meter) -> u64 {
        let query = traffic::query(&self.index, index);
        let results = self.answer(&query, UNIT_STEPS_MAX, meter);
        results.hits().iter().fold(u64::from(results.matches()), |sum, hit| {
            let sum = mix(mix(sum, u64::from(hit.document)), u64::from(hit.score_q8));
            self.line(hit, meter).iter().fold(sum, |sum, &byte| mix(sum, u64::from(byte)))
        })
    }
}

/// One step of FNV-1a, 64 bits.
const fn mix(sum: u64, value: u64) -> u64 {
    (sum ^ value).wrapping_mul(0x0000_0100_0000_01B3)
}
