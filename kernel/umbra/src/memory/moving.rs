//! A step of a move, done on the page tables.

use umbra_memory::{Frame, FreeError, Pages, Recolouring, Step, StepBudget};
use umbra_x86_64::paging::Space;

use super::{Areas, window, with};

/// What a frame holds.
type Content = [u64; 512];

struct Mapped<'m> {
    space: &'m mut Space,
    areas: Areas,
}

impl Pages for Mapped<'_> {
    fn frame(&self, page: u32) -> Option<Frame> {
        self.space.translate(self.areas.page(page)).and_then(Frame::containing)
    }

    fn was_accessed(&self, page: u32) -> bool {
        self.space.was_accessed(self.areas.page(page))
    }

    fn forget_access(&mut self, page: u32) {
        self.space.forget_access(self.areas.page(page));
    }

    fn redirect(&mut self, page: u32, to: Frame) -> bool {
        let Some(from) = self.frame(page) else { return false };
        let (source, target) = (window(from.address()), window(to.address()));
        // SAFETY: the window shows both frames. The old one belongs to the
        // task, which is kept from running; the new one was just allocated.
        unsafe {
            core::ptr::copy_nonoverlapping(source as *const Content, target as *mut Content, 1);
        }
        // SAFETY: the frame now holds what the page holds, and the task does
        // not run: see `step`.
        unsafe { self.space.redirect(self.areas.page(page), to.address()) }.is_some()
    }
}

/// Does one step of a move of the task whose areas these are.
///
/// # Safety
/// Nobody writes to the areas until this returns.
pub(crate) unsafe fn step(work: &mut Recolouring, areas: Areas, budget: StepBudget) -> Step {
    with(|memory| work.step(&mut memory.frames, &mut Mapped { space: &mut memory.space, areas }, budget))
        .unwrap_or(Step::Over)
}

/// Gives back the frames of the step before, which no core can reach any more.
pub(crate) fn retire(work: &mut Recolouring) -> Result<u32, FreeError> {
    with(|memory| work.retire(&mut memory.frames)).unwrap_or(Ok(0))
}
