use super::Refusal;

/// Which capacity masks a cache takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskRules {
    /// Bits of a mask.
    pub length: u8,
    /// Masks with gaps work.
    pub non_contiguous: bool,
    /// Fewest bits that may be set; 2 on Haswell servers, else 1.
    pub min_bits: u8,
}

impl MaskRules {
    /// The mask of the whole cache.
    #[must_use]
    pub fn full(self) -> u64 {
        u64::MAX.checked_shr(64u32.saturating_sub(u32::from(self.length))).unwrap_or(0)
    }

    /// Accepts a mask (SDM volume 3B, section 18.19.4.1): the processor faults
    /// on bits beyond the length; gaps and zero are undefined or fault.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn check(self, mask: u64) -> Result<(), Refusal> {
        if mask == 0 {
            return Err(Refusal::EmptyMask);
        }
        if mask & !self.full() != 0 {
            return Err(Refusal::MaskTooLong { mask, length: self.length });
        }
        let filled = mask | (mask & mask.wrapping_neg()).wrapping_sub(1);
        if !self.non_contiguous && filled & filled.wrapping_add(1) != 0 {
            return Err(Refusal::MaskHasGap { mask });
        }
        if mask.count_ones() < u32::from(self.min_bits) {
            return Err(Refusal::MaskTooSmall { mask, min_bits: self.min_bits });
        }
        Ok(())
    }

    /// `count` ways in one piece from way `first` up; none if they are not all
    /// there.
    #[must_use]
    pub fn ways(self, first: u8, count: u8) -> Option<u64> {
        let end = first.checked_add(count).filter(|end| *end <= self.length)?;
        let below = |bits: u8| 1u64.checked_shl(u32::from(bits)).map_or(u64::MAX, |bit| bit - 1);
        let mask = below(end) & !below(first);
        self.check(mask).ok().map(|()| mask)
    }
}
