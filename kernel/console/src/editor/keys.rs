//! Bytes -> keys.
//!
//! Escape sequences follow ECMA-48, section 5.4, in the reading of xterm and
//! the Linux console. A sequence is bounded, a control byte inside one ends it
//! and counts for itself, and what is malformed is dropped: after any bytes
//! whatever, the next control byte is understood.

use core::mem::replace;

/// A key, named for what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Character(char),
    Enter,
    Interrupt,
    Abort,
    Complete,
    Search,
    ClearScreen,
    Backspace,
    Delete,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Older,
    Newer,
    KillToEnd,
    KillToStart,
    KillWordLeft,
    KillWordRight,
    Yank,
    Transpose,
}

/// Longest escape sequence that is followed, in bytes after `ESC [`.
const LONGEST_SEQUENCE: u8 = 16;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// After ESC.
    Escape,
    /// After `ESC [`: the first parameter, the one being read, the length.
    Sequence { first: Option<u16>, current: u16, length: u8 },
    /// After `ESC O`, or `ESC [ [` on the Linux console: one letter follows.
    Letter,
    /// Inside a UTF-8 character.
    Partial { bytes: [u8; 4], have: usize, need: usize },
}

/// The state between bytes.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    state: State,
    after_return: bool,
    dropping: bool,
}

impl Decoder {
    pub(crate) const fn new() -> Self {
        Self { state: State::Ground, after_return: false, dropping: false }
    }

    /// Takes one byte; a key when it completes one.
    pub(crate) fn feed(&mut self, byte: u8) -> Option<Key> {
        let second_half = replace(&mut self.after_return, byte == b'\r') && byte == b'\n';
        let state = replace(&mut self.state, State::Ground);
        let key = match (state, byte) {
            _ if second_half => None,
            (State::Escape, 0x7F) => Some(Key::KillWordLeft),
            (_, 0x1B) => self.go(State::Escape),
            (_, 0..0x20 | 0x7F) => control(byte),
            (State::Ground, _) => self.ground(byte),
            (State::Escape, _) => self.escape(byte),
            (State::Letter, _) => letter(byte),
            (State::Sequence { first, current, length }, _) => self.sequence(byte, first, current, length),
            (State::Partial { bytes, have, need }, _) => self.partial(byte, bytes, have, need),
        };
        let dropped = self.dropping && key != Some(Key::Interrupt);
        self.dropping &= key.is_none() && self.state != State::Ground;
        key.filter(|_| !dropped)
    }

    /// Takes a byte as part of a key whose meaning is of no interest, and the
    /// rest of that key when it comes.
    pub(crate) fn discard(&mut self, byte: u8) {
        self.feed(byte);
        self.dropping = self.state != State::Ground;
    }

    /// Gives up a sequence that was begun.
    pub(crate) const fn reset(&mut self) {
        self.state = State::Ground;
        self.dropping = false;
    }

    const fn go(&mut self, state: State) -> Option<Key> {
        self.state = state;
        None
    }

    fn ground(&mut self, byte: u8) -> Option<Key> {
        let need = match byte {
            0x20..0x7F => return Some(Key::Character(char::from(byte))),
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => return None,
        };
        self.go(State::Partial { bytes: [byte, 0, 0, 0], have: 1, need })
    }

    fn partial(&mut self, byte: u8, mut bytes: [u8; 4], have: usize, need: usize) -> Option<Key> {
        if byte & 0b1100_0000 != 0b1000_0000 {
            return self.ground(byte);
        }
        if let Some(slot) = bytes.get_mut(have) {
            *slot = byte;
        }
        if have + 1 < need {
            return self.go(State::Partial { bytes, have: have + 1, need });
        }
        let text = core::str::from_utf8(bytes.get(..need)?).ok()?;
        text.chars().next().filter(|character| !character.is_control()).map(Key::Character)
    }

    const fn escape(&mut self, byte: u8) -> Option<Key> {
        match byte {
            b'[' => self.go(State::Sequence { first: None, current: 0, length: 0 }),
            b'O' => self.go(State::Letter),
            b'b' => Some(Key::WordLeft),
            b'f' => Some(Key::WordRight),
            b'd' => Some(Key::KillWordRight),
            _ => None,
        }
    }

    fn sequence(&mut self, byte: u8, first: Option<u16>, current: u16, length: u8) -> Option<Key> {
        if length >= LONGEST_SEQUENCE {
            return None;
        }
        let length = length + 1;
        match byte {
            b'0'..=b'9' => {
                let current = current.saturating_mul(10).saturating_add(u16::from(byte - b'0'));
                self.go(State::Sequence { first, current, length })
            }
            b';' => self.go(State::Sequence { first: first.or(Some(current)), current: 0, length }),
            0x20..=0x3F => self.go(State::Sequence { first, current, length }),
            b'[' if length == 1 => self.go(State::Letter),
            b'~' => tilde(first.unwrap_or(current)),
            // `1;5C`: with Control (5) or Alt (3) held down.
            b'C' if first.is_some() && matches!(current, 3 | 5) => Some(Key::WordRight),
            b'D' if first.is_some() && matches!(current, 3 | 5) => Some(Key::WordLeft),
            _ => letter(byte),
        }
    }
}

