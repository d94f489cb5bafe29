//! What a monitoring counter says.

/// One reading of [`crate::msr::QM_CTR`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QmReading {
    /// The count, in units of the upscaling factor.
    Count(u64),
    /// The counter has run over since it was last read (processors that
    /// announce the flag).
    Overflowed(u64),
    /// Nothing yet for this RMID; ask again.
    Unavailable,
    /// The RMID or event is not valid; select again.
    Error,
}

impl QmReading {
    /// Decodes the register: bit 63 error, 62 unavailable, and where the
    /// processor announces it (CPUID.(0FH,1):EAX bit 8) 61 overflow (SDM volume
    /// 3B, section 18.18.5).
    #[must_use]
    pub fn from_bits(bits: u64, has_overflow_flag: bool) -> Self {
        if bits >> 63 == 1 {
            return Self::Error;
        }
        if bits >> 62 == 1 {
            return Self::Unavailable;
        }
        if has_overflow_flag && bits >> 61 & 1 == 1 {
            return Self::Overflowed(bits & ((1 << 61) - 1));
        }
        Self::Count(bits)
    }
}

/// Chunks counted from one reading to the next by a counter of `bits` bits that
/// wrapped at most once in between.
#[must_use]
pub fn chunks_between(previous: u64, current: u64, bits: u8) -> u64 {
    let mask = 1u64.checked_shl(u32::from(bits)).map_or(u64::MAX, |bit| bit - 1);
    current.wrapping_sub(previous) & mask
}

/// Chunks in bytes.
#[must_use]
pub fn bytes(chunks: u64, upscale: u32) -> u128 {
    u128::from(chunks) * u128::from(upscale)
}

/// The longest time in milliseconds between readings in which a counter cannot
/// wrap twice unnoticed: half its range at `bytes_per_second`. None when nothing
/// limits it.
#[must_use]
pub fn max_interval_ms(bits: u8, upscale: u32, bytes_per_second: u64) -> Option<u64> {
    let range = 1u128.checked_shl(u32::from(bits))?.checked_mul(u128::from(upscale))?;
    let ms = (range / 2).checked_mul(1000)?.checked_div(u128::from(bytes_per_second))?;
    Some(u64::try_from(ms).unwrap_or(u64::MAX))
}
