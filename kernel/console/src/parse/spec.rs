//! What a command looks like: the words from which syntax lines, help,
//! completion and the parser are all derived.

use super::{Command, Level, Role, value::Values};
use core::fmt::{self, Display, Formatter};

/// One command.
pub struct Spec {
    /// The word that calls it.
    pub name: &'static str,
    /// Where `help` lists it.
    pub group: Group,
    /// What it does, one line.
    pub summary: &'static str,
    /// A line that can be typed as it stands.
    pub example: &'static str,
    /// Arguments by position.
    pub positionals: &'static [Positional],
    /// Arguments by name; each takes a value and may be left out.
    pub flags: &'static [Flag],
    /// Makes the command of arguments that were checked; none when a required
    /// one is absent.
    pub(crate) build: for<'a> fn(&Values<'a>) -> Option<Command<'a>>,
}

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Shows something, changes nothing.
    Look,
    /// Tasks and cores.
    Tasks,
    /// The line from profile to quarantine.
    Line,
    /// The console and the machine itself.
    Console,
}

impl Group {
    /// All, in the order of `help`.
    pub const ALL: [Self; 4] = [Self::Look, Self::Tasks, Self::Line, Self::Console];

    /// The heading in `help`.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Look => "Look",
            Self::Tasks => "Tasks and cores",
            Self::Line => "Prediction and quarantine",
            Self::Console => "Console and machine",
        }
    }
}

/// An argument by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positional {
    /// What it may be.
    pub kind: Kind,
    /// When it must or may be there.
    pub need: Need,
}

/// When a positional argument is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Always.
    Required,
    /// May be left out, with all after it.
    Optional,
    /// Whenever the one before it is given.
    WithPrevious,
    /// When the one before it is this word, and only then.
    After(&'static str),
}

impl Need {
    /// Whether an argument may stand here, `previous` being the keyword before.
    pub(crate) fn admits(self, previous: Option<&str>) -> bool {
        match self {
            Self::After(word) => previous == Some(word),
            _ => true,
        }
    }

    /// Whether an argument must stand here when `filled` came before it.
    pub(crate) fn demands(self, filled: usize, previous: Option<&str>) -> bool {
        match self {
            Self::Required => true,
            Self::Optional => false,
            Self::WithPrevious => filled > 0,
            Self::After(word) => previous == Some(word),
        }
    }
}

/// An argument by name, with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// As typed, dash included.
    pub name: &'static str,
    /// What the value may be.
    pub kind: Kind,
}

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
    /// One of these words.
    Word(&'static [&'static str]),
    /// A command's name.
    Command,
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
            Self::Command => "COMMAND",
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

impl Spec {
    /// The syntax line, for instance `run NAME [-c CORE] [-n COUNT]`.
    #[must_use]
    pub const fn syntax(&self) -> Syntax<'_> {
        Syntax(self)
    }
}

/// [`Spec::syntax`] as text.
#[derive(Clone, Copy, Debug)]
pub struct Syntax<'s>(&'s Spec);

impl Display for Syntax<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)?;
        let mut open = false;
        for positional in self.0.positionals {
            let joined = matches!(positional.need, Need::WithPrevious | Need::After(_));
            if open && !joined {
                f.write_str("]")?;
                open = false;
            }
            f.write_str(" ")?;
            if positional.need == Need::Optional {
                f.write_str("[")?;
                open = true;
            }
            positional.kind.fmt(f)?;
        }
        if open {
            f.write_str("]")?;
        }
        self.0.flags.iter().try_for_each(|flag| write!(f, " [{} {}]", flag.name, flag.kind))
    }
}

/// Commands are told apart by name.
impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Spec {}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Spec({})", self.name)
    }
}
