//! Answers a query: all clauses, ranked, the best ten.
//!
//! Document at a time. Each clause reads the positions of its rarest word, the
//! *lead*; the clause with the rarest lead proposes a document and the others
//! leap there by galloping search. Where all leads are present, the clauses'
//! occurrences are counted (a phrase compares its other words in the forward
//! view), and the document gets its BM25 score plus half the rarity of every
//! clause that stands within [`NEAR_WORDS`] of the first one.
//!
//! Work is bounded: every posting read, every leap and every neighbour looked
//! at is one step, and no document is begun after a given number of steps: the
//! answer is what has been found so far, marked as incomplete. One document
//! costs at most that number of postings for each clause.

use crate::index::{Index, Span};
use crate::query::{CLAUSES, Clause, Query};
use crate::score::{rarity_q8, score_q8};
use heapless::Vec;

/// Most steps of a unit, about 14 instructions each: the first-class workload's
/// tail has an end. About one query in a hundred meets it on 8 MiB of sources.
pub const UNIT_STEPS_MAX: u32 = 24_576;
/// Most steps of a query that somebody typed, who would rather have it all.
pub const TYPED_STEPS_MAX: u32 = 1 << 20;
/// Most hits kept.
pub const HITS: usize = 10;
/// Words either side within which another clause counts as near.
pub const NEAR_WORDS: u32 = 8;
/// How many occurrences of the first clause are tried for nearness.
const ANCHORS: usize = 4;

/// Its block, its bounds, its norm.
const JUMPS_A_DOCUMENT: u32 = 4;

/// A document that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its number, from 0, in the order of the corpus.
    pub document: u32,
    /// Higher is better, Q8.
    pub score_q8: u32,
    /// The word to show, as an ordinal over the whole corpus.
    pub position: u32,
}

/// The answer to one query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results {
    pub(crate) hits: Vec<Hit, HITS>,
    pub(crate) matches: u32,
    pub(crate) complete: bool,
}

impl Results {
    /// An empty answer.
    #[must_use]
    pub const fn new() -> Self {
        Self { hits: Vec::new(), matches: 0, complete: true }
    }

    /// The best [`HITS`], highest score first, then lowest document number.
    #[must_use]
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// How many documents matched.
    #[must_use]
    pub const fn matches(&self) -> u32 {
        self.matches
    }

    /// Whether every document was looked at; otherwise [`UNIT_STEPS_MAX`] or
    /// [`TYPED_STEPS_MAX`] was met.
    #[must_use]
    pub const fn complete(&self) -> bool {
        self.complete
    }

    fn add(&mut self, hit: Hit) {
        self.matches += 1;
        let place = self.hits.iter().position(|kept| kept.score_q8 < hit.score_q8);
        let place = place.unwrap_or(self.hits.len());
        if place < HITS {
            self.hits.truncate(HITS - 1);
            // There is room now, and `place` is at most the length.
            let _ = self.hits.insert(place, hit);
        }
    }
}

/// What a query has read so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Positions read one after the other.
    pub(crate) postings: u32,
    /// Reads somewhere else.
    pub(crate) jumps: u32,
    /// Terms of the forward view read one after the other.
    pub(crate) neighbours: u32,
    /// Most of all three together.
    steps_max: u32,
}

impl Cost {
    pub(crate) const fn up_to(steps_max: u32) -> Self {
        Self { postings: 0, jumps: 0, neighbours: 0, steps_max }
    }

    const fn spent(self) -> bool {
        self.postings.saturating_add(self.jumps).saturating_add(self.neighbours) >= self.steps_max
    }
}

/// Answers `query`.
pub(crate) fn evaluate(index: &Index<'_>, query: &Query, cost: &mut Cost) -> Results {
    let mut results = Results::new();
    if query.unknown {
        return results;
    }
    let mut readers = readers(index, query);
    while let Some(span) = next_candidate(index, &mut readers, cost) {
        if let Some(hit) = judge(index, &mut readers, span, cost) {
            results.add(hit);
        }
    }
    results.complete = !cost.spent();
    results
}

/// One clause on its way through the positions of its rarest word.
struct Reader<'q, 'm> {
    clause: &'q Clause,
    /// Which word of the clause leads.
    lead: u32,
    lead_term: u32,
    postings: &'m [u32],
    at: usize,
    /// Of the whole clause, Q8.
    rarity_q8: u32,
}

/// The clauses, rarest lead first.
fn readers<'q, 'm>(index: &Index<'m>, query: &'q Query) -> Vec<Reader<'q, 'm>, CLAUSES> {
    let mut readers: Vec<_, CLAUSES> = query.clauses.iter().filter_map(|c| Reader::new(index, c)).collect();
    readers.sort_unstable_by_key(|reader| (reader.postings.len(), reader.lead_term));
    readers
}

/// The next document that has every lead, leaping over all that cannot; none
/// when a clause has no more, or the steps are spent. Each turn moves a reader
/// on, so the postings bound the work.
fn next_candidate(index: &Index<'_>, readers: &mut [Reader<'_, '_>], cost: &mut Cost) -> Option<Span> {
    let (first, others) = readers.split_first_mut()?;
    let mut span = index.span_of(*first.postings.get(first.at)?)?;
    'documents: while !cost.spent() {
        for other in &mut *others {
            let position = other.seek(span.start, cost)?;
            if position >= span.end {
                let wanted = index.span_of(position)?.start;
                span = index.span_of(first.seek(wanted, cost)?)?;
                continue 'documents;
            }
        }
        return Some(span);
    }
    None
}

