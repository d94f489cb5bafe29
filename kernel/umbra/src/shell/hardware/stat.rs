//! `pmu stat`: events counted for a while, as `perf stat` shows them.

use core::fmt::{self, Display, Formatter};

use heapless::{String, Vec};
use umbra_console::parse::Mode;
use umbra_control::machine::CoreSet;
use umbra_hw::pmu::{Event, MAX_EVENTS, Scaled, parse_list, scale};

use crate::hardware::stat::{Counting, Progress, Wish};
use crate::hardware::{self, NoCounters, kinds};
use crate::shell::page::{Page, Value, name, number};
use crate::shell::reply::{Message, Reply, message};
use crate::{cores, tasks, workloads};

/// How long events are counted unless something else is asked for.
const DURATION_MS: u16 = 1_000;

/// A count under way or done.
pub(in crate::shell) struct Stat {
    counting: Counting,
    names: Vec<String<40>, MAX_EVENTS>,
    of: Message,
    mode: Mode,
}

/// One event's line.
struct Row {
    name: String<40>,
    scaled: Option<Scaled>,
}

impl Row {
    fn value(&self) -> Option<u64> {
        self.scaled.map(|scaled| scaled.value)
    }

    fn permille(&self) -> u16 {
        self.scaled.map_or(0, |scaled| scaled.running_permille)
    }

    /// How the value is known.
    fn source(&self) -> &'static str {
        match self.scaled {
            Some(scaled) if scaled.is_exact() => "counted",
            Some(_) => "estimated",
            None => "unknown",
        }
    }
}

/// Where and how long to count.
#[derive(Clone, Copy, Debug)]
pub(in crate::shell) struct Limits {
    pub(in crate::shell) core: Option<u8>,
    pub(in crate::shell) task: Option<u16>,
    pub(in crate::shell) duration_ms: Option<u16>,
}

/// `pmu stat`.
#[inline(never)]
pub(in crate::shell) fn begin(reply: Reply, stat: &mut Option<Stat>, events: &str, limits: Limits) {
    if stat.is_some() {
        return reply.fail(&"counting already; wait for its figures");
    }
    let mode = reply.mode;
    match prepare(mode, events, limits) {
        Ok(begun) => {
            let ms = limits.duration_ms.unwrap_or(DURATION_MS);
            reply.done(format_args!("counting {} for {ms} ms", begun.of));
            *stat = Some(begun);
        }
        Err(error) => reply.fail(&error),
    }
}

fn prepare(mode: Mode, text: &str, limits: Limits) -> Result<Stat, Message> {
    let found = hardware::the();
    let absent = |why: &NoCounters| message(format_args!("{why}; 'ps' has cycles and what tasks report"));
    let base = found.base.as_ref().map_err(absent)?;
    let cores = chosen_cores(limits.core)?;
    let of = subject(limits.core, limits.task)?;
    let whole = found.pmu.as_ref().map(|pmu| kinds::common(cores, pmu));
    let Some((Some(pmu), model)) = whole else { return Err(absent(&NoCounters::Absent)) };
    let requests = parse_list(text, &pmu, found.inventory.identity.vendor, model)
        .map_err(|(part, error)| message(format_args!("'{part}': {error}")))?;
    let when = |request: &umbra_hw::pmu::Request<'_>| (request.user, request.kernel);
    let (user, kernel) = requests.first().map_or((true, true), when);
    if requests.iter().any(|request| when(request) != (user, kernel)) {
        return Err(message(format_args!("events of one count have the same modifier (:u, :k or none)")));
    }
    let events: Vec<Event, MAX_EVENTS> = requests.iter().map(|request| request.event).collect();
    let names = requests.iter().map(|request| shortened(request.name)).collect();
    let duration_ns = u64::from(limits.duration_ms.unwrap_or(DURATION_MS)) * 1_000_000;
    let wish = Wish { user, kernel, cores, task: limits.task, duration_ns };
    let (rest, _) = kinds::common(cores, &base.rest);
    let counting = rest.and_then(|rest| Counting::new(&rest, &events, &wish));
    let counting = counting
        .ok_or_else(|| message(format_args!("no counter left counts one of these; see 'pmu list'")))?;
    Ok(Stat { counting, names, of, mode })
}

