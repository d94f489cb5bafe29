//! What an argument may be, and how that is called in syntax lines, errors and
//! help.

use super::{Level, Role};
use core::fmt::{self, Display, Formatter};

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Number {
        /// Its name in the syntax line.
        placeholder: &'static str,
        /// Smallest.
        min: u32,
        /// Largest.
        max: u32,
    },
    /// A core number.
    Core,
    /// A task number.
    Task,
    /// A task number or the name of a workload.
    Target,
    /// The same, or `all`.
    TargetOrAll,
    /// A workload's name.
    Workload,
    /// The name of a workload that has or may have a profile.
    Profile,
    /// A policy's name.
    Policy,
    /// Core roles, separated by commas.
    Roles,
    /// A log level.
    Level,
    /// A list of page colours.
    Colours,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A command's name.
    Command,
    /// Events to count, separated by commas.
    Events,
    /// Shares of caches or bandwidth, as `pqos` or resctrl write them.
    Settings,
    /// All words that follow, as they stand.
    Text,
}

impl Kind {
    /// Highest core number.
    pub const MAX_CORE: u32 = 63;
    /// Highest task number.
    pub const MAX_TASK: u32 = u16::MAX as u32;

    /// The fixed words that may stand here (for roles: between the commas).
    #[must_use]
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Word(words) => words,
            Self::Roles => &Role::NAMES,
            Self::Level => &Level::NAMES,
            Self::TargetOrAll => &["all"],
            _ => &[],
        }
    }

    /// What is expected, for an error or for help.
    #[must_use]
    pub const fn meaning(self) -> Meaning {
        Meaning(self)
    }
}

/// The name in a syntax line.
impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number { placeholder, .. } => placeholder,
            Self::Core => "CORE",
            Self::Task => "TASK",
            Self::Target => "TASK|NAME",
            Self::TargetOrAll => "TASK|NAME|all",
            Self::Workload | Self::Profile | Self::Policy => "NAME",
            Self::Roles => "ROLE[,ROLE]",
            Self::Level => "LEVEL",
            Self::Colours => "COLOURS",
            Self::Command => "COMMAND",
            Self::Events => "EVENT[,EVENT]",
            Self::Settings => "SETTINGS",
            Self::Text => "TEXT",
            Self::Word(words) => return write_list(f, words, "|", "|"),
        })
    }
}

/// [`Kind::meaning`] as text.
#[derive(Clone, Copy, Debug)]
pub struct Meaning(Kind);

impl Display for Meaning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Number { min, max, .. } => return write!(f, "a whole number from {min} to {max}"),
            Kind::Core => return write!(f, "a core number from 0 to {} (see 'cpus')", Kind::MAX_CORE),
            Kind::Task => return write!(f, "a task number from 0 to {} (see 'ps')", Kind::MAX_TASK),
            Kind::Target => "a task number or a workload's name (see 'ps')",
            Kind::TargetOrAll => "a task number, a workload's name (see 'ps') or all",
            Kind::Workload => "a workload's name",
            Kind::Profile => "the name of a first-class workload",
            Kind::Policy => "a policy's name (see 'policy')",
            Kind::Command => "a command's name (see 'help')",
            Kind::Events => "events separated by commas (see 'pmu list')",
            Kind::Settings => "settings such as llc:1=0xf or, in quotes, \"L3:0=f;1=f\"",
            Kind::Colours => "a list of colours like 4-8,10 (see 'mem colours')",
            Kind::Text => "words that must all occur, \"words in sequence\" in quotes",
            Kind::Roles => {
                write_list(f, &Role::NAMES, ", ", " or ")?;
                return f.write_str(", several separated by commas");
            }
            Kind::Level | Kind::Word(_) => return write_list(f, self.0.words(), ", ", " or "),
        })
    }
}

fn write_list(f: &mut Formatter<'_>, words: &[&str], between: &str, before_last: &str) -> fmt::Result {
    for (index, word) in words.iter().enumerate() {
        match index {
            0 => {}
            _ if index + 1 == words.len() => f.write_str(before_last)?,
            _ => f.write_str(between)?,
        }
        f.write_str(word)?;
    }
    Ok(())
}
