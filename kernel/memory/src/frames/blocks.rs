//! Blocks of 2 MiB and 1 GiB, for memory where colour does not matter: a block
//! spans every colour.
//!
//! A block is a run of free frames at its own alignment, on the owner's node if
//! there is one. Frames are unlinked one by one, each at the same cost. A buddy
//! system was refused: every single frame would pay for merging and splitting,
//! and page colours would lie across its orders.

use super::{Frame, FrameAllocator, FrameState, FreeError, NoRun, Owner};

/// A block's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// 2 MiB: an entry of a level-2 page table.
    Mib2,
    /// 1 GiB: an entry of a level-3 page table.
    Gib1,
}

impl Block {
    /// Frames in it.
    #[must_use]
    pub const fn frames(self) -> u32 {
        match self {
            Self::Mib2 => 1 << 9,
            Self::Gib1 => 1 << 18,
        }
    }
}

impl FrameAllocator<'_> {
    /// Takes a block: on the owner's node if one is free there, else on the
    /// nearest that has one. Bound: a look at every word for each node (one a
    /// block where blocks are used from their start), and as many list
    /// operations as the block has frames.
    ///
    /// # Errors
    /// [`NoRun`]; nothing changed.
    pub fn allocate_block(&mut self, block: Block, owner: Owner) -> Result<Frame, NoRun> {
        let count = block.frames();
        let bounds = self.clip(0, u64::from(u32::MAX));
        let order = self.shelves[self.home_of(owner).index()].order;
        let mut longest = 0;
        for node in order {
            match self.find_run_on(bounds.0..bounds.1, count, count, |word| word.node() == node) {
                Ok(start) => {
                    self.take(start..start + count, owner);
                    return Ok(Frame(self.first.0 + start));
                }
                Err(error) => longest = longest.max(error.longest),
            }
        }
        // One that lies across nodes is better than none.
        let found = self.find_run(bounds.0..bounds.1, count, count);
        let start = found.map_err(|error| NoRun { longest: longest.max(error.longest), ..error })?;
        self.take(start..start + count, owner);
        Ok(Frame(self.first.0 + start))
    }

    /// Takes a block back from its owner, whole. Bound: its frames, twice.
    ///
    /// # Errors
    /// Says what is wrong with the first frame that is not the owner's;
    /// nothing changed. A start that is not a block's is foreign.
    pub fn free_block(&mut self, start: Frame, block: Block, owner: Owner) -> Result<(), FreeError> {
        let count = block.frames();
        let end = start.0.checked_add(count).filter(|_| start.0.is_multiple_of(count));
        let end = end.ok_or(FreeError::Foreign(start))?;
        for frame in (start.0..end).map(Frame) {
            if self.state(frame) != FrameState::Used(owner) {
                // Says why, and changes nothing: it is not the owner's.
                return self.check(frame, owner);
            }
        }
        for frame in (start.0..end).map(Frame) {
            self.free(frame, owner)?;
        }
        Ok(())
    }
}
