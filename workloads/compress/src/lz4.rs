//! The LZ4 block format (`lz4_Block_format.md`, revised 2022-07-31), greedy.
//!
//! One look into a table of the last place each four bytes were seen at, no
//! chains, and longer strides the longer nothing matches: the fast end of LZ4.

/// Entries of the table, a power of two.
pub const TABLE_ENTRIES: usize = 4096;
/// Shortest match the format can say.
const MATCH_MIN: usize = 4;
/// The last match must start this many bytes before the end.
const TAIL_WITHOUT_START: usize = 12;
/// The last bytes are always literals.
const TAIL_LITERALS: usize = 5;
/// After `1 << STRIDE_SHIFT` misses in a row the stride grows by one.
const STRIDE_SHIFT: u32 = 6;

/// What a compression took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Bytes of output.
    pub bytes: usize,
    /// Looks into the table.
    pub lookups: u32,
}

/// Most bytes that `bytes` of input can become.
#[must_use]
pub const fn compressed_bytes_max(bytes: usize) -> usize {
    bytes + bytes / 255 + 16
}

/// Compresses up to 65 536 bytes of `input` into `output`. `table` may hold
/// anything. `None` when the input is too long, the table is not
/// [`TABLE_ENTRIES`] long, or the output is too small, which
/// [`compressed_bytes_max`] bytes never are. At most one look into the table
/// for each byte.
#[must_use]
pub fn compress(input: &[u8], table: &mut [u16], output: &mut [u8]) -> Option<Done> {
    let table: &mut [u16; TABLE_ENTRIES] = table.try_into().ok()?;
    if input.len() > 1 << 16 {
        return None;
    }
    table.fill(0);
    let mut writer = Writer { output, at: 0 };
    let mut lookups = 0;
    let mut anchor = 0;
    while let Some(found) = find(input, anchor, table, &mut lookups) {
        writer.literals(input.get(anchor..found.start)?, Some(found.length))?;
        writer.bytes(&found.distance.to_le_bytes())?;
        writer.length_rest(found.length - MATCH_MIN)?;
        anchor = found.start + found.length;
    }
    writer.literals(input.get(anchor..)?, None)?;
    Some(Done { bytes: writer.at, lookups })
}

struct Match {
    start: usize,
    length: usize,
    distance: u16,
}

/// The next match at or after `anchor`.
fn find(input: &[u8], anchor: usize, table: &mut [u16; TABLE_ENTRIES], lookups: &mut u32) -> Option<Match> {
    let last_start = input.len().checked_sub(TAIL_WITHOUT_START)?;
    let mut at = anchor;
    let mut misses = 0usize;
    while at <= last_start {
        *lookups += 1;
        let four = four_bytes(input, at)?;
        let entry = &mut table[slot(four)];
        let earlier = usize::from(core::mem::replace(entry, u16::try_from(at).ok()?));
        // A stale or empty entry is told by its bytes, or by not being earlier.
        if earlier < at && four_bytes(input, earlier)? == four {
            return grow(input, anchor, at, earlier);
        }
        at += 1 + (misses >> STRIDE_SHIFT);
        misses += 1;
    }
    None
}

/// The match between `at` and `earlier`, made as long as it goes both ways.
fn grow(input: &[u8], anchor: usize, at: usize, earlier: usize) -> Option<Match> {
    let distance = at - earlier;
    let before = input.get(anchor..at)?.iter().rev().zip(input.get(..earlier)?.iter().rev());
    let back = before.take_while(|(a, b)| a == b).count();
    let end = input.len() - TAIL_LITERALS;
    let ahead = same_bytes(input.get(at + MATCH_MIN..end)?, input.get(earlier + MATCH_MIN..end - distance)?);
    Some(Match {
        start: at - back,
        length: back + MATCH_MIN + ahead,
        distance: u16::try_from(distance).ok()?,
    })
}

