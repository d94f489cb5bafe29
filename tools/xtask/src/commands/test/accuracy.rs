//! Whether what the console says was counted is what the model counted.
//!
//! The model's report lists what every vCPU had counted when a register was
//! written that begins or ends a count. The console's figures are held against
//! the differences between these marks: a count of a core against that vCPU, a
//! count of a task against the stretches in which its identity was on the core,
//! `mon` against the identity's own occupancy and traffic.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::Counts;
use crate::console_session::Session;
use crate::image::{Builder, Configuration, configuration::Mode};
use crate::qemu::{Emulator, Firmware, Machine, Outcome, Outputs};
use crate::workspace;

const MACHINE: &str = "xeon4";
const CPUS: u32 = 4;
const MEMORY_MIB: u32 = 1024;
/// Guest milliseconds that are counted.
const COUNTED_MS: u32 = 40;
/// How far a figure may be from the model's, in thousandths.
const EXACT_PERMILLE: u64 = 10;
/// The same for events that took turns, which are estimated.
const ESTIMATED_PERMILLE: u64 = 50;
const LIMIT: Duration = Duration::from_secs(240);

const GLOBAL_CONTROL: u64 = 0x38f;
const ASSOCIATION: u64 = 0xc8f;
const MONITOR_SELECT: u64 = 0xc8d;
/// Events whose counters fit beside those that always run and the one that rations
/// keep, and more than fit.
const FEW: &str = "instructions,cycles,cache-misses";
const MANY: &str = "instructions,cycles,cache-references,cache-misses,bus-cycles,r4f2e,r412e";

/// Boots the model, lets the console count, and compares. Left out where the
/// model's QEMU cannot be had.
pub(super) fn tests(builder: &Builder) -> Counts {
    let mut counts = Counts::default();
    let emulator = match Emulator::find() {
        Ok(emulator) => emulator,
        Err(reason) => {
            println!("accuracy: left out, the model's QEMU cannot be had: {reason:#}");
            return counts;
        }
    };
    let figures = match measure(builder, &emulator) {
        Ok(figures) => figures,
        Err(error) => return Counts::one("accuracy", Err(error)),
    };
    for figure in figures {
        println!("   {figure}");
        counts.add(Counts::one(&format!("accuracy: {}", figure.name), figure.judge()));
    }
    counts
}

/// A figure of the console's and the model's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Figure {
    name: String,
    said: u64,
    truth: u64,
    allowed_permille: u64,
    /// Allowed beside the share: instructions between a mark and the reading.
    allowed: u64,
}

impl Figure {
    fn judge(&self) -> Result<()> {
        let allowed = self.truth.saturating_mul(self.allowed_permille) / 1000 + self.allowed;
        if self.said.abs_diff(self.truth) <= allowed {
            return Ok(());
        }
        bail!("the console says {}, the model counted {}", self.said, self.truth)
    }

    fn error_ppm(&self) -> u64 {
        self.said.abs_diff(self.truth).saturating_mul(1_000_000) / self.truth.max(1)
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, said, truth, .. } = self;
        let ppm = self.error_ppm();
        write!(f, "{name:<44} {said:>13} said {truth:>13} counted  {}.{:04} %", ppm / 10_000, ppm % 10_000)
    }
}

/// What the console said.
struct Said {
    core: Value,
    task: Value,
    turns: Value,
    monitor: Value,
}

fn measure(builder: &Builder, emulator: &Emulator) -> Result<Vec<Figure>> {
    let report = workspace::target("logs/accuracy.json");
    let outputs = Outputs { report: Some(report.clone()), ..Outputs::default() };
    let images = builder.images("accuracy", &Configuration::new(Mode::Console))?;
    let mut machine = Machine::new(&images, Firmware::Bios, CPUS)?;
    machine.model = Some(emulator.model(MACHINE, CPUS, MEMORY_MIB, outputs)?);
    let said = converse(&machine, &workspace::target("logs/accuracy.log"))?;
    let text = std::fs::read(&report).with_context(|| format!("no {}", workspace::shown(&report)))?;
    let report: Value = serde_json::from_slice(&text).context("the model's report is no JSON")?;
    compare(&said, &report)
}

