//! A running guest: QEMU as a child process, its serial line on pipes.
//!
//! One thread reads what the guest sends and one writes what it is sent, so
//! that a guest which stops reading can never block us for longer than we
//! are willing to wait.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::lines::Splitter;
use super::{Machine, Outcome, Serial};

/// The guest. Dropping it ends QEMU.
pub(crate) struct Guest {
    child: Child,
    output: Receiver<Vec<u8>>,
    input: Option<SyncSender<Vec<u8>>>,
    splitter: Splitter,
    log: Option<File>,
    records: Vec<Value>,
}

/// What came next.
#[derive(Debug)]
pub(crate) enum Received {
    /// Text, perhaps empty if only records came.
    Text(Vec<u8>),
    /// Nothing until the given time.
    Nothing,
    /// QEMU closed the line: it is ending.
    End,
}

impl Guest {
    /// Starts QEMU. With [`Serial::Terminal`] it takes our standard input,
    /// else the guest's input is what [`Guest::send`] sends. Text and QEMU's
    /// messages also go to the file `log`.
    ///
    /// # Errors
    /// If QEMU cannot be started.
    pub(crate) fn start(machine: &Machine, log: Option<&Path>) -> Result<Self> {
        let terminal = machine.serial == Serial::Terminal;
        let log = log.map(create).transpose()?;
        let mut command = machine.command();
        command.stdout(Stdio::piped());
        command.stdin(if terminal { Stdio::inherit() } else { Stdio::piped() });
        if let Some(log) = &log {
            command.stderr(log.try_clone()?);
        }
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", machine.program().display()))?;
        let output = read_all(child.stdout.take().context("QEMU has no output")?);
        let input = child.stdin.take().map(write_all);
        Ok(Self { child, output, input, splitter: Splitter::default(), log, records: Vec::new() })
    }

    /// Waits for the guest to send something, until `until` at most.
    ///
    /// # Errors
    /// If the guest sent a record that is not JSON, or the log cannot be
    /// written.
    pub(crate) fn receive(&mut self, until: Instant) -> Result<Received> {
        let bytes = match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(bytes) => bytes,
            Err(RecvTimeoutError::Timeout) => return Ok(Received::Nothing),
            Err(RecvTimeoutError::Disconnected) => return Ok(Received::End),
        };
        let split = self.splitter.feed(&bytes);
        if let Some(log) = &mut self.log {
            log.write_all(&split.text).context("cannot write the guest's log")?;
        }
        for record in split.records {
            let record = serde_json::from_slice(&record).with_context(|| {
                format!("the guest sent a bad record: {}", String::from_utf8_lossy(&record))
            })?;
            self.records.push(record);
        }
        Ok(Received::Text(split.text))
    }

    /// Sends `bytes` to the guest's serial line.
    ///
    /// # Errors
    /// If the guest does not take them until `until`, or has ended.
    pub(crate) fn send(&mut self, bytes: &[u8], until: Instant) -> Result<()> {
        let Some(input) = &self.input else { bail!("the guest's input is the terminal") };
        let mut bytes = bytes.to_vec();
        loop {
            match input.try_send(bytes) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => bail!("the guest ended while it was being sent input"),
                Err(TrySendError::Full(_)) if Instant::now() >= until => {
                    bail!("the guest stopped reading its input")
                }
                Err(TrySendError::Full(back)) => bytes = back,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The records received since the last call.
    pub(crate) fn take_records(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.records)
    }

    /// Waits for QEMU to end after [`Received::End`].
    ///
    /// # Errors
    /// If its state cannot be read.
    pub(crate) fn wait(mut self) -> Result<Outcome> {
        drop(self.input.take());
        Ok(self.child.wait()?.into())
    }

    /// Passes all text to `sink` until the guest ends, but no longer than
    /// `limit`. Returns how it ended and its records.
    ///
    /// # Errors
    /// If the guest sent a bad record, or `sink` fails.
    pub(crate) fn run_to_end(
        mut self,
        limit: Duration,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<(Outcome, Vec<Value>)> {
        let until = Instant::now() + limit;
        loop {
            match self.receive(until)? {
                Received::Text(text) => sink(&text)?,
                Received::Nothing => return Ok((Outcome::TimedOut, self.take_records())),
                Received::End => {
                    let records = self.take_records();
                    return Ok((self.wait()?, records));
                }
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Both fail if QEMU has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn create(log: &Path) -> Result<File> {
    if let Some(directory) = log.parent() {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    File::create(log).with_context(|| format!("cannot create {}", log.display()))
}

fn read_all(mut output: ChildStdout) -> Receiver<Vec<u8>> {
    // Without a bound: a full channel would stop the guest while we are sending to it.
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = output.read(&mut buffer) {
            let Some(bytes) = buffer.get(..length) else { return };
            if sender.send(bytes.to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn write_all(mut input: ChildStdin) -> SyncSender<Vec<u8>> {
    let (sender, receiver) = sync_channel::<Vec<u8>>(16);
    std::thread::spawn(move || {
        while let Ok(bytes) = receiver.recv() {
            if input.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    sender
}
