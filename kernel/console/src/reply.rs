//! How every reply ends, so that people and programs read all of them alike.
//!
//! As text a reply is whatever the command shows, then nothing when it showed
//! something, `ok: what was done` when it acted, or `error: what was wrong`. As
//! JSON it is one record with `"record":"reply"`, `"cmd"`, `"ok"`, `"ts_ns"`,
//! `"err"` and what the command has to tell.

use crate::{
    complete::{NameKind, Names},
    json,
    parse::{Level, Mode, Quoted, nearest},
};
use core::fmt::{self, Display, Formatter, Result, Write};
use heapless::String;

/// What clears a terminal and puts the cursor at its top left corner.
pub const CLEAR_SCREEN: &str = "\x1b[H\x1b[2J";

/// How a command ended.
#[derive(Clone, Copy)]
pub enum Status<'a> {
    /// It showed what was asked.
    Shown,
    /// It did this.
    Done(&'a dyn Display),
    /// It failed; one line that says what was wrong and what was expected.
    Failed(&'a dyn Display),
}

/// Writes the end of the reply to `command` at `now_ns` after boot.
///
/// # Errors
/// Those of the sink.
pub fn finish(sink: &mut dyn Write, mode: Mode, command: &str, now_ns: u64, status: Status<'_>) -> Result {
    finish_with(sink, mode, command, now_ns, status, |_| Ok(()))
}

/// The same, with more to tell in the JSON record.
///
/// # Errors
/// Those of the sink.
pub fn finish_with(
    sink: &mut dyn Write,
    mode: Mode,
    command: &str,
    now_ns: u64,
    status: Status<'_>,
    fill: impl FnOnce(&mut json::Object<'_>) -> Result,
) -> Result {
    if mode == Mode::Json {
        return json::record(sink, |object| {
            object.text("record", "reply")?;
            object.text("cmd", command)?;
            object.boolean("ok", !matches!(status, Status::Failed(_)))?;
            object.number("ts_ns", now_ns)?;
            match status {
                Status::Shown => object.text("err", "")?,
                Status::Done(done) => {
                    object.text("err", "")?;
                    object.display("done", done)?;
                }
                Status::Failed(error) => object.display("err", error)?,
            }
            fill(object)
        });
    }
    match status {
        Status::Shown => Ok(()),
        Status::Done(done) => writeln!(sink, "ok: {done}"),
        Status::Failed(error) => writeln!(sink, "error: {error}"),
    }
}

/// A name that nothing has, with the nearest that something has.
#[derive(Clone, Debug)]
pub struct Unknown<'a> {
    what: &'static str,
    name: &'a str,
    nearest: Option<String<32>>,
}

impl<'a> Unknown<'a> {
    /// `what` is the kind of thing in words, for instance `workload`.
    #[must_use]
    pub fn new(what: &'static str, name: &'a str, kind: NameKind, names: &dyn Names) -> Self {
        let mut best: Option<String<32>> = None;
        names.each(kind, &mut |known| {
            let so_far = best.as_deref();
            if nearest(name, so_far.into_iter().chain([known])) == Some(known) {
                best = String::try_from(known).ok().or(best.take());
            }
        });
        Self { what, name, nearest: best }
    }
}

impl Display for Unknown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "no {} {}", self.what, Quoted(self.name))?;
        self.nearest.as_ref().map_or(Ok(()), |nearest| write!(f, "; nearest is '{nearest}'"))
    }
}

/// A line of log: `[    1.234567] cpu2 INFO  sched: text`.
#[derive(Clone, Copy)]
pub struct LogLine<'a> {
    /// Time since boot in nanoseconds, printed in seconds to the microsecond.
    pub time_ns: u64,
    /// The core it comes from.
    pub core: u8,
    /// How much it matters.
    pub level: Level,
    /// The part of the system it comes from.
    pub source: &'a str,
    /// What happened.
    pub text: &'a dyn Display,
}

impl Display for LogLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let microseconds = self.time_ns / 1000;
        let level = match self.level {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
            Level::Trace => "TRACE",
        };
        let (seconds, part) = (microseconds / 1_000_000, microseconds % 1_000_000);
        write!(f, "[{seconds:5}.{part:06}] cpu{} {level:5} {}: {}", self.core, self.source, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::String};

    struct Fake;

    impl Names for Fake {
        fn each(&self, _: NameKind, found: &mut dyn FnMut(&str)) {
            ["compress", "chase", "hash"].into_iter().for_each(found);
        }
    }

    fn ended(mode: Mode, status: Status<'_>) -> String {
        let mut out = String::new();
        finish_with(&mut out, mode, "pause", 7, status, |o| o.number("task", 3u8)).expect("fits");
        out
    }

    #[test]
    fn replies_end_alike() {
        assert_eq!(ended(Mode::Text, Status::Shown), "");
        assert_eq!(ended(Mode::Text, Status::Done(&"paused task 3")), "ok: paused task 3\n");
        assert_eq!(ended(Mode::Text, Status::Failed(&"no task 3")), "error: no task 3\n");
        let reply =
            |middle: &str| format!("\u{1e}{{\"record\":\"reply\",\"cmd\":\"pause\",{middle},\"task\":3}}\n");
        assert_eq!(ended(Mode::Json, Status::Shown), reply("\"ok\":true,\"ts_ns\":7,\"err\":\"\""));
        let done = reply("\"ok\":true,\"ts_ns\":7,\"err\":\"\",\"done\":\"paused\"");
        assert_eq!(ended(Mode::Json, Status::Done(&"paused")), done);
        assert_eq!(ended(Mode::Json, Status::Failed(&"x")), reply("\"ok\":false,\"ts_ns\":7,\"err\":\"x\""));
    }

    #[test]
    fn unknown_names_get_their_nearest() {
        let unknown = |name| format!("{}", Unknown::new("workload", name, NameKind::Workload, &Fake));
        assert_eq!(unknown("hsah"), "no workload 'hsah'; nearest is 'hash'");
        assert_eq!(unknown("hasq"), "no workload 'hasq'; nearest is 'hash'", "'chase' is two edits away");
        assert_eq!(unknown("chas"), "no workload 'chas'; nearest is 'chase'");
        assert_eq!(unknown("xyzzy"), "no workload 'xyzzy'");
    }

    #[test]
    fn log_lines_have_their_form() {
        let line = LogLine {
            time_ns: 1_234_567_899,
            core: 2,
            level: Level::Info,
            source: "sched",
            text: &"core 3 is up",
        };
        assert_eq!(format!("{line}"), "[    1.234567] cpu2 INFO  sched: core 3 is up");
    }
}
