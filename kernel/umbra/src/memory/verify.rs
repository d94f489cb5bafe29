//! Checks every task's mapping against the allocator and the colours it holds.

use alloc::vec::Vec;

use umbra_memory::{ColourSet, Fingerprint, Frame, FrameState, Owner};

use super::{Areas, Memory, colours, with};
use crate::{recolour, tasks};

/// What a task's pages are like.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Placed {
    /// Mapped pages.
    pub(crate) pages: u32,
    /// Of a colour that the task does not hold.
    pub(crate) outside: u32,
    /// In a frame that is not the task's.
    pub(crate) foreign: u32,
    /// Not mapped though inside the task's areas.
    pub(crate) missing: u32,
    /// Accessed since the bits were last cleared.
    pub(crate) accessed: u32,
    /// Colours that any page has.
    pub(crate) colours: ColourSet,
    sum: Fingerprint,
}

/// What [`run`] found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) tasks: u32,
    pub(crate) pages: u32,
    /// Pages of other colours than the task holds, nothing being on its way.
    pub(crate) outside: u32,
    /// Pages in frames of somebody else, or without one.
    pub(crate) foreign: u32,
    pub(crate) missing: u32,
    /// Owners whose frames are not exactly those that are mapped.
    pub(crate) unequal: u32,
}

impl Verdict {
    /// Whether every frame is where it should be. Colours that ran dry are no
    /// error.
    pub(crate) const fn is_sound(&self) -> bool {
        self.foreign == 0 && self.missing == 0 && self.unequal == 0
    }
}

/// How the pages of one task lie; none where the slot has no memory.
pub(crate) fn of(slot: u16) -> Option<Placed> {
    let (areas, owner) = tenancy(slot)?;
    let held = colours::of(slot).map_or(ColourSet(u64::MAX), |held| held.colours);
    with(|memory| memory.place(areas, owner, held))
}

/// Walks the mappings of all tasks. Looks at every page and, for each owner, at
/// every frame: for the console and for tests.
pub(crate) fn run() -> Verdict {
    let mut verdict = Verdict::default();
    let mut sums: Vec<(Owner, Fingerprint)> = Vec::new();
    for slot in 0..tasks::SLOTS {
        let (Some((_, owner)), Some(placed)) = (tenancy(slot), of(slot)) else { continue };
        verdict.tasks += 1;
        verdict.pages += placed.pages;
        verdict.foreign += placed.foreign;
        verdict.missing += placed.missing;
        if colours::of(slot).is_some_and(|held| !held.pending) {
            verdict.outside += placed.outside;
        }
        // The kernel's frames are more than the control task's stack.
        if owner != Owner::KERNEL {
            match sums.iter_mut().find(|(known, _)| *known == owner) {
                Some((_, sum)) => sum.merge(placed.sum),
                None => sums.push((owner, placed.sum)),
            }
        }
    }
    for (owner, mut sum) in sums {
        recolour::each_retiring(owner, &mut |frame| sum.add(frame));
        let owned = with(|memory| memory.frames.fingerprint(owner));
        verdict.unequal += u32::from(owned != Some(sum));
    }
    verdict
}

fn tenancy(slot: u16) -> Option<(Areas, Owner)> {
    // SAFETY: only the control core fills and empties slots, and it is here.
    let tenancy = (*unsafe { tasks::get(slot)?.tenancy.get() })?;
    (!tenancy.reaped).then_some((tenancy.areas, tenancy.owner))
}

impl Memory {
    fn place(&self, areas: Areas, owner: Owner, held: ColourSet) -> Placed {
        let mut placed = Placed::default();
        for page in (0..areas.pages()).map(|number| areas.page(number)) {
            let Some(frame) = self.space.translate(page).and_then(Frame::containing) else {
                placed.missing += 1;
                continue;
            };
            let colour = self.frames.colours().colour_of(frame);
            placed.pages += 1;
            placed.sum.add(frame);
            placed.colours = placed.colours.with(ColourSet::only(colour));
            placed.outside += u32::from(!held.has(colour));
            placed.foreign += u32::from(self.frames.state(frame) != FrameState::Used(owner));
            placed.accessed += u32::from(self.space.was_accessed(page));
        }
        placed
    }
}
