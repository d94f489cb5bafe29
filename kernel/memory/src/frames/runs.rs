//! Frames in a row, and frames all at once: the slow paths of boot and of a
//! task's end.

use core::ops::Range;

use super::{Frame, FrameAllocator, FrameState, List, Owner};
use crate::colour::{Colour, Colours, MAX_COLOURS};

use super::word::Word;

/// There is no such run of free frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRun {
    /// Frames in a row asked for.
    pub count: u32,
    /// The longest run there is at that alignment within the bounds.
    pub longest: u32,
}

impl core::fmt::Display for NoRun {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "out of memory: wanted {} frames in a row, longest is {}", self.count, self.longest)
    }
}

/// How far a sweep has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Frames taken back by this call.
    pub freed: u32,
    /// Where the next call goes on; none when the sweep is over.
    pub next: Option<Frame>,
}

impl FrameAllocator<'_> {
    /// Takes `count` free frames in a row, the first at a multiple of `align`
    /// frames (a power of two; 0 counts as 1). Colours play no part: a run
    /// spans them. Scans the words from the bottom and unlinks each frame from
    /// its list, up to all frames in both: for boot only.
    ///
    /// # Errors
    /// [`NoRun`]; nothing changed.
    pub fn allocate_contiguous(&mut self, count: u32, align: u32, owner: Owner) -> Result<Frame, NoRun> {
        self.allocate_contiguous_within(Frame(0)..Frame(u32::MAX), count, align, owner)
    }

    /// As [`Self::allocate_contiguous`], wholly within `bounds`: for what has
    /// to lie below 1 MiB (the start-up code of other cores) or below 4 GiB.
    ///
    /// # Errors
    /// [`NoRun`]; nothing changed.
    pub fn allocate_contiguous_within(
        &mut self,
        bounds: Range<Frame>,
        count: u32,
        align: u32,
        owner: Owner,
    ) -> Result<Frame, NoRun> {
        let (low, high) = self.clip(u64::from(bounds.start.0), u64::from(bounds.end.0));
        let start = self.find_run(low..high, count, align.max(1))?;
        self.take(start..start + count, owner);
        Ok(Frame(self.first.0 + start))
    }

    /// Takes whatever is free of the frames that a byte range touches, and says
    /// how many those were: for what the boot loader left in usable memory.
    /// Cost as [`Self::allocate_contiguous`].
    pub fn reserve(&mut self, start: u64, bytes: u64, owner: Owner) -> u32 {
        let end = start.saturating_add(bytes).div_ceil(super::FRAME_BYTES);
        let (low, high) = self.clip(start >> super::FRAME_SHIFT, end);
        let free = if bytes == 0 { 0 } else { self.free_in(low..high) };
        if free > 0 {
            self.take(low..high, owner);
        }
        free
    }

    /// Takes back all frames of `owner` among the `budget` frames from `from`
    /// on: what a task that was ended by a fault left behind, a bounded piece
    /// at a time. Start with `Frame(0)` and go on at [`Sweep::next`].
    pub fn sweep(&mut self, owner: Owner, from: Frame, budget: u32) -> Sweep {
        let (low, end) = self.clip(u64::from(from.0), u64::from(u32::MAX));
        let high = low.saturating_add(budget).min(end);
        let mut freed = 0;
        for index in low..high {
            if self.word(index).state() == FrameState::Used(owner) {
                self.count(owner, -1);
                self.push(index);
                freed += 1;
            }
        }
        let over = high == end || self.used_by(owner) == 0;
        Sweep { freed, next: (!over).then(|| Frame(self.first.0 + high)) }
    }

    /// Sorts the free frames by other colours. Owners keep what they have. Looks
    /// at every word once: for boot only. Caches made before are not to be used
    /// any more.
    pub fn resort(&mut self, colours: Colours) {
        self.colours = colours;
        self.lists = [List { head: Word::LINK_END, count: 0 }; MAX_COLOURS as usize];
        (self.stocked, self.free) = (0, 0);
        for index in (0..u32::try_from(self.words.len()).unwrap_or(0)).rev() {
            if self.is_free(index) {
                self.push(index);
            }
        }
    }

    /// The lowest aligned run of `count` free frames inside `bounds`.
    fn find_run(&self, bounds: Range<u32>, count: u32, align: u32) -> Result<u32, NoRun> {
        let mut longest = 0;
        let mut start = self.align_up(bounds.start, align);
        while count > 0 && start < bounds.end {
            let room = bounds.end - start;
            let free = (0..room.min(count)).take_while(|&step| self.is_free(start + step)).count();
            let free = u32::try_from(free).unwrap_or(0);
            if free == count {
                return Ok(start);
            }
            longest = longest.max(free);
            start = self.align_up(start.saturating_add(free + 1), align);
        }
        Err(NoRun { count, longest })
    }

    /// The first index at or above `index` whose frame number is a multiple of
    /// `align`.
    fn align_up(&self, index: u32, align: u32) -> u32 {
        let number = u64::from(self.first.0) + u64::from(index);
        let aligned = number.next_multiple_of(u64::from(align));
        u32::try_from(aligned - u64::from(self.first.0)).unwrap_or(u32::MAX)
    }

    fn is_free(&self, index: u32) -> bool {
        self.word(index).next_free().is_some()
    }

    fn free_in(&self, range: Range<u32>) -> u32 {
        u32::try_from(range.filter(|&index| self.is_free(index)).count()).unwrap_or(u32::MAX)
    }

    /// Gives the free frames of a range to `owner`.
    fn take(&mut self, range: Range<u32>, owner: Owner) {
        let mut wanted = [0u32; MAX_COLOURS as usize];
        for index in range.clone().filter(|&index| self.is_free(index)) {
            wanted[usize::from(self.colour_at(index).0)] += 1;
        }
        for (colour, &wanted) in (0..).map(Colour).zip(&wanted) {
            self.unlink(colour, &range, wanted);
        }
        for index in range {
            if self.is_free(index) {
                self.set_word(index, Word::used(owner));
                self.count(owner, 1);
            }
        }
    }

    /// Takes the `wanted` frames of a colour that lie in `range` off its list;
    /// stops at the last of them.
    fn unlink(&mut self, colour: Colour, range: &Range<u32>, mut wanted: u32) {
        let list = &mut self.lists[usize::from(colour.0)];
        list.count -= wanted;
        self.free -= wanted;
        if list.count == 0 {
            self.stocked &= !crate::colour::ColourSet::only(colour).0;
        }
        let (mut before, mut index) = (None, list.head);
        while wanted > 0 {
            let Some(next) = self.word(index).next_free() else { return };
            if range.contains(&index) {
                wanted -= 1;
                match before {
                    None => self.lists[usize::from(colour.0)].head = next,
                    Some(before) => self.set_word(before, Word::free(next)),
                }
            } else {
                before = Some(index);
            }
            index = next;
        }
    }
}
