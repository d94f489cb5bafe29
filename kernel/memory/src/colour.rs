//! Page colours: the part of a last-level cache's set index that page
//! placement decides.
//!
//! A cache of `sets` sets of `line_bytes` bytes indexes with the address bits
//! from `log2(line_bytes)` up. Those below bit 12 lie inside a page; those
//! above are the frame's colour, and two frames of different colours never
//! compete for a set.
//!
//! - A sliced cache picks the slice by a hash of many bits and the set inside
//!   the slice by plain low bits (Maurice et al., "Reverse Engineering Intel
//!   Last-Level Cache Complex Addressing", RAID 2015), so the sets of *one
//!   slice* count: 2048 sets of 64 bytes give bits 12 to 16, 32 colours,
//!   whatever the hash does.
//! - More than [`MAX_COLOURS`] colours are folded by leaving out the top bits.
//!   Leaving out the bottom ones would cost a confined task less of its
//!   private second-level cache, but is wrong where the slices are not
//!   reported: the low bits are set bits under any number of slices.
//! - 2 MiB pages span every colour; they are for memory where colour does not
//!   matter.

use crate::frames::{FRAME_SHIFT, Frame};

/// Colours there are at most: one bit each in a [`ColourSet`].
pub const MAX_COLOURS: u32 = 64;

/// The shape of the last-level cache, as CPUID leaf 4 (Intel SDM vol. 2A,
/// CPUID) or 0x8000001D (AMD APM vol. 3, appendix E) reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Sets of the whole cache, all slices together.
    pub sets: u32,
    /// Lines in a set.
    pub ways: u32,
    /// Bytes in a line.
    pub line_bytes: u32,
    /// Slices the sets are spread over by a hash; 1 where there is no hash or
    /// nothing is known.
    pub slices: u32,
}

/// A cache shape that yields no colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeometryError {
    /// A field is 0.
    Zero(&'static str),
    /// The line size is no power of two.
    Line(u32),
    /// The sets do not divide evenly into the slices, or not into a power of
    /// two each.
    Sets {
        /// Sets of the whole cache.
        sets: u32,
        /// Slices.
        slices: u32,
    },
}

impl core::fmt::Display for GeometryError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Zero(field) => write!(f, "cache geometry: {field} is 0, expected at least 1"),
            Self::Line(bytes) => write!(f, "cache geometry: line of {bytes} bytes, expected a power of two"),
            Self::Sets { sets, slices } => {
                write!(f, "cache geometry: {sets} sets in {slices} slices, expected a power of two in each")
            }
        }
    }
}

/// Sets a slice is taken to have where slices are not reported: the fewest of
/// the sliced caches in the field.
const SLICE_SETS: u32 = 2048;

impl Geometry {
    /// The shape where CPUID gives the sets of the whole cache and nothing on
    /// slices (the usual case): more than 2048 sets are taken to be slices of
    /// 2048. If that is wrong there are fewer colours than there could be, but
    /// each is still apart from the others.
    #[must_use]
    pub const fn unknown_slices(sets: u32, ways: u32, line_bytes: u32) -> Self {
        let sliced = sets > SLICE_SETS && sets.is_multiple_of(SLICE_SETS);
        Self { sets, ways, line_bytes, slices: if sliced { sets / SLICE_SETS } else { 1 } }
    }

    /// Bytes the cache holds.
    #[must_use]
    pub fn bytes(self) -> u64 {
        u64::from(self.sets).saturating_mul(u64::from(self.ways)).saturating_mul(u64::from(self.line_bytes))
    }

    /// The colours of frames under this cache.
    ///
    /// # Errors
    /// Says which field cannot be; [`Colours::ONE`] is the safe stand-in.
    pub fn colours(self) -> Result<Colours, GeometryError> {
        for (value, field) in [
            (self.sets, "sets"),
            (self.ways, "ways"),
            (self.line_bytes, "line_bytes"),
            (self.slices, "slices"),
        ] {
            if value == 0 {
                return Err(GeometryError::Zero(field));
            }
        }
        if !self.line_bytes.is_power_of_two() {
            return Err(GeometryError::Line(self.line_bytes));
        }
        let slice_sets = self.sets / self.slices;
        if !self.sets.is_multiple_of(self.slices) || !slice_sets.is_power_of_two() {
            return Err(GeometryError::Sets { sets: self.sets, slices: self.slices });
        }
        let index_end = slice_sets.ilog2() + self.line_bytes.ilog2();
        Ok(Colours { bits: index_end.saturating_sub(FRAME_SHIFT).min(MAX_COLOURS.ilog2()) })
    }
}

/// How many colours there are, and which address bits tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours {
    /// Bits above the page offset, at most 6.
    bits: u32,
}

impl Colours {
    /// One colour: a machine whose cache says nothing of itself.
    pub const ONE: Self = Self { bits: 0 };

    /// Those that the lowest `bits` bits tell apart, no more than there are.
    #[must_use]
    pub const fn folded(self, bits: u32) -> Self {
        Self { bits: if bits < self.bits { bits } else { self.bits } }
    }

    /// How many there are: a power of two from 1 to [`MAX_COLOURS`].
    #[must_use]
    pub const fn count(self) -> u32 {
        1u32.wrapping_shl(self.bits)
    }

