//! A private cache level: exact LRU, kept as the order of the entries of a
//! set, most recent first. A hit on the most recent line is one comparison.
//!
//! Where a mask says which ways may be filled, each entry has its way's number
//! beside it, which moves as the entry does.

use crate::narrow::{index, low};

/// Set when the entry holds a line.
const VALID: u32 = 1;
/// Set when the line differs from the level below.
const DIRTY: u32 = 2;
/// Where the tag begins.
const TAG_SHIFT: u32 = 2;

/// A line that had to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evicted {
    /// Its line address.
    pub line: u64,
    /// Whether it must be written to the level below.
    pub dirty: bool,
}

/// One core's first or second level.
#[derive(Clone, Debug)]
pub(crate) struct PrivateCache {
    entries: Vec<u32>,
    /// Way numbers in the order of the entries; empty without masks.
    numbers: Vec<u8>,
    ways: usize,
    set_bits: u32,
}

impl PrivateCache {
    pub(crate) fn new(kib: u64, ways: usize) -> Self {
        let sets = kib * 1024 / crate::LINE_BYTES / ways as u64;
        Self {
            entries: vec![0; index(sets) * ways],
            numbers: Vec::new(),
            ways,
            set_bits: sets.trailing_zeros(),
        }
    }

    /// The same with ways that have numbers, for [`Self::fill_within`].
    pub(crate) fn with_masks(kib: u64, ways: usize) -> Self {
        let mut cache = Self::new(kib, ways);
        let one: Vec<u8> = (0..=u8::MAX).take(ways).collect();
        cache.numbers = one.repeat(cache.entries.len() / ways);
        cache
    }

    /// The largest line address that fits into a tag, and one more.
    pub(crate) fn line_limit(&self) -> u64 {
        1 << (30 + self.set_bits)
    }

    /// Whether `line` is there; it becomes the most recent of its set.
    #[inline]
    pub(crate) fn touch(&mut self, line: u64, write: bool) -> bool {
        let (set, entry) = self.locate(line);
        let Some(ways) = self.entries.get_mut(set..set + self.ways) else { return false };
        let mark = if write { DIRTY } else { 0 };
        if let Some(first) = ways.first_mut()
            && *first & !DIRTY == entry
        {
            *first |= mark;
            return true;
        }
        let Some(at) = ways.iter().position(|way| way & !DIRTY == entry) else { return false };
        let found = ways[at];
        ways.copy_within(..at, 1);
        ways[0] = found | mark;
        self.bring_forward(set, at);
        true
    }

    /// Whether `line` is there; nothing changes.
    pub(crate) fn holds(&self, line: u64) -> bool {
        let (set, entry) = self.locate(line);
        self.entries[set..set + self.ways].iter().any(|way| way & !DIRTY == entry)
    }

    /// Marks `line` dirty if it is there, without making it recent.
    pub(crate) fn dirty(&mut self, line: u64) -> bool {
        let (set, entry) = self.locate(line);
        for way in &mut self.entries[set..set + self.ways] {
            if *way & !DIRTY == entry {
                *way |= DIRTY;
                return true;
            }
        }
        false
    }

    /// Puts in a line that is not there, as the most recent of its set.
    pub(crate) fn fill(&mut self, line: u64, dirty: bool) -> Option<Evicted> {
        self.fill_at(self.ways - 1, line, dirty)
    }

    /// The same in the least recent way of `mask`, which is not empty (ways
    /// never used are the least recent).
    pub(crate) fn fill_within(&mut self, mask: u32, line: u64, dirty: bool) -> Option<Evicted> {
        let (set, _) = self.locate(line);
        let numbers = self.numbers.get(set..set + self.ways).unwrap_or_default();
        let at = numbers.iter().rposition(|number| mask >> number & 1 != 0);
        self.fill_at(at.unwrap_or(self.ways - 1), line, dirty)
    }

    fn fill_at(&mut self, at: usize, line: u64, dirty: bool) -> Option<Evicted> {
        let (set, entry) = self.locate(line);
        let set_number = line & ((1 << self.set_bits) - 1);
        let ways = &mut self.entries[set..set + self.ways];
        let last = ways[at];
        ways.copy_within(..at, 1);
        ways[0] = entry | if dirty { DIRTY } else { 0 };
        self.bring_forward(set, at);
        (last & VALID != 0).then(|| Evicted {
            line: u64::from(last >> TAG_SHIFT) << self.set_bits | set_number,
            dirty: last & DIRTY != 0,
        })
    }

    /// Moves a way's number as its entry was moved.
    #[inline]
    fn bring_forward(&mut self, set: usize, at: usize) {
        if self.numbers.is_empty() {
            return;
        }
        if let Some(numbers) = self.numbers.get_mut(set..=set + at) {
            numbers.rotate_right(1);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.entries.fill(0);
    }

    #[inline]
    fn locate(&self, line: u64) -> (usize, u32) {
        let set = index(line & ((1 << self.set_bits) - 1)) * self.ways;
        (set, low(line >> self.set_bits) << TAG_SHIFT | VALID)
    }
}