const fn control(byte: u8) -> Option<Key> {
    Some(match byte {
        0x01 => Key::Home,
        0x02 => Key::Left,
        0x03 => Key::Interrupt,
        0x04 => Key::Delete,
        0x05 => Key::End,
        0x06 => Key::Right,
        0x07 => Key::Abort,
        0x08 | 0x7F => Key::Backspace,
        b'\t' => Key::Complete,
        b'\n' | b'\r' => Key::Enter,
        0x0B => Key::KillToEnd,
        0x0C => Key::ClearScreen,
        0x0E => Key::Newer,
        0x10 => Key::Older,
        0x12 => Key::Search,
        0x14 => Key::Transpose,
        0x15 => Key::KillToStart,
        0x17 => Key::KillWordLeft,
        0x19 => Key::Yank,
        _ => return None,
    })
}

const fn letter(byte: u8) -> Option<Key> {
    Some(match byte {
        b'A' => Key::Older,
        b'B' => Key::Newer,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'F' => Key::End,
        b'H' => Key::Home,
        _ => return None,
    })
}

const fn tilde(parameter: u16) -> Option<Key> {
    Some(match parameter {
        1 | 7 => Key::Home,
        3 => Key::Delete,
        4 | 8 => Key::End,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::new();
        bytes.iter().filter_map(|byte| decoder.feed(*byte)).collect()
    }

    #[test]
    fn sequences_are_keys() {
        use Key::*;
        assert_eq!(keys(b"\x1b[A\x1bOB\x1b[C\x1b[D"), [Older, Newer, Right, Left]);
        assert_eq!(keys(b"\x1b[H\x1b[1~\x1bOH\x1b[7~\x1b[F\x1b[4~"), [Home, Home, Home, Home, End, End]);
        assert_eq!(
            keys(b"\x1b[3~\x1b[3;5~\x1b[1;5C\x1b[1;3D\x1b[1;2C"),
            [Delete, Delete, WordRight, WordLeft, Right]
        );
        assert_eq!(keys(b"\x1bb\x1bf\x1bd\x1b\x7f"), [WordLeft, WordRight, KillWordRight, KillWordLeft]);
        assert_eq!(
            keys(b"\x1b[[Ax\x1b[200~y\x1b[?1;2cz"),
            [Older, Character('x'), Character('y'), Character('z')]
        );
    }

    #[test]
    fn garbage_ends_soon() {
        use Key::*;
        assert_eq!(keys(b"\x1b[12\x03a"), [Interrupt, Character('a')]);
        assert_eq!(keys(b"\x1b[1;\x1b[A"), [Older], "a new sequence replaces the old");
        assert_eq!(keys(b"\xc3\x28"), [Character('(')], "a byte that does not continue stands for itself");
        assert_eq!(keys(b"\xed\xa0\x80\xf5\x80\xc2\x85"), [], "surrogates, too large, C1 controls");
        assert_eq!(keys(&[b"\x1b[".as_slice(), &[b'0'; 17], b"a"].concat()), [Character('a')]);
        assert_eq!(keys("é€𝄞".as_bytes()), ['é', '€', '𝄞'].map(Character));
    }

    #[test]
    fn a_line_end_is_one_key() {
        assert_eq!(keys(b"\r\n\n\r\r"), [Key::Enter; 4]);
    }

    #[test]
    fn a_discarded_key_leaves_nothing_behind() {
        let mut decoder = Decoder::new();
        decoder.discard(0x1b);
        assert!(b"[1;5C".iter().all(|byte| decoder.feed(*byte).is_none()));
        assert_eq!(decoder.feed(b'x'), Some(Key::Character('x')));
        decoder.discard(b'q');
        assert_eq!(decoder.feed(b'x'), Some(Key::Character('x')));
        decoder.discard(0x1b);
        assert_eq!(decoder.feed(0x03), Some(Key::Interrupt), "never discarded");
        decoder.discard(0x1b);
        decoder.reset();
        assert_eq!(decoder.feed(b'b'), Some(Key::Character('b')));
    }

    proptest! {
        #[test]
        fn control_bytes_always_count(bytes in any::<Vec<u8>>(), discarded: u8) {
            let mut decoder = Decoder::new();
            for byte in bytes {
                decoder.feed(byte);
            }
            decoder.discard(discarded);
            prop_assert_eq!(decoder.feed(0x03), Some(Key::Interrupt));
            prop_assert_eq!(decoder.feed(b'h'), Some(Key::Character('h')));
        }

        #[test]
        fn any_printable_text_comes_through(text in "\\PC{0,40}") {
            let read: std::string::String = keys(text.as_bytes())
                .into_iter()
                .filter_map(|key| if let Key::Character(c) = key { Some(c) } else { None })
                .collect();
            prop_assert_eq!(read, text);
        }
    }
}
