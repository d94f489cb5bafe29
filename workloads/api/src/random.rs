//! A small seeded generator: every run of a workload can be repeated.

/// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift
/// generators, scrambled", 2016).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator for `seed`; neighbouring seeds give unrelated streams.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        // One round of splitmix64, so that small seeds do not start alike.
        let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        Self(if z == 0 { 1 } else { z })
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`, or 0 when `bound` is 0. The bias of the
    /// multiply-shift is below 2^-32 for bounds that fit 32 bits.
    pub const fn below(&mut self, bound: u32) -> u32 {
        let wide = (self.next() >> 32) * bound as u64;
        let [.., a, b, c, d] = (wide >> 32).to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_seeded_bounded_and_spread() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            [(); 64].map(|()| random.below(10))
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let mut seen = [0u32; 10];
        for seed in 0..100 {
            draw(seed).iter().for_each(|&n| seen[n as usize] += 1);
        }
        assert!(seen.iter().all(|&n| (500..800).contains(&n)), "{seen:?}");
        assert_eq!(Random::new(1).below(0), 0);
    }
}
