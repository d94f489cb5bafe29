//! Lines entered before.

use super::line::LineText;
use heapless::Deque;

/// Lines kept.
pub(crate) const HISTORY_LINES: usize = 32;

/// The last lines, and which of them is being looked at.
#[derive(Debug, Default)]
pub(crate) struct History {
    lines: Deque<LineText, HISTORY_LINES>,
    /// How far back, 0 being the newest; none while a new line is edited.
    position: Option<usize>,
    /// The new line while older ones are looked at.
    draft: LineText,
}

impl History {
    pub(crate) const fn new() -> Self {
        Self { lines: Deque::new(), position: None, draft: LineText::new() }
    }

    /// The line entered `back` lines before the newest.
    pub(crate) fn get(&self, back: usize) -> Option<&str> {
        let index = self.lines.len().checked_sub(back)?.checked_sub(1)?;
        self.lines.get(index).map(|line| line.as_str())
    }

    /// Adds a line, unless it is blank or repeats the newest; the oldest makes
    /// room. Looking back starts anew.
    pub(crate) fn add(&mut self, line: &LineText) {
        self.position = None;
        self.draft.clear();
        if line.trim().is_empty() || self.get(0) == Some(line.as_str()) {
            return;
        }
        if self.lines.is_full() {
            self.lines.pop_front();
        }
        // There is room now.
        let _ = self.lines.push_back(line.clone());
    }

    /// Forgets how far back one was.
    pub(crate) fn leave(&mut self) {
        self.position = None;
        self.draft.clear();
    }

    /// The next older line; `current` is kept when it is the new one.
    pub(crate) fn older(&mut self, current: &str) -> Option<&str> {
        let back = self.position.map_or(0, |position| position + 1);
        if back >= self.lines.len() {
            return None;
        }
        if self.position.is_none() {
            self.draft = LineText::try_from(current).unwrap_or_default();
        }
        self.position = Some(back);
        self.get(back)
    }

    /// The next newer line, after the newest the one that was being written.
    pub(crate) fn newer(&mut self) -> Option<&str> {
        self.position = self.position?.checked_sub(1);
        match self.position {
            Some(back) => self.get(back),
            None => Some(self.draft.as_str()),
        }
    }

    /// The first line at least `from` back that contains `pattern`: how far
    /// back it is, and where in it.
    pub(crate) fn find(&self, pattern: &str, from: usize) -> Option<(usize, usize)> {
        (from..self.lines.len()).find_map(|back| Some((back, self.get(back)?.find(pattern)?)))
    }

    /// Replaces each `!!` of `line` by the newest line; none when it has none.
    ///
    /// # Errors
    /// What stands in the way, in one line.
    pub(crate) fn expand(&self, line: &str) -> Result<Option<LineText>, &'static str> {
        if !line.contains("!!") {
            return Ok(None);
        }
        let newest = self.get(0).ok_or("'!!' repeats the last line, and there is none yet")?;
        let mut expanded = LineText::new();
        for (index, part) in line.split("!!").enumerate() {
            let previous = if index == 0 { "" } else { newest };
            let fits = expanded.push_str(previous).is_ok() && expanded.push_str(part).is_ok();
            fits.then_some(()).ok_or("the line is too long once '!!' is replaced")?;
        }
        Ok(Some(expanded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    fn with(lines: &[&str]) -> History {
        let mut history = History::new();
        lines.iter().for_each(|line| history.add(&LineText::try_from(*line).expect("short")));
        history
    }

    #[test]
    fn goes_back_and_comes_back_to_the_draft() {
        let mut history = with(&["one", "two", "two", " "]);
        assert_eq!(history.newer(), None);
        assert_eq!(history.older("draft"), Some("two"));
        assert_eq!(history.older("two"), Some("one"));
        assert_eq!(history.older("one"), None);
        assert_eq!(history.newer(), Some("two"));
        assert_eq!(history.newer(), Some("draft"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn keeps_the_newest() {
        let mut history = History::new();
        for number in 0..HISTORY_LINES + 5 {
            history.add(&LineText::try_from(format!("line {number}").as_str()).expect("short"));
        }
        assert_eq!(history.get(0), Some(format!("line {}", HISTORY_LINES + 4).as_str()));
        assert_eq!(history.get(HISTORY_LINES - 1), Some("line 5"));
        assert_eq!(history.get(HISTORY_LINES), None);
    }

    #[test]
    fn finds_and_expands() {
        let history = with(&["run hash", "ps", "run chase"]);
        assert_eq!(history.find("run", 0), Some((0, 0)));
        assert_eq!(history.find("run", 1), Some((2, 0)));
        assert_eq!(history.find("hash", 0), Some((2, 4)));
        assert_eq!(history.find("x", 0), None);
        assert_eq!(history.expand("ps").expect("no bangs"), None);
        assert_eq!(history.expand("!!;!! -n 2").expect("fits").as_deref(), Some("run chase;run chase -n 2"));
        assert!(History::new().expand("!!").is_err());
        assert!(history.expand(&"!!".repeat(99)).is_err());
    }
}
