//! Sends lines and keys, and waits for the prompt.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::PROMPT;
use crate::qemu::{Guest, Machine, Outcome, Received, plain};

/// How long the console may take to boot.
const BOOT: Duration = Duration::from_secs(180);
/// How long any command may take to answer.
const ANSWER: Duration = Duration::from_secs(60);
/// How long the line must be quiet for a prompt to count as the last word:
/// the editor prints the prompt again whenever it redraws its line.
const QUIET: Duration = Duration::from_millis(200);
/// Longest text that is kept for looking at.
const KEPT_BYTES: usize = 1 << 16;

/// A session with a booted guest.
pub(crate) struct Session {
    guest: Guest,
    /// What came since the last key, at most [`KEPT_BYTES`] of it.
    recent: Vec<u8>,
    /// Records that came since the last key, a line each.
    records: String,
    received_bytes: u64,
}

impl Session {
    /// Boots `machine` and waits for its prompt.
    ///
    /// # Errors
    /// If no prompt comes.
    pub(crate) fn start(machine: &Machine, log: &Path) -> Result<Self> {
        let guest = Guest::start(machine, Some(log))?;
        let mut session = Self { guest, recent: Vec::new(), records: String::new(), received_bytes: 0 };
        session.wait_for_prompt(BOOT).context("the console did not come up")?;
        Ok(session)
    }

    /// Sends a line and returns the reply, without the line's echo and the
    /// prompt after it, and with any records at its end.
    ///
    /// # Errors
    /// If the guest ends, or no prompt follows.
    pub(crate) fn command(&mut self, line: &str) -> Result<String> {
        self.keys(line.as_bytes())?;
        self.keys(b"\r")?;
        let text = self.wait_for_prompt(ANSWER).with_context(|| format!("no prompt after `{line}`"))?;
        Ok(reply_of(&text) + &self.records)
    }

    /// Sends keys and returns what the console printed until it was quiet.
    ///
    /// # Errors
    /// If the guest ends or stops reading.
    pub(crate) fn press(&mut self, keys: &[u8]) -> Result<String> {
        self.keys(keys)?;
        self.settle(Duration::from_secs(5))?;
        Ok(plain(&self.recent))
    }

    /// Waits for `text`, which may have come since the last key already, and
    /// for quiet after it.
    ///
    /// # Errors
    /// If the guest ends, or `text` does not come.
    pub(crate) fn wait_for(&mut self, text: &str) -> Result<()> {
        let until = Instant::now() + ANSWER;
        while !plain(&self.recent).contains(text) {
            if !self.receive(until)? {
                bail!("expected `{text}` within {} s", ANSWER.as_secs());
            }
        }
        self.settle(ANSWER)
    }

    /// Waits for a record of `kind`, which may have come since the last key
    /// already.
    ///
    /// # Errors
    /// If the guest ends, or none comes within `limit`.
    pub(crate) fn record(&mut self, kind: &str, limit: Duration) -> Result<serde_json::Value> {
        let until = Instant::now() + limit;
        loop {
            let found = self.records.lines().filter_map(|line| serde_json::from_str(line).ok());
            if let Some(record) = found.into_iter().find(|one: &serde_json::Value| one["record"] == kind) {
                return Ok(record);
            }
            if !self.receive(until)? && Instant::now() >= until {
                bail!("expected a record `{kind}` within {} s", limit.as_secs());
            }
        }
    }

    /// Sends keys without waiting for anything.
    ///
    /// # Errors
    /// If the guest ends or stops reading.
    pub(crate) fn flood(&mut self, keys: &[u8]) -> Result<()> {
        self.guest.send(keys, Instant::now() + ANSWER)?;
        // Takes what has come, so that it does not pile up.
        while self.receive(Instant::now())? {}
        Ok(())
    }

    /// Bytes of text received so far.
    pub(crate) const fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Sends a line after which the guest ends.
    ///
    /// # Errors
    /// If it does not end.
    pub(crate) fn last_command(mut self, line: &str) -> Result<Outcome> {
        self.guest.send(format!("{line}\r").as_bytes(), Instant::now() + ANSWER)?;
        let (outcome, _) = self.guest.run_to_end(ANSWER, |_| Ok(()))?;
        Ok(outcome)
    }

    fn keys(&mut self, keys: &[u8]) -> Result<()> {
        self.recent.clear();
        self.records.clear();
        self.guest.send(keys, Instant::now() + ANSWER)
    }

    fn keep(&mut self, record: &serde_json::Value) {
        if self.records.len() < KEPT_BYTES {
            self.records.push_str(&format!("{record}\n"));
        }
    }

    /// Waits until the last line is the bare prompt and stays so.
    fn wait_for_prompt(&mut self, limit: Duration) -> Result<String> {
        let until = Instant::now() + limit;
        loop {
            if !self.receive(until)? {
                let text = plain(&self.recent);
                bail!("expected the prompt within {} s, got `{}`", limit.as_secs(), last_line(&text));
            }
            if ends_with_prompt(&self.recent) {
                self.settle(limit)?;
                if ends_with_prompt(&self.recent) {
                    return Ok(plain(&self.recent));
                }
            }
        }
    }

    /// Receives until the line has been quiet, or `limit` has passed.
    fn settle(&mut self, limit: Duration) -> Result<()> {
        let until = Instant::now() + limit;
        while Instant::now() < until && self.receive(Instant::now() + QUIET)? {}
        Ok(())
    }

    /// Receives once; returns whether anything came before `until`.
    fn receive(&mut self, until: Instant) -> Result<bool> {
        match self.guest.receive(until)? {
            Received::Text(text) => {
                self.received_bytes += u64::try_from(text.len()).unwrap_or(0);
                self.recent.extend(text);
                let excess = self.recent.len().saturating_sub(KEPT_BYTES);
                self.recent.drain(..excess);
                for record in self.guest.take_records() {
                    self.keep(&record);
                }
                Ok(true)
            }
            Received::Nothing => Ok(false),
            Received::End => bail!("the guest ended unexpectedly"),
        }
    }
}

/// Whether a line has ended and the bare prompt stands on the next.
fn ends_with_prompt(recent: &[u8]) -> bool {
    if !recent.contains(&b'\n') {
        return false;
    }
    let start = recent.len().saturating_sub(256);
    last_line(&plain(recent.get(start..).unwrap_or_default())) == PROMPT
}

fn last_line(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or_default()
}

/// The text between the echoed line and the last prompt.
fn reply_of(text: &str) -> String {
    let body = text.strip_suffix(PROMPT).unwrap_or(text);
    body.split_once('\n').map_or("", |(_, reply)| reply).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_lies_between_echo_and_prompt() {
        assert_eq!(reply_of("mem\n64 frames free\nok\numbra> "), "64 frames free\nok\n");
        assert_eq!(reply_of("\numbra> "), "");
    }

    #[test]
    fn only_a_bare_prompt_counts() {
        assert!(ends_with_prompt(b"ok\r\n\x1b[Kumbra> "));
        assert!(!ends_with_prompt(b"ok\r\numbra> he"));
        assert!(!ends_with_prompt(b"\x1b[Kumbra> "), "the line was only redrawn");
        assert!(!ends_with_prompt(b"say umbra> \r\n"));
    }
}
