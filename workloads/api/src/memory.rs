//! The memory a workload is prepared over: handed out once, never taken back.

/// A region from which a workload carves its arrays.
#[derive(Debug)]
pub struct Memory<'m> {
    rest: &'m mut [u64],
}

/// The region is smaller than what was asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Bytes asked for.
    pub wanted_bytes: usize,
    /// Bytes that were left.
    pub left_bytes: usize,
}

impl core::fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "out of memory: wanted {} bytes, {} left", self.wanted_bytes, self.left_bytes)
    }
}

impl<'m> Memory<'m> {
    /// Wraps a zeroed region.
    #[must_use]
    pub const fn new(region: &'m mut [u64]) -> Self {
        Self { rest: region }
    }

    /// Bytes not handed out yet.
    #[must_use]
    pub const fn left_bytes(&self) -> usize {
        self.rest.len() * 8
    }

    /// Takes `count` words of 64 bits.
    ///
    /// # Errors
    /// [`OutOfMemory`] when fewer are left; nothing is taken then.
    pub fn take_u64(&mut self, count: usize) -> Result<&'m mut [u64], OutOfMemory> {
        if count > self.rest.len() {
            let wanted_bytes = count.saturating_mul(8);
            return Err(OutOfMemory { wanted_bytes, left_bytes: self.left_bytes() });
        }
        let (taken, rest) = core::mem::take(&mut self.rest).split_at_mut(count);
        self.rest = rest;
        Ok(taken)
    }

    /// Takes `count` words of 32 bits, from an eight-byte boundary.
    ///
    /// # Errors
    /// [`OutOfMemory`] when fewer are left; nothing is taken then.
    pub fn take_u32(&mut self, count: usize) -> Result<&'m mut [u32], OutOfMemory> {
        let words = self.take_u64(count.div_ceil(2))?;
        Ok(&mut bytemuck::cast_slice_mut(words)[..count])
    }

    /// Takes `count` bytes, from an eight-byte boundary.
    ///
    /// # Errors
    /// [`OutOfMemory`] when fewer are left; nothing is taken then.
    pub fn take_u8(&mut self, count: usize) -> Result<&'m mut [u8], OutOfMemory> {
        let words = self.take_u64(count.div_ceil(8))?;
        Ok(&mut bytemuck::cast_slice_mut(words)[..count])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_in_order_and_refuses_what_is_not_there() {
        let mut region = [0u64; 8];
        let mut memory = Memory::new(&mut region);
        let bytes = memory.take_u8(9).expect("two words");
        let halves = memory.take_u32(3).expect("two words");
        assert_eq!((bytes.len(), halves.len(), memory.left_bytes()), (9, 3, 32));
        let error = memory.take_u64(5).expect_err("four left");
        assert_eq!(error, OutOfMemory { wanted_bytes: 40, left_bytes: 32 });
        assert!(memory.take_u64(4).is_ok(), "a refusal takes nothing");
        assert!(memory.take_u8(usize::MAX).is_err());
    }
}
