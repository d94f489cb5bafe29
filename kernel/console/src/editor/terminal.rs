//! A terminal for tests: strict, it knows what the editor may send and panics
//! on anything else.

use std::{string::String, vec, vec::Vec};

/// 80 columns, endless rows; a character after the 80th goes to the next row.
pub(super) struct Terminal {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self { rows: vec![Vec::new()], row: 0, column: 0 }
    }

    /// Shows what was sent, and takes it away.
    pub(super) fn show(&mut self, sent: &mut String) {
        let text = core::mem::take(sent);
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            match character {
                '\r' => self.column = 0,
                '\n' => self.down(),
                '\x08' => self.column = self.column.checked_sub(1).expect("backspace at the left edge"),
                '\x07' => {}
                '\x1b' => self.sequence(&mut rest),
                _ => self.put(character),
            }
        }
    }

    /// The row the cursor is in, without spaces at its end.
    pub(super) fn row(&self) -> String {
        self.rows[self.row].iter().collect::<String>().trim_end().into()
    }

    /// All rows.
    pub(super) fn rows(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.iter().collect::<String>().trim_end().into()).collect()
    }

    pub(super) fn column(&self) -> usize {
        self.column
    }

    fn put(&mut self, character: char) {
        assert!(!character.is_control(), "{character:?}");
        if self.column == 80 {
            self.column = 0;
            self.down();
        }
        let row = &mut self.rows[self.row];
        if row.len() <= self.column {
            row.resize(self.column + 1, ' ');
        }
        row[self.column] = character;
        self.column += 1;
    }

    fn down(&mut self) {
        assert_eq!(self.column, 0, "a line feed without a return");
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push(Vec::new());
        }
    }

    fn sequence(&mut self, rest: &mut core::str::Chars<'_>) {
        assert_eq!(rest.next(), Some('['));
        let mut parameter = String::new();
        let last = loop {
            match rest.next().expect("a whole sequence") {
                digit @ '0'..='9' => parameter.push(digit),
                other => break other,
            }
        };
        let count = parameter.parse::<usize>().ok();
        match (count, last) {
            (Some(count), 'C') => {
                self.column += count;
                assert!(self.column < 80, "beyond the right edge");
            }
            (Some(count), 'D') => self.column = self.column.checked_sub(count).expect("beyond the left edge"),
            (None, 'K') => self.rows[self.row].truncate(self.column),
            (None, 'H') => (self.row, self.column) = (0, 0),
            (Some(2), 'J') => self.rows.iter_mut().for_each(Vec::clear),
            other => panic!("unknown sequence {other:?}"),
        }
    }
}
