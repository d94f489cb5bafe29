//! What a command shows, as text for people or as members of a JSON object.
//!
//! A command says once what it knows; here it becomes aligned text or numbers
//! with their units in the key. Rows are copied out before they are written:
//! what changes meanwhile would not line up.

use core::fmt::{self, Display, Formatter, Result, Write};

use umbra_console::format::{Bytes, Count, Ns, Permille, Uptime};
use umbra_console::{Column, Table, json};
use umbra_control::fixed::to_permille;
use umbra_control::machine;

/// Where the answer goes.
pub(super) enum Page<'p, 'o> {
    Text(&'p mut dyn Write),
    Json(&'p mut json::Object<'o>),
}

/// One figure. As text it has its unit, in JSON the key names it.
#[derive(Clone, Copy)]
pub(super) enum Value<'v> {
    Text(&'v str),
    Shown(&'v dyn Display),
    Number(u64),
    /// A large number, shortened as text.
    Count(u64),
    /// The same, not counted but derived.
    Estimate(u64),
    Ns(u64),
    /// Nanoseconds since boot.
    Uptime(u64),
    /// With its sign, in nanoseconds.
    Lead(i64),
    Bytes(u64),
    BytesPerSecond(u64),
    Permille(u32),
    /// Q16.16; thousandths as JSON.
    Score(u32),
    Flag(bool),
    Unknown,
}

/// A column of a table and the key of its cells.
#[derive(Clone, Copy)]
pub(super) struct Field {
    key: &'static str,
    column: Column,
}

/// A column of names.
pub(super) const fn name(key: &'static str, heading: &'static str) -> Field {
    Field { key, column: Column::left(heading, 0) }
}

/// A column of numbers.
pub(super) const fn number(key: &'static str, heading: &'static str) -> Field {
    Field { key, column: Column::right(heading, 0) }
}

/// Label, key and value of a fact.
pub(super) type Fact<'f> = (&'f str, &'f str, Value<'f>);

impl Page<'_, '_> {
    /// A line that only people read.
    pub(super) fn line(&mut self, text: fmt::Arguments<'_>) -> Result {
        match self {
            Self::Text(sink) => writeln!(sink, "{text}"),
            Self::Json(_) => Ok(()),
        }
    }

    /// A line for people that holds one figure, and that figure.
    pub(super) fn note(&mut self, text: fmt::Arguments<'_>, key: &str, value: Value<'_>) -> Result {
        match self {
            Self::Text(sink) => writeln!(sink, "{text}"),
            Self::Json(object) => value.write(key, object),
        }
    }

    /// Facts, one a line.
    pub(super) fn facts(&mut self, facts: &[Fact<'_>]) -> Result {
        for (label, key, value) in facts {
            match self {
                Self::Text(sink) => writeln!(sink, "{label:<26} {value}")?,
                Self::Json(object) => value.write(key, object)?,
            }
        }
        Ok(())
    }

    /// A table; an empty one is left out of the text.
    pub(super) fn table<R, const N: usize>(
        &mut self,
        key: &str,
        fields: [Field; N],
        rows: &[R],
        cells: for<'r> fn(&'r R) -> [Value<'r>; N],
    ) -> Result {
        match self {
            Self::Text(_) if rows.is_empty() => Ok(()),
            Self::Text(sink) => {
                let mut table = Table::new(fields.map(|field| field.column));
                rows.iter().for_each(|row| table.measure(cells(row).each_ref().map(as_display)));
                table.heading(*sink)?;
                rows.iter().try_for_each(|row| table.row(*sink, cells(row).each_ref().map(as_display)))
            }
            Self::Json(object) => object.list(key, |list| {
                rows.iter().try_for_each(|row| {
                    list.object(|object| {
                        let mut members = fields.iter().zip(cells(row));
                        members.try_for_each(|(field, value)| value.write(field.key, object))
                    })
                })
            }),
        }
    }
}

fn as_display<'d>(value: &'d Value<'_>) -> &'d dyn Display {
    value
}

impl Value<'_> {
    /// A counter that may be missing.
    pub(super) const fn of(count: machine::Count) -> Self {
        match count {
            machine::Count::Counted(value) => Self::Count(value),
            machine::Count::Estimated(value) => Self::Estimate(value),
            machine::Count::Unknown => Self::Unknown,
        }
    }

    /// Thousandths that may be missing.
    pub(super) fn share(permille: Option<u32>) -> Self {
        permille.map_or(Self::Unknown, Self::Permille)
    }

    fn write(&self, key: &str, object: &mut json::Object<'_>) -> Result {
        match *self {
            Self::Text(text) => object.text(key, text),
            Self::Shown(shown) => object.display(key, shown),
            Self::Number(value)
            | Self::Count(value)
            | Self::Estimate(value)
            | Self::Ns(value)
            | Self::Uptime(value)
            | Self::Bytes(value)
            | Self::BytesPerSecond(value) => object.number(key, value),
            Self::Lead(value) => object.signed(key, value),
            Self::Permille(value) => object.number(key, value),
            Self::Score(value) => object.number(key, to_permille(value)),
            Self::Flag(value) => object.boolean(key, value),
            Self::Unknown => object.known(key, None::<u64>),
        }
    }
}

impl Display for Value<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Self::Text(text) => f.write_str(text),
            Self::Shown(shown) => shown.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Count(value) => Count(value).fmt(f),
            Self::Estimate(value) => write!(f, "~{}", Count(value)),
            Self::Ns(value) => Ns(value).fmt(f),
            Self::Uptime(value) => Uptime(value).fmt(f),
            Self::Lead(value) if value < 0 => write!(f, "-{}", Ns(value.unsigned_abs())),
            Self::Lead(value) => Ns(value.unsigned_abs()).fmt(f),
            Self::Bytes(value) => Bytes(value).fmt(f),
            Self::BytesPerSecond(value) => write!(f, "{}/s", Bytes(value)),
            Self::Permille(value) => Permille(value).fmt(f),
            Self::Score(value) => {
                let permille = to_permille(value);
                write!(f, "{}.{:03}", permille / 1000, permille % 1000)
            }
            Self::Flag(value) => f.write_str(if value { "yes" } else { "no" }),
            Self::Unknown => f.write_str("-"),
        }
    }
}
