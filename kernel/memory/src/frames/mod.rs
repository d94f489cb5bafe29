//! The frame allocator: every 4 KiB frame has one owner or lies on the free
//! list of its colour.
//!
//! One 64-bit word a frame, in storage that is handed in, says all there is to
//! say of it: not managed, free (and its neighbours in the list of its node and
//! colour), or used (and by whom). Doubly linked, so that a block of frames is
//! taken out of its lists at the same cost for each frame, wherever it lies.
//!
//! - Words cover one span from the first to the last managed frame; a hole
//!   costs 0.2 % of its size. A table of regions was refused because `free`
//!   would have to search it.
//! - Links outside the frames: a stray write through a stale mapping cannot
//!   break the allocator, and a free frame need not be mapped.
//! - Each owner has a turn of its own among the colours, so that two owners
//!   who allocate alternately both spread over all of their colours.
//! - No lock inside: the caller has one allocator and decides who may touch it.
//!   Words are atomic because caches of cores change those of the frames they
//!   hold beside it (see [`FrameCache`]); each word has one user at a time.

mod blocks;
mod cache;
mod census;
mod lists;
mod nodes;
mod runs;
mod word;

pub use blocks::Block;
pub use cache::{CACHE_DEPTH, FrameCache, Kept};
pub use census::{ByColour, Fingerprint};
pub use nodes::{NODES, Node};
pub use runs::{NoRun, Sweep};
pub use word::FrameState;

use core::sync::atomic::{AtomicU64, Ordering};

use crate::colour::{Colour, ColourSet, Colours};
use nodes::Shelf;
use word::Word;

/// Bits of an address below the frame number.
pub const FRAME_SHIFT: u32 = 12;
/// Bytes in a frame.
pub const FRAME_BYTES: u64 = 1 << FRAME_SHIFT;
/// Frames one allocator can span (2 TiB): what a link can name.
const SPAN_MAX: usize = Word::LINK_END as usize;

/// A 4 KiB frame of physical memory, by number (address / 4096): 16 TiB reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame(pub u32);

impl Frame {
    /// The frame that holds a physical address; none at 16 TiB and above.
    #[must_use]
    pub fn containing(address: u64) -> Option<Self> {
        u32::try_from(address >> FRAME_SHIFT).ok().map(Self)
    }

    /// Its first byte's physical address.
    #[must_use]
    pub const fn address(self) -> u64 {
        (self.0 as u64) << FRAME_SHIFT
    }
}

/// Who a frame belongs to. Numbers below 128 are the kernel's own uses,
/// those above are tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub u8);

impl Owner {
    /// Heap, stacks of cores, everything not named below.
    pub const KERNEL: Self = Self(0);
    /// Page tables.
    pub const PAGE_TABLES: Self = Self(1);
    /// Buffers that devices read or write.
    pub const DEVICES: Self = Self(2);
    /// The prepared first-class workload and its input.
    pub const CORPUS: Self = Self(3);
    /// Shadows and echoes.
    pub const SHADOW: Self = Self(4);
    /// Nobody: at hand in a core's cache.
    pub const CACHED: Self = Self(5);

    /// The task in `slot`; none from 128 up.
    #[must_use]
    pub const fn task(slot: u16) -> Option<Self> {
        if slot < 128 { Some(Self(slot.to_le_bytes()[0] + 128)) } else { None }
    }
}

/// No frame of the colours asked for is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfFrames {
    /// The colours asked for.
    pub colours: ColourSet,
    /// Free frames of every other colour.
    pub free_elsewhere: u32,
}

impl core::fmt::Display for OutOfFrames {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "out of memory: no free frame of colours {}, {} of others",
            self.colours, self.free_elsewhere
        )
    }
}

/// Why a frame was not taken back. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeError {
    /// The allocator never managed this frame.
    Foreign(Frame),
    /// It is free already.
    DoubleFree(Frame),
    /// It belongs to somebody else.
    WrongOwner {
        /// The frame.
        frame: Frame,
        /// Whose it is.
        owner: Owner,
    },
}

