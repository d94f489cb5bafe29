use super::{Event, EventSelect, Model, Pmu, Unit, events_of, generic};
use crate::cpuid::Vendor;
use core::fmt;
use heapless::Vec;

/// Why an event's name means nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventError {
    /// No such name on this processor.
    Unknown,
    /// A raw event is `r` and up to eight hexadecimal digits.
    Raw,
    /// A field of `cpu/…/` is not one of event, umask, cmask, inv, edge.
    Field,
    /// A modifier is not one of u, k.
    Modifier,
    /// More events than are counted in turn.
    TooMany,
}

impl fmt::Display for EventError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Unknown => "this processor has no event of that name; `pmu list` shows them",
            Self::Raw => "a raw event is r and the unit mask and event in hexadecimal, as in r412e",
            Self::Field => "expected cpu/event=0x..,umask=0x..,cmask=N,inv,edge/",
            Self::Modifier => "after the colon only u (user) and k (kernel) are understood",
            Self::TooMany => "more than 16 events",
        })
    }
}

impl core::error::Error for EventError {}

/// An event that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'t> {
    /// The text, without modifiers.
    pub name: &'t str,
    /// What it means here.
    pub event: Event,
    /// Count in ring 3.
    pub user: bool,
    /// Count in ring 0.
    pub kernel: bool,
}

/// Reads a list of events as `perf stat -e` takes it: names separated by commas
/// (those within `cpu/…/` separate fields).
///
/// # Errors
/// The first event that is not understood, with its text.
pub fn parse_list<'t>(
    text: &'t str,
    pmu: &Pmu,
    vendor: Vendor,
    model: Model,
) -> Result<Vec<Request<'t>, 16>, (&'t str, EventError)> {
    let mut requests = Vec::new();
    let mut inside = false;
    let separators = move |letter: char| {
        inside ^= letter == '/';
        letter == ',' && !inside
    };
    for part in text.split(separators) {
        let request = parse_event(part, pmu, vendor, model).map_err(|error| (part, error))?;
        requests.push(request).map_err(|_| (part, EventError::TooMany))?;
    }
    Ok(requests)
}

/// Reads one event: perf's name, the processor's own name, `rUUEE`, or
/// `cpu/event=..,umask=../`, each with `:u` or `:k`.
///
/// # Errors
/// Says what was expected.
pub fn parse_event<'t>(
    text: &'t str,
    pmu: &Pmu,
    vendor: Vendor,
    model: Model,
) -> Result<Request<'t>, EventError> {
    let (name, modifiers) = split_modifiers(text);
    let event = if let Some(fields) = name.strip_prefix("cpu/").and_then(|rest| rest.strip_suffix('/')) {
        described(fields)?
    } else if let Some(event) = named(name, pmu, vendor, model) {
        event
    } else {
        raw(name)?
    };
    if modifiers.bytes().any(|letter| !matches!(letter, b'u' | b'k')) {
        return Err(EventError::Modifier);
    }
    let (user, kernel) = (modifiers.contains('u'), modifiers.contains('k'));
    let both = !user && !kernel;
    Ok(Request { name, event, user: user || both, kernel: kernel || both })
}

/// perf also takes modifiers right after the closing slash.
fn split_modifiers(text: &str) -> (&str, &str) {
    let end_of_fields = text.rfind('/').map_or(0, |slash| slash + 1);
    let (fields, rest) = text.split_at(end_of_fields);
    if fields.is_empty() {
        return rest.split_once(':').unwrap_or((rest, ""));
    }
    (fields, rest.strip_prefix(':').unwrap_or(rest))
}

/// Other names that perf accepts for the same events.
const ALIASES: [(&str, &str); 5] = [
    ("cpu-cycles", "cycles"),
    ("branch-instructions", "branches"),
    ("LLC-loads", "cache-references"),
    ("LLC-load-misses", "cache-misses"),
    ("topdown.slots", "slots"),
];

fn named(name: &str, pmu: &Pmu, vendor: Vendor, model: Model) -> Option<Event> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, known)| *known);
    let own = events_of(model).map(|(_, event)| event);
    generic(pmu, vendor).chain(own).find(|event| event.name.eq_ignore_ascii_case(name))
}

fn raw(name: &str) -> Result<Event, EventError> {
    let digits = name.strip_prefix('r').ok_or(EventError::Unknown)?;
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(EventError::Unknown);
    }
    let bits = u32::from_str_radix(digits, 16).map_err(|_| EventError::Raw)?;
    let [event, unit_mask, flags, counter_mask] = bits.to_le_bytes();
    let select = EventSelect {
        edge: flags & 0x04 != 0,
        invert: flags & 0x80 != 0,
        counter_mask,
        ..EventSelect::new(u16::from(event), unit_mask)
    };
    Ok(custom(select))
}

fn described(fields: &str) -> Result<Event, EventError> {
    let mut select = EventSelect::default();
    for field in fields.split(',') {
        let (key, value) = field.split_once('=').unwrap_or((field, "1"));
        let number = number(value).ok_or(EventError::Field)?;
        let byte = u8::try_from(number).map_err(|_| EventError::Field);
        match key {
            "event" if number <= 0xfff => select.event = number,
            "umask" => select.unit_mask = byte?,
            "cmask" => select.counter_mask = byte?,
            "inv" => select.invert = number == 1,
            "edge" => select.edge = number == 1,
            _ => return Err(EventError::Field),
        }
    }
    Ok(custom(select))
}

fn number(text: &str) -> Option<u16> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |digits| u16::from_str_radix(digits, 16).ok())
}

fn custom(select: EventSelect) -> Event {
    Event { name: "raw", select, fixed: None, counters: u32::MAX, unit: Unit::Core }
}
