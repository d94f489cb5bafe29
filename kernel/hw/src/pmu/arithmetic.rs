//! What two readings of a counter mean.

/// A count that was taken only part of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaled {
    /// The estimate for the whole time; what was counted when that was all of
    /// it.
    pub value: u64,
    /// How much of the time it was counted.
    pub running_permille: u16,
}

impl Scaled {
    /// Whether nothing was estimated.
    #[must_use]
    pub fn is_exact(self) -> bool {
        self.running_permille == 1000
    }
}

/// Events from one reading to the next of a counter with `bits` bits, which may
/// have wrapped once in between.
#[must_use]
pub fn delta(previous: u64, current: u64, bits: u8) -> u64 {
    current.wrapping_sub(previous) & mask(bits)
}

/// The value to start a counter of `bits` bits at so that it overflows after
/// `period` events; none if the period is 0, or above half the counter's range
/// (a count could then not be told from an overflow). Where only the low 32 bits
/// can be written, the rest is a copy of bit 31, so that the period must also
/// be below 2³¹ (SDM volume 3B, section 20.2.7).
#[must_use]
pub fn preload(period: u64, bits: u8, full_width_writes: bool) -> Option<u64> {
    let half = mask(bits) / 2 + 1;
    let limit = if full_width_writes { half } else { half.min(1 << 31) };
    (1..=limit).contains(&period).then_some(period.wrapping_neg() & mask(bits))
}

/// Scales what was counted in `running` of `enabled` units of time, as perf
/// does when events share counters; none when it was never counted.
#[must_use]
pub fn scale(counted: u64, enabled: u64, running: u64) -> Option<Scaled> {
    if running == 0 {
        return None;
    }
    if running >= enabled {
        return Some(Scaled { value: counted, running_permille: 1000 });
    }
    let estimate = u128::from(counted) * u128::from(enabled) / u128::from(running);
    let permille = u128::from(running) * 1000 / u128::from(enabled);
    Some(Scaled {
        value: u64::try_from(estimate).unwrap_or(u64::MAX),
        // Rounded up to 1000 it would look exact.
        running_permille: u16::try_from(permille).unwrap_or(999).min(999),
    })
}

fn mask(bits: u8) -> u64 {
    1u64.checked_shl(u32::from(bits)).map_or(u64::MAX, |bit| bit - 1)
}
