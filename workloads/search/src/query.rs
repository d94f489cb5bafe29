//! What a query says: clauses that must all be in a document.
//!
//! A clause is a run of words that must stand next to each other: what is
//! between double quotes, or what is between spaces. So `Vec::new` asks for
//! the two words in sequence without any quotes, as somebody who searches code
//! would expect. There is no OR and no NOT.

use crate::dictionary::Dictionary;
use crate::token::Tokens;
use heapless::Vec;

/// Most clauses of a query.
pub const CLAUSES: usize = 8;
/// Most words of a clause.
pub const CLAUSE_WORDS: usize = 8;

/// Why a text is not a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// No word of 2 to 32 letters, digits or `_`.
    NoWords,
    /// More than [`CLAUSES`] words and phrases.
    TooManyClauses,
    /// More than [`CLAUSE_WORDS`] words in one phrase.
    PhraseTooLong,
    /// A `"` without its second.
    UnclosedQuote,
}

impl core::fmt::Display for QueryError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoWords => {
                write!(f, "nothing to search for: expected a word of 2 to 32 letters, digits or _")
            }
            Self::TooManyClauses => write!(f, "query too long: expected at most {CLAUSES} words and phrases"),
            Self::PhraseTooLong => write!(f, "phrase too long: expected at most {CLAUSE_WORDS} words"),
            Self::UnclosedQuote => write!(f, "phrase not closed: expected a second \""),
        }
    }
}

/// Terms that must stand in sequence; never empty.
pub(crate) type Clause = Vec<u32, CLAUSE_WORDS>;

/// A query, its words already looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// Must all match. Never the same clause twice.
    pub(crate) clauses: Vec<Clause, CLAUSES>,
    /// Some word is in no document at all, so nothing can match.
    pub(crate) unknown: bool,
}

impl Query {
    /// Looks the words of `input` up.
    pub(crate) fn parse(input: &str, text: &[u8], dictionary: &Dictionary<'_>) -> Result<Self, QueryError> {
        let mut query = Self::default();
        for (number, part) in input.split('"').enumerate() {
            if number % 2 == 1 {
                query.add_words(part, text, dictionary)?;
            } else {
                part.split_whitespace().try_for_each(|word| query.add_words(word, text, dictionary))?;
            }
        }
        if input.bytes().filter(|&byte| byte == b'"').count() % 2 == 1 {
            return Err(QueryError::UnclosedQuote);
        }
        if query.clauses.is_empty() && !query.unknown {
            return Err(QueryError::NoWords);
        }
        Ok(query)
    }

    /// Adds a clause unless it is there already.
    pub(crate) fn add(&mut self, clause: Clause) -> Result<(), QueryError> {
        if clause.is_empty() || self.clauses.contains(&clause) {
            return Ok(());
        }
        self.clauses.push(clause).map_err(|_| QueryError::TooManyClauses)
    }

    fn add_words(&mut self, words: &str, text: &[u8], dictionary: &Dictionary<'_>) -> Result<(), QueryError> {
        let words = words.as_bytes();
        let mut clause = Clause::new();
        let mut unknown = false;
        for token in Tokens::new(words) {
            let word = &words[token.offset..][..token.length];
            match dictionary.find(text, word, token.hash) {
                Some(term) => clause.push(term).map_err(|_| QueryError::PhraseTooLong)?,
                None => unknown = true,
            }
        }
        if unknown {
            self.unknown = true;
            return Ok(());
        }
        self.add(clause)
    }
}
