//! The text being edited, and the cursor in it.

use super::LINE_BYTES;
use core::ops::Range;
use heapless::String;

/// The text of a line.
pub type LineText = String<LINE_BYTES>;

/// Text without control characters, and a cursor at a character boundary.
#[derive(Debug, Default)]
pub(crate) struct Line {
    text: LineText,
    cursor: usize,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self { text: String::new(), cursor: 0 }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// In bytes.
    pub(crate) const fn cursor(&self) -> usize {
        self.cursor
    }

    pub(crate) fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    pub(crate) fn after(&self) -> &str {
        self.text.get(self.cursor..).unwrap_or_default()
    }

    /// Replaces the whole; the cursor goes to the end. What does not fit or
    /// print is left out.
    pub(crate) fn set(&mut self, text: &str) {
        self.text.clear();
        self.cursor = 0;
        self.insert_all(text);
    }

    /// Sets the cursor to the nearest character boundary at or before `cursor`.
    pub(crate) fn set_cursor(&mut self, cursor: usize) {
        self.cursor = self.text.floor_char_boundary(cursor);
    }

    /// Whether the character was taken: it must print, and fit.
    pub(crate) fn insert(&mut self, character: char) -> bool {
        if character.is_control() || self.text.insert(self.cursor, character).is_err() {
            return false;
        }
        self.cursor += character.len_utf8();
        true
    }

    /// Whether all of it was taken.
    pub(crate) fn insert_all(&mut self, text: &str) -> bool {
        text.chars().all(|character| self.insert(character))
    }

    /// Removes a range of bytes that lies on character boundaries; the cursor
    /// stands where it was.
    pub(crate) fn remove(&mut self, range: Range<usize>) {
        if self.text.get(range.clone()).is_none() {
            return;
        }
        self.cursor = range.start;
        self.text.drain(range);
    }

    /// Where the character before the cursor begins.
    pub(crate) fn left(&self) -> usize {
        self.cursor - self.before().chars().next_back().map_or(0, char::len_utf8)
    }

    /// Where the character at the cursor ends.
    pub(crate) fn right(&self) -> usize {
        self.cursor + self.after().chars().next().map_or(0, char::len_utf8)
    }

    pub(crate) fn end(&self) -> usize {
        self.text.len()
    }

    /// Where the word before the cursor begins.
    pub(crate) fn word_left(&self) -> usize {
        let word_end = self.before().trim_end_matches(is_gap);
        word_end.trim_end_matches(|c| !is_gap(c)).len()
    }

    /// Where the word at or after the cursor ends.
    pub(crate) fn word_right(&self) -> usize {
        let word = self.after().trim_start_matches(is_gap);
        self.end() - word.trim_start_matches(|c| !is_gap(c)).len()
    }

    /// Swaps the characters around the cursor (at the end: the last two) and
    /// steps over them. Whether there were two.
    pub(crate) fn transpose(&mut self) -> bool {
        let right = if self.cursor == self.end() { self.left() } else { self.cursor };
        let pair = self.text.get(..right).and_then(|before| before.chars().next_back());
        let (Some(first), Some(second)) =
            (pair, self.text.get(right..).and_then(|after| after.chars().next()))
        else {
            return false;
        };
        let start = right - first.len_utf8();
        self.remove(start..right + second.len_utf8());
        self.insert(second) && self.insert(first)
    }
}

fn is_gap(character: char) -> bool {
    character.is_whitespace() || character == ';' || character == ','
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{string::ToString, vec, vec::Vec};

    fn at(text: &str, cursor: usize) -> Line {
        let mut line = Line::new();
        line.set(text);
        line.set_cursor(cursor);
        line
    }

    #[test]
    fn words_end_at_gaps() {
        let line = at("ps; run hash,x ", 15);
        assert_eq!(line.word_left(), 13);
        assert_eq!(at("ps; run", 4).word_left(), 0);
        assert_eq!(at("ps; run x", 2).word_right(), 7);
        assert_eq!(at("ps  ", 2).word_right(), 4);
    }

    #[test]
    fn transposes_as_emacs_does() {
        for (text, cursor, result) in [
            ("ab", 2, ("ba", 2)),
            ("abc", 1, ("bac", 2)),
            ("éx", 3, ("xé", 3)),
            ("a", 1, ("a", 1)),
            ("ab", 0, ("ab", 0)),
        ] {
            let mut line = at(text, cursor);
            line.transpose();
            assert_eq!((line.text(), line.cursor()), result, "{text} {cursor}");
        }
    }

    #[test]
    fn takes_what_fits_and_prints() {
        let mut line = at(&"x".repeat(LINE_BYTES - 1), 0);
        assert!(!line.insert('é') && !line.insert('\n'));
        assert!(line.insert('y') && !line.insert('z'));
        assert_eq!((line.end(), line.cursor()), (LINE_BYTES, 1));
    }

    #[derive(Clone, Copy, Debug)]
    enum Edit {
        Insert(char),
        Left,
        Right,
        RemoveLeft,
        RemoveRight,
        RemoveWordLeft,
        Transpose,
    }

    fn any_edit() -> impl Strategy<Value = Edit> {
        prop_oneof![
            4 => prop::sample::select(vec!['a', 'b', ' ', 'é', '𝄞']).prop_map(Edit::Insert),
            3 => prop::sample::select(vec![
                Edit::Left, Edit::Right, Edit::RemoveLeft, Edit::RemoveRight, Edit::RemoveWordLeft, Edit::Transpose,
            ]),
        ]
    }

    /// The same edits on a vector of characters.
    fn model(characters: &mut Vec<char>, cursor: &mut usize, edit: Edit) {
        match edit {
            Edit::Insert(character) => {
                characters.insert(*cursor, character);
                *cursor += 1;
            }
            Edit::Left => *cursor = cursor.saturating_sub(1),
            Edit::Right => *cursor = (*cursor + 1).min(characters.len()),
            Edit::RemoveLeft if *cursor > 0 => {
                *cursor -= 1;
                characters.remove(*cursor);
            }
            Edit::RemoveRight if *cursor < characters.len() => {
                characters.remove(*cursor);
            }
            Edit::RemoveWordLeft => {
                while *cursor > 0 && characters[*cursor - 1] == ' ' {
                    *cursor -= 1;
                    characters.remove(*cursor);
                }
                while *cursor > 0 && characters[*cursor - 1] != ' ' {
                    *cursor -= 1;
                    characters.remove(*cursor);
                }
            }
            Edit::Transpose if characters.len() >= 2 && *cursor > 0 => {
                *cursor = (*cursor).min(characters.len() - 1);
                characters.swap(*cursor - 1, *cursor);
                *cursor += 1;
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn edits_do_what_they_do_to_a_vector(edits in prop::collection::vec(any_edit(), 0..60)) {
            let (mut line, mut characters, mut cursor) = (Line::new(), Vec::new(), 0);
            for edit in edits {
                match edit {
                    Edit::Insert(character) => drop(line.insert(character)),
                    Edit::Left => line.set_cursor(line.left()),
                    Edit::Right => line.set_cursor(line.right()),
                    Edit::RemoveLeft => line.remove(line.left()..line.cursor()),
                    Edit::RemoveRight => line.remove(line.cursor()..line.right()),
                    Edit::RemoveWordLeft => line.remove(line.word_left()..line.cursor()),
                    Edit::Transpose => drop(line.transpose()),
                }
                model(&mut characters, &mut cursor, edit);
                prop_assert_eq!(line.text().to_string(), characters.iter().collect::<std::string::String>());
                prop_assert_eq!(line.before().chars().count(), cursor);
            }
        }
    }
}
