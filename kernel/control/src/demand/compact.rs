//! The predictor's input: demand as shares of what the machine has, computed
//! when a demand changes so that scoring a pair needs no division.

use super::Demand;
use crate::fixed::{ONE, from_permille, low_u32, mul, share};
use crate::machine::Topology;
use crate::sample::value;

/// Bytes a last-level cache miss moves.
const LINE_BYTES: u64 = 64;

/// What the machine has, as reciprocals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    llc_bytes: u64,
    bandwidth: u64,
    per_llc_byte_q63: u64,
    per_bandwidth_byte_q63: u64,
}

impl Capacity {
    /// Nothing known yet: every share is 0.
    pub const NONE: Self =
        Self { llc_bytes: 0, bandwidth: 0, per_llc_byte_q63: 0, per_bandwidth_byte_q63: 0 };

    /// A machine with `llc_bytes` of last-level cache and `bandwidth` bytes a
    /// second to memory; 0 stands for not known.
    #[must_use]
    pub const fn new(llc_bytes: u64, bandwidth: u64) -> Self {
        Self {
            llc_bytes,
            bandwidth,
            per_llc_byte_q63: reciprocal_q63(llc_bytes),
            per_bandwidth_byte_q63: reciprocal_q63(bandwidth),
        }
    }

    /// The machine's capacity.
    #[must_use]
    pub fn of(machine: &impl Topology) -> Self {
        Self::new(machine.llc_bytes(), machine.memory_bandwidth())
    }

    /// Bytes of last-level cache.
    #[must_use]
    pub const fn llc_bytes(&self) -> u64 {
        self.llc_bytes
    }

    /// Whether this is still the machine's capacity.
    #[must_use]
    pub fn is_of(&self, machine: &impl Topology) -> bool {
        self.llc_bytes == machine.llc_bytes() && self.bandwidth == machine.memory_bandwidth()
    }

    fn of_llc(&self, bytes: u64) -> u32 {
        share_of(bytes, self.per_llc_byte_q63)
    }

    fn of_bandwidth(&self, bytes_per_s: u64) -> u32 {
        share_of(bytes_per_s, self.per_bandwidth_byte_q63)
    }
}

const fn reciprocal_q63(value: u64) -> u64 {
    match (1u64 << 63).checked_div(value) {
        Some(reciprocal) => reciprocal,
        None => 0,
    }
}

/// `value` times a reciprocal, as Q16.16, at most 1.
fn share_of(value: u64, reciprocal_q63: u64) -> u32 {
    let share = (u128::from(value) * u128::from(reciprocal_q63) + (1 << 46)) >> 47;
    u32::try_from(share).unwrap_or(ONE).min(ONE)
}

/// Demand in shares between 0 and 1, as Q16.16 (so 1 is exact).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compact {
    /// Of one core's time.
    pub cores: u32,
    /// Of the last-level cache.
    pub cache: u32,
    /// Of the memory bandwidth, by loads that miss the cache.
    pub read: u32,
    /// Of the memory bandwidth, by stores that miss the cache.
    pub write: u32,
    /// Of the disk's time.
    pub disk: u32,
    /// Of the network's line rate.
    pub network: u32,
    /// Bytes in address order, of all bytes moved.
    pub sequential: u32,
    /// Bytes stored, of all bytes moved.
    pub writes: u32,
    /// 1 when `sequential` and `writes` are known, else 0.
    pub patterned: u32,
}

impl Compact {
    /// Nothing is known but that it would run whenever it may: what a task
    /// counts as until its first sample.
    pub const UNSEEN: Self = Self {
        cores: ONE,
        cache: 0,
        read: 0,
        write: 0,
        disk: 0,
        network: 0,
        sequential: 0,
        writes: 0,
        patterned: 0,
    };

    /// The shares of `demand`. Bytes a workload counts are served by any
    /// level of the hierarchy; memory traffic is what the miss counter says,
    /// and without one the part of the working set that cannot all be cached:
    /// bytes weighted by working set over cache, at most 1.
    #[must_use]
    pub fn of(demand: &Demand, capacity: &Capacity) -> Self {
        let cache = capacity.of_llc(demand.working_set_bytes);
        let moved = demand.read_bytes_per_s.saturating_add(demand.write_bytes_per_s);
        let reaches_memory = match value(demand.llc_misses_per_s) {
            Some(misses) => share(misses.saturating_mul(LINE_BYTES), moved),
            None => cache,
        };
        let traffic = |bytes: u64| mul(capacity.of_bandwidth(bytes), reaches_memory);
        let pattern = demand.sequential_permille.zip(demand.write_permille);
        let (sequential, writes) = pattern.unwrap_or((0, 0));
        Self {
            cores: from_permille(demand.cpu_permille.min(1000)),
            cache,
            read: traffic(demand.read_bytes_per_s),
            write: traffic(demand.write_bytes_per_s),
            disk: demand.disk.map_or(0, |disk| from_permille(disk.busy_permille.min(1000))),
            network: demand.network.map_or(0, |network| from_permille(network.busy_permille.min(1000))),
            sequential: from_permille(sequential.min(1000)),
            writes: from_permille(writes.min(1000)),
            patterned: if pattern.is_some() { ONE } else { 0 },
        }
    }

    /// The largest change of any share.
    #[must_use]
    pub fn distance(&self, other: &Self) -> u32 {
        let changes = [
            self.cores.abs_diff(other.cores),
            self.cache.abs_diff(other.cache),
            self.read.abs_diff(other.read),
            self.write.abs_diff(other.write),
            self.disk.abs_diff(other.disk),
            self.network.abs_diff(other.network),
            self.sequential.abs_diff(other.sequential),
            self.writes.abs_diff(other.writes),
            self.patterned.abs_diff(other.patterned),
        ];
        changes.into_iter().fold(0, u32::max)
    }

    /// How heavily the shared resources are used, all together: what the
    /// blunt policies go by. At most 6 in Q16.16.
    #[must_use]
    pub fn weight(&self) -> u32 {
        let sum = [self.cores, self.cache, self.read, self.write, self.disk, self.network];
        low_u32(sum.into_iter().map(u64::from).sum())
    }
}
