//! The line editor: one byte at a time in, a finished line out.
//!
//! It runs on the control core, outside the tick. A byte costs at most one pass
//! over the history (32 lines of 256 bytes) and one row of output. Any byte may
//! come at any time: there is no state in which Ctrl-C and a typed command
//! would not be understood. Errors of the sink are ignored: there is nobody to
//! tell, and Ctrl-L draws everything again.

mod history;
mod keys;
mod line;
mod screen;
mod search;

use crate::{
    complete::{Names, candidates, complete},
    sink::CrLf,
};
use core::fmt::{Display, Write};
use history::History;
use keys::{Decoder, Key};
use line::{Line, LineText};
use screen::{COLUMNS, Screen};
use search::Search;

/// What stands before the line.
pub const PROMPT: &str = "umbra> ";

/// Longest line, in bytes of UTF-8.
pub const LINE_BYTES: usize = 256;

/// What a byte led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing for the caller to do.
    Idle,
    /// [`Editor::accepted`] is to be carried out. The prompt is not on the
    /// terminal; [`Editor::prompt`] brings it back after the reply.
    Line,
    /// Ctrl-C; the line was dropped and the prompt is there again.
    Interrupt,
}

/// The editor. About 11 KiB, most of it history; never moved in use.
#[derive(Debug, Default)]
pub struct Editor {
    keys: Decoder,
    line: Line,
    accepted: LineText,
    history: History,
    search: Option<Search>,
    killed: LineText,
    screen: Screen,
    last: Last,
}

/// What the key before did, where that matters to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Other,
    Killed,
    Completed,
}

