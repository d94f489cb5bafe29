//! Machine records: one JSON object (RFC 8259) a line, after a record
//! separator (0x1E, as in RFC 7464) by which a host tells them from text.
//!
//! The writer streams; nothing is collected. Nested objects and lists are
//! written in closures, so that what is opened is closed. Keys are the
//! caller's to keep distinct. There are no fractions: quantities are integers
//! with the unit in the key.

use core::fmt::{Display, Result, Write};

/// The byte that begins a record; it never occurs inside one.
pub const RECORD_SEPARATOR: char = '\u{1e}';

/// Writes a whole record: separator, object, line end.
///
/// # Errors
/// Those of the sink.
pub fn record(sink: &mut dyn Write, fill: impl FnOnce(&mut Object<'_>) -> Result) -> Result {
    sink.write_char(RECORD_SEPARATOR)?;
    object(sink, fill)?;
    sink.write_char('\n')
}

/// Writes an object alone.
///
/// # Errors
/// Those of the sink.
pub fn object(sink: &mut dyn Write, fill: impl FnOnce(&mut Object<'_>) -> Result) -> Result {
    sink.write_char('{')?;
    fill(&mut Object { sink, first: true })?;
    sink.write_char('}')
}

fn list(sink: &mut dyn Write, fill: impl FnOnce(&mut List<'_>) -> Result) -> Result {
    sink.write_char('[')?;
    fill(&mut List { sink, first: true })?;
    sink.write_char(']')
}

/// An object being written.
pub struct Object<'s> {
    sink: &'s mut dyn Write,
    first: bool,
}

/// Every method fails with the sink, and only with it.
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
impl Object<'_> {
    /// A string, escaped.
    pub fn text(&mut self, key: &str, value: &str) -> Result {
        string(self.key(key)?, &value)
    }

    /// A string made of what `value` prints, escaped.
    pub fn display(&mut self, key: &str, value: &dyn Display) -> Result {
        string(self.key(key)?, value)
    }

    /// A number. Readers that keep numbers as doubles lose digits above 2^53.
    pub fn number(&mut self, key: &str, value: impl Into<u64>) -> Result {
        write!(self.key(key)?, "{}", value.into())
    }

    /// A number with a sign.
    pub fn signed(&mut self, key: &str, value: impl Into<i64>) -> Result {
        write!(self.key(key)?, "{}", value.into())
    }

    /// A number, or `null` when it is not known.
    pub fn known(&mut self, key: &str, value: Option<impl Into<u64>>) -> Result {
        match value {
            Some(value) => self.number(key, value),
            None => self.key(key)?.write_str("null"),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &str, value: bool) -> Result {
        self.key(key)?.write_str(if value { "true" } else { "false" })
    }

    /// An object inside.
    pub fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>) -> Result) -> Result {
        object(self.key(key)?, fill)
    }

    /// A list inside.
    pub fn list(&mut self, key: &str, fill: impl FnOnce(&mut List<'_>) -> Result) -> Result {
        list(self.key(key)?, fill)
    }

    fn key(&mut self, key: &str) -> core::result::Result<&mut dyn Write, core::fmt::Error> {
        separate(self.sink, &mut self.first)?;
        string(self.sink, &key)?;
        self.sink.write_char(':')?;
        Ok(self.sink)
    }
}

/// A list being written.
pub struct List<'s> {
    sink: &'s mut dyn Write,
    first: bool,
}

/// Every method fails with the sink, and only with it.
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
impl List<'_> {
    /// A string, escaped.
    pub fn text(&mut self, value: &str) -> Result {
        string(self.next()?, &value)
    }

    /// A number.
    pub fn number(&mut self, value: impl Into<u64>) -> Result {
        write!(self.next()?, "{}", value.into())
    }

    /// An object inside.
    pub fn object(&mut self, fill: impl FnOnce(&mut Object<'_>) -> Result) -> Result {
        object(self.next()?, fill)
    }

    /// A list inside.
    pub fn list(&mut self, fill: impl FnOnce(&mut List<'_>) -> Result) -> Result {
        list(self.next()?, fill)
    }

    fn next(&mut self) -> core::result::Result<&mut dyn Write, core::fmt::Error> {
        separate(self.sink, &mut self.first)?;
        Ok(self.sink)
    }
}

fn separate(sink: &mut dyn Write, first: &mut bool) -> Result {
    if core::mem::replace(first, false) { Ok(()) } else { sink.write_char(',') }
}

fn string(sink: &mut dyn Write, value: &dyn Display) -> Result {
    sink.write_char('"')?;
    write!(Escaper { sink }, "{value}")?;
    sink.write_char('"')
}

/// Escapes what RFC 8259, section 7 says must be, and DEL with it.
struct Escaper<'s> {
    sink: &'s mut dyn Write,
}

