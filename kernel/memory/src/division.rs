//! Who may use which colours: the classes' sets, and each task's own.
//!
//! A class has a set and a task's colours are a part of its class's: so two
//! classes whose sets do not overlap never compete for a cache set, whatever
//! their tasks ask for, and nothing has to be checked between tasks. Whether
//! first and second class share is the division's choice; by default they do,
//! since a burst may be served with ways or cores instead.
//!
//! Changing a task's set is a wish: it is *pending* until its pages have been
//! moved (see [`crate::Recolouring`]). One bounded table, no search beyond it.

use crate::colour::{Colour, ColourSet, Colours};
use crate::layout::TASK_SLOTS;

/// Below this many colours nothing is given away: everybody shares all.
const COLOURS_TO_DIVIDE: u32 = 8;
const SLOTS: usize = TASK_SLOTS as usize;

/// Whose memory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Page tables and stacks of cores.
    Kernel,
    /// The first-class workload.
    First,
    /// The shadow.
    Shadow,
    /// Everything that is best effort.
    Second,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kernel, Self::First, Self::Shadow, Self::Second];

    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::First => "first-class",
            Self::Shadow => "shadow",
            Self::Second => "second-class",
        }
    }
}

/// The colours of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    all: ColourSet,
    sets: [ColourSet; Class::ALL.len()],
}

/// Why a set is refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No colour at all.
    Empty,
    /// Colours that the class does not have.
    Foreign {
        /// Whose set it is.
        class: Class,
        /// Those it does not have.
        colours: ColourSet,
        /// Those it has.
        expected: ColourSet,
    },
    /// Colours that the machine does not have.
    NoSuchColours(ColourSet),
    /// The slot has no task with memory of its own.
    NoTask(u16),
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Empty => f.write_str("colours: the set is empty, expected at least one"),
            Self::Foreign { class, colours, expected } => {
                write!(f, "colours: {colours} are not {}, expected some of {expected}", class.name())
            }
            Self::NoSuchColours(colours) => write!(f, "colours: there are no colours {colours}"),
            Self::NoTask(slot) => write!(f, "colours: no task {slot} has memory"),
        }
    }
}

impl Division {
    /// One colour in sixteen, at least one, for the shadow and as many for the
    /// kernel, from the bottom; first and second class share the others. Where
    /// there are fewer than eight, everybody shares.
    #[must_use]
    pub fn usual(colours: Colours) -> Self {
        let (all, count) = (colours.all(), colours.count());
        if count < COLOURS_TO_DIVIDE {
            return Self { all, sets: [all; Class::ALL.len()] };
        }
        let part = (count / 16).max(1);
        let shadow = ColourSet::first(part);
        let kernel = ColourSet::first(2 * part).without(shadow);
        let tasks = all.without(shadow).without(kernel);
        Self { all, sets: [kernel, tasks, shadow, tasks] }
    }

    /// The same with another set for `class`.
    ///
    /// # Errors
    /// [`Refusal::Empty`] and [`Refusal::NoSuchColours`].
    pub fn with(mut self, class: Class, set: ColourSet) -> Result<Self, Refusal> {
        if set.is_empty() {
            return Err(Refusal::Empty);
        }
        let unknown = set.without(self.all);
        if !unknown.is_empty() {
            return Err(Refusal::NoSuchColours(unknown));
        }
        self.sets[class as usize] = set;
        Ok(self)
    }

    /// Every colour there is.
    #[must_use]
    pub const fn all(&self) -> ColourSet {
        self.all
    }

    /// The colours of a class.
    #[must_use]
    pub const fn of(&self, class: Class) -> ColourSet {
        self.sets[class as usize]
    }

    /// Colours that two classes share.
    #[must_use]
    pub const fn shared(&self, one: Class, other: Class) -> ColourSet {
        self.of(one).common(self.of(other))
    }

    /// The classes that may use a colour.
    pub fn classes_of(&self, colour: Colour) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |class| self.of(*class).has(colour))
    }
}

/// What a task holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Its class.
    pub class: Class,
    /// Its colours: where its pages are, or are to be once nothing is pending.
    pub colours: ColourSet,
    /// Its pages may still lie elsewhere.
    pub pending: bool,
}

/// The colours of every task.
#[derive(Debug)]
pub struct Holdings {
    division: Division,
    tasks: [Option<Holding>; SLOTS],
    turn: u16,
    before: Option<Before>,
}

/// What was in force before first and second class were set apart.
#[derive(Debug)]
struct Before {
    division: Division,
    /// A task's colours; none once somebody chose others for it, or for a task
    /// that came later.
    colours: [Option<ColourSet>; SLOTS],
    kept: ColourSet,
    first_moves: bool,
}

impl Holdings {
    /// Nobody holds anything yet.
    #[must_use]
    pub const fn new(division: Division) -> Self {
        Self { division, tasks: [None; SLOTS], turn: 0, before: None }
    }

    /// The classes' sets.
    #[must_use]
    pub const fn division(&self) -> &Division {
        &self.division
    }

    /// A new task in `slot`: it has all colours of its class, which are
    /// returned. A slot that does not exist holds nothing.
    pub fn admit(&mut self, slot: u16, class: Class) -> ColourSet {
        let colours = self.division.of(class);
        self.forget_before(slot);
        if let Some(place) = self.tasks.get_mut(usize::from(slot)) {
            *place = Some(Holding { class, colours, pending: false });
        }
        colours
    }

    /// The task in `slot` is gone.
    pub fn forget(&mut self, slot: u16) {
        self.forget_before(slot);
        if let Some(place) = self.tasks.get_mut(usize::from(slot)) {
            *place = None;
        }
    }

