//! The text form of a colour set, as Xen's `llc-colors` option has it:
//! `4-8,10`. Comma-separated colours and inclusive ranges, no blanks; the empty
//! set is the empty text. Printing gives the shortest form in ascending order.

use crate::colour::{Colour, ColourSet, MAX_COLOURS};

/// Why a text is no colour set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotationError {
    /// The item, counted from 1, is neither `N` nor `N-M`.
    Item(usize),
    /// The range, counted from 1, ends before it starts.
    Backwards(usize),
    /// A colour this machine does not have.
    NoSuchColour {
        /// The colour asked for.
        colour: u32,
        /// How many there are.
        count: u32,
    },
}

impl core::fmt::Display for NotationError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Item(item) => {
                write!(f, "colours: item {item} is not a number or range, expected a list like 4-8,10")
            }
            Self::Backwards(item) => {
                write!(f, "colours: range {item} ends before it starts, expected like 4-8")
            }
            Self::NoSuchColour { colour, count } => {
                write!(f, "colours: there is no colour {colour}, expected 0 to {}", count.saturating_sub(1))
            }
        }
    }
}

impl ColourSet {
    /// Reads a list like `4-8,10` on a machine of `count` colours. Work is
    /// proportional to the text.
    ///
    /// # Errors
    /// Names the first item that is wrong.
    pub fn parse(text: &str, count: u32) -> Result<Self, NotationError> {
        if text.is_empty() {
            return Ok(Self::EMPTY);
        }
        let mut set = Self::EMPTY;
        for (item, part) in (1..).zip(text.split(',')) {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let from = number(from).ok_or(NotationError::Item(item))?;
            let to = number(to).ok_or(NotationError::Item(item))?;
            if to < from {
                return Err(NotationError::Backwards(item));
            }
            if to >= count.min(MAX_COLOURS) {
                return Err(NotationError::NoSuchColour { colour: to, count: count.min(MAX_COLOURS) });
            }
            set = set.with(Self::first(to + 1).without(Self::first(from)));
        }
        Ok(set)
    }
}

/// Plain decimal digits; `str::parse` alone would take a sign.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl core::fmt::Display for ColourSet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut separator = "";
        let mut from = 0;
        while let Some((start, end)) = next_range(*self, from) {
            if start == end {
                write!(f, "{separator}{start}")?;
            } else {
                write!(f, "{separator}{start}-{end}")?;
            }
            separator = ",";
            from = end + 1;
        }
        Ok(())
    }
}

/// The first run of colours at or above `from`, both ends included.
fn next_range(set: ColourSet, from: u8) -> Option<(u8, u8)> {
    let start = (from..64).find(|&colour| set.has(Colour(colour)))?;
    let end = (start..64).find(|&colour| !set.has(Colour(colour))).unwrap_or(64) - 1;
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn reads_and_prints_the_example() {
        let set = ColourSet::parse("4-8,10", 32).expect("well formed");
        assert_eq!(set, ColourSet(0b101_1111_0000));
        assert_eq!(set.to_string(), "4-8,10");
        assert_eq!(ColourSet::parse("", 32), Ok(ColourSet::EMPTY));
        assert_eq!(ColourSet::parse("0-63", 64).map(|set| set.to_string()), Ok("0-63".into()));
        assert_eq!(ColourSet::parse("10,4-6,5-8", 32), Ok(set), "order and overlap do not matter");
    }

    #[test]
    fn errors_name_the_item() {
        for (text, error) in [
            ("4-8,x", NotationError::Item(2)),
            (",", NotationError::Item(1)),
            ("1,", NotationError::Item(2)),
            ("-3", NotationError::Item(1)),
            ("+3", NotationError::Item(1)),
            ("1-2-3", NotationError::Item(1)),
            ("4294967296", NotationError::Item(1)),
            ("0,8-4", NotationError::Backwards(2)),
            ("30-32", NotationError::NoSuchColour { colour: 32, count: 32 }),
        ] {
            assert_eq!(ColourSet::parse(text, 32), Err(error), "{text}");
        }
        let error = ColourSet::parse("70", 100).expect_err("64 at most");
        assert_eq!(error.to_string(), "colours: there is no colour 70, expected 0 to 63");
        assert!(ColourSet::parse("0", 0).is_err());
    }

    proptest! {
        #[test]
        fn printing_and_reading_round_trips(bits in any::<u64>()) {
            let set = ColourSet(bits);
            prop_assert_eq!(ColourSet::parse(&set.to_string(), 64), Ok(set));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9,\\-x é]{0,24}", count in 0u32..100) {
            if let Ok(set) = ColourSet::parse(&text, count) {
                prop_assert!(set.without(ColourSet::first(count)).is_empty());
            }
        }
    }
}
