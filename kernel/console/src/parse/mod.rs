//! A line of text -> commands.
//!
//! `;` separates commands except within double quotes, `#` at the start of a word begins a comment, words
//! are separated by white space; quotes keep `;` and no more, since
//! no argument has a space. Everything else follows from the table [`SPECS`]. An error names what
//! was wrong and what was expected, in one line.
//!
//! Work is bounded by the line's length times the number of commands; nothing
//! allocates and no input panics.

mod command;
mod error;
mod kind;
mod nearest;
mod spec;
mod table;
mod value;
mod words;

pub use command::{Command, Memory, RoleChange, Target};
pub use error::{ParseError, Problem, Quoted};
pub use kind::{Kind, Meaning};
pub use nearest::nearest;
pub use spec::{Flag, Group, Need, Positional, Spec, Syntax};
pub use table::{SPECS, find};
pub use words::{
    BandwidthVerb, DivideVerb, JobScale, Level, MemVerb, Mode, PmuVerb, ProfileVerb, QuarantineVerb, Role,
    RoleSet, ShadowVerb, TraceVerb,
};

use value::{Value, Values};

/// The commands of a line, in order. What follows an error is still parsed;
/// whether to go on is the caller's decision.
pub fn commands(line: &str) -> impl Iterator<Item = Result<Command<'_>, ParseError<'_>>> {
    let mut quoted = false;
    let ends_command = move |character: char| {
        quoted ^= character == '"';
        character == ';' && !quoted
    };
    without_comment(line).split(ends_command).filter_map(parse_one)
}

/// The line up to its comment.
pub(crate) fn without_comment(line: &str) -> &str {
    let mut at_word_start = true;
    for (offset, character) in line.char_indices() {
        if character == '#' && at_word_start {
            return line.get(..offset).unwrap_or(line);
        }
        at_word_start = character == ';' || character.is_whitespace();
    }
    line
}

/// Parses one command; none when there is only white space.
fn parse_one(text: &str) -> Option<Result<Command<'_>, ParseError<'_>>> {
    let mut words = text.split_whitespace();
    let name = words.next()?;
    let Some(spec) = find(name) else {
        return Some(Err(ParseError::unknown_command(name)));
    };
    if words.clone().any(|word| word == "-h" || word == "--help") {
        return Some(Ok(Command::Help { topic: Some(spec) }));
    }
    let read = match spec.positionals.first() {
        Some(Positional { kind: Kind::Text, .. }) => read_text(text, name),
        _ => read_values(spec, words),
    };
    let built = read.and_then(|values| (spec.build)(&values).ok_or(Problem::Incomplete));
    Some(built.map_err(|problem| ParseError { spec: Some(spec), problem }))
}

/// What follows the name, dashes and all, as the only value.
fn read_text<'a>(text: &'a str, name: &str) -> Result<Values<'a>, Problem<'a>> {
    let words = text.trim_start().strip_prefix(name).unwrap_or_default().trim();
    if words.is_empty() {
        return Err(Problem::Missing(Kind::Text));
    }
    let mut values = Values::default();
    values.set(0, Value::read(Kind::Text, words)?);
    Ok(values)
}

fn read_values<'a>(
    spec: &'static Spec,
    mut words: impl Iterator<Item = &'a str>,
) -> Result<Values<'a>, Problem<'a>> {
    let mut values = Values::default();
    let mut filled = 0usize;
    while let Some(word) = words.next() {
        if word.starts_with('-') {
            read_flag(spec, word, words.next(), &mut values)?;
            continue;
        }
        let (first, previous) = (values.word(0), values.word_before(filled));
        let admitted = spec.positionals.get(filled).filter(|next| next.need.admits(first, previous));
        let positional = admitted.ok_or(Problem::Unexpected(word))?;
        values.set(filled, Value::read(positional.kind, word)?);
        filled += 1;
    }
    match spec.positionals.get(filled) {
        Some(next) if next.need.demands(filled, values.word(0), values.word_before(filled)) => {
            Err(Problem::Missing(next.kind))
        }
        _ => Ok(values),
    }
}

fn read_flag<'a>(
    spec: &'static Spec,
    word: &'a str,
    value: Option<&'a str>,
    values: &mut Values<'a>,
) -> Result<(), Problem<'a>> {
    let found = spec.flags.iter().enumerate().find(|(_, flag)| flag.name == word);
    let (index, flag) = found.ok_or(Problem::UnknownFlag(word))?;
    let value = value.ok_or(Problem::FlagWithoutValue(flag))?;
    if values.set_flag(index, Value::read(flag.kind, value)?) {
        return Err(Problem::FlagTwice(flag.name));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
