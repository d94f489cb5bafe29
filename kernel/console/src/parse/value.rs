//! Words that were checked against the kind of argument they stand for.

use super::{Kind, Level, Problem, RoleSet, Spec, Target, find};

/// One argument.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Number(u32),
    Name(&'a str),
    Target(Target<'a>),
    Roles(RoleSet),
    Level(Level),
    Word(&'static str),
    Command(&'static Spec),
}

impl<'a> Value<'a> {
    /// Reads `word` as a `kind`.
    pub(crate) fn read(kind: Kind, word: &'a str) -> Result<Self, Problem<'a>> {
        let value = match kind {
            Kind::Number { min, max, .. } => number(word, min, max).map(Self::Number),
            Kind::Core => number(word, 0, Kind::MAX_CORE).map(Self::Number),
            Kind::Task => number(word, 0, Kind::MAX_TASK).map(Self::Number),
            Kind::Target => Target::read(word).filter(|target| *target != Target::All).map(Self::Target),
            Kind::TargetOrAll => Target::read(word).map(Self::Target),
            Kind::Workload | Kind::Profile | Kind::Policy | Kind::Events | Kind::Settings | Kind::Text => {
                Some(Self::Name(word))
            }
            Kind::Colours => is_list(word).then_some(Self::Name(word)),
            Kind::Roles => RoleSet::read(word).map(Self::Roles),
            Kind::Level => Level::read(word).map(Self::Level),
            Kind::Word(words) => words.iter().find(|known| **known == word).map(|known| Self::Word(known)),
            Kind::Command => return find(word).map(Self::Command).ok_or(Problem::UnknownCommand(word)),
        };
        value.ok_or(Problem::BadValue { word, kind })
    }
}

/// Digits alone (no sign), within the range.
pub(crate) fn number(word: &str, min: u32, max: u32) -> Option<u32> {
    if !word.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    word.parse().ok().filter(|value| (min..=max).contains(value))
}

/// Whether a word looks like a list of numbers and ranges: what they mean only
/// the machine knows.
fn is_list(word: &str) -> bool {
    word.split(',').all(|item| {
        let (from, to) = item.split_once('-').unwrap_or((item, item));
        number(from, 0, u32::MAX).is_some() && number(to, 0, u32::MAX).is_some()
    })
}

/// Most positional arguments, and most flags, of a command; a test of the table
/// checks that this holds.
pub(crate) const MOST: usize = 3;

/// The arguments of one command.
#[derive(Debug, Default)]
pub(crate) struct Values<'a> {
    positionals: [Option<Value<'a>>; MOST],
    flags: [Option<Value<'a>>; MOST],
}

impl<'a> Values<'a> {
    pub(crate) fn set(&mut self, index: usize, value: Value<'a>) {
        if let Some(slot) = self.positionals.get_mut(index) {
            *slot = Some(value);
        }
    }

    /// Returns whether the flag had a value already.
    pub(crate) fn set_flag(&mut self, index: usize, value: Value<'a>) -> bool {
        self.flags.get_mut(index).is_some_and(|slot| slot.replace(value).is_some())
    }

    fn at(&self, index: usize) -> Option<Value<'a>> {
        self.positionals.get(index).copied().flatten()
    }

    /// The keyword before the positional argument at `index`.
    pub(crate) fn word_before(&self, index: usize) -> Option<&'static str> {
        index.checked_sub(1).and_then(|before| self.word(before))
    }

    pub(crate) fn word(&self, index: usize) -> Option<&'static str> {
        match self.at(index) {
            Some(Value::Word(word)) => Some(word),
            _ => None,
        }
    }

    pub(crate) fn name(&self, index: usize) -> Option<&'a str> {
        match self.at(index) {
            Some(Value::Name(name)) => Some(name),
            _ => None,
        }
    }

    pub(crate) fn target(&self, index: usize) -> Option<Target<'a>> {
        match self.at(index) {
            Some(Value::Target(target)) => Some(target),
            _ => None,
        }
    }

    pub(crate) fn roles(&self, index: usize) -> Option<RoleSet> {
        match self.at(index) {
            Some(Value::Roles(roles)) => Some(roles),
            _ => None,
        }
    }

    pub(crate) fn command(&self, index: usize) -> Option<&'static Spec> {
        match self.at(index) {
            Some(Value::Command(spec)) => Some(spec),
            _ => None,
        }
    }

    /// A number that fits `T`; the kind's range has been checked before.
    pub(crate) fn number<T: TryFrom<u32>>(&self, index: usize) -> Option<T> {
        as_number(self.at(index))
    }

    pub(crate) fn flag_number<T: TryFrom<u32>>(&self, index: usize) -> Option<T> {
        as_number(self.flags.get(index).copied().flatten())
    }

    pub(crate) fn flag_level(&self, index: usize) -> Option<Level> {
        match self.flags.get(index) {
            Some(Some(Value::Level(level))) => Some(*level),
            _ => None,
        }
    }
}

fn as_number<T: TryFrom<u32>>(value: Option<Value<'_>>) -> Option<T> {
    match value {
        Some(Value::Number(number)) => T::try_from(number).ok(),
        _ => None,
    }
}
