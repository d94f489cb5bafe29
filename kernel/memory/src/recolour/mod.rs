//! Moving a task's pages to other colours, a bounded step at a time.
//!
//! Three passes over the task's pages. *Counting* finds how many pages each
//! colour holds and, when asked, forgets which were accessed. *Hot* moves those
//! that were accessed since, *rest* the others: so that a move which is cut
//! short has done most of what it could do. A page moves when its colour is not
//! among the wanted ones, or holds more than its share: growing a set spreads
//! the pages, or it would change nothing.
//!
//! - The old frame stays the task's until the caller says that no core can
//!   reach it any more ([`Recolouring::retire`]); no step is done before. That
//!   bounds what a move holds beside the task's own pages to one step.
//! - Accessed bits are read when the page's turn comes. Sorting pages by heat
//!   was refused: it takes memory in proportion to the task.
//! - Without a free frame of the wanted colours a page stays and is counted as
//!   short; the move ends all the same, and says so.
//! - Nothing here knows whether the task runs. The caller keeps it from its
//!   pages while a step is done.

use crate::colour::{Colour, ColourSet, MAX_COLOURS};
use crate::frames::{Frame, FrameAllocator, FreeError, Owner};

/// Pages one step moves at most.
pub const STEP_PAGES: usize = 64;

/// A task's mapping, page by page, numbered from 0. Each call is O(1).
pub trait Pages {
    /// The frame behind a page; none where nothing is mapped.
    fn frame(&self, page: u32) -> Option<Frame>;

    /// Whether the page was accessed since [`Pages::forget_access`].
    fn was_accessed(&self, page: u32) -> bool;

    /// Forgets that the page was accessed. What cores have cached stays until
    /// they flush.
    fn forget_access(&mut self, page: u32);

    /// Copies the page to the frame `to` and maps that one instead. False when
    /// that cannot be done; nothing changed then.
    fn redirect(&mut self, page: u32, to: Frame) -> bool;
}

/// What one step may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepBudget {
    /// Pages moved, at most [`STEP_PAGES`].
    pub moves: usize,
    /// Pages looked at.
    pub looks: u32,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// The budget is spent without a move: go on.
    Looked,
    /// All pages are counted. If accesses are to tell the order, this is the
    /// time to flush and to let the task run for a while.
    Counted,
    /// So many pages lie elsewhere now: flush, retire, go on.
    Moved(u32),
    /// Frames of the step before are still to be retired: nothing was done.
    Unretired,
    /// Every page had its turn.
    Over,
}

/// What a move has done so far, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Mapped ones, once they are counted.
    pub mapped: u32,
    /// Moved.
    pub moved: u32,
    /// Of those, moved because they were in use.
    pub hot: u32,
    /// Left where they are for want of a frame.
    pub short: u32,
    /// Left where they are because the mapping would not change.
    pub refused: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Counting,
    Hot,
    Rest,
    Over,
}

/// A move under way.
#[derive(Debug)]
pub struct Recolouring {
    owner: Owner,
    wanted: ColourSet,
    pages: u32,
    forget: bool,
    pass: Pass,
    next: u32,
    /// Pages that each colour holds.
    held: [u32; MAX_COLOURS as usize],
    /// Pages that one wanted colour should hold at most.
    share: u32,
    retiring: [Frame; STEP_PAGES],
    retiring_count: usize,
    tally: Tally,
}

impl Recolouring {
    /// A move of the `pages` pages of `owner` to the colours `wanted`.
    /// `by_access` forgets earlier accesses while counting; otherwise those of
    /// the page's whole life so far tell the order.
    #[must_use]
    pub const fn new(owner: Owner, wanted: ColourSet, pages: u32, by_access: bool) -> Self {
        Self {
            owner,
            wanted,
            pages,
            forget: by_access,
            pass: Pass::Counting,
            next: 0,
            held: [0; MAX_COLOURS as usize],
            share: 0,
            retiring: [Frame(0); STEP_PAGES],
            retiring_count: 0,
            tally: Tally { mapped: 0, moved: 0, hot: 0, short: 0, refused: 0 },
        }
    }

    /// Where the pages go.
    #[must_use]
    pub const fn wanted(&self) -> ColourSet {
        self.wanted
    }

    /// What was done so far.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Old frames that are not retired yet.
    #[must_use]
    pub fn retiring(&self) -> &[Frame] {
        self.retiring.get(..self.retiring_count).unwrap_or(&[])
    }

