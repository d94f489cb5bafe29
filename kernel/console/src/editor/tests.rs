use super::{terminal::Terminal, *};
use crate::complete::{NameKind, NoNames};
use proptest::prelude::*;
use std::{format, string::String, vec::Vec};

struct Fake;

impl Names for Fake {
    fn each(&self, kind: NameKind, found: &mut dyn FnMut(&str)) {
        if kind == NameKind::Workload {
            ["compress", "chase", "hash"].into_iter().for_each(found);
        }
    }
}

/// An editor on a terminal.
struct Console {
    editor: Editor,
    terminal: Terminal,
    sent: String,
    lines: Vec<String>,
}

impl Console {
    fn new() -> Self {
        let mut console =
            Self { editor: Editor::new(), terminal: Terminal::new(), sent: String::new(), lines: Vec::new() };
        console.editor.prompt(&mut console.sent);
        console.terminal.show(&mut console.sent);
        console
    }

    fn with(lines: &[&str]) -> Self {
        let mut console = Self::new();
        for line in lines {
            console.type_in(line.as_bytes());
            console.type_in(b"\r");
        }
        console
    }

    fn feed(&mut self, byte: u8) -> Event {
        let event = self.editor.feed(byte, &mut self.sent, &Fake);
        if event == Event::Line {
            self.lines.push(self.editor.accepted().into());
            self.editor.prompt(&mut self.sent);
        }
        self.terminal.show(&mut self.sent);
        event
    }

    fn type_in(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.feed(*byte);
        }
    }

    /// What is on the row, with `|` where the cursor is.
    fn row(&self) -> String {
        let row = self.terminal.row();
        let mut characters: Vec<char> = row.chars().collect();
        characters.resize(characters.len().max(self.terminal.column()), ' ');
        characters.insert(self.terminal.column(), '|');
        characters.into_iter().collect()
    }
}

fn row_after(bytes: &[u8]) -> String {
    let mut console = Console::new();
    console.type_in(bytes);
    console.row()
}

