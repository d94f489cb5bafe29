//! Queries as people type them, one for every number, all with an answer.
//!
//! A query is taken from a real place: a random position in the corpus, and
//! words beside it. Three in ten are phrases of two to four adjacent words, two
//! in ten a single word, the rest two to four words of one neighbourhood. Words
//! at random positions are mostly common ones; people ask for telling ones, so
//! a word is the rarest of one, two or three that were drawn.

use crate::index::{GAP, Index};
use crate::query::{Clause, Query};
use workload_api::Random;

/// Words around the drawn position from which the other words are drawn.
const NEIGHBOURHOOD: u32 = 64;

/// Query number `unit`.
pub(crate) fn query(index: &Index<'_>, unit: u64) -> Query {
    let mut random = Random::new(unit);
    let positions = u32::try_from(index.forward.len()).unwrap_or(u32::MAX);
    let place = random.below(positions);
    match random.below(10) {
        0..3 => phrase(index, &mut random, place),
        3..5 => words(index, &mut random, place, 1),
        _ => {
            let count = 2 + random.below(3);
            words(index, &mut random, place, count)
        }
    }
}

fn phrase(index: &Index<'_>, random: &mut Random, place: u32) -> Query {
    let wanted = 2 + random.below(3) as usize;
    let rest = index.forward.get(place as usize..).unwrap_or(&[]);
    let clause: Clause =
        rest.iter().copied().skip_while(|&t| t == GAP).take_while(|&t| t != GAP).take(wanted).collect();
    single(clause)
}

fn words(index: &Index<'_>, random: &mut Random, place: u32, count: u32) -> Query {
    let mut query = Query::default();
    for _ in 0..count {
        if let Some(term) = draw(index, random, place) {
            // At most four clauses: they fit.
            let _ = query.add([term].into_iter().collect());
        }
    }
    query
}

fn single(clause: Clause) -> Query {
    let mut query = Query::default();
    // One clause fits.
    let _ = query.add(clause);
    query
}

/// The rarest of up to three words drawn near `place`.
fn draw(index: &Index<'_>, random: &mut Random, place: u32) -> Option<u32> {
    let draws = 1 + random.below(3);
    let span = index.span_of(place)?;
    let from = span.start.max(place.saturating_sub(NEIGHBOURHOOD / 2));
    let width = span.end.saturating_sub(from).min(NEIGHBOURHOOD);
    let terms = (0..draws).filter_map(|_| {
        let position = from + random.below(width);
        index.forward.get(position as usize).copied().filter(|&term| term != GAP)
    });
    terms.min_by_key(|&term| index.postings(term).len())
}