impl core::fmt::Display for FreeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Foreign(frame) => write!(f, "free: frame {:#x} is not managed", frame.address()),
            Self::DoubleFree(frame) => write!(f, "free: frame {:#x} is free already", frame.address()),
            Self::WrongOwner { frame, owner } => {
                write!(f, "free: frame {:#x} belongs to owner {}", frame.address(), owner.0)
            }
        }
    }
}

/// What became of a region of the memory map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Whole frames that are free from now on.
    pub frames: u32,
    /// Whole frames that had been added before.
    pub repeated: u32,
    /// Whole frames outside the span of the words.
    pub outside: u64,
}

/// Hands out frames by colour and owner.
#[derive(Debug)]
pub struct FrameAllocator<'w> {
    words: &'w [AtomicU64],
    first: Frame,
    colours: Colours,
    shelves: [Shelf; NODES],
    used: [u32; 256],
    turn: [u8; 256],
    home: [Node; 256],
    managed: u32,
    free: u32,
}

impl<'w> FrameAllocator<'w> {
    /// Words of [`AtomicU64`] that the frames from `start` to `end` (physical addresses, end
    /// excluded) need, for sizing the storage.
    #[must_use]
    pub const fn words_for(start: u64, end: u64) -> u64 {
        end.div_ceil(FRAME_BYTES).saturating_sub(start >> FRAME_SHIFT)
    }

    /// An allocator without frames; word `i` stands for frame `first + i`.
    /// Writes every word: at boot only. Words beyond a 2 TiB span stay unused.
    #[must_use]
    pub fn new(words: &'w [AtomicU64], first: Frame, colours: Colours) -> Self {
        let reach = usize::try_from(u32::MAX - first.0).unwrap_or(SPAN_MAX);
        let span = words.len().min(SPAN_MAX).min(reach);
        let words = &words[..span];
        words.iter().for_each(|word| word.store(Word::UNMANAGED.0, Ordering::Relaxed));
        Self {
            words,
            first,
            colours,
            shelves: Shelf::empty(),
            used: [0; 256],
            turn: [0; 256],
            home: [Node(0); 256],
            managed: 0,
            free: 0,
        }
    }

    /// Adds the whole frames inside a region of usable memory, any alignment
    /// and length. Proportional to the region: at boot only. What was added
    /// before or lies outside the words is counted and left alone. Within a
    /// region low frames are handed out first; of several regions the one
    /// added last. All of it counts to node 0 until [`Self::resort`] knows better.
    pub fn add_region(&mut self, start: u64, bytes: u64) -> Added {
        let from = start.div_ceil(FRAME_BYTES);
        let to = start.saturating_add(bytes) >> FRAME_SHIFT;
        let whole = to.saturating_sub(from);
        let (low, high) = self.clip(from, to);
        let mut added = Added { outside: whole.saturating_sub(u64::from(high - low)), ..Added::default() };
        for index in (low..high).rev() {
            if self.word(index) == Word::UNMANAGED {
                self.push(index, Node(0));
                added.frames += 1;
            } else {
                added.repeated += 1;
            }
        }
        self.managed += added.frames;
        added
    }

    /// Takes a frame of one of `colours`, each in turn, from the owner's home
    /// node or the nearest that has one. O(1); beyond the home node, a look at
    /// each node, of which there are eight.
    ///
    /// # Errors
    /// [`OutOfFrames`] when none of these colours has one; nothing changed.
    pub fn allocate(&mut self, colours: ColourSet, owner: Owner) -> Result<Frame, OutOfFrames> {
        self.allocate_near(self.home_of(owner), colours, owner)
    }

    /// As [`Self::allocate`], from `node` first.
    ///
    /// # Errors
    /// As for [`Self::allocate`].
    #[inline]
    pub fn allocate_near(
        &mut self,
        node: Node,
        colours: ColourSet,
        owner: Owner,
    ) -> Result<Frame, OutOfFrames> {
        let taken = self.next_list(colours, owner, node);
        let Some((node, index)) = taken.and_then(|(node, colour)| Some((node, self.pop(node, colour)?)))
        else {
            return Err(OutOfFrames { colours, free_elsewhere: self.free });
        };
        self.set_word(index, Word::used(node, owner));
        self.count(owner, 1);
        Ok(Frame(self.first.0 + index))
    }

