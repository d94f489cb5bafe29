//! Fixed-point arithmetic shared by the stages: Q16.16 in `u32`, permille in
//! `u32`, and the machine's clock. Every function saturates instead of
//! wrapping and takes a fixed number of steps; none can panic.

/// 1 in Q16.16.
pub const ONE: u32 = 1 << 16;

/// Nanoseconds in a second.
pub const NS_PER_S: u64 = 1_000_000_000;

/// The product of two Q16.16 numbers, rounded down.
#[must_use]
pub const fn mul(a: u32, b: u32) -> u32 {
    low_u32((a as u64 * b as u64) >> 16)
}

/// `value` times a Q16.16 factor, rounded to nearest.
#[must_use]
pub const fn scale(value: u64, factor_q16: u32) -> u64 {
    low_u64((value as u128 * factor_q16 as u128 + (1 << 15)) >> 16)
}

/// `numerator / denominator` in Q16.16, or 0 when the denominator is 0.
#[must_use]
pub const fn ratio(numerator: u64, denominator: u64) -> u32 {
    match (numerator, denominator) {
        (_, 0) => 0,
        // The usual case stays within 64 bits.
        (n, d) if n < 1 << 48 => low_u32((n << 16) / d),
        (n, d) if d >> 16 > 0 => low_u32(n / (d >> 16)),
        _ => u32::MAX,
    }
}

/// [`ratio`], at most 1.
#[must_use]
pub const fn share(part: u64, whole: u64) -> u32 {
    let ratio = ratio(part, whole);
    if ratio > ONE { ONE } else { ratio }
}

/// `part` in thousandths of `whole`, or 0 when the whole is 0.
#[must_use]
pub const fn permille(part: u64, whole: u64) -> u32 {
    if whole == 0 {
        return 0;
    }
    match part.checked_mul(1000) {
        Some(thousand) => low_u32(thousand / whole),
        None => low_u32(part / if whole < 1000 { 1 } else { whole / 1000 }),
    }
}

/// Thousandths as Q16.16, rounded to nearest.
#[must_use]
pub const fn from_permille(permille: u32) -> u32 {
    low_u32((permille as u64 * ONE as u64 + 500) / 1000)
}

/// Q16.16 as thousandths, rounded to nearest.
#[must_use]
pub const fn to_permille(value_q16: u32) -> u32 {
    low_u32((value_q16 as u64 * 1000 + (1 << 15)) >> 16)
}

/// Moves `old` towards `new` by 1/2^`shift` of the way, at least by one, so
/// that a constant input is always reached.
#[must_use]
pub const fn ewma(old: u64, new: u64, shift: u32) -> u64 {
    if new >= old { old + shift_up(new - old, shift) } else { old - shift_up(old - new, shift) }
}

/// [`ewma`] for `u32`.
#[must_use]
pub const fn ewma_u32(old: u32, new: u32, shift: u32) -> u32 {
    low_u32(ewma(old as u64, new as u64, shift))
}

/// `value / 2^shift` rounded up.
const fn shift_up(value: u64, shift: u32) -> u64 {
    let shift = if shift > 63 { 63 } else { shift };
    let down = value >> shift;
    if down << shift == value { down } else { down + 1 }
}

