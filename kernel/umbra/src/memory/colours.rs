//! The colours of classes and tasks, on this machine. Control core only: the
//! planner's tick and the console share them, with interrupts off.

use umbra_control::machine::Apart;
use umbra_memory::{Class, Colour, ColourSet, Colours, Division, Holding, Holdings, Refusal};

use super::with;
use crate::cells::ControlCell;

static HOLDINGS: ControlCell<Holdings> = ControlCell::new();

/// Nobody holds any colours yet.
pub(super) fn init(division: Division) {
    HOLDINGS.set(Holdings::new(division));
}

/// The classes' sets.
pub(crate) fn division() -> Division {
    HOLDINGS.with(|held| *held.division()).unwrap_or(Division::usual(Colours::ONE))
}

/// Gives a new task the colours of its class. The control task holds none of
/// its own: it runs while pages are moved, so its own cannot be.
pub(crate) fn admit(slot: u16, class: Class) -> ColourSet {
    if class == Class::Kernel {
        return division().of(class);
    }
    HOLDINGS.with(|held| held.admit(slot, class)).unwrap_or(ColourSet(u64::MAX))
}

/// The task is gone.
pub(crate) fn forget(slot: u16) {
    HOLDINGS.with(|held| held.forget(slot));
}

/// What a task holds.
pub(crate) fn of(slot: u16) -> Option<Holding> {
    HOLDINGS.with(|held| held.of(slot)).flatten()
}

/// Wishes a task's pages onto other colours of its class: they are moved from
/// now on, a step at a time. May be called in the tick.
pub(crate) fn change(slot: u16, colours: ColourSet) -> Result<(), Refusal> {
    HOLDINGS.with(|held| held.change(slot, colours)).unwrap_or(Err(Refusal::NoTask(slot)))
}

/// Sets first and second class apart. May be called in the tick.
pub(crate) fn set_apart(apart: Apart) -> Result<u32, Refusal> {
    let (count, first_moves) = (u32::from(apart.colours), apart.first_moves);
    HOLDINGS.with(|held| held.set_apart(count, first_moves)).unwrap_or(Err(Refusal::Empty))
}

/// Gives the two classes the colours that they had before.
pub(crate) fn reunite() {
    HOLDINGS.with(Holdings::reunite);
}

/// Whether they are set apart so and every page is where it belongs.
pub(crate) fn is_apart(apart: Apart) -> bool {
    let wanted = Some((u32::from(apart.colours), apart.first_moves));
    HOLDINGS.with(|held| held.apart() == wanted && held.is_apart()).unwrap_or(false)
}

/// Whether the planner has set them apart, settled or not.
pub(crate) fn are_set_apart() -> bool {
    HOLDINGS.with(|held| held.apart().is_some()).unwrap_or(false)
}

/// How many colours the two classes share while they are not set apart.
pub(crate) fn shared_usually() -> u32 {
    HOLDINGS.with(|held| held.shared_usually().count()).unwrap_or(0)
}

/// The next task whose pages are to move.
pub(crate) fn next_pending() -> Option<u16> {
    HOLDINGS.with(Holdings::next_pending).flatten()
}

/// The pages of a task are where they were wished.
pub(crate) fn settle(slot: u16, colours: ColourSet) {
    HOLDINGS.with(|held| held.settle(slot, colours));
}

/// Who has how many frames of a colour, and who may use it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row {
    pub(crate) colour: u8,
    pub(crate) kernel: u32,
    pub(crate) first: u32,
    pub(crate) shadow: u32,
    pub(crate) second: u32,
    pub(crate) free: u32,
}

/// One row a colour. Looks at every frame: for the console.
pub(crate) fn rows() -> alloc::vec::Vec<Row> {
    use umbra_memory::{ByColour, FrameState, MAX_COLOURS, Owner};
    let mut counts = alloc::vec![[0; MAX_COLOURS as usize]; 5];
    let group = |state| match state {
        FrameState::Unmanaged => None,
        FrameState::Free => Some(4),
        FrameState::Used(Owner::CORPUS) => Some(1),
        FrameState::Used(Owner::SHADOW) => Some(2),
        FrameState::Used(Owner(128..)) => Some(3),
        FrameState::Used(_) => Some(0),
    };
    let known = with(|memory| {
        memory.frames.census(&mut counts, group);
        memory.frames.colours().all()
    });
    let count = |row: usize, Colour(colour): Colour| {
        let row: Option<&ByColour> = counts.get(row);
        row.and_then(|row| row.get(usize::from(colour))).copied().unwrap_or(0)
    };
    let row = |colour: Colour| Row {
        colour: colour.0,
        kernel: count(0, colour),
        first: count(1, colour),
        shadow: count(2, colour),
        second: count(3, colour),
        free: count(4, colour),
    };
    known.unwrap_or(ColourSet::EMPTY).iter().map(row).collect()
}