/// Counts and scores the clauses in one document; `None` if one is missing.
/// Leaves every reader behind the document.
fn judge(index: &Index<'_>, readers: &mut [Reader<'_, '_>], span: Span, cost: &mut Cost) -> Option<Hit> {
    cost.jumps = cost.jumps.saturating_add(JUMPS_A_DOCUMENT);
    let norm_q8 = *index.document_norms_q8.get(span.document as usize)?;
    let mut anchors = Vec::<u32, ANCHORS>::new();
    let mut score = 0u32;
    let mut all = true;
    for (number, reader) in readers.iter_mut().enumerate() {
        let occurrences = reader.count(index, span, cost, |position| {
            if number == 0 {
                // Later ones than fit are not tried.
                let _ = anchors.push(position);
            }
        });
        all &= occurrences > 0;
        score = score.saturating_add(score_q8(reader.rarity_q8, occurrences, norm_q8));
    }
    let (position, bonus) = nearest(index, readers, &anchors, span, cost)?;
    all.then_some(Hit { document: span.document, score_q8: score.saturating_add(bonus), position })
}

/// The anchor with most clauses near it (the first of equals), and their bonus.
fn nearest(
    index: &Index<'_>,
    readers: &[Reader<'_, '_>],
    anchors: &[u32],
    span: Span,
    cost: &mut Cost,
) -> Option<(u32, u32)> {
    let others = readers.get(1..)?;
    let mut best = (*anchors.first()?, 0);
    let mut looked_at = 0;
    for &anchor in anchors {
        let from = span.start.max(anchor.saturating_sub(NEAR_WORDS));
        let to = span.end.min(anchor.saturating_add(NEAR_WORDS + 1));
        let words = index.forward.get(from as usize..to as usize)?;
        let near = others.iter().filter(|other| words.contains(&other.lead_term));
        let bonus = near.fold(0u32, |sum, other| sum.saturating_add(other.rarity_q8 / 2));
        looked_at += words.len() * others.len();
        if bonus > best.1 {
            best = (anchor, bonus);
        }
    }
    cost.neighbours = cost.neighbours.saturating_add(u32::try_from(looked_at).unwrap_or(u32::MAX));
    Some(best)
}

impl<'q, 'm> Reader<'q, 'm> {
    fn new(index: &Index<'m>, clause: &'q Clause) -> Option<Self> {
        let documents = u32::try_from(index.documents()).unwrap_or(u32::MAX);
        let rarity = |&term: &u32| {
            let with = index.term_documents.get(term as usize).copied().unwrap_or(0);
            rarity_q8(documents, with)
        };
        let (lead, &lead_term) = clause.iter().enumerate().min_by_key(|&(_, &t)| index.postings(t).len())?;
        Some(Self {
            clause,
            lead: u32::try_from(lead).ok()?,
            lead_term,
            postings: index.postings(lead_term),
            at: 0,
            rarity_q8: clause.iter().map(rarity).fold(0, u32::saturating_add),
        })
    }

    /// Moves to the first posting at or after `position` and returns it.
    /// Doubling steps, then halving: twice the logarithm of the distance.
    fn seek(&mut self, position: u32, cost: &mut Cost) -> Option<u32> {
        let rest = self.postings.get(self.at..)?;
        let mut step = 1;
        while rest.get(step - 1).is_some_and(|&posting| posting < position) {
            cost.jumps += 1;
            step *= 2;
        }
        // Everything before step / 2 is too small; step - 1 is not, or is out.
        let from = step / 2;
        let window = rest.get(from..rest.len().min(step))?;
        cost.jumps += window.len().checked_ilog2().unwrap_or(0) + 1;
        self.at += from + window.partition_point(|&posting| posting < position);
        self.postings.get(self.at).copied()
    }

    /// Counts the clause's occurrences in `span` and moves behind it, calling
    /// `each` with the lead's position of every one. Stops after
    /// as many postings as the query may read.
    fn count(&mut self, index: &Index<'_>, span: Span, cost: &mut Cost, mut each: impl FnMut(u32)) -> u32 {
        let before = self.at;
        let mut occurrences = 0;
        let rest = self.postings.get(self.at..).unwrap_or(&[]);
        for &position in
            rest.iter().take_while(|&&position| position < span.end).take(cost.steps_max as usize)
        {
            self.at += 1;
            if self.clause.len() == 1 || self.stands_at(index, position, cost) {
                occurrences += 1;
                each(position);
            }
        }
        let read = u32::try_from(self.at - before).unwrap_or(u32::MAX);
        cost.postings = cost.postings.saturating_add(read);
        occurrences
    }

    /// Whether the clause's other words stand around its lead at `position`.
    /// The gap between documents is no term, so none can be crossed.
    fn stands_at(&self, index: &Index<'_>, position: u32, cost: &mut Cost) -> bool {
        cost.jumps = cost.jumps.saturating_add(1);
        let Some(from) = position.checked_sub(self.lead) else { return false };
        let words = index.forward.get(from as usize..).and_then(|rest| rest.get(..self.clause.len()));
        // Not `==`, which calls `memcmp`: three times the work for two words.
        words.is_some_and(|words| words.iter().zip(self.clause).all(|(word, term)| word == term))
    }
}
