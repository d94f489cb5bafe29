//! Random console input: noise mixed with pieces of valid commands, so that
//! it gets past the parser often enough to start and stop things.
//!
//! The commands that end the machine are never sent, nor can completion make
//! one: a Tab is withheld after a letter that begins one.

use crate::random::Random;

/// Pieces of valid input.
const PIECES: &[&str] = &[
    "help",
    "version",
    "cpus",
    "ps",
    "top 50",
    "run ",
    "stop ",
    "pause ",
    "resume ",
    "migrate ",
    "roles",
    "profile ",
    "shadow ",
    "echo ",
    "predict ",
    "quarantine ",
    "policy set ",
    "stats",
    "mem",
    "log -n 3",
    "burst ",
    "status",
    "mode json",
    "mode text",
    "uptime",
    "clear",
    "hash",
    "compress",
    "stream",
    "chase",
    "matrix",
    "search",
    "all",
    "none",
    "static",
    "patent",
    "perfiso",
    "reactive",
    "heracles",
    "parties",
    "lfoc",
    "oracle",
    "concept",
    "show",
    "plan",
    "apply",
    "undo",
    "-c 1",
    "-n 2",
    " ",
    ";",
    "#",
    "1",
    "99",
    "18446744073709551616",
    "!!",
    "\r",
    "\r",
    "\r",
    "\r\n",
    "\t",
    "\t\t",
    "\x03",
    "\x15",
    "\x01",
    "\x05",
    "\x12",
    "\x1b[A",
    "\x1b[B",
    "\x1b[C",
    "\x1b[D",
    "\x1b[3~",
    "\x1b[",
    "\x1bO",
    "\x7f",
    "\u{e9}",
    "\u{1f600}",
];

/// First letters of `reboot`, `poweroff` and `crash`.
const ENDING: &[u8] = b"rpc";

/// The generator.
pub(super) struct Flood {
    random: Random,
    /// Letters since the last byte that is not a letter.
    word: Vec<u8>,
}

impl Flood {
    /// The same seed gives the same bytes.
    pub(super) const fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), word: Vec::new() }
    }

    /// At least `length` more bytes.
    pub(super) fn next(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            if self.random.below(2) == 0 {
                let byte = self.random.byte();
                self.push(byte, &mut bytes);
            } else {
                let piece = self.random.pick(PIECES).copied().unwrap_or_default();
                piece.bytes().for_each(|byte| self.push(byte, &mut bytes));
            }
        }
        bytes
    }

    fn push(&mut self, byte: u8, bytes: &mut Vec<u8>) {
        let completes = byte == b'\t' && self.word.first().is_some_and(|first| ENDING.contains(first));
        let byte = if completes { b' ' } else { byte };
        if byte.is_ascii_alphabetic() {
            self.word.push(byte.to_ascii_lowercase());
        } else {
            self.word.clear();
        }
        bytes.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_piece_is_part_of_what_ends_the_machine() {
        for piece in PIECES {
            for ending in ["reboot", "poweroff", "crash"] {
                assert!(!piece.contains(ending));
            }
        }
    }

    #[test]
    fn a_million_bytes_never_end_the_machine() {
        let bytes = Flood::new(1).next(1_000_000);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        for ending in ["reboot", "poweroff", "crash"] {
            assert!(!text.contains(ending));
        }
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(Flood::new(7).next(100), Flood::new(7).next(100));
        assert_ne!(Flood::new(7).next(100), Flood::new(8).next(100));
    }
}
