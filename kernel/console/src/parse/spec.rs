//! What a command looks like: the words from which syntax lines, help,
//! completion and the parser are all derived.

use super::{Command, Kind, value::Values};
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
    /// What the processor counts and divides.
    Hardware,
    /// Tasks and cores.
    Tasks,
    /// The line from profile to quarantine.
    Line,
    /// The console and the machine itself.
    Console,
}

impl Group {
    /// All, in the order of `help`.
    pub const ALL: [Self; 5] = [Self::Look, Self::Hardware, Self::Tasks, Self::Line, Self::Console];

    /// The heading in `help`.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Look => "Look",
            Self::Hardware => "Hardware",
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
    /// When the first of all is one of these words, and only then.
    With(&'static [&'static str]),
}

impl Need {
    /// Whether an argument may stand here, `first` being the keyword at the
    /// beginning and `previous` the one before.
    pub(crate) fn admits(self, first: Option<&str>, previous: Option<&str>) -> bool {
        match self {
            Self::After(word) => previous == Some(word),
            Self::With(words) => first.is_some_and(|first| words.contains(&first)),
            _ => true,
        }
    }

    /// Whether an argument must stand here when `filled` came before it.
    pub(crate) fn demands(self, filled: usize, first: Option<&str>, previous: Option<&str>) -> bool {
        match self {
            Self::Required => true,
            Self::Optional => false,
            Self::WithPrevious => filled > 0,
            Self::After(_) | Self::With(_) => self.admits(first, previous),
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
            let joined = matches!(positional.need, Need::WithPrevious | Need::After(_) | Need::With(_));
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
