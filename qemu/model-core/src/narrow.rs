//! Narrowing casts of the hot path, in one place.

/// An index that is known to be small; a 64-bit host loses nothing.
#[inline]
pub(crate) fn index(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// The low 32 bits, where the upper ones are known to be zero or unwanted.
#[inline]
pub(crate) fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// A count of things in memory.
#[inline]
pub(crate) fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
