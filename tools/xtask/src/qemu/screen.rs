//! Terminal output as plain lines, for logs and for programs that read it.

/// `bytes` without escape sequences and other controls; newlines and tabs
/// stay, a backspace takes a character back, and a carriage return inside a
/// line takes the line back, since what follows is the line drawn anew.
pub(crate) fn plain(bytes: &[u8]) -> String {
    let mut text = String::new();
    let decoded = String::from_utf8_lossy(bytes);
    let mut characters = decoded.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                if characters.next_if_eq(&'[').is_some() {
                    // Parameters and intermediates, then one final character (ECMA-48, 5.4).
                    while characters.next_if(|c| matches!(c, ' '..='?')).is_some() {}
                }
                characters.next();
            }
            '\r' if !matches!(characters.peek(), Some('\r' | '\n') | None) => {
                text.truncate(text.rfind('\n').map_or(0, |at| at + 1));
            }
            '\u{8}' if !text.ends_with('\n') => drop(text.pop()),
            '\n' | '\t' => text.push(character),
            _ if character.is_control() => {}
            _ => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::plain;

    #[test]
    fn removes_what_a_terminal_would_interpret() {
        assert_eq!(plain(b"\x1b[2J\x1b[01;01H\x1b[=3humbra> \x1b[Khe\x08elp\r\n"), "umbra> help\n");
        assert_eq!(plain(b"a\r\numbra> ru\r\x1b[Klog\r\numbra> ru\rumbra> "), "a\nlog\numbra> ");
        assert_eq!(plain(b"a\x1bMb\x07\xff"), "ab\u{fffd}");
        assert_eq!(plain(b"\x1b["), "");
    }

    proptest! {
        #[test]
        fn any_bytes_become_text(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(plain(&bytes).chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
        }
    }
}
