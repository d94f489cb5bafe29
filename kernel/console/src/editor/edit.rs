//! Keys that change the line or move in it.

use super::{Editor, Last, keys::Key, line::Line};

impl Editor {
    /// The keys that change the line or move in it; whether they could.
    pub(super) fn edit(&mut self, key: Key, last: Last) -> bool {
        let (cursor, end) = (self.line.cursor(), self.line.end());
        match key {
            Key::Character(character) => self.line.insert(character),
            Key::Backspace => self.remove(self.line.left(), cursor),
            Key::Delete => self.remove(cursor, self.line.right()),
            Key::Left => self.move_to(self.line.left()),
            Key::Right => self.move_to(self.line.right()),
            Key::WordLeft => self.move_to(self.line.word_left()),
            Key::WordRight => self.move_to(self.line.word_right()),
            Key::Home => self.move_to(0) || end == 0 || cursor == 0,
            Key::End => self.move_to(end) || cursor == end,
            Key::KillToEnd => self.kill(cursor, end, last),
            Key::KillToStart => self.kill(0, cursor, last),
            Key::KillWordLeft => self.kill(self.line.word_left(), cursor, last),
            Key::KillWordRight => self.kill(cursor, self.line.word_right(), last),
            Key::Yank => !self.killed.is_empty() && self.line.insert_all(&self.killed),
            Key::Transpose => self.line.transpose(),
            Key::Older => recall(self.history.older(self.line.text()), &mut self.line),
            Key::Newer => recall(self.history.newer(), &mut self.line),
            _ => false,
        }
    }

    fn move_to(&mut self, cursor: usize) -> bool {
        let moves = cursor != self.line.cursor();
        self.line.set_cursor(cursor);
        moves
    }

    fn remove(&mut self, start: usize, end: usize) -> bool {
        self.line.remove(start..end);
        start < end
    }

    /// Removes and keeps for Ctrl-Y; kills in a row are kept together, in the
    /// order in which they stood.
    fn kill(&mut self, start: usize, end: usize, last: Last) -> bool {
        let text = self.line.text().get(start..end).unwrap_or_default();
        if last != Last::Killed {
            self.killed.clear();
        }
        let at = if end == self.line.cursor() { 0 } else { self.killed.len() };
        // More than a line is not kept; it could not be yanked either.
        let _ = self.killed.insert_str(at, text);
        self.last = Last::Killed;
        self.remove(start, end)
    }
}

fn recall(found: Option<&str>, line: &mut Line) -> bool {
    found.map(|text| line.set(text)).is_some()
}
