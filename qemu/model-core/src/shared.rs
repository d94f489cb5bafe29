//! The shared level: slices chosen by a hash, sets taken straight from the
//! address, exact LRU. A mask says where a class may *allocate*; hits are
//! served from every way, as the manuals say (SDM vol. 3, "Cache Allocation
//! Technology": masks do not affect hits).

use crate::description::SharedLevel;
use crate::narrow::{count, index, low};

const VALID: u32 = 1;
const DIRTY: u32 = 2;
const TAG_SHIFT: u32 = 2;

/// Who allocates, and where it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Ways that may be filled; never empty.
    pub mask: u32,
    /// Monitoring identity that a filled line is charged to.
    pub resource_id: u8,
}

/// A dirty line that was pushed out to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Writeback {
    /// Whose it was.
    pub resource_id: u8,
}

/// All slices.
#[derive(Clone, Debug)]
pub(crate) struct SharedCache {
    /// Tag, dirty, valid; by slice, set and way.
    entries: Vec<u32>,
    /// Owner of each entry.
    owners: Vec<u8>,
    /// Way numbers of each set, most recent first.
    order: Vec<u8>,
    ways: usize,
    set_bits: u32,
    slice_mask: u64,
    /// Lines held for each monitoring identity.
    occupancy: Vec<u64>,
}

impl SharedCache {
    pub(crate) fn new(level: SharedLevel) -> Self {
        let sets = index(level.slices * level.sets_per_slice);
        let one: Vec<u8> = (0..=u8::MAX).take(level.ways).collect();
        Self {
            entries: vec![0; sets * level.ways],
            owners: vec![0; sets * level.ways],
            order: one.repeat(sets),
            ways: level.ways,
            set_bits: level.sets_per_slice.trailing_zeros(),
            slice_mask: level.slices - 1,
            occupancy: vec![0; 256],
        }
    }

    /// Whether `line` is there; it becomes the most recent of its set.
    pub(crate) fn touch(&mut self, line: u64) -> bool {
        let (set, entry) = self.locate(line);
        let Some(way) = self.find(set, entry) else { return false };
        self.make_recent(set, way);
        true
    }

    /// Puts in a line that is not there, in the least recent allowed way
    /// (ways never used are the least recent).
    pub(crate) fn fill(&mut self, line: u64, owner: Owner, dirty: bool) -> Option<Writeback> {
        let (set, entry) = self.locate(line);
        let order = &self.order[set..set + self.ways];
        let way = order.iter().rev().find(|way| owner.mask >> **way & 1 != 0).copied().unwrap_or(0);
        let at = set + usize::from(way);
        let old = self.entries[at];
        let old_owner = self.owners[at];
        if old & VALID != 0 {
            let held = &mut self.occupancy[usize::from(old_owner)];
            *held = held.saturating_sub(1);
        }
        self.occupancy[usize::from(owner.resource_id)] += 1;
        self.entries[at] = entry | if dirty { DIRTY } else { 0 };
        self.owners[at] = owner.resource_id;
        self.make_recent(set, way);
        (old & DIRTY != 0).then_some(Writeback { resource_id: old_owner })
    }

    /// Takes a dirty line from a private cache: in place, without making it
    /// recent, if it is here; else it is allocated.
    pub(crate) fn take_back(&mut self, line: u64, owner: Owner) -> Option<Writeback> {
        let (set, entry) = self.locate(line);
        match self.find(set, entry) {
            Some(way) => {
                self.entries[set + usize::from(way)] |= DIRTY;
                None
            }
            None => self.fill(line, owner, true),
        }
    }

    /// Lines held for a monitoring identity.
    pub(crate) fn occupancy_lines(&self, resource_id: u8) -> u64 {
        self.occupancy[usize::from(resource_id)]
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.entries.fill(0);
        self.occupancy.fill(0);
        for set in self.order.chunks_mut(self.ways) {
            for (way, number) in set.iter_mut().zip(0..) {
                *way = number;
            }
        }
    }

    fn find(&self, set: usize, entry: u32) -> Option<u8> {
        let ways = &self.entries[set..set + self.ways];
        let at = ways.iter().position(|way| way & !DIRTY == entry)?;
        u8::try_from(at).ok()
    }

    fn make_recent(&mut self, set: usize, way: u8) {
        let order = &mut self.order[set..set + self.ways];
        if let Some(at) = order.iter().position(|other| *other == way) {
            order.copy_within(..at, 1);
            order[0] = way;
        }
    }

    fn locate(&self, line: u64) -> (usize, u32) {
        let set = line & ((1 << self.set_bits) - 1);
        let slice = slice_hash(line) & self.slice_mask;
        let at = index(slice << self.set_bits | set) * self.ways;
        (at, low(line >> self.set_bits) << TAG_SHIFT | VALID)
    }

    /// Lines in all.
    pub(crate) fn lines(&self) -> u64 {
        count(self.entries.len())
    }
}

/// Folds the line address so that neighbouring lines and neighbouring pages
/// spread over the slices, whatever power of two their stride is.
#[must_use]
pub(crate) fn slice_hash(line: u64) -> u64 {
    let fold = line ^ line >> 4 ^ line >> 7 ^ line >> 11 ^ line >> 16 ^ line >> 21 ^ line >> 27;
    fold ^ fold >> 2
}
