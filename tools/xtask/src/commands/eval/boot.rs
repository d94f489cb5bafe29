//! Booting the guest for one cell, and several cells at a time.
//!
//! Each worker has a directory for its images, so that two boots never share
//! one and the disk holds as many as there are workers.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::cell::Sent;
use crate::image::{Builder, Configuration, configuration::Mode};
use crate::qemu::{Firmware, Guest, Machine, Model, Outcome, Received};
use crate::say;

/// Longest boot.
const LIMIT: Duration = Duration::from_secs(3600);
/// Memory of the machine in MiB.
pub(super) const MEMORY_MIB: u32 = 1024;

/// What every boot needs.
pub(super) struct Booter<'b> {
    /// Makes images.
    pub(super) builder: &'b Builder,
    /// The modelled machine.
    pub(super) model: &'b Model,
    /// Its threads.
    pub(super) cpus: u32,
}

/// A boot that is over.
pub(super) struct Booted<T> {
    /// What it was for.
    pub(super) of: T,
    /// What it sent.
    pub(super) sent: Sent,
    /// Why it failed, if it did.
    pub(super) failure: Option<String>,
    /// How long it took on the host.
    pub(super) host_seconds: u64,
}

/// One boot to do.
pub(super) struct Order<T> {
    /// What it is for.
    pub(super) of: T,
    /// What progress lines begin with.
    pub(super) title: String,
    /// The boot configuration.
    pub(super) configuration: Configuration,
}

impl Booter<'_> {
    /// Boots for all orders, `jobs` at a time, and hands each to `done` as it
    /// ends.
    ///
    /// # Errors
    /// Those of `done`; then what is under way ends, and nothing else begins.
    pub(super) fn all<T: Send>(
        &self,
        orders: Vec<Order<T>>,
        jobs: usize,
        mut done: impl FnMut(Booted<T>) -> Result<()>,
    ) -> Result<()> {
        let queue = Mutex::new(orders.into_iter().collect::<VecDeque<_>>());
        std::thread::scope(|scope| {
            let (sender, results): (_, Receiver<Booted<T>>) = channel();
            for worker in 0..jobs {
                let (sender, queue) = (sender.clone(), &queue);
                scope.spawn(move || {
                    loop {
                        let next = queue.lock().ok().and_then(|mut queue| queue.pop_front());
                        let Some(order) = next else { return };
                        // Nobody listens any more after a failure.
                        if sender.send(self.one(order, worker)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            results.into_iter().try_for_each(&mut done)
        })
    }

    fn one<T>(&self, order: Order<T>, worker: usize) -> Booted<T> {
        let start = Instant::now();
        let (sent, failure) = match self.boot(&order, worker) {
            Ok((sent, Outcome::Success)) => (sent, None),
            Ok((sent, outcome)) => (sent, Some(outcome.to_string())),
            Err(error) => (Sent::default(), Some(format!("{error:#}"))),
        };
        Booted { of: order.of, sent, failure, host_seconds: start.elapsed().as_secs() }
    }

    fn boot<T>(&self, order: &Order<T>, worker: usize) -> Result<(Sent, Outcome)> {
        let images = self.builder.images(&format!("eval/{worker}"), &order.configuration)?;
        let mut machine = Machine::new(&images, Firmware::Bios, self.cpus)?;
        machine.model = Some(self.model.clone());
        let log = crate::workspace::target(&format!("eval/guest-{worker}.log"));
        let mut guest = Guest::start(&machine, Some(&log))?;
        let (until, mut lines) = (Instant::now() + LIMIT, String::new());
        let outcome = loop {
            match guest.receive(until)? {
                Received::Text(text) => {
                    lines.push_str(&String::from_utf8_lossy(&text));
                    tell(&order.title, &mut lines);
                }
                Received::Nothing => break Outcome::TimedOut,
                Received::End => {
                    let records = guest.take_records();
                    return Ok((Sent::of(records), guest.wait()?));
                }
            }
        };
        Ok((Sent::of(guest.take_records()), outcome))
    }
}

/// Tells of each step that the guest begins, and drops the lines read.
fn tell(title: &str, lines: &mut String) {
    while let Some(end) = lines.find('\n') {
        let line: String = lines.drain(..=end).collect();
        if let Some(step) = step(&line) {
            say::step(&format!("{title}: {step}"));
        }
    }
}

/// `[ 3/10] policy none: ...` out of the guest's `[   1 s] [ 3/10] policy none: ...`.
fn step(line: &str) -> Option<&str> {
    let step = line.split_once(" s] ")?.1;
    let (numbers, _) = step.strip_prefix('[')?.split_once(']')?;
    numbers.contains('/').then(|| step.trim_end())
}

/// A boot configuration of the main job that ends with it.
pub(super) fn configuration(scenario: &str, seed: u64, more: Vec<(&'static str, String)>) -> Configuration {
    Configuration {
        exit: true,
        seed,
        scenario: Some(scenario.to_owned()),
        more,
        ..Configuration::new(Mode::Main)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_in_what_the_guest_says() {
        let line = "[   0 s] [ 3/14] profile: 2 bursts\r\n";
        assert_eq!(step(line), Some("[ 3/14] profile: 2 bursts"));
        assert_eq!(step("[   0 s]         done in 171 ms\r\n"), None);
        assert_eq!(step("[    0.085108] cpu0 INFO  memory: page colours\r\n"), None);
        let mut lines = format!("{line}[   0 s]   ");
        tell("x", &mut lines);
        assert_eq!(lines, "[   0 s]   ");
    }
}
