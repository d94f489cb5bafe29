//! `mba`: bandwidth of each class, and holding second-class tasks to a target in
//! MBps by one of three ways.

use core::fmt::{self, Display, Formatter};

use alloc::boxed::Box;
use heapless::{String, Vec};
use umbra_console::parse::BandwidthVerb;
use umbra_control::machine::Stage;
use umbra_hw::bandwidth::MAX_ROWS;
use umbra_hw::notation::{Setting, What};
use umbra_hw::rdt::{Limit, Resource};

use super::divide;
use crate::hardware::hold::{self, Status, Way};
use crate::hardware::traffic::{self, Source};
use crate::hardware::{self, budget, calibrate, confine, division};
use crate::machine::Machine;
use crate::shell::page::{Page, Value, name, number};
use crate::shell::reply::{Message, Reply, message};
use crate::tasks;

/// How long a new target is given before it is measured.
const SETTLE_MS: u64 = 60;
/// How long it is measured.
const WINDOW_NS: u64 = 40_000_000;
/// Bytes a second of MBps.
const MBPS: u64 = 1_000_000;

/// `mba`.
#[inline(never)]
pub(in crate::shell) fn run_bandwidth(
    reply: Reply,
    verb: BandwidthVerb,
    settings: Option<&str>,
    class: Option<u8>,
) {
    match verb {
        BandwidthVerb::Show => show(reply),
        BandwidthVerb::Set => set(reply, settings, class),
        BandwidthVerb::Free => {
            hold::ask(None);
            reply.done(format_args!("second-class tasks are held to nothing by command any more"));
        }
        BandwidthVerb::Calibrate => calibrate(reply),
        BandwidthVerb::Auto => choose(reply, None),
        BandwidthVerb::Loop => choose(reply, Some(Way::Loop)),
        BandwidthVerb::Limit => choose(reply, Some(Way::Limit)),
        BandwidthVerb::Ration => choose(reply, Some(Way::Ration)),
    }
}

/// One way and whether it is there.
struct WayRow {
    way: Way,
    state: Message,
}

/// A throttle value and what it leaves one core and all of them.
struct ThrottleRow {
    throttle: u64,
    one: u64,
    all: u64,
}

fn show(reply: Reply) {
    let status = hold::status();
    let measured = measure();
    let ways: Vec<WayRow, 3> =
        Way::ALL.into_iter().map(|way| WayRow { way, state: state(way, &status) }).collect();
    let table = calibrate::with_table(|table| {
        let last = table.cores().last().copied().unwrap_or(1);
        let rows = table.throttles().iter().enumerate();
        let rows = rows.map(|(row, throttle)| ThrottleRow {
            throttle: u64::from(*throttle),
            one: table.rate(row, 1),
            all: table.rate(row, last),
        });
        Box::new(rows.collect::<Vec<ThrottleRow, MAX_ROWS>>())
    });
    let resources = [Resource::Bandwidth, Resource::AmdBandwidth, Resource::AmdSlowBandwidth];
    divide::show(reply, &resources, |page| {
        page.table("ways", [name("way", "HOLDING BY"), name("state", "STATE")], &ways, |row| {
            [Value::Text(row.way.describe()), Value::Text(&row.state)]
        })?;
        if let Some(rows) = &table {
            let fields = [
                number("throttle", "THROTTLE"),
                number("one_core_bytes_per_s", "1 CORE"),
                number("all_cores_bytes_per_s", "ALL CORES"),
            ];
            page.table("calibration", fields, rows, |row| {
                [Value::Number(row.throttle), Value::BytesPerSecond(row.one), Value::BytesPerSecond(row.all)]
            })?;
        }
        held(page, &status, measured)
    });
}

fn held(page: &mut Page<'_, '_>, status: &Status, measured: Option<(u64, Source)>) -> fmt::Result {
    let in_effect = InEffect(status);
    let by = measured.map_or("no count", |(_, source)| source.describe());
    let target = status.acting.map_or(Value::Unknown, |(_, target)| Value::BytesPerSecond(target));
    page.facts(&[
        ("second-class held to", "target_bytes_per_s", target),
        ("by", "held_by", Value::Shown(&in_effect)),
        ("waits for a ration", "ration_waits", Value::Count(budget::waits())),
        (
            "moving now",
            "bytes_per_s",
            measured.map_or(Value::Unknown, |(rate, _)| Value::BytesPerSecond(rate)),
        ),
        ("counted by", "counted_by", Value::Text(by)),
    ])
}

fn state(way: Way, status: &Status) -> Message {
    match way.lacks() {
        Some(lacks) => message(format_args!("lacks {lacks}")),
        None if status.acting.is_some_and(|(acting, _)| acting == way) => message(format_args!("in effect")),
        None => message(format_args!("available")),
    }
}

/// What holds bandwidth now, in words.
pub(super) struct InEffect<'s>(pub(super) &'s Status);

