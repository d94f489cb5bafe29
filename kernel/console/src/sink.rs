//! Adapters between text with `\n` and a terminal on a serial line.

use core::fmt::{Result, Write};

/// Turns `\n` into `\r\n`; a `\r\n` that is already there stays as it is, so
/// adapters may be stacked.
#[derive(Debug)]
pub struct CrLf<W> {
    inner: W,
    last: char,
}

impl<W: Write> CrLf<W> {
    /// Wraps a sink that stands at the start of a row.
    #[must_use]
    pub const fn new(inner: W) -> Self {
        Self { inner, last: '\n' }
    }

    /// Ends the row unless it has just been ended.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn end_row(&mut self) -> Result {
        if self.last == '\n' { Ok(()) } else { self.write_char('\n') }
    }
}

impl<W: Write> Write for CrLf<W> {
    fn write_str(&mut self, text: &str) -> Result {
        for piece in text.split_inclusive('\n') {
            let body = piece.strip_suffix('\n').unwrap_or(piece);
            if let Some(last) = body.chars().next_back() {
                self.inner.write_str(body)?;
                self.last = last;
            }
            if piece.len() > body.len() {
                self.inner.write_str(if self.last == '\r' { "\n" } else { "\r\n" })?;
                self.last = '\n';
            }
        }
        Ok(())
    }
}

/// A picture that is drawn again and again over itself (`top`): what a row or
/// the picture before had more than this one is erased, nothing flickers.
#[derive(Debug)]
pub struct Frame<W> {
    inner: W,
}

impl<W: Write> Frame<W> {
    /// Begins a picture at the top left corner; `first` clears the screen.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn begin(mut inner: W, first: bool) -> core::result::Result<Self, core::fmt::Error> {
        inner.write_str(if first { "\x1b[H\x1b[2J" } else { "\x1b[H" })?;
        Ok(Self { inner })
    }

    /// Ends it: erases what is left below.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn end(mut self) -> Result {
        self.inner.write_str("\x1b[J")
    }
}

impl<W: Write> Write for Frame<W> {
    fn write_str(&mut self, text: &str) -> Result {
        for piece in text.split_inclusive('\n') {
            match piece.strip_suffix('\n') {
                Some(body) => {
                    self.inner.write_str(body.strip_suffix('\r').unwrap_or(body))?;
                    self.inner.write_str("\x1b[K\r\n")?;
                }
                None => self.inner.write_str(piece)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn through(parts: &[&str]) -> String {
        let mut out = String::new();
        let mut sink = CrLf::new(CrLf::new(&mut out));
        parts.iter().for_each(|part| sink.write_str(part).expect("a string takes all"));
        out
    }

    #[test]
    fn line_ends_are_made_once() {
        assert_eq!(through(&["a\nb\n\n"]), "a\r\nb\r\n\r\n");
        assert_eq!(through(&["a\r\nb", "\r", "\n"]), "a\r\nb\r\n");
        assert_eq!(through(&["\r\x1b[K", "\n"]), "\r\x1b[K\r\n");
    }

    #[test]
    fn a_row_is_ended_once() {
        let mut out = String::new();
        let mut sink = CrLf::new(&mut out);
        sink.end_row().expect("at the start of a row");
        sink.write_str("a").expect("fits");
        sink.end_row().expect("fits");
        sink.end_row().expect("fits");
        assert_eq!(out, "a\r\n");
    }

    #[test]
    fn a_frame_erases_what_it_does_not_cover() {
        let mut out = String::new();
        let mut frame = Frame::begin(&mut out, false).expect("fits");
        frame.write_str("ab\nc\r\n").expect("fits");
        frame.end().expect("fits");
        assert_eq!(out, "\x1b[Hab\x1b[K\r\nc\x1b[K\r\n\x1b[J");
    }
}