impl Editor {
    /// An editor whose prompt is not on the terminal yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            keys: Decoder::new(),
            line: Line::new(),
            accepted: LineText::new(),
            history: History::new(),
            search: None,
            killed: LineText::new(),
            screen: Screen::new(),
            last: Last::Other,
        }
    }

    /// Puts the prompt on the terminal, which must be at the start of a row.
    pub fn prompt(&mut self, sink: &mut dyn Write) {
        self.screen.forget();
        self.refresh(sink);
    }

    /// Takes a byte that was received.
    pub fn feed(&mut self, byte: u8, sink: &mut dyn Write, names: &dyn Names) -> Event {
        let Some(key) = self.keys.feed(byte) else { return Event::Idle };
        let event = self.press(key, sink, names);
        if event != Event::Line {
            self.refresh(sink);
        }
        event
    }

    /// Takes a byte as "any key", as when `top` is to end, and whatever belongs
    /// to the same key when it comes.
    pub fn discard(&mut self, byte: u8) {
        self.keys.discard(byte);
    }

    /// To be called when nothing was received for a while (some 50 ms): an
    /// Escape pressed alone is then not taken for the beginning of a sequence.
    pub const fn idle(&mut self) {
        self.keys.reset();
    }

    /// The line that was finished last.
    #[must_use]
    pub fn accepted(&self) -> &str {
        &self.accepted
    }

    /// Prints `text` above the prompt, on rows of its own.
    pub fn interrupt_with(&mut self, sink: &mut dyn Write, text: &dyn Display) {
        let shown = self.screen.is_shown();
        self.screen.erase(sink);
        let mut rows = CrLf::new(&mut *sink);
        let _ = write!(rows, "{text}");
        let _ = rows.end_row();
        if shown {
            self.refresh(sink);
        }
    }

    fn refresh(&mut self, sink: &mut dyn Write) {
        let search_prompt = self.search.as_ref().map(Search::prompt);
        let prompt = search_prompt.as_deref().unwrap_or(PROMPT);
        self.screen.draw(sink, prompt, self.line.before(), self.line.after());
    }

    fn press(&mut self, key: Key, sink: &mut dyn Write, names: &dyn Names) -> Event {
        if let Some(search) = self.search.take() {
            match self.press_searching(search, key, sink) {
                None => return Event::Idle,
                Some(Key::Abort) => return Event::Idle,
                Some(_) => {} // The key ends the search and does what it does.
            }
        }
        let last = core::mem::take(&mut self.last);
        match key {
            Key::Enter => return self.enter(sink),
            Key::Interrupt => return self.interrupt(sink),
            Key::ClearScreen => self.clear_screen(sink),
            Key::Complete => self.complete(last, sink, names),
            Key::Search => self.search = Some(Search::new(&self.line)),
            _ if self.edit(key, last) => {}
            _ => bell(sink),
        }
        Event::Idle
    }

    /// A key while searching; gives it back when it ends the search.
    fn press_searching(&mut self, mut search: Search, key: Key, sink: &mut dyn Write) -> Option<Key> {
        let found = match key {
            Key::Character(character) => search.add(character, &self.history, &mut self.line),
            Key::Backspace => search.shorten(&self.history, &mut self.line),
            Key::Search => search.next(&self.history, &mut self.line),
            Key::Abort => {
                self.line.set(search.before());
                return Some(key);
            }
            _ => return Some(key),
        };
        if !found {
            bell(sink);
        }
        self.search = Some(search);
        None
    }

    /// The keys that change the line or move in it; whether they could.
    fn edit(&mut self, key: Key, last: Last) -> bool {
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

    fn enter(&mut self, sink: &mut dyn Write) -> Event {
        self.leave_row(sink);
        match self.history.expand(self.line.text()) {
            Ok(None) => self.accepted = LineText::try_from(self.line.text()).unwrap_or_default(),
            Ok(Some(expanded)) => {
                let _ = write!(sink, "{expanded}\r\n");
                self.accepted = expanded;
            }
            Err(error) => {
                let _ = write!(sink, "error: {error}\r\n");
                self.accepted.clear();
            }
        }
        self.history.add(&self.accepted);
        self.line.set("");
        if self.accepted.trim().is_empty() { Event::Idle } else { Event::Line }
    }

    fn interrupt(&mut self, sink: &mut dyn Write) -> Event {
        self.line.set_cursor(self.line.end());
        self.refresh(sink);
        let _ = sink.write_str("^C");
        self.screen.leave(sink);
        self.line.set("");
        self.history.leave();
        Event::Interrupt
    }

    fn clear_screen(&mut self, sink: &mut dyn Write) {
        let _ = sink.write_str(crate::reply::CLEAR_SCREEN);
        self.screen.forget();
    }

    /// The first Tab adds what is certain, the second lists what is possible.
    fn complete(&mut self, last: Last, sink: &mut dyn Write, names: &dyn Names) {
        let completion = complete(self.line.before(), names);
        if completion.count > 1 && completion.addition.is_empty() && last == Last::Completed {
            self.leave_row(sink);
            list(self.line.before(), sink, names);
            return;
        }
        self.last = Last::Completed;
        let added = self.line.insert_all(&completion.addition)
            && (!completion.whole || self.line.after().starts_with(' ') || self.line.insert(' '));
        if !added || completion.count != 1 {
            bell(sink);
        }
    }

    /// Leaves the line on the terminal as it is, cursor after it.
    fn leave_row(&mut self, sink: &mut dyn Write) {
        self.refresh(sink);
        self.screen.leave(sink);
    }
}

fn recall(found: Option<&str>, line: &mut Line) -> bool {
    found.map(|text| line.set(text)).is_some()
}

fn bell(sink: &mut dyn Write) {
    let _ = sink.write_char('\x07');
}

/// The candidates in columns.
fn list(text: &str, sink: &mut dyn Write, names: &dyn Names) {
    let mut widest = 0;
    candidates(text, names, &mut |name| widest = widest.max(name.chars().count()));
    let width = widest + 2;
    let a_row = (COLUMNS / width).max(1);
    let mut count = 0usize;
    candidates(text, names, &mut |name| {
        let _ = sink.write_str(match count {
            0 => "",
            _ if count.is_multiple_of(a_row) => "\r\n",
            _ => "  ",
        });
        let last_in_row = count % a_row + 1 == a_row;
        let _ = if last_in_row { sink.write_str(name) } else { write!(sink, "{name:widest$}") };
        count += 1;
    });
    let _ = sink.write_str("\r\n");
}

#[cfg(test)]
mod terminal;
#[cfg(test)]
mod tests;