impl Display for InEffect<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some((way, _)) = self.0.acting else { return f.write_str("nothing") };
        f.write_str(way.describe())?;
        match (self.0.limit, budget::ration()) {
            (Some(Limit::Throttle(throttle)), _) => write!(f, ", throttle {throttle} set")?,
            (Some(Limit::Eighths(eighths)), _) => write!(f, ", {} MB/s set", u64::from(eighths) * 125)?,
            (None, Some(events)) => write!(f, ", {events} misses a core and ms")?,
            (None, None) => f.write_str(", no limit needed")?,
        }
        write!(f, " for {} cores", self.0.cores)?;
        let also = if self.0.quarantined.is_some() { " (a quarantine asks)" } else { "" };
        f.write_str(also)
    }
}

/// Bytes per second that second-class tasks move now.
fn measure() -> Option<(u64, Source)> {
    let source = traffic::source()?;
    let window_ns = WINDOW_NS.min(traffic::longest_window_ns());
    Some((traffic::measure(source, window_ns, traffic::pass_a_moment)?, source))
}

fn choose(reply: Reply, way: Option<Way>) {
    if let Some(lacks) = way.and_then(Way::lacks) {
        return reply.fail(&message(format_args!("that takes {lacks}")));
    }
    hold::choose_way(way);
    match way {
        Some(way) => reply.done(format_args!("bandwidth is held by {} from here on", way.describe())),
        None => reply.done(format_args!("bandwidth is held by the best way there is")),
    }
}

fn calibrate(reply: Reply) {
    if tasks::second_class().next().is_some() {
        return reply.fail(&"cores must be idle for it; end the second-class tasks first ('stop all')");
    }
    if !Machine.burst().done {
        return reply.fail(&"a burst runs; wait for its end");
    }
    if confine::is_in_effect() {
        return reply.fail(&"class 1 is held; 'mba free' or the quarantine's end first");
    }
    match calibrate::now() {
        Ok(()) => reply.done(format_args!("calibrated; 'mba show' has the table")),
        Err(why) => reply.fail(&why),
    }
}

/// A line of settings; one that only has a class and a number is for `mba`.
fn set(reply: Reply, settings: Option<&str>, class: Option<u8>) {
    let text = settings.unwrap_or_default().trim_matches('"');
    let mut line: String<256> = String::new();
    let named = !text.starts_with(|letter: char| letter.is_ascii_digit());
    if fmt::Write::write_fmt(&mut line, format_args!("{}{text}", if named { "" } else { "mba:" })).is_err() {
        return reply.fail(&"the line is too long; expected at most 250 characters");
    }
    let absolute = match divide::parse(&line) {
        Ok(settings) => settings.iter().any(|one| one.what == What::BandwidthMbps).then_some(settings),
        Err(error) => return reply.fail(&error),
    };
    if let Some(settings) = absolute {
        return hold_to(reply, &settings, class);
    }
    let rdt = &hardware::the().rdt;
    if rdt.mba.is_none() && rdt.bandwidth.is_none() {
        return reply.fail(&"the processor has no bandwidth allocation; 'mba set 1=..MBps' may hold class 1");
    }
    divide::set(reply, Some(&line), class, |what| matches!(what, What::Bandwidth | What::SlowBandwidth));
}

fn hold_to(reply: Reply, settings: &[Setting], class: Option<u8>) {
    let bytes_per_s = match target(settings, class) {
        Ok(target) => target,
        Err(error) => return reply.fail(&error),
    };
    hold::ask(Some(bytes_per_s));
    let Some((way, _)) = hold::status().acting else {
        hold::ask(None);
        let lacks = Way::Ration.lacks().unwrap_or("the way that was chosen ('mba auto' takes any)");
        return reply.fail(&message(format_args!("nothing here holds a bandwidth: it takes {lacks}")));
    };
    for _ in 0..SETTLE_MS {
        traffic::pass_a_moment();
    }
    let measured = measure();
    let status = hold::status();
    let target = bytes_per_s / MBPS;
    match measured {
        Some((rate, source)) => reply.done(format_args!(
            "held to {target} MB/s by {}; {} MB/s measured ({})",
            InEffect(&status),
            rate / MBPS,
            source.describe()
        )),
        None => reply.done(format_args!("held to {target} MB/s by {}; not measured", way.describe())),
    }
}

/// The target in bytes per second: of all caches together, or the sum of what a
/// schemata line gives each.
fn target(settings: &[Setting], class: Option<u8>) -> Result<u64, Message> {
    let class = class.map(u32::from);
    let mut sum = 0u64;
    for setting in settings {
        let class = setting.class.or(class).unwrap_or(0);
        if setting.what != What::BandwidthMbps || class != division::SECOND_CLASS {
            return Err(message(format_args!("MBps hold class 1 (second-class) only, one line by itself")));
        }
        sum = sum.saturating_add(setting.value.saturating_mul(MBPS));
    }
    if sum == 0 { Err(message(format_args!("0 MBps cannot be held; expected at least 1"))) } else { Ok(sum) }
}