fn chosen_cores(core: Option<u8>) -> Result<CoreSet, Message> {
    match core {
        None => Ok(cores::set()),
        Some(number) if cores::get(number).is_some() => Ok(CoreSet(1 << (number % 64))),
        Some(number) => Err(message(format_args!("no core {number}; expected one of 'cpus'"))),
    }
}

/// Whose events are counted, in words.
fn subject(core: Option<u8>, task: Option<u16>) -> Result<Message, Message> {
    let there = |slot: u16| tasks::get(slot).is_some_and(|task| task.phase() != tasks::Phase::Empty);
    Ok(match (core, task) {
        (_, Some(slot)) if !there(slot) => {
            return Err(message(format_args!("no task {slot}; expected one of 'ps'")));
        }
        (None, Some(slot)) => message(format_args!("task {slot} {}", workloads::name_of(slot))),
        (Some(core), Some(slot)) => {
            message(format_args!("task {slot} {} on core {core}", workloads::name_of(slot)))
        }
        (Some(core), None) => message(format_args!("core {core}")),
        (None, None) => message(format_args!("all cores")),
    })
}

fn shortened(name: &str) -> String<40> {
    name.chars().take(40).filter(char::is_ascii).collect()
}

impl Stat {
    /// Goes on; true when the figures are there.
    pub(in crate::shell) fn advance(&mut self, now_ns: u64) -> bool {
        self.counting.advance(now_ns) == Progress::Done
    }

    pub(in crate::shell) const fn mode(&self) -> Mode {
        self.mode
    }

    fn rows(&self) -> Vec<Row, MAX_EVENTS> {
        let row = |(index, name): (usize, &String<40>)| {
            let (counted, enabled, running) = Counting::result(index);
            Row { name: name.clone(), scaled: scale(counted, enabled, running) }
        };
        self.names.iter().enumerate().map(row).collect()
    }

    pub(in crate::shell) fn write(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        page.facts(&[
            ("events of", "subject", Value::Text(&self.of)),
            ("for", "took_ns", Value::Ns(self.counting.took_ns())),
        ])?;
        let fields = [
            name("event", "EVENT"),
            number("count", "COUNT"),
            number("counted_permille", "COUNTED"),
            name("source", "SOURCE"),
        ];
        page.table("events", fields, &self.rows(), |row| {
            let value = row.value().map_or(Value::Unknown, Value::Number);
            let permille = Value::Permille(u32::from(row.permille()));
            [Value::Text(&row.name), value, permille, Value::Text(row.source())]
        })
    }
}

/// Digits in groups of three.
struct Grouped(u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut text = String::<32>::new();
        let mut divisor = 1_000_000_000_000_000_000u64;
        while divisor > 0 {
            let part = self.0 / divisor % 1000;
            // Seven groups and their commas fit.
            let _ = match (text.is_empty(), divisor) {
                (true, 2..) if part == 0 => Ok(()),
                (true, _) => fmt::write(&mut text, format_args!("{part}")),
                (false, _) => fmt::write(&mut text, format_args!(",{part:03}")),
            };
            divisor /= 1000;
        }
        f.pad(&text)
    }
}

impl Display for Stat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let value = |wanted: &str| rows.iter().find(|row| row.name == wanted).and_then(Row::value);
        writeln!(f, "counts of {}:", self.of)?;
        for row in &rows {
            match row.value() {
                Some(count) => write!(f, "{:>20}  {:<32}", Grouped(count), row.name)?,
                None => write!(f, "{:>20}  {:<32}", "not counted", row.name)?,
            }
            let per_cycle = value("instructions").zip(value("cycles")).filter(|(_, cycles)| *cycles > 0);
            if let Some((instructions, cycles)) = per_cycle.filter(|_| row.name == "instructions") {
                let hundredths = instructions.saturating_mul(100) / cycles;
                write!(f, "  # {}.{:02} per cycle", hundredths / 100, hundredths % 100)?;
            }
            if row.source() == "estimated" {
                let permille = row.permille();
                write!(f, "  ({}.{} % of the time)", permille / 10, permille % 10)?;
            }
            writeln!(f)?;
        }
        match Counting::refusals() {
            0 => {
                let us = self.counting.took_ns() / 1_000;
                let seconds = us / 1_000_000;
                write!(f, "{seconds:>13}.{:06}  seconds", us % 1_000_000)
            }
            cores => write!(f, "{cores} steps were refused by the processor: counts are too low"),
        }
    }
}
