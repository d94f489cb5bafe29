//! A `run` of many tasks, some at a time: mapping and clearing their memory
//! takes a while.

use crate::spawn::{self, SpawnError};
use crate::{log_line, time, workloads};

/// How long one stretch may take before it is left for the next round.
const STRETCH_NS: u64 = 20_000_000;

/// Tasks being started.
pub(crate) struct Start {
    workload: u8,
    core: Option<u8>,
    left: u16,
    started: u16,
    last: u16,
    error: Option<SpawnError>,
}

impl Start {
    pub(crate) const fn new(workload: u8, core: Option<u8>, count: u16) -> Self {
        Self { workload, core, left: count, started: 0, last: 0, error: None }
    }

    /// Starts tasks until all are, one fails or the time is up. At most 64.
    pub(crate) fn advance(&mut self) {
        let until_ns = time::now_ns() + STRETCH_NS;
        while self.left > 0 {
            match spawn::second_class(self.workload, self.core) {
                Ok(slot) => (self.last, self.started, self.left) = (slot, self.started + 1, self.left - 1),
                Err(error) => {
                    self.error = Some(error);
                    return;
                }
            }
            if time::now_ns() >= until_ns {
                return;
            }
        }
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.left == 0 || self.error.is_some()
    }

    pub(crate) const fn started(&self) -> u16 {
        self.started
    }

    pub(crate) const fn left(&self) -> u16 {
        self.left
    }

    /// The slot of the task started last.
    pub(crate) const fn last(&self) -> u16 {
        self.last
    }

    pub(crate) const fn error(&self) -> Option<SpawnError> {
        self.error
    }

    pub(crate) fn name(&self) -> &'static str {
        workloads::get(self.workload).map_or("none", |entry| entry.spec.name)
    }

    /// Tells how it ended.
    pub(crate) fn tell(&self) {
        match self.error {
            Some(error) => {
                log_line!(Error, "run: {} of {} started, then: {error}", self.started, self.name());
            }
            None => log_line!(Info, "run: all {} tasks of {} are started", self.started, self.name()),
        }
    }
}
