//! Frames in a row, and frames all at once: the slow paths of boot and of a
//! task's end.

use core::ops::Range;

use super::{Frame, FrameAllocator, FrameState, Owner};

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
    /// spans them. Scans the words from the bottom, up to all of them, and
    /// unlinks each frame of the run at the same cost: a slow path.
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
                self.push(index, self.word(index).node());
                freed += 1;
            }
        }
        let over = high == end || self.used_by(owner) == 0;
        Sweep { freed, next: (!over).then(|| Frame(self.first.0 + high)) }
    }

    /// The lowest aligned run of `count` free frames inside `bounds`.
    pub(super) fn find_run(&self, bounds: Range<u32>, count: u32, align: u32) -> Result<u32, NoRun> {
        self.find_run_on(bounds, count, align, |_| true)
    }

    /// The same, of frames whose words `belong`.
    pub(super) fn find_run_on(
        &self,
        bounds: Range<u32>,
        count: u32,
        align: u32,
        belong: impl Fn(Word) -> bool,
    ) -> Result<u32, NoRun> {
        let serves = |index: u32| Some(self.word(index)).is_some_and(|word| word.is_free() && belong(word));
        let mut longest = 0;
        let mut start = self.align_up(bounds.start, align);
        while count > 0 && start < bounds.end {
            let room = bounds.end - start;
            let free = (0..room.min(count)).take_while(|&step| serves(start + step)).count();
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

    fn free_in(&self, range: Range<u32>) -> u32 {
        let is_free = |index: &u32| self.word(*index).is_free();
        u32::try_from(range.filter(is_free).count()).unwrap_or(u32::MAX)
    }

    /// Gives the free frames of a range to `owner`.
    pub(super) fn take(&mut self, range: Range<u32>, owner: Owner) {
        for index in range {
            if self.word(index).is_free() {
                let node = self.word(index).node();
                self.unlink(index);
                self.set_word(index, Word::used(node, owner));
                self.count(owner, 1);
            }
        }
    }
}