    /// Takes back a frame from its owner. O(1), no loop.
    ///
    /// # Errors
    /// Says what is wrong with it; nothing changed.
    #[inline]
    pub fn free(&mut self, frame: Frame, owner: Owner) -> Result<(), FreeError> {
        // Below the first frame it wraps, to where no word is.
        let index = frame.0.wrapping_sub(self.first.0);
        let word = self.word(index);
        if !word.belongs_to(owner) {
            return self.check(frame, owner);
        }
        self.count(owner, -1);
        self.push(index, word.node());
        Ok(())
    }

    /// Whether a frame is the owner's to give back.
    #[cold]
    fn check(&self, frame: Frame, owner: Owner) -> Result<(), FreeError> {
        match self.state(frame) {
            FrameState::Unmanaged => Err(FreeError::Foreign(frame)),
            FrameState::Free => Err(FreeError::DoubleFree(frame)),
            FrameState::Used(Owner::CACHED) if owner != Owner::CACHED => Err(FreeError::DoubleFree(frame)),
            FrameState::Used(other) if other != owner => Err(FreeError::WrongOwner { frame, owner: other }),
            FrameState::Used(_) => Ok(()),
        }
    }

    /// How a frame stands. O(1).
    #[must_use]
    pub fn state(&self, frame: Frame) -> FrameState {
        frame.0.checked_sub(self.first.0).map_or(FrameState::Unmanaged, |index| self.word(index).state())
    }

    /// Frames added so far.
    #[must_use]
    pub const fn managed_frames(&self) -> u32 {
        self.managed
    }

    /// Frames that are free.
    #[must_use]
    pub const fn free_frames(&self) -> u32 {
        self.free
    }

    /// Free frames of one colour.
    #[must_use]
    pub fn free_of(&self, colour: Colour) -> u32 {
        let on = |shelf: &Shelf| shelf.lists.get(usize::from(colour.0)).map_or(0, |list| list.count);
        self.shelves.iter().map(on).sum()
    }

    /// Frames an owner has, by what caches have said so far: each may know of
    /// as many more or less as it holds.
    #[must_use]
    pub fn used_by(&self, owner: Owner) -> u32 {
        u32::try_from(self.used[usize::from(owner.0)].cast_signed()).unwrap_or(0)
    }

    /// The words, for caches.
    pub(crate) const fn words(&self) -> &'w [AtomicU64] {
        self.words
    }

    /// Counts more or fewer frames of an owner. Wraps: one cache may tell of a
    /// frame's end before another has told of its begin.
    #[inline]
    pub(crate) fn count(&mut self, owner: Owner, more: i32) {
        let used = &mut self.used[usize::from(owner.0)];
        *used = used.wrapping_add_signed(more);
    }

    /// The colours that frames are sorted by.
    #[must_use]
    pub const fn colours(&self) -> Colours {
        self.colours
    }

    #[inline]
    fn colour_at(&self, index: u32) -> Colour {
        self.colours.colour_of(Frame(self.first.0 + index))
    }

    /// The word of a frame; unmanaged beyond the end.
    #[inline]
    fn word(&self, index: u32) -> Word {
        self.words.get(index as usize).map_or(Word::UNMANAGED, |word| Word(word.load(Ordering::Relaxed)))
    }

    #[inline]
    fn set_word(&mut self, index: u32, word: Word) {
        if let Some(place) = self.words.get(index as usize) {
            place.store(word.0, Ordering::Relaxed);
        }
    }

    /// Frame numbers `from..to` as word indices, cut to the words there are.
    fn clip(&self, from: u64, to: u64) -> (u32, u32) {
        let first = u64::from(self.first.0);
        let end = self.words.len() as u64;
        let index = |number: u64| u32::try_from(number.saturating_sub(first).min(end)).unwrap_or(u32::MAX);
        let low = index(from);
        (low, index(to).max(low))
    }
}

#[cfg(test)]
mod node_tests;
#[cfg(test)]
pub(crate) mod tests;
