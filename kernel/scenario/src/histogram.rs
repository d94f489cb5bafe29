//! A latency histogram in nanoseconds, logarithmic by octave and linear inside
//! one, as HdrHistogram has it (hdrhistogram.org, "sub-buckets"): 64 buckets an
//! octave, and the first 128 values in buckets of their own.
//!
//! Recording is a shift and a few adds, so a first-class core can do it for
//! every request. Two significant digits (128 buckets an octave) were refused:
//! they double the memory, and 1.6 % is far below what a queue does to a tail.

/// Buckets an octave.
const SUB_BUCKETS: usize = 64;
/// Values below this have a bucket each.
const LINEAR: u64 = 2 * SUB_BUCKETS as u64;
/// The octave above the last one with buckets: values reach 2^37 ns, 137 s.
const TOP_BIT: u32 = 37;
const BUCKETS: usize = 2048;

const _: () = assert!((TOP_BIT as usize - 7 + 2) * SUB_BUCKETS == BUCKETS);
const _: () = assert!(size_of::<Histogram>() <= 16 * 1024);

/// Parts in a million that make one half: the median.
pub const P50: u32 = 500_000;
/// 99 %.
pub const P99: u32 = 990_000;
/// 99.9 %.
pub const P999: u32 = 999_000;

/// Counts of latencies. All counts saturate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    buckets: [u32; BUCKETS],
    count: u64,
    sum_ns: u64,
    min_ns: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// Values above this share the last bucket (137.4 s); [`Histogram::max_ns`]
    /// and [`Histogram::mean_ns`] stay exact.
    pub const HIGHEST_NS: u64 = (1 << TOP_BIT) - 1;

    /// An empty histogram.
    #[must_use]
    pub const fn new() -> Self {
        Self { buckets: [0; BUCKETS], count: 0, sum_ns: 0, min_ns: u64::MAX, max_ns: 0 }
    }

    /// Forgets everything, in place.
    pub fn clear(&mut self) {
        self.buckets.fill(0);
        (self.count, self.sum_ns, self.min_ns, self.max_ns) = (0, 0, u64::MAX, 0);
    }

    /// Adds one latency. Constant time: no loop, no division.
    pub fn record(&mut self, latency_ns: u64) {
        if let Some(bucket) = self.buckets.get_mut(bucket_of(latency_ns)) {
            *bucket = bucket.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        self.sum_ns = self.sum_ns.saturating_add(latency_ns);
        self.min_ns = self.min_ns.min(latency_ns);
        self.max_ns = self.max_ns.max(latency_ns);
    }

    /// Adds all of `other`'s latencies, in 2048 steps.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine = mine.saturating_add(*theirs);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// Latencies recorded.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The least latency, exact; none when empty.
    #[must_use]
    pub fn min_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min_ns)
    }

    /// The greatest latency, exact; none when empty.
    #[must_use]
    pub fn max_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max_ns)
    }

    /// The buckets that hold any, in ascending order: the highest latency that
    /// falls into each, and how many did. At most 2048 steps.
    pub fn filled(&self) -> impl Iterator<Item = (u64, u32)> {
        let filled = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(bucket, count)| (highest_in(bucket), *count))
    }

    /// The mean, rounded down; exact until the sum saturates (584 years).
    #[must_use]
    pub const fn mean_ns(&self) -> Option<u64> {
        self.sum_ns.checked_div(self.count)
    }

    /// The latency that `ppm` parts in a million of all do not exceed (nearest
    /// rank; more than a million counts as a million). None with so few
    /// latencies that fewer than one lies above the rank: it would be the
    /// maximum by another name.
    ///
    /// For latencies up to [`Histogram::HIGHEST_NS`] it is never below the true
    /// one and at most 1/64 above it; exact below 128 ns. At most 2048 steps.
    #[must_use]
    pub fn percentile_ns(&self, ppm: u32) -> Option<u64> {
        let ppm = u128::from(ppm.min(1_000_000));
        let count = u128::from(self.count);
        if count == 0 || count * (1_000_000 - ppm) < 1_000_000 {
            return None;
        }
        let rank = (count * ppm).div_ceil(1_000_000).max(1);
        let mut seen = 0u128;
        let reached = self.buckets.iter().position(|bucket| {
            seen += u128::from(*bucket);
            seen >= rank
        });
        Some(reached.map_or(self.max_ns, highest_in).clamp(self.min_ns, self.max_ns))
    }
}

/// The bucket of a latency: `shift` octaves above the linear part, and the
/// seven leading bits inside.
fn bucket_of(latency_ns: u64) -> usize {
    let value = latency_ns.min(Histogram::HIGHEST_NS);
    let shift = (value | (LINEAR / 2)).ilog2() - 6;
    let place = u64::from(shift) * SUB_BUCKETS as u64 + (value >> shift);
    usize::try_from(place).unwrap_or(BUCKETS - 1)
}

/// The highest latency that falls into a bucket.
fn highest_in(bucket: usize) -> u64 {
    let shift = (bucket / SUB_BUCKETS).saturating_sub(1);
    let leading = (bucket - shift * SUB_BUCKETS) as u64;
    ((leading + 1) << shift) - 1
}

#[cfg(test)]
mod tests;