/// A chase alone on core 2; a stream and a hash share core 3.
fn converse(machine: &Machine, log: &Path) -> Result<Said> {
    let mut session = Session::start(machine, log)?;
    session.command("mode json")?;
    for line in ["run chase -c 2", "run stream -c 3", "run hash -c 3"] {
        let reply = session.command(line)?;
        ensure!(reply.contains("\"ok\":true"), "{line}: {}", reply.trim());
    }
    let tasks = session.command("ps")?;
    let stream = task_of(&tasks, "stream").with_context(|| format!("no stream in {}", tasks.trim()))?;
    let mut stat = |events: &str, of: &str| {
        session.command(&format!("pmu stat {events} {of} -d {COUNTED_MS}"))?;
        session.record("pmu", LIMIT)
    };
    let core = stat(FEW, "-C 2")?;
    let task = stat(FEW, &format!("-C 3 -t {stream}"))?;
    let turns = stat(MANY, "-C 2")?;
    let reply = session.command("mon")?;
    let monitor = reply.lines().filter_map(|line| serde_json::from_str(line).ok());
    let monitor = monitor.into_iter().find(|one: &Value| one["workloads"].is_array());
    let monitor = monitor.with_context(|| format!("mon said {}", reply.trim()))?;
    match session.last_command("poweroff")? {
        Outcome::Success => Ok(Said { core, task, turns, monitor }),
        outcome => bail!("{outcome}"),
    }
}

fn task_of(reply: &str, name: &str) -> Option<u64> {
    let records = reply.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let tasks = records.into_iter().find_map(|record| record["tasks"].as_array().cloned())?;
    let task = tasks.iter().find(|task| task["name"] == name)?;
    task["task"].as_u64()
}

fn compare(said: &Said, report: &Value) -> Result<Vec<Figure>> {
    let marks = report["marks"].as_array().context("the report has no marks")?;
    ensure!(report["marks_dropped"] == 0, "the report dropped marks");
    let mut figures = Vec::new();
    // Counts of core 2 are the first there; what always runs has one mark less.
    let on_core_2 = stretches(marks, 2);
    let (first, rest) = on_core_2.split_first().context("nothing was counted on core 2")?;
    let last = rest.last().context("nothing took turns on core 2")?;
    ensure!(on_core_2.len() > 3, "{} turns", on_core_2.len());
    counted(&mut figures, "core 2", &said.core, &difference(marks, 2, *first))?;
    counted(&mut figures, "core 2, in turns", &said.turns, &difference(marks, 2, (rest[0].0, last.1)))?;
    let on_core_3 = stretches(marks, 3);
    let only = on_core_3.first().context("nothing was counted on core 3")?;
    let rows = said.monitor["workloads"].as_array().context("no rows")?;
    let stream = rows.iter().find(|row| row["workload"] == "stream").context("mon shows no stream")?;
    let rmid = stream["rmid"].as_u64().context("no RMID")?;
    counted(&mut figures, "task stream on core 3", &said.task, &of_identity(marks, 3, *only, rmid))?;
    for row in rows {
        monitored(&mut figures, report, marks, row)?;
    }
    Ok(figures)
}

/// From each mark that starts counters beside those that always run to the next
/// mark on the same vCPU; indexes into the marks.
fn stretches(marks: &[Value], vcpu: u64) -> Vec<(usize, usize)> {
    let writes = marks.iter().enumerate();
    let writes = writes.filter(|(_, mark)| mark["vcpu"] == vcpu && mark["register"] == GLOBAL_CONTROL);
    let writes: Vec<(usize, u32)> =
        writes.map(|(at, mark)| (at, mark["value"].as_u64().unwrap_or(0).count_ones())).collect();
    let always = writes.iter().map(|(_, bits)| *bits).filter(|bits| *bits > 0).min().unwrap_or(0);
    let pairs = writes.iter().zip(writes.iter().skip(1));
    pairs.filter(|((_, bits), _)| *bits > always).map(|((from, _), (to, _))| (*from, *to)).collect()
}