/// How many leading bytes agree, eight at a time.
fn same_bytes(left: &[u8], right: &[u8]) -> usize {
    let (lefts, rights) = (left.as_chunks::<8>().0, right.as_chunks::<8>().0);
    let mut same = 0;
    for (&a, &b) in lefts.iter().zip(rights) {
        let different = u64::from_le_bytes(a) ^ u64::from_le_bytes(b);
        if different != 0 {
            return same + different.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    same + left[same..].iter().zip(&right[same..]).take_while(|(a, b)| a == b).count()
}

fn four_bytes(input: &[u8], at: usize) -> Option<u32> {
    input.get(at..)?.first_chunk::<4>().map(|four| u32::from_le_bytes(*four))
}

/// Fibonacci hashing; the top 12 bits.
const fn slot(four: u32) -> usize {
    (four.wrapping_mul(0x9E37_79B1) >> (32 - TABLE_ENTRIES.ilog2())) as usize
}

struct Writer<'o> {
    output: &'o mut [u8],
    at: usize,
}

impl Writer<'_> {
    /// The token, the literals, and the match length's part of the token.
    fn literals(&mut self, literals: &[u8], match_length: Option<usize>) -> Option<()> {
        let high = literals.len().min(15);
        let low = match_length.map_or(0, |length| (length - MATCH_MIN).min(15));
        self.bytes(&[u8::try_from(high << 4 | low).ok()?])?;
        self.length_rest(literals.len())?;
        self.bytes(literals)
    }

    /// What of a length of 15 or more does not fit its four bits.
    fn length_rest(&mut self, length: usize) -> Option<()> {
        let Some(mut rest) = length.checked_sub(15) else { return Some(()) };
        while rest >= 255 {
            self.bytes(&[255])?;
            rest -= 255;
        }
        self.bytes(&[u8::try_from(rest).ok()?])
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.output.get_mut(self.at..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.at += bytes.len();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn pack(input: &[u8]) -> Vec<u8> {
        let mut output = vec![0; compressed_bytes_max(input.len())];
        let done = compress(input, &mut [7; TABLE_ENTRIES], &mut output).expect("the bound suffices");
        output.truncate(done.bytes);
        output
    }

    fn round_trip(input: &[u8]) -> usize {
        let packed = pack(input);
        assert_eq!(lz4_flex::block::decompress(&packed, input.len()).expect("valid LZ4"), input);
        packed.len()
    }

    proptest! {
        #[test]
        fn an_independent_decoder_gets_the_input_back(
            pieces in prop::collection::vec((prop::collection::vec(0u8..8, 0..40), 1usize..40), 0..20),
        ) {
            let input: Vec<u8> = pieces.iter().flat_map(|(piece, times)| piece.repeat(*times)).collect();
            round_trip(&input);
        }

        #[test]
        fn noise_grows_by_no_more_than_the_bound(input in prop::collection::vec(any::<u8>(), 0..3000)) {
            round_trip(&input);
        }
    }

    #[test]
    fn lengths_at_the_edges_and_the_longest_block() {
        for length in 0..600 {
            round_trip(&vec![b'a'; length]);
        }
        let text: Vec<u8> = include_bytes!("lz4.rs").iter().copied().cycle().take(1 << 16).collect();
        assert!(round_trip(&text) < text.len() / 4);
        assert!(round_trip(&vec![0; 1 << 16]) < 300);
        // Far matches: the same kilobyte at both ends.
        let mut far: Vec<u8> = (0..1u32 << 16).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        far.copy_within(0..1024, (1 << 16) - 1024);
        assert!(round_trip(&far) < far.len());
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut table = [0; TABLE_ENTRIES];
        assert_eq!(compress(&[0; 65_537], &mut table, &mut [0; 1000]), None);
        assert_eq!(compress(b"0123456789abcdef", &mut table, &mut [0; 16]), None);
        assert_eq!(compress(b"", &mut table[1..], &mut [0; 16]), None);
        assert_eq!(pack(b""), [0], "one empty sequence");
    }
}
