//! What the user is told while the first table is not there yet: how long it
//! took last time, and at intervals that something is still going on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::{say, workspace};

/// Silence after which something is said.
const SILENCE: Duration = Duration::from_secs(15);
/// Where times are kept, a line each: a name and seconds.
const FILE: &str = "run-times.txt";

/// The wait for the first table.
pub(super) struct Progress {
    what: String,
    begun: Instant,
    heard: Instant,
    over: bool,
}

impl Progress {
    /// A run of `what` begins.
    pub(super) fn begin(what: &str) -> Self {
        let now = Instant::now();
        let expected = match times().get(what) {
            Some(seconds) => format!("it took {} last time", minutes(*seconds)),
            None => "some minutes the first time, depending on this machine".to_owned(),
        };
        say::step(&format!("measuring on {what}; the table comes at the end: {expected}"));
        Self { what: what.to_owned(), begun: now, heard: now, over: false }
    }

    /// When to look again at the latest.
    pub(super) fn next_look(&self) -> Instant {
        self.heard + if self.over { Duration::from_secs(3600) } else { SILENCE }
    }

    /// The guest said something.
    pub(super) fn hear(&mut self) {
        self.heard = Instant::now();
    }

    /// Says that it is still going on, after a silence.
    pub(super) fn look(&mut self) {
        if !self.over && self.heard.elapsed() >= SILENCE {
            say::step(&format!("still measuring, {} so far", minutes(self.begun.elapsed().as_secs())));
        }
        self.heard = Instant::now();
    }

    /// The table is there; how long it took is remembered.
    pub(super) fn end(&mut self) {
        if self.over {
            return;
        }
        self.over = true;
        let seconds = self.begun.elapsed().as_secs();
        say::step(&format!("took {}", minutes(seconds)));
        let mut times = times();
        times.insert(self.what.clone(), seconds);
        let text: String = times.iter().map(|(what, seconds)| format!("{seconds} {what}\n")).collect();
        // Without it the next run only cannot say how long this one took.
        let _ = std::fs::write(workspace::target(FILE), text);
    }
}

fn times() -> BTreeMap<String, u64> {
    parse(&std::fs::read_to_string(workspace::target(FILE)).unwrap_or_default())
}

/// Lines that are not as [`Progress::end`] writes them are passed over.
fn parse(text: &str) -> BTreeMap<String, u64> {
    let entry = |line: &str| {
        let (seconds, what) = line.split_once(' ')?;
        Some((what.to_owned(), seconds.parse().ok()?))
    };
    text.lines().filter_map(entry).collect()
}

fn minutes(seconds: u64) -> String {
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_what_is_not_one_is_passed_over() {
        let times = parse("187 xeon4, scenario quick\n\nx y\n12\n9 none\n");
        assert_eq!(times.get("xeon4, scenario quick"), Some(&187));
        assert_eq!((times.get("none"), times.len()), (Some(&9), 2));
    }

    #[test]
    fn long_times_are_in_minutes() {
        assert_eq!((minutes(119), minutes(187)), ("119 s".to_owned(), "3 min 7 s".to_owned()));
    }
}
