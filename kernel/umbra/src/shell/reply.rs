//! The one answer that every command gives.

use core::fmt::{self, Display, Write};

use heapless::String;
use umbra_console::parse::Mode;
use umbra_console::reply::{self, Status};
use umbra_console::{CrLf, json};

use super::page::Page;
use crate::serial;

/// The serial line, bytes as they are.
pub(super) struct Raw;

impl Write for Raw {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        serial::send(text.as_bytes());
        Ok(())
    }
}

/// A line made for an answer; what does not fit is left out.
pub(super) type Message = String<200>;

/// Makes a message.
pub(super) fn message(text: fmt::Arguments<'_>) -> Message {
    let mut message = Message::new();
    // Too long a text is cut where it was composed.
    let _ = message.write_fmt(text);
    message
}

/// An answer that is still to be given: exactly one of its methods is called.
///
/// The port takes everything, so what writing returns is not looked at.
#[must_use]
pub(super) struct Reply {
    pub(super) mode: Mode,
    pub(super) command: &'static str,
    pub(super) now_ns: u64,
}

impl Reply {
    /// The command shows something.
    pub(super) fn show(self, fill: impl FnOnce(&mut Page<'_, '_>) -> fmt::Result) {
        self.end(Status::Shown, fill);
    }

    /// The command did something.
    pub(super) fn done(self, text: fmt::Arguments<'_>) {
        self.end(Status::Done(&text), |_| Ok(()));
    }

    /// The command could not.
    pub(super) fn fail(self, text: &dyn Display) {
        self.end(Status::Failed(text), |_| Ok(()));
    }

    fn end(self, status: Status<'_>, fill: impl FnOnce(&mut Page<'_, '_>) -> fmt::Result) {
        let mut out = CrLf::new(Raw);
        let Self { mode, command, now_ns } = self;
        let _ = match mode {
            Mode::Text => fill(&mut Page::Text(&mut out))
                .and_then(|()| reply::finish(&mut out, mode, command, now_ns, status)),
            Mode::Json => reply::finish_with(&mut out, mode, command, now_ns, status, |object| {
                fill(&mut Page::Json(object))
            }),
        };
    }
}

/// A record that no command asked for just now: news of one that was begun
/// earlier, or one of many of `top`.
pub(super) fn record(kind: &str, now_ns: u64, fill: impl FnOnce(&mut Page<'_, '_>) -> fmt::Result) {
    let _ = json::record(&mut CrLf::new(Raw), |object| {
        object.text("record", kind)?;
        object.number("ts_ns", now_ns)?;
        fill(&mut Page::Json(object))
    });
}
