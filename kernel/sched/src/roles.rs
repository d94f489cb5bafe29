//! What a core is for, and how it becomes something else.
//!
//! A change is asked for at any time and carried out by the core itself, one
//! step after another. The next step follows from where the core stands and
//! where it is to go, not from a stored script: so a change may be reversed
//! half-way, a step that did not succeed at once (the other cores' rings were
//! full) comes again, and a task that arrives late is evicted as well.
//!
//! The order is what matters. Leaving: refuse newcomers, evict or wait for what
//! is there, stop the tick, and only then confirm, so that whoever reads the
//! confirmed role may rely on it. Coming back: start the tick, then confirm, so
//! that no task arrives at a core that cannot take turns.

/// What a core may run. The bits are those of `umbra-control`'s `Roles`, which
/// this crate does not depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(pub u8);

impl Roles {
    /// Console, planner, timekeeping.
    pub const CONTROL: Self = Self(1);
    /// Runs first-class bursts.
    pub const FIRST_CLASS: Self = Self(2);
    /// Runs shadows and echoes.
    pub const SHADOW: Self = Self(4);
    /// Runs second-class tasks.
    pub const SECOND_CLASS: Self = Self(8);
    const ALL: Self = Self(15);

    /// Whether all of `other`'s roles are among these.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The roles of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The roles that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// First-class and nothing else: such a core takes no tick.
    #[must_use]
    pub const fn is_dedicated(self) -> bool {
        self.0 == Self::FIRST_CLASS.0
    }
}

impl core::fmt::Display for Roles {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let names = ["control", "first-class", "shadow", "second-class"];
        let mut separator = "";
        for name in names.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1).map(|(_, name)| name) {
            write!(f, "{separator}{name}")?;
            separator = "+";
        }
        if separator.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

/// The roles of core `core` of `count` at boot. Control and shadow share a
/// core, since both are short and neither minds; the first-class core is also
/// second-class until it is dedicated.
#[must_use]
pub const fn initial_roles(core: u8, count: u8) -> Roles {
    let aside = Roles::CONTROL.with(Roles::SHADOW);
    let shared = Roles::FIRST_CLASS.with(Roles::SECOND_CLASS);
    match (core, count) {
        (0, 0 | 1) => Roles::ALL,
        (0, 2) => aside.with(Roles::SECOND_CLASS),
        (0, _) => aside,
        (1, _) => shared,
        _ => Roles::SECOND_CLASS,
    }
}

/// Why a change of roles was not begun. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Bits that are no roles.
    NoRole(u8),
    /// Control stays on the core that has it: the console and the clock are there.
    ControlStays,
    /// No other core takes second-class tasks.
    LastCore,
}

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoRole(bits) => write!(f, "roles: {bits:#x} names no roles, expected at most 0xf"),
            Self::ControlStays => f.write_str("roles: the control role cannot be moved"),
            Self::LastCore => f.write_str("roles: no other core takes second-class tasks"),
        }
    }
}

/// Tasks of each class that a core holds, running or waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// First-class.
    pub first: u16,
    /// Shadows and echoes.
    pub shadow: u16,
    /// Second-class.
    pub second: u16,
}

/// What the core has to do next to become what it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Push second-class tasks to cores that take them. Comes again while one
    /// is left.
    EvictSecondClass,
    /// Let the shadow or echo end, or cancel it. Comes again until it is gone.
    AwaitShadow,
    /// Let the burst end. Comes again until it has.
    AwaitFirstClass,
    /// Mask the periodic tick; one-shot deadlines of the core's own stay.
    StopTick,
    /// Unmask it.
    StartTick,
    /// Publish these as the core's roles.
    Confirm(Roles),
}

/// The roles of one core, as they are and as they are to be. Touched by that
/// core alone; others see what it has confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreRoles {
    desired: Roles,
    confirmed: Roles,
    ticking: bool,
}

impl CoreRoles {
    /// A core that has these roles, and ticks unless it is dedicated.
    #[must_use]
    pub const fn new(roles: Roles) -> Self {
        Self { desired: roles, confirmed: roles, ticking: !roles.is_dedicated() }
    }

    /// What it is to be.
    #[must_use]
    pub const fn desired(self) -> Roles {
        self.desired
    }

    /// What others may rely on.
    #[must_use]
    pub const fn confirmed(self) -> Roles {
        self.confirmed
    }

    /// Whether its periodic tick is on.
    #[must_use]
    pub const fn is_ticking(self) -> bool {
        self.ticking
    }

    /// Whether a task for `role` may be taken in now: it has the role and is to
    /// keep it. Others are to be sent on.
    #[must_use]
    pub const fn accepts(self, role: Roles) -> bool {
        self.confirmed.has(role) && self.desired.has(role)
    }

    /// Sets what the core is to be; also in the middle of a change. A core
    /// without any role idles, as the other thread of a first-class core does
    /// while that is dedicated.
    ///
    /// # Errors
    /// Says why it may not be that.
    pub const fn request(&mut self, to: Roles) -> Result<(), Refused> {
        if !Roles::ALL.has(to) {
            return Err(Refused::NoRole(to.0));
        }
        if to.has(Roles::CONTROL) != self.confirmed.has(Roles::CONTROL) {
            return Err(Refused::ControlStays);
        }
        self.desired = to;
        Ok(())
    }

    /// The next step, none when the core is what it is to be. No loop.
    #[must_use]
    pub const fn next_step(self, holds: Occupancy) -> Option<Step> {
        if holds.second > 0 && !self.desired.has(Roles::SECOND_CLASS) {
            return Some(Step::EvictSecondClass);
        }
        if holds.shadow > 0 && !self.desired.has(Roles::SHADOW) {
            return Some(Step::AwaitShadow);
        }
        if holds.first > 0 && !self.desired.has(Roles::FIRST_CLASS) {
            return Some(Step::AwaitFirstClass);
        }
        match (self.ticking, self.desired.is_dedicated()) {
            (true, true) => Some(Step::StopTick),
            (false, false) => Some(Step::StartTick),
            _ if self.confirmed.0 != self.desired.0 => Some(Step::Confirm(self.desired)),
            _ => None,
        }
    }

    /// Notes that a step was carried out. The waiting and evicting ones leave
    /// their trace in the next [`Occupancy`].
    pub const fn done(&mut self, step: Step) {
        match step {
            Step::EvictSecondClass | Step::AwaitShadow | Step::AwaitFirstClass => {}
            Step::StopTick => self.ticking = false,
            Step::StartTick => self.ticking = true,
            Step::Confirm(roles) => self.confirmed = roles,
        }
    }
}

/// Whether `core` may give up second-class tasks: another core of `confirmed`
/// (by core number) takes them. Bound: the cores given.
///
/// # Errors
/// [`Refused::LastCore`] if there is none.
pub fn may_dedicate(core: u8, confirmed: &[Roles]) -> Result<(), Refused> {
    let mut others = (0..).zip(confirmed).filter(|(other, _)| *other != usize::from(core));
    if others.any(|(_, roles)| roles.has(Roles::SECOND_CLASS)) { Ok(()) } else { Err(Refused::LastCore) }
}

#[cfg(test)]
mod tests;
