//! Second stage: deltas to demand, per task and per time bin of a burst.
//!
//! Demand is kept as rates (per second of wall time), so that bins of any
//! length and samples of any interval compare. What is not known stays
//! [`Count::Unknown`] or `None`; a rate that came from an estimate says so.
//! Disk and network have their place in the vector and are unknown until a
//! driver counts them.

mod compact;
mod profile;
mod record;
mod tasks;
mod text;

pub use compact::{Capacity, Compact};
pub(crate) use profile::per_burst;
pub use profile::{MAX_BINS, Profile, Update};
pub use record::{BASE_BIN_NS, Recording};
pub use tasks::{Task, Tasks};
pub use text::ProfileError;

use crate::fixed::{Clock, ewma, ewma_u32, low_u32, low_u64, permille};
use crate::machine::Count;
use crate::sample::{Deltas, combine, map};

/// What something asks of the machine, per second of wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Share of one core, in thousandths.
    pub cpu_permille: u32,
    /// TSC cycles on a core per second.
    pub cycles_per_s: u64,
    /// Instructions per second.
    pub instructions_per_s: Count,
    /// Last-level cache references per second.
    pub llc_references_per_s: Count,
    /// Last-level cache misses per second.
    pub llc_misses_per_s: Count,
    /// Bytes touched again and again.
    pub working_set_bytes: u64,
    /// Bytes loaded per second, whatever level served them.
    pub read_bytes_per_s: u64,
    /// Bytes stored per second.
    pub write_bytes_per_s: u64,
    /// Share of bytes in address order; none when no byte was moved.
    pub sequential_permille: Option<u32>,
    /// Share of bytes that were stored; none when no byte was moved.
    pub write_permille: Option<u32>,
    /// Disk demand, if anything counts it.
    pub disk: Option<Disk>,
    /// Network demand, if anything counts it.
    pub network: Option<Network>,
}

/// What is asked of a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Share of the device's time, in thousandths.
    pub busy_permille: u32,
    /// Reads per second.
    pub reads_per_s: u32,
    /// Writes per second.
    pub writes_per_s: u32,
    /// Bytes read per second.
    pub read_bytes_per_s: u64,
    /// Bytes written per second.
    pub write_bytes_per_s: u64,
    /// Share of requests that follow their predecessor, in thousandths.
    pub sequential_permille: u32,
}

/// What is asked of a network device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Share of the line rate, in thousandths.
    pub busy_permille: u32,
    /// Packets received per second.
    pub received_per_s: u32,
    /// Packets sent per second.
    pub sent_per_s: u32,
    /// Bytes received per second.
    pub received_bytes_per_s: u64,
    /// Bytes sent per second.
    pub sent_bytes_per_s: u64,
}

impl Demand {
    /// No demand at all, and nothing known beyond what is always counted.
    pub const NONE: Self = Self {
        cpu_permille: 0,
        cycles_per_s: 0,
        instructions_per_s: Count::Unknown,
        llc_references_per_s: Count::Unknown,
        llc_misses_per_s: Count::Unknown,
        working_set_bytes: 0,
        read_bytes_per_s: 0,
        write_bytes_per_s: 0,
        sequential_permille: None,
        write_permille: None,
        disk: None,
        network: None,
    };

    /// The rates behind `deltas` over `interval_cycles` of wall time, or none
    /// over no time. Four divisions; about 100 instructions.
    #[must_use]
    pub fn of(deltas: &Deltas, interval_cycles: u64, clock: Clock) -> Option<Self> {
        if interval_cycles == 0 || clock.hz() == 0 {
            return None;
        }
        // One division serves every rate: intervals per second, Q44.20.
        let per_second_q20 = low_u64((u128::from(clock.hz()) << 20) / u128::from(interval_cycles));
        let rate = |delta: u64| low_u64((u128::from(delta) * u128::from(per_second_q20)) >> 20);
        let moved = deltas.read_bytes.saturating_add(deltas.written_bytes);
        let of_moved = |part: u64| (moved > 0).then(|| permille(part, moved).min(1000));
        Some(Self {
            cpu_permille: permille(deltas.cycles, interval_cycles),
            cycles_per_s: rate(deltas.cycles),
            instructions_per_s: map(deltas.instructions, rate),
            llc_references_per_s: Count::Unknown,
            llc_misses_per_s: map(deltas.llc_misses, rate),
            working_set_bytes: deltas.working_set_bytes,
            read_bytes_per_s: rate(deltas.read_bytes),
            write_bytes_per_s: rate(deltas.written_bytes),
            sequential_permille: of_moved(deltas.sequential_bytes),
            write_permille: of_moved(deltas.written_bytes),
            disk: None,
            network: None,
        })
    }

