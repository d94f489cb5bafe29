//! The line editor: one byte at a time in, a finished line out.
//!
//! It runs on the control core, outside the tick. A byte costs at most one pass
//! over the history (32 lines of 256 bytes) and one row of output. Any byte may
//! come at any time: there is no state in which Ctrl-C and a typed command
//! would not be understood. Errors of the sink are ignored: there is nobody to
//! tell, and Ctrl-L draws everything again.

mod edit;
mod history;
mod keys;
mod line;
mod screen;
mod search;
mod tab;

use crate::{complete::Names, sink::CrLf};
use core::fmt::{Display, Write};
use history::History;
use keys::{Decoder, Key};
use line::Line;
use screen::Screen;
use search::Search;

pub use line::LineText;

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

/// The editor. About 10 KiB, most of it history; never moved in use.
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

    /// The same, to keep while the editor is used on.
    pub fn take_accepted(&mut self) -> LineText {
        core::mem::take(&mut self.accepted)
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
        if let Some(search) = self.search.take()
            && self.press_searching(search, key, sink)
        {
            return Event::Idle;
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

    /// A key while searching. Whether it was used; otherwise it ends the search
    /// and does what it does.
    fn press_searching(&mut self, mut search: Search, key: Key, sink: &mut dyn Write) -> bool {
        let found = match key {
            Key::Character(character) => search.add(character, &self.history, &mut self.line),
            Key::Backspace => search.shorten(&self.history, &mut self.line),
            Key::Search => search.next(&self.history, &mut self.line),
            Key::Abort => {
                self.line.set(search.before());
                return true;
            }
            _ => return false,
        };
        if !found {
            bell(sink);
        }
        self.search = Some(search);
        true
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

    /// Leaves the line on the terminal as it is, cursor after it.
    fn leave_row(&mut self, sink: &mut dyn Write) {
        self.refresh(sink);
        self.screen.leave(sink);
    }
}

fn bell(sink: &mut dyn Write) {
    let _ = sink.write_char('\x07');
}

#[cfg(test)]
mod terminal;
#[cfg(test)]
mod tests;