impl Write for Escaper<'_> {
    fn write_str(&mut self, text: &str) -> Result {
        let mut plain = text;
        while let Some(offset) = plain.find(must_be_escaped) {
            let (before, rest) = plain.split_at(offset);
            self.sink.write_str(before)?;
            let mut characters = rest.chars();
            match characters.next() {
                Some('"') => self.sink.write_str("\\\"")?,
                Some('\\') => self.sink.write_str("\\\\")?,
                Some('\n') => self.sink.write_str("\\n")?,
                Some('\r') => self.sink.write_str("\\r")?,
                Some('\t') => self.sink.write_str("\\t")?,
                Some(other) => write!(self.sink, "\\u{:04x}", u32::from(other))?,
                None => {}
            }
            plain = characters.as_str();
        }
        self.sink.write_str(plain)
    }
}

fn must_be_escaped(character: char) -> bool {
    matches!(character, '"' | '\\' | '\0'..='\u{1f}' | '\u{7f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use std::string::String;

    #[test]
    fn writes_what_is_asked() {
        let mut out = String::new();
        record(&mut out, |o| {
            o.text("cmd", "a\"b\\\n\u{1e}")?;
            o.number("n", u64::MAX)?;
            o.signed("i", -1)?;
            o.known("k", Some(1u32))?;
            o.known("none", None::<u32>)?;
            o.boolean("ok", true)?;
            o.display("d", &format_args!("{}%\t", 5))?;
            o.object("o", |_| Ok(()))?;
            o.list("l", |l| {
                l.number(1u8)?;
                l.text("x")?;
                l.list(|_| Ok(()))?;
                l.object(|o| o.boolean("b", false))
            })
        })
        .expect("a string takes all");
        assert_eq!(
            out,
            "\u{1e}{\"cmd\":\"a\\\"b\\\\\\n\\u001e\",\"n\":18446744073709551615,\"i\":-1,\"k\":1,\"none\":null,\
             \"ok\":true,\"d\":\"5%\\t\",\"o\":{},\"l\":[1,\"x\",[],{\"b\":false}]}\n"
        );
    }

    #[test]
    fn every_control_character_is_escaped() {
        let controls: String = (0..=0x7fu8).map(char::from).filter(char::is_ascii_control).collect();
        let mut out = String::new();
        object(&mut out, |o| o.text(&controls, &controls)).expect("a string takes all");
        assert!(!out.contains(|c: char| c.is_ascii_control()), "{out}");
        let value: Value = serde_json::from_str(&out).expect("valid JSON");
        assert_eq!(value[controls.as_str()].as_str(), Some(controls.as_str()));
    }

    proptest! {
        #[test]
        fn any_string_comes_back(key in any::<String>(), text in any::<String>(), number: u64, signed: i64) {
            prop_assume!(!["n", "i"].contains(&key.as_str()));
            let mut out = String::new();
            record(&mut out, |o| {
                o.number("n", number)?;
                o.signed("i", signed)?;
                o.list(&key, |l| l.text(&text))
            }).expect("a string takes all");
            let body = out.strip_prefix(RECORD_SEPARATOR).and_then(|rest| rest.strip_suffix('\n')).expect("framed");
            prop_assert!(!body.contains(|c: char| c.is_ascii_control()), "one line, one separator");
            let value: Value = serde_json::from_str(body).expect("valid JSON");
            prop_assert_eq!(value["n"].as_u64(), Some(number));
            prop_assert_eq!(value["i"].as_i64(), Some(signed));
            prop_assert_eq!(value[key.as_str()][0].as_str(), Some(text.as_str()));
        }
    }
}
