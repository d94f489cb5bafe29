//! What a workload is, and all it may call.
//!
//! A workload is prepared once over memory it is handed, and is immutable from
//! then on: whatever changes while it runs lives in the executor's scratch. So
//! one prepared workload can be run by several cores at once (the first-class
//! core, and an echo on the shadow core) and a unit may be cut off anywhere
//! without leaving anything half-written that somebody else can see.
//!
//! There is no heap and no I/O here on purpose: memory comes from [`Memory`],
//! input is a [`Corpus`] or nothing, output is the unit's checksum.
#![no_std]
#![forbid(unsafe_code)]

mod corpus;
mod memory;
mod random;

pub use corpus::{Corpus, CorpusError, Document};
pub use memory::{Memory, OutOfMemory};
pub use random::Random;

/// How a workload is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Latency-critical: has a service-level objective (SLO).
    First,
    /// Best effort: judged by throughput, may be paused or moved at any time.
    Second,
}

/// What is known of a workload before it is prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The name used on the console and in the manifest.
    pub name: &'static str,
    /// First- or second-class.
    pub class: Class,
    /// One line for `help` and `ps`.
    pub summary: &'static str,
}

/// Software counts of what a unit did, kept at block granularity by the
/// workload itself. The monitor reads them where no hardware counter exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Bytes loaded, whatever level of the hierarchy served them.
    pub read_bytes: u64,
    /// Bytes stored.
    pub written_bytes: u64,
    /// Of both, the bytes that followed their predecessor in address order.
    pub sequential_bytes: u64,
    /// Accesses whose address could not be foretold from the one before.
    pub random_accesses: u64,
}

impl Meter {
    /// Counts a sequential read of `bytes`.
    pub fn read_sequential(&mut self, bytes: u64) {
        self.read_bytes += bytes;
        self.sequential_bytes += bytes;
    }

    /// Counts a sequential write of `bytes`.
    pub fn write_sequential(&mut self, bytes: u64) {
        self.written_bytes += bytes;
        self.sequential_bytes += bytes;
    }

    /// Counts `accesses` unpredictable reads of `bytes` in total.
    pub fn read_random(&mut self, accesses: u64, bytes: u64) {
        self.read_bytes += bytes;
        self.random_accesses += accesses;
    }

    /// Counts `accesses` unpredictable writes of `bytes` in total.
    pub fn write_random(&mut self, accesses: u64, bytes: u64) {
        self.written_bytes += bytes;
        self.random_accesses += accesses;
    }
}

/// A prepared workload.
pub trait Workload: Sync {
    /// Words of scratch each executor must bring to [`Workload::unit`].
    fn scratch_words(&self) -> usize;

    /// Bytes that steady running touches again and again, scratch included.
    fn working_set_bytes(&self) -> u64;

    /// Does unit number `index` (one query, one block, one pass) and returns a
    /// checksum of its result. The same index over the same input gives the
    /// same checksum, whatever the scratch held before. `scratch` has at least
    /// [`Workload::scratch_words`] words.
    fn unit(&self, index: u64, scratch: &mut [u64], meter: &mut Meter) -> u64;
}

/// Why a workload could not be prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrepareError {
    /// The memory handed over does not suffice.
    OutOfMemory(OutOfMemory),
    /// The input is unusable; the text says what was expected.
    BadInput(&'static str),
}

impl From<OutOfMemory> for PrepareError {
    fn from(error: OutOfMemory) -> Self {
        Self::OutOfMemory(error)
    }
}

impl core::fmt::Display for PrepareError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OutOfMemory(error) => error.fmt(f),
            Self::BadInput(text) => f.write_str(text),
        }
    }
}
