//! Numbers as people read them, in integer arithmetic only.
//!
//! Each type prints one quantity with its unit; rounding is to the nearest,
//! exact halves to the even digit. Widths differ by design: [`crate::Table`]
//! aligns them.

use core::fmt::{self, Display, Formatter};

/// Thousandths, as `12.3 %`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permille(pub u32);

impl Display for Permille {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} %", self.0 / 10, self.0 % 10)
    }
}

/// A Q16.16 multiple, as `1.234x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio(pub u64);

impl Display for Ratio {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 >> 16, self.0 & 0xFFFF);
        let thousandths = divide_to_nearest(u128::from(part) * 1000, 1 << 16);
        write!(f, "{}.{:03}x", u128::from(whole) + thousandths / 1000, thousandths % 1000)
    }
}

/// Nanoseconds with three significant digits, as `1.23 ms`; whole seconds from
/// 1000 s on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ns(pub u64);

impl Display for Ns {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        scaled(f, self.0, 1000, &["ns", "us", "ms", "s"])
    }
}

/// Bytes with three significant digits, as `12.3 MiB` (four between 1000 and
/// 1023 of a unit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl Display for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        scaled(f, self.0, 1024, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
    }
}

/// A count with three significant digits, as `1.23 M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        scaled(f, self.0, 1000, &["", "k", "M", "G", "T", "P", "E"])
    }
}

/// Time since boot in nanoseconds, as `1d 02:03:04`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uptime(pub u64);

impl Display for Uptime {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000_000;
        let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
        if days > 0 {
            write!(f, "{days}d ")?;
        }
        write!(f, "{hours:02}:{:02}:{:02}", seconds / 60 % 60, seconds % 60)
    }
}

/// A value that may be missing: `-` then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<T>(pub Option<T>);

impl<T: Display> Display for Known<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}

/// Prints `value` in the first unit in which it stays below `step`, each unit
/// being `step` of the one before; at most three trials a unit.
fn scaled(f: &mut Formatter<'_>, value: u64, step: u64, units: &[&str]) -> fmt::Result {
    let (first, larger) = units.split_first().unwrap_or((&"", &[]));
    if value < step || larger.is_empty() {
        return write!(f, "{value}{}{first}", if first.is_empty() { "" } else { " " });
    }
    let mut size = 1u128;
    for (index, unit) in larger.iter().enumerate() {
        size *= u128::from(step);
        let limit = if index + 1 == larger.len() { u128::MAX } else { u128::from(step) };
        for (decimals, scale) in [(2, 100), (1, 10), (0, 1)] {
            let digits = divide_to_nearest(u128::from(value) * scale, size);
            match decimals {
                0 if digits < limit => return write!(f, "{digits} {unit}"),
                1 | 2 if digits < 1000 => {
                    return write!(f, "{}.{:0decimals$} {unit}", digits / scale, digits % scale);
                }
                _ => {}
            }
        }
    }
    Ok(()) // not reached: the largest unit has no limit
}

/// `value / divisor`, exact halves to the even quotient.
const fn divide_to_nearest(value: u128, divisor: u128) -> u128 {
    let (quotient, remainder) = (value / divisor, value % divisor);
    let up = remainder * 2 > divisor || (remainder * 2 == divisor && quotient % 2 == 1);
    if up { quotient + 1 } else { quotient }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{format, string::String};

    #[test]
    fn prints_examples() {
        assert_eq!(format!("{} {} {}", Permille(123), Permille(0), Permille(1005)), "12.3 % 0.0 % 100.5 %");
        assert_eq!(format!("{} {}", Ratio(80_871), Ratio(u64::MAX)), "1.234x 281474976710656.000x");
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1000, "1.00 us"),
            (1_234_567, "1.23 ms"),
            (9_996_000, "10.0 ms"),
            (99_960_000, "100 ms"),
            (999_600_000, "1.00 s"),
            (12_345_678_900, "12.3 s"),
            (4_321_000_000_000, "4321 s"),
            (u64::MAX, "18446744074 s"),
        ] {
            assert_eq!(format!("{}", Ns(ns)), text);
        }
        for (bytes, text) in [
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (12_897_485, "12.3 MiB"),
            (1_048_064, "1.00 MiB"),
            (1_047_552, "1023 KiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(format!("{}", Bytes(bytes)), text);
        }
        assert_eq!(format!("{} {} {}", Count(7), Count(1500), Count(2_000_000)), "7 1.50 k 2.00 M");
        assert_eq!(
            format!("{} {}", Uptime(3_723_999_999_999), Uptime(93_784_000_000_000)),
            "01:02:03 1d 02:03:04"
        );
        assert_eq!(format!("{} {}", Known(Some(Permille(1))), Known::<u8>(None)), "0.1 % -");
    }

    /// The printed number times its unit, and half of its last digit's worth.
    fn read_back(text: &str, units: &[(&str, f64)]) -> (f64, f64) {
        let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
        let size = units.iter().find(|(name, _)| *name == unit).expect("a known unit").1;
        let decimals = number.split_once('.').map_or(0, |(_, part)| part.len());
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        assert!(digits == 3 || decimals == 0, "{text}");
        let half = 0.5 / 10f64.powi(i32::try_from(decimals).expect("few")) * size;
        (number.parse::<f64>().expect("a number") * size, if size == 1.0 { 0.0 } else { half })
    }

    fn near(text: &str, value: u64, units: &[(&str, f64)]) -> bool {
        let (read, half) = read_back(text, units);
        let exact = value as f64;
        (read - exact).abs() <= half + exact * 1e-12
    }

    fn any_size() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0..64u32).prop_map(|(value, shift)| value >> shift)
    }

    const TIMES: [(&str, f64); 4] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];
    const SIZES: [(&str, f64); 7] = [
        ("B", 1.0),
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("TiB", 1_099_511_627_776.0),
        ("PiB", 1_125_899_906_842_624.0),
        ("EiB", 1_152_921_504_606_846_976.0),
    ];

    #[test]
    fn every_fraction_is_rounded_as_floats_are() {
        for value in 0..=u32::from(u16::MAX) {
            for whole in [0, 1 << 16] {
                let ratio = Ratio(u64::from(value + whole));
                assert_eq!(format!("{ratio}"), format!("{:.3}x", f64::from(value + whole) / 65_536.0));
            }
        }
    }

    proptest! {
        #[test]
        fn permille_is_exact(value in any::<u32>()) {
            prop_assert_eq!(format!("{}", Permille(value)), format!("{:.1} %", f64::from(value) / 10.0));
        }

        #[test]
        fn ratio_is_rounded_as_floats_are(value in 0..1u64 << 52) {
            prop_assert_eq!(format!("{}", Ratio(value)), format!("{:.3}x", value as f64 / 65_536.0));
        }

        #[test]
        fn times_and_sizes_are_within_half_a_digit(value in any_size()) {
            let (time, size) = (format!("{}", Ns(value)), format!("{}", Bytes(value)));
            prop_assert!(near(&time, value, &TIMES), "{value} {time}");
            prop_assert!(near(&size, value, &SIZES), "{value} {size}");
        }

        #[test]
        fn sizes_are_rounded_as_floats_are(value in 1024..1u64 << 50) {
            let printed: String = format!("{}", Bytes(value));
            let (number, unit) = printed.split_once(' ').expect("a unit");
            let size = SIZES.iter().find(|(name, _)| *name == unit).expect("known").1;
            let decimals = number.split_once('.').map_or(0, |(_, part)| part.len());
            // Division by a power of two is exact in a float, so this is too.
            prop_assert_eq!(number, format!("{:.decimals$}", value as f64 / size));
        }
    }
}
