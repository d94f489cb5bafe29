//! Searching the history backwards (Ctrl-R).

use super::{
    history::History,
    line::{Line, LineText},
};
use core::fmt::Write;
use heapless::String;

/// Longest pattern, in bytes: it shares the row with the line found.
const PATTERN_BYTES: usize = 32;

/// Longest prompt: the words around the pattern and the pattern.
pub(crate) type SearchPrompt = String<{ PATTERN_BYTES + 20 }>;

/// A search under way.
#[derive(Debug)]
pub(crate) struct Search {
    pattern: String<PATTERN_BYTES>,
    /// How far back the line found is.
    found: Option<usize>,
    failed: bool,
    /// The line as it was before.
    before: LineText,
}

impl Search {
    pub(crate) fn new(line: &Line) -> Self {
        let before = LineText::try_from(line.text()).unwrap_or_default();
        Self { pattern: String::new(), found: None, failed: false, before }
    }

    /// The line as it was before.
    pub(crate) fn before(&self) -> &str {
        &self.before
    }

    /// The prompt while searching.
    pub(crate) fn prompt(&self) -> SearchPrompt {
        let mut prompt = SearchPrompt::new();
        let words = if self.failed { "(failed search" } else { "(search" };
        // It fits: the type's size says so.
        let _ = write!(prompt, "{words} '{}') ", self.pattern);
        prompt
    }

    /// Adds to the pattern. Whether there was room and a line was found.
    pub(crate) fn add(&mut self, character: char, history: &History, line: &mut Line) -> bool {
        self.pattern.push(character).is_ok() && self.look(self.found.unwrap_or(0), history, line)
    }

    /// Takes the last character off the pattern and begins again.
    pub(crate) fn shorten(&mut self, history: &History, line: &mut Line) -> bool {
        self.found = None;
        self.pattern.pop().is_some() && self.look(0, history, line)
    }

    /// Goes on to an older line.
    pub(crate) fn next(&mut self, history: &History, line: &mut Line) -> bool {
        self.look(self.found.map_or(0, |back| back + 1), history, line)
    }

    fn look(&mut self, from: usize, history: &History, line: &mut Line) -> bool {
        self.failed = false;
        if self.pattern.is_empty() {
            return true;
        }
        let found = history.find(&self.pattern, from);
        self.failed = found.is_none();
        if let Some((back, offset)) = found {
            self.found = Some(back);
            line.set(history.get(back).unwrap_or_default());
            line.set_cursor(offset);
        }
        !self.failed
    }
}
