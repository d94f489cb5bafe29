//! What was wrong with a line, told in one line.

use super::{Flag, Kind, SPECS, Spec, nearest};
use core::fmt::{self, Display, Formatter, Write};

/// A command that could not be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError<'a> {
    /// The command, when at least that is known.
    pub spec: Option<&'static Spec>,
    /// What was wrong.
    pub problem: Problem<'a>,
}

/// What was wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem<'a> {
    /// No command has this name.
    UnknownCommand(&'a str),
    /// This word is no such argument.
    BadValue {
        /// As it was typed.
        word: &'a str,
        /// What should have stood there.
        kind: Kind,
    },
    /// An argument is missing.
    Missing(Kind),
    /// One word too many.
    Unexpected(&'a str),
    /// The command has no such flag.
    UnknownFlag(&'a str),
    /// The flag stands last.
    FlagWithoutValue(&'static Flag),
    /// The flag was given before.
    FlagTwice(&'static str),
    /// Arguments are missing.
    Incomplete,
}

impl<'a> ParseError<'a> {
    pub(crate) const fn unknown_command(word: &'a str) -> Self {
        Self { spec: None, problem: Problem::UnknownCommand(word) }
    }
}

impl Display for ParseError<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let expects_syntax = match self.problem {
            Problem::UnknownCommand(word) => return write_unknown(f, word),
            Problem::BadValue { word, kind } => {
                self.write_name(f)?;
                return write!(f, "{} is no {kind}; expected {}", Quoted(word), kind.meaning());
            }
            Problem::FlagWithoutValue(flag) => {
                self.write_name(f)?;
                return write!(
                    f,
                    "{} stands without {}; expected {}",
                    flag.name,
                    flag.kind,
                    flag.kind.meaning()
                );
            }
            other => other,
        };
        self.write_name(f)?;
        match expects_syntax {
            Problem::Missing(kind) => write!(f, "{kind} is missing")?,
            Problem::Unexpected(word) => write!(f, "{} is one word too many", Quoted(word))?,
            Problem::UnknownFlag(word) => write!(f, "{} is no option of it", Quoted(word))?,
            Problem::FlagTwice(flag) => write!(f, "{flag} is given twice")?,
            _ => f.write_str("arguments are missing")?,
        }
        self.spec.map_or(Ok(()), |spec| write!(f, "; expected: {}", spec.syntax()))
    }
}

impl ParseError<'_> {
    fn write_name(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.spec.map_or(Ok(()), |spec| write!(f, "{}: ", spec.name))
    }
}

fn write_unknown(f: &mut Formatter<'_>, word: &str) -> fmt::Result {
    write!(f, "no command {}; ", Quoted(word))?;
    match nearest(word, SPECS.iter().map(|spec| spec.name)) {
        Some(name) => write!(f, "nearest is '{name}', 'help' lists all"),
        None => f.write_str("'help' lists all"),
    }
}

/// A word from outside, safe to print: quoted, control characters escaped, at
/// most 32 characters of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted<'a>(pub &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        f.write_char('\'')?;
        for character in characters.by_ref().take(32) {
            match character {
                ' '..='~' => f.write_char(character)?,
                _ => character.escape_debug().try_for_each(|part| f.write_char(part))?,
            }
        }
        f.write_str(if characters.next().is_some() { "...'" } else { "'" })
    }
}
