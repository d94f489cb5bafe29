//! The guest's side: switches of tasks on each core, and what the line did.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::chrome::{Events, Row};

/// The guest.
const PROCESS: u32 = 1;
/// Rows below those of the cores.
const LINE: u32 = 100;

/// What lasts on the line: its row, its name, the events that begin it and
/// those that end it, and the key that tells one from another.
struct Lasting {
    thread: u32,
    name: &'static str,
    begins: &'static [&'static str],
    ends: &'static [&'static str],
    key: Option<&'static str>,
}

const LASTING: [Lasting; 4] = [
    Lasting {
        thread: 101,
        name: "shadow",
        begins: &["shadow_started"],
        ends: &["shadow_done", "shadow_cut"],
        key: None,
    },
    Lasting {
        thread: 102,
        name: "echo",
        begins: &["echo_started"],
        ends: &["echo_done", "echo_cut"],
        key: None,
    },
    Lasting { thread: 103, name: "quarantine", begins: &["planned"], ends: &["undone"], key: None },
    Lasting { thread: 104, name: "burst", begins: &["released"], ends: &["ended"], key: Some("burst") },
];

/// How the guest's time relates to the counter's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clock {
    pub(super) boot_tsc: u64,
    pub(super) tsc_hz: u64,
}

/// Adds the records of a dump; returns the guest's clock, if it was there.
///
/// # Errors
/// If a record lacks what it should have.
pub(super) fn add(records: &[Value], events: &mut Events) -> Result<Option<Clock>> {
    let Some(first) = records.first() else { return Ok(None) };
    events.name_process(PROCESS, "Umbra");
    let mut clock = None;
    let mut end_us = None;
    if first["kind"] == "clock" {
        clock = Some(Clock { boot_tsc: number(first, "boot_tsc")?, tsc_hz: number(first, "tsc_hz")?.max(1) });
        end_us = Some(us(number(first, "now_ns")?));
    }
    let kind = |kind: &'static str| records.iter().filter(move |record| record["kind"] == kind);
    let switches: Vec<&Value> = kind("switches").collect();
    add_switches(&switches, end_us, events)?;
    let dated: Vec<&Value> = kind("event").collect();
    add_line(&dated, end_us, events)?;
    Ok(clock)
}

/// A task runs from its switch to the next one of its core.
fn add_switches(records: &[&Value], end_us: Option<f64>, events: &mut Events) -> Result<()> {
    let mut cores: BTreeMap<u32, Vec<&Value>> = BTreeMap::new();
    for record in records {
        let core = u32::try_from(number(record, "core")?).context("a core's number is too large")?;
        let list = record["switches"].as_array().context("a record of switches has no list of them")?;
        cores.entry(core).or_default().extend(list);
        events.note(&format!("core {core}: switches overwritten"), record["lost"].clone());
    }
    for (core, switches) in cores {
        let row = Row { process: PROCESS, thread: core + 1 };
        events.name_row(row, &format!("core {core}"));
        for (at, switch) in switches.iter().enumerate() {
            let begin_us = us(number(switch, "at_ns")?);
            let next_us = switches.get(at + 1).map(|next| number(next, "at_ns").map(us)).transpose()?;
            let end_us = next_us.or(end_us).unwrap_or(begin_us);
            if let Some(task) = switch["task"].as_u64() {
                let name = switch["name"].as_str().context("a switch has no name")?;
                events.span(row, name, begin_us, end_us, json!({"task": task}));
            }
        }
    }
    Ok(())
}

fn add_line(dated: &[&Value], end_us: Option<f64>, events: &mut Events) -> Result<()> {
    if dated.is_empty() {
        return Ok(());
    }
    let line = Row { process: PROCESS, thread: LINE };
    events.name_row(line, "the line");
    for lasting in &LASTING {
        events.name_row(Row { process: PROCESS, thread: lasting.thread }, lasting.name);
    }
    let mut open: BTreeMap<&'static str, (f64, Value)> = BTreeMap::new();
    for record in dated {
        let at_us = us(number(record, "at_ns")?);
        let Some(event) = record["event"].as_str() else { bail!("an event of the line has no name") };
        let has = |names: &[&str]| names.contains(&event);
        match LASTING.iter().find(|one| has(one.begins) || has(one.ends)) {
            Some(one) if has(one.begins) => drop(open.insert(one.name, (at_us, (*record).clone()))),
            // The beginning of one that was under way already is not known.
            Some(one) => {
                if let Some((begin_us, begun)) = open.remove(one.name) {
                    close(one, begin_us, at_us, &begun, record, events);
                }
            }
            None => events.instant(line, event, at_us, arguments(record)),
        }
    }
    for one in &LASTING {
        if let Some((begin_us, begun)) = open.remove(one.name) {
            close(one, begin_us, end_us.unwrap_or(begin_us), &begun, &Value::Null, events);
        }
    }
    Ok(())
}

fn close(one: &Lasting, begin_us: f64, end_us: f64, begun: &Value, ended: &Value, events: &mut Events) {
    let name = match one.key.and_then(|key| begun[key].as_u64()) {
        Some(which) => format!("{} {which}", one.name),
        None => one.name.to_owned(),
    };
    let row = Row { process: PROCESS, thread: one.thread };
    events.span(row, &name, begin_us, end_us, json!({"begin": arguments(begun), "end": arguments(ended)}));
}

/// What belongs to an event beside its kind, name and time.
fn arguments(record: &Value) -> Value {
    let mut members = record.as_object().cloned().unwrap_or_default();
    for key in ["record", "kind", "event", "at_ns"] {
        members.shift_remove(key);
    }
    Value::Object(members)
}

fn number(record: &Value, key: &str) -> Result<u64> {
    record[key].as_u64().with_context(|| format!("a trace record has no number `{key}`: {}", short(record)))
}

fn short(record: &Value) -> String {
    record.to_string().chars().take(80).collect()
}

/// Exact to the nanosecond for a hundred days.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn us(ns: u64) -> f64 {
    ns as f64 / 1000.0
}