    /// The physical-address bits that make the colour.
    #[must_use]
    pub const fn mask(self) -> u64 {
        ((1 << self.bits) - 1) << FRAME_SHIFT
    }

    /// The colour of a frame.
    #[must_use]
    pub const fn colour_of(self, frame: Frame) -> Colour {
        let low = frame.0 & (self.count() - 1);
        Colour(low.to_le_bytes()[0])
    }

    /// All of them.
    #[must_use]
    pub const fn all(self) -> ColourSet {
        ColourSet::first(self.count())
    }
}

/// A colour, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Colour(pub u8);

impl Colour {
    /// As an index below [`MAX_COLOURS`], which every colour is.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize % MAX_COLOURS as usize
    }
}

/// A set of colours, one bit each. Written `4-8,10`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColourSet(pub u64);

impl ColourSet {
    /// No colour.
    pub const EMPTY: Self = Self(0);

    /// The colours 0 to `count - 1`; everything from 64 up.
    #[must_use]
    pub const fn first(count: u32) -> Self {
        if count >= MAX_COLOURS { Self(u64::MAX) } else { Self((1 << count) - 1) }
    }

    /// `colour` alone; empty where there is no such colour.
    #[must_use]
    pub const fn only(colour: Colour) -> Self {
        if colour.0 < 64 { Self(1 << colour.0) } else { Self::EMPTY }
    }

    /// Whether `colour` is in the set.
    #[must_use]
    pub const fn has(self, colour: Colour) -> bool {
        self.0 & Self::only(colour).0 != 0
    }

    /// The colours of either set.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The colours of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The colours of both sets.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The `count` highest colours of the set, or all. Bound: the colours.
    #[must_use]
    pub const fn highest(self, count: u32) -> Self {
        let mut lower = self.0;
        let mut left = count;
        while left > 0 && lower != 0 {
            lower &= !(1 << lower.ilog2());
            left -= 1;
        }
        Self(self.0 & !lower)
    }

    /// How many colours are in the set.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The colours in ascending order.
    pub fn iter(self) -> impl Iterator<Item = Colour> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let colour = (left != 0).then(|| Colour(left.trailing_zeros().to_le_bytes()[0]));
            left &= left.wrapping_sub(1);
            colour
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn geometry(sets: u32, slices: u32) -> Geometry {
        Geometry { sets, ways: 16, line_bytes: 64, slices }
    }

    #[test]
    fn a_slice_of_2048_sets_gives_bits_12_to_16() {
        for slices in [1, 8, 24] {
            let told = geometry(2048 * slices, slices);
            assert_eq!(Geometry::unknown_slices(2048 * slices, 16, 64), told);
            let colours = told.colours().expect("a real shape");
            assert_eq!((colours.count(), colours.mask()), (32, 0x1_F000));
        }
    }

    #[test]
    fn colour_is_the_masked_address_bits() {
        let colours = geometry(2048, 1).colours().expect("a real shape");
        for number in [0u32, 1, 31, 32, 33, 0x12345, u32::MAX] {
            let frame = Frame(number);
            let expected = (frame.address() & colours.mask()) >> 12;
            assert_eq!(u64::from(colours.colour_of(frame).0), expected);
        }
    }

    #[test]
    fn small_caches_have_one_colour_and_large_ones_fold_to_64() {
        let small = geometry(64, 1).colours().expect("a page a way");
        assert_eq!((small, small.mask(), small.all()), (Colours::ONE, 0, ColourSet(1)));
        let large = geometry(16384, 1).colours().expect("256 before folding");
        assert_eq!((large.count(), large.mask()), (64, 0x3_F000));
        assert_eq!(large.all(), ColourSet(u64::MAX));
    }

    #[test]
    fn impossible_shapes_are_named() {
        let zero = Geometry { ways: 0, ..geometry(2048, 1) };
        assert_eq!(
            zero.colours().expect_err("no ways").to_string(),
            "cache geometry: ways is 0, expected at least 1"
        );
        let line = Geometry { line_bytes: 48, ..geometry(2048, 1) };
        assert_eq!(line.colours(), Err(GeometryError::Line(48)));
        assert_eq!(geometry(2048, 3).colours(), Err(GeometryError::Sets { sets: 2048, slices: 3 }));
        assert_eq!(geometry(3072, 1).colours(), Err(GeometryError::Sets { sets: 3072, slices: 1 }));
        assert_eq!(geometry(16384, 1).bytes(), 16 << 20);
    }

    #[test]
    fn sets_do_what_sets_do() {
        let low = ColourSet::first(4);
        let five = ColourSet::only(Colour(5));
        assert_eq!(low.with(five).count(), 5);
        assert!(low.with(five).has(Colour(5)) && !low.has(Colour(5)));
        assert_eq!(low.with(five).without(low), five);
        assert_eq!(low.common(ColourSet(0b1010)), ColourSet(0b1010));
        assert!(ColourSet::only(Colour(64)).is_empty() && !ColourSet(u64::MAX).has(Colour(200)));
        assert_eq!(ColourSet(0b1011_0010).highest(2), ColourSet(0b1010_0000));
        assert_eq!((low.highest(0), low.highest(9)), (ColourSet::EMPTY, low));
        assert!(ColourSet(0b10_0001).iter().eq([Colour(0), Colour(5)]));
        assert_eq!(ColourSet::first(64), ColourSet::first(1000));
    }
}