/// The value, or `u32::MAX` when it does not fit.
#[must_use]
pub const fn low_u32(value: u64) -> u32 {
    if value > u32::MAX as u64 {
        return u32::MAX;
    }
    let [.., a, b, c, d] = value.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// The value, or `u64::MAX` when it does not fit.
#[must_use]
pub const fn low_u64(value: u128) -> u64 {
    if value > u64::MAX as u128 {
        return u64::MAX;
    }
    let [.., a, b, c, d, e, f, g, h] = value.to_be_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Turns nanoseconds into TSC cycles and back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    hz: u64,
    cycles_per_ns_q20: u64,
    ns_per_cycle_q20: u64,
}

impl Clock {
    /// A clock that has not been set; everything is 0 cycles on it.
    pub const UNSET: Self = Self { hz: 0, cycles_per_ns_q20: 0, ns_per_cycle_q20: 0 };

    /// A clock of `hz` cycles a second.
    #[must_use]
    pub const fn new(hz: u64) -> Self {
        let cycles_per_ns_q20 = low_u64(((hz as u128) << 20) / NS_PER_S as u128);
        let ns_per_cycle_q20 = match (NS_PER_S << 20).checked_div(hz) {
            Some(cycle) => cycle,
            None => 0,
        };
        Self { hz, cycles_per_ns_q20, ns_per_cycle_q20 }
    }

    /// Cycles a second.
    #[must_use]
    pub const fn hz(self) -> u64 {
        self.hz
    }

    /// Cycles in `ns` nanoseconds, within 2^-20 and rounded down.
    #[must_use]
    pub const fn cycles(self, ns: u64) -> u64 {
        low_u64((ns as u128 * self.cycles_per_ns_q20 as u128) >> 20)
    }

    /// Nanoseconds in `cycles` cycles, within 2^-18 and rounded down.
    #[must_use]
    pub const fn ns(self, cycles: u64) -> u64 {
        low_u64((cycles as u128 * self.ns_per_cycle_q20 as u128) >> 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hand_computed() {
        assert_eq!(mul(ONE / 2, ONE / 4), ONE / 8);
        assert_eq!(scale(1000, ONE + ONE / 2), 1500);
        assert_eq!((ratio(3, 2), ratio(3, 0), ratio(u64::MAX, 1)), (98_304, 0, u32::MAX));
        assert_eq!((share(1, 3), share(7, 3)), (21_845, ONE));
        assert_eq!((permille(1, 3), permille(5, 0), permille(u64::MAX, u64::MAX)), (333, 0, 1000));
        assert_eq!((from_permille(500), to_permille(ONE)), (ONE / 2, 1000));
        assert_eq!((ewma(0, 8, 3), ewma(8, 0, 3), ewma(5, 6, 3), ewma(6, 5, 3)), (1, 7, 6, 5));
        let clock = Clock::new(2_000_000_000);
        assert_eq!((clock.cycles(500), clock.ns(500)), (1000, 250));
        assert_eq!(Clock::UNSET.cycles(9), 0);
    }

    proptest! {
        #[test]
        fn ratio_is_near_the_quotient(n: u64, d in 1u64..) {
            let exact = (u128::from(n) << 16) / u128::from(d);
            let got = u128::from(ratio(n, d));
            // A shortened denominator is off by less than 2^-16 of itself per unit.
            let error = if n < 1 << 48 { 0 } else { exact / u128::from((d >> 16).max(1)) + 1 };
            prop_assert!(got == u128::from(u32::MAX) || got.abs_diff(exact) <= error, "{got} {exact}");
        }

        #[test]
        fn ewma_stays_between_and_arrives(old: u32, new: u32, shift in 0u32..8) {
            let mut value = u64::from(old);
            let (low, high) = (u64::from(old.min(new)), u64::from(old.max(new)));
            for _ in 0..(40 << shift) {
                value = ewma(value, u64::from(new), shift);
                prop_assert!((low..=high).contains(&value));
            }
            prop_assert_eq!(value, u64::from(new));
        }

        #[test]
        fn clock_is_within_its_bound(hz in 100_000_000u64..6_000_000_000, ns in 0u64..1 << 45) {
            let exact = u128::from(ns) * u128::from(hz) / u128::from(NS_PER_S);
            let got = u128::from(Clock::new(hz).cycles(ns));
            prop_assert!(got <= exact && exact - got <= exact / 90_000 + 1);
        }

        #[test]
        fn nothing_panics(a: u64, b: u64, c: u32, d: u32) {
            let _ = (mul(c, d), scale(a, c), share(a, b), permille(a, b), from_permille(c), to_permille(c));
            let _ = (Clock::new(a).cycles(b), Clock::new(a).ns(b), ewma(a, b, c));
        }
    }
}
