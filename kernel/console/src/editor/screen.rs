//! The row of the terminal that the editor owns, and how it is changed.
//!
//! The terminal's size is never asked for: the answer would come in among the
//! keys, late or never. The row is therefore kept to 79 columns, and a longer
//! line is shown through a window, `<` and `>` marking what is cut off. Only
//! the part that changed is sent.

use core::fmt::Write;
use heapless::Vec;

/// Columns used; the last of 80 stays free, since what happens after a
/// character there differs between terminals.
pub(crate) const COLUMNS: usize = 79;

/// What stands in the row, one character a column.
type Row = Vec<char, COLUMNS>;

/// The row as the terminal shows it.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    row: Row,
    column: usize,
    shown: bool,
}

impl Screen {
    pub(crate) const fn new() -> Self {
        Self { row: Vec::new(), column: 0, shown: false }
    }

    /// Whether the row is on the terminal.
    pub(crate) const fn is_shown(&self) -> bool {
        self.shown
    }

    /// Makes the row show `prompt` and the text around the cursor.
    pub(crate) fn draw(&mut self, sink: &mut dyn Write, prompt: &str, before: &str, after: &str) {
        let (row, column) = compose(prompt, before, after);
        let same = self.row.iter().zip(&row).take_while(|(old, new)| old == new).count();
        if same < row.len() || same < self.row.len() {
            self.go_to(sink, same);
            for character in row.iter().skip(same) {
                let _ = sink.write_char(*character);
            }
            if row.len() < self.row.len() {
                let _ = sink.write_str("\x1b[K");
            }
            self.column = row.len();
            self.row = row;
        }
        self.go_to(sink, column);
        self.shown = true;
    }

    /// Empties the row; the cursor stands at its start.
    pub(crate) fn erase(&mut self, sink: &mut dyn Write) {
        if self.shown {
            let _ = sink.write_str("\r\x1b[K");
        }
        self.forget();
    }

    /// Goes on to the next row and leaves this one as it is.
    pub(crate) fn leave(&mut self, sink: &mut dyn Write) {
        let _ = sink.write_str("\r\n");
        self.forget();
    }

    /// Takes the row for gone: whatever comes next is drawn from nothing.
    pub(crate) fn forget(&mut self) {
        self.row.clear();
        self.column = 0;
        self.shown = false;
    }

    fn go_to(&mut self, sink: &mut dyn Write, column: usize) {
        let _ = match (column, column.abs_diff(self.column)) {
            (_, 0) => Ok(()),
            (0, _) => sink.write_char('\r'),
            (_, 1..=3) if column < self.column => {
                (column..self.column).try_for_each(|_| sink.write_char('\x08'))
            }
            (_, distance) => write!(sink, "\x1b[{distance}{}", if column < self.column { 'D' } else { 'C' }),
        };
        self.column = column;
    }
}

/// The row, and the cursor's column in it.
fn compose(prompt: &str, before: &str, after: &str) -> (Row, usize) {
    let mut row: Row = prompt.chars().map(shown_as).take(COLUMNS / 2 + 20).collect();
    let start = row.len();
    let width = COLUMNS - start;
    let cursor = before.chars().count();
    let length = cursor + after.chars().count();
    let offset = window(length, cursor, width);
    row.extend(before.chars().chain(after.chars()).map(shown_as).skip(offset).take(width));
    if offset > 0
        && let Some(first) = row.get_mut(start)
    {
        *first = '<';
    }
    if length - offset > width
        && let Some(last) = row.last_mut()
    {
        *last = '>';
    }
    (row, start + cursor - offset)
}

/// How many characters are cut off on the left. The window moves by half its
/// width, so that typing at its edge does not redraw it at every key, and the
/// cursor never stands on a mark.
fn window(length: usize, cursor: usize, width: usize) -> usize {
    if length < width || cursor + 1 < width {
        return 0;
    }
    let step = width / 2;
    ((cursor + 1 - width) / step + 1) * step
}

/// What a character looks like: itself when every terminal gives it one
/// column, `?` otherwise (wide, combining, unassigned). It stays in the line.
const fn shown_as(character: char) -> char {
    match character {
        ' '..='~'
        | '\u{a1}'..='\u{ac}'
        | '\u{ae}'..='\u{2ff}'
        | '\u{391}'..='\u{3a1}'
        | '\u{3a3}'..='\u{3ff}' => character,
        '\u{400}'..='\u{482}' | '\u{48a}'..='\u{52f}' => character,
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn text(row: &Row) -> String {
        row.iter().collect()
    }

    #[test]
    fn a_short_line_is_shown_whole() {
        let (row, column) = compose("> ", "aé", "漢b");
        assert_eq!((text(&row).as_str(), column), ("> aé?b", 4));
    }

    #[test]
    fn only_what_changed_is_sent() {
        let mut screen = Screen::new();
        let mut sent = |before, after| {
            let mut out = String::new();
            screen.draw(&mut out, "> ", before, after);
            out
        };
        assert_eq!(sent("ab", ""), "> ab");
        assert_eq!(sent("abc", ""), "c");
        assert_eq!(sent("ab", "c"), "\x08");
        assert_eq!(sent("abX", "c"), "Xc\x08");
        assert_eq!(sent("abX", ""), "\x1b[K");
        assert_eq!(sent("", "abX"), "\x08\x08\x08");
        assert_eq!(sent("abX", ""), "\x1b[3C");
        assert_eq!(sent("abX", ""), "");
    }

    /// Every length and cursor up to far beyond the width.
    #[test]
    fn the_cursor_is_always_in_the_window() {
        let letters: String = ('a'..='z').cycle().take(400).collect();
        for (prompt, length) in
            [0, 7, 51].into_iter().flat_map(|prompt| (0..190).map(move |length| (prompt, length)))
        {
            let words = "p".repeat(prompt);
            let width = COLUMNS - prompt;
            for cursor in 0..=length {
                let (head, tail) = (&letters[..cursor], &letters[cursor..length]);
                let (row, column) = compose(&words, head, tail);
                assert!(row.len() <= COLUMNS && (prompt..COLUMNS).contains(&column), "{length} {cursor}");
                assert_eq!(row.get(column).copied(), tail.chars().next(), "{length} {cursor}");
                if column > prompt + 1 {
                    assert_eq!(row.get(column - 1).copied(), head.chars().next_back(), "{length} {cursor}");
                }
                let (left, right) = (row.get(prompt) == Some(&'<'), row.last() == Some(&'>'));
                // Marks stand for what is missing, and for nothing else.
                let visible = row.len() - prompt;
                let first = letters.find(row.get(prompt + 1).copied().unwrap_or('a')).unwrap_or(0);
                assert!(length >= width || (!left && !right && visible == length), "{length} {cursor}");
                assert!(length < width || left || right || visible == length, "{length} {cursor}");
                assert!(left || visible < 2 || first == 1, "{length} {cursor}: cut off without a mark");
                if left && !right {
                    assert!(text(&row).ends_with(&letters[length - 5..length]), "{length} {cursor}");
                }
            }
        }
    }
}