    /// Moves every entry towards `new` by 1/2^`shift` of the way. An entry
    /// that `new` does not know keeps its value, as an estimate.
    pub fn follow(&mut self, new: &Self, shift: u32) {
        self.cpu_permille = ewma_u32(self.cpu_permille, new.cpu_permille, shift);
        self.cycles_per_s = ewma(self.cycles_per_s, new.cycles_per_s, shift);
        follow_count(&mut self.instructions_per_s, new.instructions_per_s, shift);
        follow_count(&mut self.llc_references_per_s, new.llc_references_per_s, shift);
        follow_count(&mut self.llc_misses_per_s, new.llc_misses_per_s, shift);
        self.working_set_bytes = ewma(self.working_set_bytes, new.working_set_bytes, shift);
        self.read_bytes_per_s = ewma(self.read_bytes_per_s, new.read_bytes_per_s, shift);
        self.write_bytes_per_s = ewma(self.write_bytes_per_s, new.write_bytes_per_s, shift);
        follow_share(&mut self.sequential_permille, new.sequential_permille, shift);
        follow_share(&mut self.write_permille, new.write_permille, shift);
        self.disk = new.disk.or(self.disk);
        self.network = new.network.or(self.network);
    }

    /// The same knowledge about doing nothing.
    #[must_use]
    pub fn idle(&self) -> Self {
        Self {
            instructions_per_s: map(self.instructions_per_s, |_| 0),
            llc_references_per_s: map(self.llc_references_per_s, |_| 0),
            llc_misses_per_s: map(self.llc_misses_per_s, |_| 0),
            working_set_bytes: self.working_set_bytes,
            ..Self::NONE
        }
    }

    /// Megabytes (10^6 bytes) loaded per second.
    #[must_use]
    pub const fn read_mb_per_s(&self) -> u32 {
        low_u32(self.read_bytes_per_s / 1_000_000)
    }

    /// Megabytes (10^6 bytes) stored per second.
    #[must_use]
    pub const fn write_mb_per_s(&self) -> u32 {
        low_u32(self.write_bytes_per_s / 1_000_000)
    }

    /// How far this is from `truth`, in thousandths: the mean of the relative
    /// errors of cycles, bytes loaded, bytes stored and working set, each at
    /// most 1000. Entries of which both are 0 are left out.
    #[must_use]
    pub fn error_permille(&self, truth: &Self) -> u32 {
        let pairs = [
            (self.cycles_per_s, truth.cycles_per_s),
            (self.read_bytes_per_s, truth.read_bytes_per_s),
            (self.write_bytes_per_s, truth.write_bytes_per_s),
            (self.working_set_bytes, truth.working_set_bytes),
        ];
        let (mut sum, mut used) = (0, 0);
        for (guess, truth) in pairs {
            if guess != truth || truth != 0 {
                sum += if truth == 0 { 1000 } else { permille(guess.abs_diff(truth), truth).min(1000) };
                used += 1;
            }
        }
        sum.checked_div(used).unwrap_or(0)
    }
}

fn follow_count(old: &mut Count, new: Count, shift: u32) {
    *old = match (*old, new) {
        (Count::Counted(value) | Count::Estimated(value), Count::Unknown) => Count::Estimated(value),
        (Count::Unknown, new) => new,
        (old, new) => combine(old, new, |old, new| ewma(old, new, shift)),
    };
}

fn follow_share(old: &mut Option<u32>, new: Option<u32>, shift: u32) {
    *old = match (*old, new) {
        (Some(old), Some(new)) => Some(ewma_u32(old, new, shift)),
        (old, new) => new.or(old),
    };
}

#[cfg(test)]
mod tests;
