//! Open-loop arrivals: a Poisson process. Request `i` of a burst arrives at its
//! release plus the sum of the first `i` gaps, however late the ones before it
//! are answered; a closed loop would hide the queue that makes the tail
//! (Schroeder, Wierman, Harchol-Balter, "Open Versus Closed: A Cautionary
//! Tale", NSDI 2006).
//!
//! A gap is `mean * -ln(u)` with `u` uniform in (0, 1), in integers: `u` is
//! split into a power of two and a mantissa, whose logarithm is read off a
//! table of 128 chords. The table is worked out at compile time.

use workload_api::Random;

/// Chords between 1 and 2.
const CHORDS: usize = 128;
/// ln 2 in Q32.
const LN_2: u64 = 2_977_044_472;
/// ln(1 + i/128) in Q32; the last entry is ln 2.
const LOGARITHMS: [u64; CHORDS + 1] = logarithms();

/// The arrivals of one burst, as nanoseconds after its release: an endless,
/// ascending sequence that starts at 0 and stays at the largest number if it
/// gets there.
#[derive(Clone, Debug)]
pub struct Arrivals {
    random: Random,
    mean_gap_ns: u64,
    next_ns: u64,
}

impl Arrivals {
    /// The arrivals that `seed` gives, `mean_gap_ns` apart in the mean; with a
    /// mean of 0, all at once.
    #[must_use]
    pub const fn new(seed: u64, mean_gap_ns: u64) -> Self {
        Self { random: Random::new(seed), mean_gap_ns, next_ns: 0 }
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    /// Constant time; never none.
    fn next(&mut self) -> Option<u64> {
        let arrival_ns = self.next_ns;
        self.next_ns = arrival_ns.saturating_add(gap_ns(self.random.next(), self.mean_gap_ns));
        Some(arrival_ns)
    }
}

/// The exponential gap that 64 random bits give, rounded to nanoseconds; at
/// most 44.4 times the mean.
#[must_use]
pub fn gap_ns(bits: u64, mean_ns: u64) -> u64 {
    let gap = (u128::from(mean_ns) * u128::from(minus_ln(bits)) + (1 << 31)) >> 32;
    u64::try_from(gap).unwrap_or(u64::MAX)
}

/// `-ln(bits / 2^64)` in Q32, between 0 and 64 ln 2; 0 bits count as 1. Off by
/// less than 2^-17 (7.7e-6), always upwards but for rounding: chords lie below
/// the logarithm.
#[must_use]
pub fn minus_ln(bits: u64) -> u64 {
    let bits = bits.max(1);
    let zeros = bits.leading_zeros();
    let mantissa = (bits << zeros) << 1; // what follows the leading one
    let chord = usize::try_from(mantissa >> 57).unwrap_or(0);
    let within = (mantissa << 7) >> 32;
    let low = LOGARITHMS.get(chord).copied().unwrap_or(0);
    let high = LOGARITHMS.get(chord + 1).copied().unwrap_or(LN_2);
    let logarithm = low + (((high - low) * within) >> 32);
    u64::from(zeros + 1) * LN_2 - logarithm
}

const fn logarithms() -> [u64; CHORDS + 1] {
    let mut table = [0; CHORDS + 1];
    let mut i = 0;
    while i < CHORDS {
        table[i] = logarithm(((CHORDS + i) as u64) << (62 - CHORDS.ilog2()));
        i += 1;
    }
    table[CHORDS] = LN_2;
    table
}

/// The natural logarithm, in Q32, of a number from 1 to below 2 in Q62: the
/// binary logarithm digit by digit (square; if the square passes 2, the digit
/// is 1 and the square is halved), times ln 2.
const fn logarithm(mut number: u64) -> u64 {
    let mut binary = 0u64; // Q40
    let mut digit = 0;
    while digit < 40 {
        let square = (number as u128 * number as u128) >> 61; // Q63
        let passed = square >> 64 != 0;
        let halved = if passed { square >> 2 } else { square >> 1 };
        let [.., a, b, c, d, e, f, g, h] = halved.to_be_bytes();
        number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        binary = binary * 2 + passed as u64;
        digit += 1;
    }
    let natural = (binary as u128 * LN_2 as u128 + (1 << 39)) >> 40;
    let [.., a, b, c, d, e, f, g, h] = natural.to_be_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const Q32: f64 = 4_294_967_296.0;

    #[test]
    fn the_table_holds_logarithms() {
        assert!((LN_2 as f64 - core::f64::consts::LN_2 * Q32).abs() <= 0.5);
        for (i, entry) in LOGARITHMS.iter().enumerate() {
            let exact = (1.0 + i as f64 / 128.0).ln() * Q32;
            assert!((*entry as f64 - exact).abs() <= 2.0, "{i}: {entry} {exact}");
        }
    }

    #[test]
    fn extremes_are_bounded() {
        assert_eq!(minus_ln(0), 64 * LN_2);
        assert_eq!(minus_ln(1), 64 * LN_2);
        assert!(minus_ln(u64::MAX) < 4);
        assert_eq!(gap_ns(u64::MAX, 1_000_000), 0);
        assert_eq!(gap_ns(0, 1_000_000), 44_361_420); // 64 ln 2 = 44.361419558...
        assert_eq!(gap_ns(0, u64::MAX), u64::MAX);
        let mut arrivals = Arrivals::new(1, u64::MAX);
        assert_eq!(arrivals.nth(1000), Some(u64::MAX));
        assert!(Arrivals::new(1, 0).take(100).all(|arrival_ns| arrival_ns == 0));
    }

    #[test]
    fn the_mean_and_the_tail_are_those_of_an_exponential() {
        const DRAWS: usize = 100_000;
        const MEAN: f64 = 1_250_000.0;
        for seed in 1..=8 {
            let arrivals: Vec<u64> = Arrivals::new(seed, 1_250_000).take(DRAWS + 1).collect();
            let mean = arrivals[DRAWS] as f64 / DRAWS as f64;
            assert!((mean / MEAN - 1.0).abs() < 0.01, "seed {seed}: mean {mean}");
            for multiple in [0.1, 0.5, 1.0, 2.0, 4.0] {
                let longer = arrivals.windows(2).filter(|pair| (pair[1] - pair[0]) as f64 > multiple * MEAN);
                let share = longer.count() as f64 / DRAWS as f64;
                // Four standard deviations of a share of 10^5 draws at most.
                assert!((share - (-multiple).exp()).abs() < 0.0064, "seed {seed}: {share} above {multiple}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_logarithm_is_within_its_bound(bits in any::<u64>(), shift in 0..64u32) {
            let bits = (bits >> shift).max(1);
            let exact = -(bits as f64 / 18_446_744_073_709_551_616.0).ln();
            let found = minus_ln(bits) as f64 / Q32;
            prop_assert!((found - exact).abs() < 1.0 / 131_072.0, "{bits}: {found} {exact}");
        }

        #[test]
        fn more_is_never_sooner(low in any::<u64>(), high in any::<u64>()) {
            prop_assert!(minus_ln(low.min(high)) >= minus_ln(low.max(high)));
        }

        #[test]
        fn a_seed_gives_one_ascending_sequence(seed in any::<u64>(), mean_ns in 0..u64::MAX) {
            let first: Vec<u64> = Arrivals::new(seed, mean_ns).take(50).collect();
            prop_assert_eq!(first[0], 0);
            prop_assert!(first.is_sorted());
            prop_assert_eq!(first, Arrivals::new(seed, mean_ns).take(50).collect::<Vec<_>>());
        }
    }
}