fn counts(mark: &Value, vcpu: usize) -> [u64; 4] {
    [0, 1, 2, 3].map(|event: usize| mark["counts"][vcpu][event].as_u64().unwrap_or(0))
}

fn difference(marks: &[Value], vcpu: usize, (from, to): (usize, usize)) -> [u64; 4] {
    let (from, to) = (counts(&marks[from], vcpu), counts(&marks[to], vcpu));
    std::array::from_fn(|event| to[event] - from[event])
}

/// The part of a stretch in which an identity was on the vCPU.
fn of_identity(marks: &[Value], vcpu: usize, (from, to): (usize, usize), rmid: u64) -> [u64; 4] {
    let is_here = |mark: &Value| mark["vcpu"] == vcpu && mark["register"] == ASSOCIATION;
    let identity = |mark: &Value| mark["value"].as_u64().unwrap_or(0) & 0xffff_ffff;
    let before = marks[..from].iter().rev().find(|mark| is_here(mark)).map(identity);
    let (mut sum, mut since, mut on) = ([0; 4], from, before == Some(rmid));
    for at in from..=to {
        if at == to || is_here(&marks[at]) {
            if on {
                let more = difference(marks, vcpu, (since, at));
                sum = std::array::from_fn(|event| sum[event] + more[event]);
            }
            (since, on) = (at, identity(&marks[at]) == rmid);
        }
    }
    sum
}

/// One figure for each event that was asked for.
fn counted(figures: &mut Vec<Figure>, of: &str, said: &Value, truth: &[u64; 4]) -> Result<()> {
    let events = said["events"].as_array().context("no events in the record")?;
    for row in events {
        let name = row["event"].as_str().context("an event without a name")?;
        let of_model = match name {
            "instructions" => truth[0],
            "cycles" | "bus-cycles" => truth[1],
            "cache-references" | "r4f2e" => truth[2],
            _ => truth[3],
        };
        let estimated = row["source"] == "estimated";
        figures.push(Figure {
            name: format!("{of}: {name}{}", if estimated { " (estimated)" } else { "" }),
            said: row["count"].as_u64().with_context(|| format!("{name} was not counted"))?,
            truth: of_model,
            allowed_permille: if estimated { ESTIMATED_PERMILLE } else { EXACT_PERMILLE },
            allowed: 100,
        });
    }
    Ok(())
}

/// Occupancy and bandwidth of a row of `mon`.
fn monitored(figures: &mut Vec<Figure>, report: &Value, marks: &[Value], row: &Value) -> Result<()> {
    let rmid = row["rmid"].as_u64().context("a row without RMID")?;
    let name = row["workload"].as_str().unwrap_or("-");
    let selected = |event: u64| {
        let wanted = rmid << 32 | event;
        marks.iter().filter(move |mark| mark["register"] == MONITOR_SELECT && mark["value"] == wanted)
    };
    let bytes = |mark: &Value, which: usize| mark["monitored"][which].as_u64().unwrap_or(0);
    if let (Some(said), Some(mark)) = (row["occupancy_bytes"].as_u64(), selected(1).next_back()) {
        let truth = bytes(mark, 0);
        let name = format!("mon: occupancy of {name}");
        figures.push(Figure { name, said, truth, allowed_permille: EXACT_PERMILLE, allowed: 1024 });
    }
    let traffic: Vec<&Value> = selected(2).collect();
    if let (Some(said), [.., before, after]) = (row["bandwidth_bytes_per_s"].as_u64(), traffic.as_slice()) {
        let time = |mark: &Value| mark["time"].as_u64().unwrap_or(0);
        let cycles = time(after).saturating_sub(time(before)).max(1);
        let moved = bytes(after, 1).saturating_sub(bytes(before, 1));
        let hz = report["clock_mhz"].as_u64().context("the report has no clock")? * 1_000_000;
        let truth = u64::try_from(u128::from(moved) * u128::from(hz) / u128::from(cycles))?;
        let name = format!("mon: bandwidth of {name}");
        figures.push(Figure { name, said, truth, allowed_permille: EXACT_PERMILLE, allowed: 100_000 });
    }
    Ok(())
}