    /// What the task in `slot` holds.
    #[must_use]
    pub fn of(&self, slot: u16) -> Option<Holding> {
        self.tasks.get(usize::from(slot)).copied().flatten()
    }

    /// All tasks and what they hold.
    pub fn iter(&self) -> impl Iterator<Item = (u16, Holding)> {
        (0..).zip(self.tasks.iter().copied()).filter_map(|(slot, holding)| Some((slot, holding?)))
    }

    /// Grows, shrinks or moves a task's set; its pages are pending from now on.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing changed.
    pub fn change(&mut self, slot: u16, colours: ColourSet) -> Result<(), Refusal> {
        let division = self.division;
        let holding = self.tasks.get_mut(usize::from(slot)).and_then(Option::as_mut);
        let holding = holding.ok_or(Refusal::NoTask(slot))?;
        if colours.is_empty() {
            return Err(Refusal::Empty);
        }
        let (class, expected) = (holding.class, division.of(holding.class));
        let foreign = colours.without(expected);
        if !foreign.is_empty() {
            return Err(Refusal::Foreign { class, colours: foreign, expected });
        }
        *holding = Holding { class, colours, pending: true };
        self.forget_before(slot);
        Ok(())
    }

    /// Sets first and second class apart: the `count` highest of the colours
    /// that they share are taken from the second class, and with `first_moves`
    /// the first class has no others. [`Self::reunite`] takes it back; being
    /// set apart again replaces what was taken. Returns how many tasks have
    /// pages to move. Bound: the slots, three times.
    ///
    /// # Errors
    /// [`Refusal::Empty`] when nothing would be left for one of the two;
    /// nothing changed.
    pub fn set_apart(&mut self, count: u32, first_moves: bool) -> Result<u32, Refusal> {
        let usual = self.before.as_ref().map_or(self.division, |before| before.division);
        let shared = usual.shared(Class::First, Class::Second);
        let kept = shared.highest(count);
        let apart = usual.with(Class::Second, usual.of(Class::Second).without(kept))?;
        let apart = if first_moves { apart.with(Class::First, kept)? } else { apart };
        if kept.is_empty() {
            return Err(Refusal::Empty);
        }
        self.reunite();
        let colours = self.tasks.map(|holding| holding.map(|holding| holding.colours));
        let pending = self.divide(apart);
        self.before = Some(Before { division: usual, colours, kept, first_moves });
        Ok(pending)
    }

    /// Gives classes and tasks the colours they had before they were set apart,
    /// but for tasks that came since, which have all of their class's, and those
    /// that somebody chose colours for since. Returns how many have pages to
    /// move. Bound: the slots.
    pub fn reunite(&mut self) -> u32 {
        let Some(before) = self.before.take() else { return 0 };
        let apart = core::mem::replace(&mut self.division, before.division);
        let mut pending = 0;
        for (holding, had) in self.tasks.iter_mut().zip(before.colours) {
            let Some(holding) = holding else { continue };
            let came_since =
                (holding.colours == apart.of(holding.class)).then_some(before.division.of(holding.class));
            let colours = had.or(came_since).unwrap_or(holding.colours);
            if colours != holding.colours {
                (holding.colours, holding.pending) = (colours, true);
                pending += 1;
            }
        }
        pending
    }

    /// How many colours are kept from the second class, and whether the first
    /// has moved into them; none while they are not set apart.
    #[must_use]
    pub fn apart(&self) -> Option<(u32, bool)> {
        self.before.as_ref().map(|before| (before.kept.count(), before.first_moves))
    }

    /// Whether they are set apart and no page of the two classes is left on its
    /// way. Bound: the slots.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        let moves =
            |holding: &Holding| holding.pending && matches!(holding.class, Class::First | Class::Second);
        self.before.is_some() && !self.tasks.iter().flatten().any(moves)
    }

    /// Colours that both classes share while they are not set apart.
    #[must_use]
    pub fn shared_usually(&self) -> ColourSet {
        let usual = self.before.as_ref().map_or(&self.division, |before| &before.division);
        usual.shared(Class::First, Class::Second)
    }

    fn forget_before(&mut self, slot: u16) {
        if let Some(place) = self.before.as_mut().and_then(|before| before.colours.get_mut(usize::from(slot)))
        {
            *place = None;
        }
    }

    /// Takes another division into force. Tasks keep what is left of their
    /// colours; those who had all of their class's, or have none left, get all
    /// of it. Returns how many tasks have pages to move. Bound: the slots.
    pub fn divide(&mut self, division: Division) -> u32 {
        let before = core::mem::replace(&mut self.division, division);
        self.before = None;
        let mut pending = 0;
        for holding in self.tasks.iter_mut().flatten() {
            let (had, has) = (before.of(holding.class), division.of(holding.class));
            let kept = holding.colours.common(has);
            let colours = if holding.colours == had || kept.is_empty() { has } else { kept };
            if colours != holding.colours {
                (holding.colours, holding.pending) = (colours, true);
                pending += 1;
            }
        }
        pending
    }

    /// The next task with pages to move, each in turn. Bound: the slots.
    pub fn next_pending(&mut self) -> Option<u16> {
        let is_pending = |slot: &u16| self.of(*slot).is_some_and(|holding| holding.pending);
        let slot = (self.turn..TASK_SLOTS).chain(0..self.turn).find(is_pending)?;
        self.turn = (slot + 1) % TASK_SLOTS;
        Some(slot)
    }

    /// The pages of `slot` have been moved to `colours`: nothing is pending,
    /// unless the set was changed meanwhile.
    pub fn settle(&mut self, slot: u16, colours: ColourSet) {
        if let Some(Some(holding)) = self.tasks.get_mut(usize::from(slot)) {
            holding.pending &= holding.colours != colours;
        }
    }
}

#[cfg(test)]
mod tests;