#[test]
fn edits_as_emacs_does() {
    for (bytes, row) in [
        (&b"run hash"[..], "umbra> run hash|"),
        (b"un\x01r", "umbra> r|un"),
        (b"ruun\x02\x02\x08", "umbra> r|un"),
        (b"abc\x1b[D\x1b[D\x1b[3~", "umbra> a|c"),
        (b"abc\x01\x04\x05\x04", "umbra> bc|"),
        (b"run hash\x17", "umbra> run |"),
        (b"run hash\x17\x17x\x19", "umbra> xrun hash|"),
        (b"run hash\x01\x1bd\x0b\x19", "umbra> run hash|"),
        (b"run hash\x1b[1;5D\x15\x05 \x19", "umbra> hash run |"),
        (b"psx\x08\x14", "umbra> sp|"),
        (b"a b\x1b[H\x06\x0b", "umbra> a|"),
        (b"ps\x0c", "umbra> ps|"),
        ("é漢\x08x".as_bytes(), "umbra> éx|"),
        (b"ps\x1b[99;99;99", "umbra> ps|"),
    ] {
        assert_eq!(row_after(bytes), row, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn lines_are_accepted_and_recalled() {
    let mut console = Console::with(&["ps", "run hash", "", "   "]);
    assert_eq!(console.lines, ["ps", "run hash"]);
    console.type_in(b"dra\x10\x1b[A");
    assert_eq!(console.row(), "umbra> ps|");
    console.type_in(b"\x0e\x1b[B");
    assert_eq!(console.row(), "umbra> dra|");
    console.type_in(b"\x03!!; mem\r\n!!\n");
    assert_eq!(console.lines[2..], ["run hash; mem", "run hash; mem"]);
    let rows = console.terminal.rows();
    let shown = ["umbra> dra^C", "umbra> !!; mem", "run hash; mem", "umbra> !!", "run hash; mem", "umbra>"];
    assert_eq!(rows[rows.len() - 6..], shown);
}

#[test]
fn nothing_to_repeat_is_an_error() {
    let mut console = Console::with(&["!!"]);
    assert!(console.lines.is_empty());
    console.type_in(b"ps\r");
    let rows = console.terminal.rows();
    assert_eq!(
        rows[..3],
        ["umbra> !!", "error: '!!' repeats the last line, and there is none yet", "umbra> ps"]
    );
    assert_eq!(console.lines, ["ps"]);
}

#[test]
fn searches_backwards() {
    let mut console = Console::with(&["run hash", "ps", "run chase"]);
    console.type_in(b"x\x12");
    assert_eq!(console.row(), "(search '') x|");
    console.type_in(b"run");
    assert_eq!(console.row(), "(search 'run') |run chase");
    console.type_in(b"\x12");
    assert_eq!(console.row(), "(search 'run') |run hash");
    console.type_in(b"\x12");
    assert_eq!(console.row(), "(failed search 'run') |run hash");
    console.type_in(b"\x07");
    assert_eq!(console.row(), "umbra> x|");
    console.type_in(b"\x12has\x08sh\x05 -n 2");
    assert_eq!(console.row(), "umbra> run hash -n 2|");
    console.type_in(b"\x12ps\r");
    assert_eq!(console.lines.last().map(String::as_str), Some("ps"));
    console.type_in(b"\x12run\x03");
    assert_eq!(console.row(), "umbra> |");
    let rows = console.terminal.rows();
    assert_eq!(
        rows[rows.len() - 2],
        "umbra> run chase^C",
        "the row is left whole, cursor in its middle or not"
    );
}

#[test]
fn tab_completes_and_then_lists() {
    let mut console = Console::new();
    console.type_in(b"ru\tc\t");
    assert_eq!(console.row(), "umbra> run c|");
    console.type_in(b"\t");
    assert_eq!(console.terminal.rows(), ["umbra> run c", "compress  chase", "umbra> run c"]);
    console.type_in(b"o\t-c 1");
    assert_eq!(console.row(), "umbra> run compress -c 1|");
    assert_eq!(row_after(b"x\t\t"), "umbra> x|");
    assert_eq!(row_after(b"ru ps\x01\x06\x06\t"), "umbra> run| ps");
    let mut console = Console::new();
    console.type_in(b"\t\t");
    let rows = console.terminal.rows();
    assert!(rows.iter().all(|row| row.len() < 80) && rows.len() > 4, "{rows:?}");
}

#[test]
fn log_lines_stand_above_the_prompt() {
    let mut console = Console::new();
    console.type_in(b"ru");
    console.editor.interrupt_with(&mut console.sent, &"core 3 is up\ncore 4 is up");
    console.terminal.show(&mut console.sent);
    assert_eq!(console.terminal.rows(), ["core 3 is up", "core 4 is up", "umbra> ru"]);
    console.type_in(b"n\r");
    assert_eq!(console.lines, ["run"]);
    let mut fresh = Editor::new();
    let mut sent = String::new();
    fresh.interrupt_with(&mut sent, &"before the first prompt\n");
    assert_eq!(sent, "before the first prompt\r\n");
}

#[test]
fn any_key_is_one_key() {
    let mut console = Console::new();
    console.editor.discard(0x1b);
    console.type_in(b"[Aps");
    assert_eq!(console.row(), "umbra> ps|");
    console.editor.discard(0x1b);
    console.editor.idle();
    console.type_in(b"\r");
    assert_eq!(console.lines, ["ps"]);
}

#[test]
fn a_long_line_is_seen_through_a_window() {
    let mut console = Console::new();
    let line: String = (0..300u32).map(|n| char::from_digit(n % 10, 10).expect("a digit")).collect();
    console.type_in(line.as_bytes());
    assert!(console.row().starts_with("umbra> <"), "{}", console.row());
    console.type_in(b"\x01");
    assert_eq!(console.row(), format!("umbra> |{}>", &line[..71]));
    console.type_in(b"\r");
    assert_eq!(console.lines, [&line[..LINE_BYTES]]);
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => any::<u8>().prop_map(|byte| Vec::from([byte])),
        3 => "[ -~]{1,30}".prop_map(String::into_bytes),
        2 => (0..0x20u8).prop_map(|byte| Vec::from([byte])),
        2 => prop::sample::select(
            &["\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[3~", "\x1b[1;5D", "\x1b[", "\x1b", "\x12", "\t\t", "é", "漢",
              "run ", "!!", "\r", "\x17", "\x0b", "\x19", "\x14"][..],
        ).prop_map(|text| Vec::from(text.as_bytes())),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn after_any_bytes_a_command_is_understood(bytes in any_bytes(), discarded in prop::option::of(any::<u8>())) {
        let mut console = Console::new();
        console.type_in(&bytes);
        if let Some(byte) = discarded {
            console.editor.discard(byte);
        }
        prop_assert_eq!(console.feed(0x03), Event::Interrupt);
        console.type_in(b"help\r");
        prop_assert_eq!(console.lines.last().map(String::as_str), Some("help"));
        prop_assert_eq!(console.row(), "umbra> |");
    }

    /// What is on the terminal is always what a terminal that was cleared and
    /// drawn anew would show, and for short lines exactly prompt and text.
    #[test]
    fn the_terminal_shows_the_line(bytes in any_bytes(), log_at in 0..200usize) {
        let mut console = Console::new();
        for (index, byte) in bytes.iter().enumerate() {
            console.feed(*byte);
            if index == log_at {
                console.editor.interrupt_with(&mut console.sent, &"log");
                console.terminal.show(&mut console.sent);
            }
            let line = &console.editor.line;
            let plain = line.text().is_ascii() && line.end() + PROMPT.len() < screen::COLUMNS;
            if console.editor.search.is_none() && plain {
                let expected = format!("{PROMPT}{}", line.text());
                prop_assert_eq!(console.terminal.row(), expected.trim_end());
                prop_assert_eq!(console.terminal.column(), PROMPT.len() + line.cursor());
            }
        }
        let (row, column) = (console.terminal.row(), console.terminal.column());
        console.editor.keys.reset();
        console.editor.screen.forget();
        let mut anew = String::from("\x1b[2J\x1b[H");
        console.editor.refresh(&mut anew);
        console.terminal.show(&mut anew);
        prop_assert_eq!((console.terminal.row(), console.terminal.column()), (row, column));
    }

    #[test]
    fn without_names_any_bytes_are_fine_too(bytes in any::<Vec<u8>>()) {
        let (mut editor, mut sent) = (Editor::new(), String::new());
        for byte in bytes {
            if editor.feed(byte, &mut sent, &NoNames) == Event::Line {
                prop_assert!(editor.accepted().chars().all(|c| !c.is_control()));
            }
        }
    }
}
