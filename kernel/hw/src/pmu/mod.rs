//! Performance counters: what there is, how to program it, what it said.
//!
//! One description ([`Pmu`]) serves Intel's architectural versions 1 to 6 and
//! AMD's core counters, so that callers ask for an event by name and get the
//! register writes. Offcore response, precise sampling and last branch records
//! were left out: nothing in the line reads them. Sources: Intel SDM volume 3B,
//! chapter 20; AMD APM volume 2, section 13.2; event encodings from
//! intel/perfmon and Linux `tools/perf/pmu-events`.

mod alarm;
mod arithmetic;
mod assign;
mod capabilities;
mod counter;
mod events;
mod models;
mod parse;
mod program;
mod rotation;
mod select;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_kinds;

pub use alarm::Alarm;
pub use arithmetic::{Scaled, delta, preload, scale};
pub use assign::{Group, MAX_EVENTS, assign};
pub use capabilities::{Design, L3Counters, Pmu};
pub use counter::{Counter, CounterSet};
pub use events::{ARCHITECTURAL, ArchitecturalEvent, Event, LlcMisses, Unit, generic, llc_misses};
pub use models::{Model, Role, events_of, for_role};
pub use parse::{EventError, Request, parse_event, parse_list};
pub use program::{Program, Write};
pub use rotation::{Rotation, Turn};
pub use select::{EventSelect, FixedControl, L3Select};
