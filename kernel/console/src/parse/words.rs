//! Arguments that are one of a few fixed words.

use core::fmt::{self, Display, Formatter};

/// Declares an enum of words: the name typed for each is written once.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of their names.
            pub const ALL: [Self; Self::NAMES.len()] = [$(Self::$variant,)+];
            /// The words typed for them.
            pub const NAMES: [&'static str; [$($word),+].len()] = [$($word),+];

            /// The word typed for it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            pub(crate) fn read(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|value| value.name() == word)
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

words! {
    /// What a core may run.
    Role {
        /// Console, planner, timekeeping.
        Control = "control",
        /// First-class bursts.
        FirstClass = "first-class",
        /// Shadows and echoes.
        Shadow = "shadow",
        /// Second-class tasks.
        SecondClass = "second-class",
    }
}

words! {
    /// How much a log line matters; a level shows itself and those before it.
    Level {
        /// Something failed.
        Error = "error",
        /// Something is not as it should be.
        Warn = "warn",
        /// What the system does.
        Info = "info",
        /// How it does it.
        Debug = "debug",
        /// Every step.
        Trace = "trace",
    }
}

words! {
    /// What `profile` does.
    ProfileVerb {
        /// Prints it.
        Show = "show",
        /// Records it anew from a run.
        Record = "record",
        /// Forgets it.
        Clear = "clear",
    }
}

words! {
    /// What `shadow` does.
    ShadowVerb {
        /// Prints the plan and what the last run felt.
        Show = "show",
        /// Runs it now.
        Run = "run",
    }
}

words! {
    /// What `mem` shows beside totals, or does.
    MemVerb {
        /// Rows of colours: who may use them, who does.
        Colours = "colours",
        /// The colours of one task.
        Show = "show",
        /// Moves a task's pages to other colours.
        Move = "move",
        /// Checks every mapping against the allocator.
        Verify = "verify",
    }
}

words! {
    /// What `quarantine` does.
    QuarantineVerb {
        /// Prints what is in effect, its lease and lead time.
        Show = "show",
        /// Plans, without acting.
        Plan = "plan",
        /// Plans and acts.
        Apply = "apply",
        /// Undoes what is in effect.
        Undo = "undo",
    }
}

words! {
    /// What `pmu` does.
    PmuVerb {
        /// Prints the events that this processor counts.
        List = "list",
        /// Counts events for a second.
        Stat = "stat",
    }
}

words! {
    /// What `trace` does.
    TraceVerb {
        /// Whether it is on, and how much it holds.
        Show = "show",
        /// Records from now on.
        On = "on",
        /// Records no more.
        Off = "off",
        /// Prints what was recorded.
        Dump = "dump",
    }
}

words! {
    /// What `mba` does.
    BandwidthVerb {
        /// Prints what every class has, and what second-class tasks are held to.
        Show = "show",
        /// Changes it.
        Set = "set",
        /// Holds second-class tasks to nothing any more.
        Free = "free",
        /// Measures what each throttle value leaves.
        Calibrate = "calibrate",
        /// Holds by the best way there is.
        Auto = "auto",
        /// Holds by a closed loop on the bandwidth monitor.
        Loop = "loop",
        /// Holds by a limit that is set once.
        Limit = "limit",
        /// Holds by rations of misses.
        Ration = "ration",
    }
}

words! {
    /// What `cat` does.
    DivideVerb {
        /// Prints what every class has.
        Show = "show",
        /// Changes it.
        Set = "set",
    }
}

words! {
    /// What replies look like.
    Mode {
        /// Text for people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

words! {
    /// How long the main job takes.
    JobScale {
        /// Enough bursts for a p99.
        Standard = "standard",
        /// A look at it.
        Quick = "quick",
    }
}

/// A set of roles; printed and typed as names with commas between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleSet(u8);

impl RoleSet {
    /// The set of these roles.
    #[must_use]
    pub fn of(roles: &[Role]) -> Self {
        roles.iter().fold(Self::default(), |set, role| set.with(*role))
    }

    /// The set with `role` in it.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | 1 << role as u8)
    }

    /// Whether `role` is in it.
    #[must_use]
    pub const fn has(self, role: Role) -> bool {
        self.0 & 1 << role as u8 != 0
    }

    /// One bit a role, in the order of [`Role::ALL`] from bit 0.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of bits numbered as in [`RoleSet::bits`]; others are ignored.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0b1111)
    }

    pub(crate) fn read(word: &str) -> Option<Self> {
        word.split(',').try_fold(Self::default(), |set, name| Some(set.with(Role::read(name)?)))
    }
}

impl Display for RoleSet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for role in Role::ALL.into_iter().filter(|role| self.has(*role)) {
            write!(f, "{between}{role}")?;
            between = ",";
        }
        Ok(())
    }
}