    /// Does what the budget allows. Bound: its looks, each O(1), and its moves,
    /// each the copy of a page.
    pub fn step(
        &mut self,
        frames: &mut FrameAllocator<'_>,
        pages: &mut impl Pages,
        budget: StepBudget,
    ) -> Step {
        if self.retiring_count > 0 {
            return Step::Unretired;
        }
        for _ in 0..budget.looks {
            if self.next >= self.pages {
                match self.end_pass() {
                    Some(step) => return self.moved().unwrap_or(step),
                    None => continue,
                }
            }
            let page = self.next;
            if self.pass == Pass::Counting {
                self.count(frames, pages, page);
            } else {
                if self.retiring_count >= budget.moves.min(STEP_PAGES) {
                    break;
                }
                self.consider(frames, pages, page);
            }
            self.next += 1;
        }
        self.moved().unwrap_or(Step::Looked)
    }

    /// Gives the old frames back: no core can reach them any more. Returns how
    /// many those were. Also what ends a move that is given up.
    ///
    /// # Errors
    /// The first frame that the allocator did not take, which never happens
    /// while only the owner frees its frames. The others were given back.
    pub fn retire(&mut self, frames: &mut FrameAllocator<'_>) -> Result<u32, FreeError> {
        let count = core::mem::take(&mut self.retiring_count);
        let mut outcome = Ok(u32::try_from(count).unwrap_or(u32::MAX));
        for frame in self.retiring.iter().take(count) {
            if let Err(error) = frames.free(*frame, self.owner) {
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    fn moved(&self) -> Option<Step> {
        let count = u32::try_from(self.retiring_count).unwrap_or(u32::MAX);
        (count > 0).then_some(Step::Moved(count))
    }

    /// Goes on to the next pass; a step ends after counting and at the end.
    fn end_pass(&mut self) -> Option<Step> {
        match self.pass {
            Pass::Counting => {
                self.share = self.tally.mapped.div_ceil(self.wanted.count().max(1));
                (self.pass, self.next) = (Pass::Hot, 0);
                Some(Step::Counted)
            }
            Pass::Hot => {
                (self.pass, self.next) = (Pass::Rest, 0);
                None
            }
            Pass::Rest | Pass::Over => {
                self.pass = Pass::Over;
                Some(Step::Over)
            }
        }
    }

    fn count(&mut self, frames: &FrameAllocator<'_>, pages: &mut impl Pages, page: u32) {
        if let Some(frame) = pages.frame(page) {
            *self.held_by(frames.colours().colour_of(frame)) += 1;
            self.tally.mapped += 1;
            if self.forget {
                pages.forget_access(page);
            }
        }
    }

    /// Moves the page if it is its turn and it is in the wrong place.
    fn consider(&mut self, frames: &mut FrameAllocator<'_>, pages: &mut impl Pages, page: u32) {
        let Some(from) = pages.frame(page) else { return };
        let colour = frames.colours().colour_of(from);
        let outside = !self.wanted.has(colour);
        if !outside && *self.held_by(colour) <= self.share {
            return;
        }
        let hot = self.pass == Pass::Hot;
        if hot && !pages.was_accessed(page) {
            return;
        }
        let Some(to) = self.frame_for(frames, outside) else {
            // The hot pass sees pages that the rest sees again.
            self.tally.short += u32::from(outside && !hot);
            return;
        };
        if !pages.redirect(page, to) {
            self.tally.refused += u32::from(!hot);
            // It was just allocated: the allocator takes it back.
            let _ = frames.free(to, self.owner);
            return;
        }
        *self.held_by(colour) -= 1;
        *self.held_by(frames.colours().colour_of(to)) += 1;
        if let Some(place) = self.retiring.get_mut(self.retiring_count) {
            *place = from;
            self.retiring_count += 1;
        }
        self.tally.moved += 1;
        self.tally.hot += u32::from(hot);
    }

    /// A frame of a wanted colour that holds less than its share; for a page
    /// from outside any wanted colour will do.
    fn frame_for(&mut self, frames: &mut FrameAllocator<'_>, outside: bool) -> Option<Frame> {
        let below = self.wanted.iter().filter(|colour| self.held[usize::from(colour.0)] < self.share);
        let below = below.fold(ColourSet::EMPTY, |set, colour| set.with(ColourSet::only(colour)));
        let found = frames.allocate(below, self.owner);
        let found = if outside { found.or_else(|_| frames.allocate(self.wanted, self.owner)) } else { found };
        found.ok()
    }

    fn held_by(&mut self, colour: Colour) -> &mut u32 {
        // A colour is below 64 by construction; the mask keeps the index in.
        &mut self.held[usize::from(colour.0) % self.held.len()]
    }
}

#[cfg(test)]
mod tests;
