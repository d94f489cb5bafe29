//! What each class has of caches and bandwidth, and changing it in the notation
//! of `pqos -e` or of a resctrl schemata line: `cat`, and a part of `mba`.

use core::fmt;

use alloc::boxed::Box;

use heapless::Vec;
use umbra_console::parse::DivideVerb;
use umbra_hw::notation::{Setting, Settings, What, parse_pqos, parse_schemata};
use umbra_hw::rdt::{Part, Rdt, Resource};

use crate::hardware::division::{self, Order};
use crate::hardware::{self, confine, places};
use crate::shell::page::{Page, Value, name, number};
use crate::shell::reply::{Message, Reply, message};

/// Rows shown at most: 16 classes of 16 caches.
const ROWS: usize = 256;

struct Row {
    resource: Resource,
    cache: u64,
    class: u64,
    value: Option<u64>,
    shown: Message,
}

/// `cat`.
#[inline(never)]
pub(in crate::shell) fn run_ways(reply: Reply, verb: DivideVerb, settings: Option<&str>, class: Option<u8>) {
    let rdt = &hardware::the().rdt;
    if rdt.l3.is_none() && rdt.l2.is_none() {
        return reply.fail(
            &"the processor has no cache allocation; page colours divide the cache instead (see 'mem')",
        );
    }
    match verb {
        DivideVerb::Show => show(reply, &[Resource::L3, Resource::L2], |_| Ok(())),
        DivideVerb::Set => set(reply, settings, class, |what| matches!(what, What::L3(_) | What::L2(_))),
    }
}

/// The level of the caches whose neighbours own a resource's registers.
const fn level(resource: Resource) -> u8 {
    if matches!(resource, Resource::L2) { 2 } else { 3 }
}

const fn label(resource: Resource) -> &'static str {
    match resource {
        Resource::L3 => "llc",
        Resource::L2 => "l2",
        Resource::Bandwidth | Resource::AmdBandwidth => "mba",
        Resource::AmdSlowBandwidth => "smba",
    }
}

/// The classes of `resources`, and what `more` has to say.
pub(super) fn show(
    reply: Reply,
    resources: &[Resource],
    more: impl FnOnce(&mut Page<'_, '_>) -> fmt::Result,
) {
    let rdt = &hardware::the().rdt;
    let mut rows: Box<Vec<Row, ROWS>> = Box::new(Vec::new());
    for resource in resources.iter().copied().filter(|resource| rdt.classes(*resource, false) > 0) {
        for (cache, leader) in (0u64..).zip(places::leaders(level(resource))) {
            let values = match division::give(leader, Order::Read(resource)) {
                Ok(values) => values,
                Err(error) => return reply.fail(&error),
            };
            for (class, value) in (0u64..).zip(values) {
                let shown = describe(rdt, resource, value);
                // Rows beyond the last are not shown.
                let _ = rows.push(Row { resource, cache, class, value, shown });
            }
        }
    }
    reply.show(|page| {
        let fields = [
            name("resource", "RESOURCE"),
            number("cache", "CACHE"),
            number("class", "CLASS"),
            number("value", "VALUE"),
            name("meaning", "MEANING"),
            name("used_by", "USED BY"),
        ];
        page.table("classes", fields, &rows, |row| {
            [
                Value::Text(label(row.resource)),
                Value::Number(row.cache),
                Value::Number(row.class),
                row.value.map_or(Value::Unknown, Value::Number),
                Value::Text(&row.shown),
                Value::Text(used_by(row.class)),
            ]
        })?;
        more(page)
    });
}

fn describe(rdt: &Rdt, resource: Resource, value: Option<u64>) -> Message {
    let Some(value) = value else { return message(format_args!("-")) };
    match resource {
        Resource::L3 | Resource::L2 => message(format_args!("{value:#x}, {} ways", value.count_ones())),
        Resource::Bandwidth => {
            let throttle = u32::try_from(value).unwrap_or(u32::MAX);
            match rdt.mba.and_then(|mba| mba.percent_of(throttle)) {
                Some(percent) => message(format_args!("{percent} %")),
                None => message(format_args!("throttle {value}")),
            }
        }
        Resource::AmdBandwidth | Resource::AmdSlowBandwidth => {
            let limit = if resource == Resource::AmdBandwidth { rdt.bandwidth } else { rdt.slow_bandwidth };
            match limit {
                Some(limit) if value < limit.unlimited() => {
                    message(format_args!("{}.{:03} GB/s", value / 8, value % 8 * 125))
                }
                _ => message(format_args!("no limit")),
            }
        }
    }
}

/// Who works under a class.
fn used_by(class: u64) -> &'static str {
    use crate::tasks;
    let is = |slot: u16| u64::from(division::class_of(slot)) == class;
    match (is(tasks::FIRST), is(tasks::SHADOW), is(tasks::SECOND)) {
        (true, true, true) => "everybody",
        (true, _, _) => "first-class and the kernel",
        (_, true, _) => "shadow and echo",
        (_, _, true) => "second-class",
        _ => "-",
    }
}

pub(super) fn set(reply: Reply, settings: Option<&str>, class: Option<u8>, fits: fn(What) -> bool) {
    let text = settings.unwrap_or_default().trim_matches('"');
    let class = class.map(u32::from);
    let parsed = match parse(text) {
        Ok(parsed) => parsed,
        Err(error) => return reply.fail(&error),
    };
    if parsed.iter().any(|setting| !fits(setting.what)) {
        return reply.fail(&"'cat' sets llc and l2, 'mba' sets mba and smba");
    }
    let mut done = 0;
    let mut last = Message::new();
    for setting in &parsed {
        let class = setting.class.or(class).unwrap_or(0);
        match carry_out(setting, class, &mut last) {
            Ok(count) => done += count,
            Err(error) => return reply.fail(&error),
        }
    }
    reply.done(format_args!("{done} register{} set and read back{last}", if done == 1 { "" } else { "s" }));
}

/// Lines of a schemata file begin with a resource in capitals.
pub(super) fn parse(text: &str) -> Result<Settings, Message> {
    let parsed = if text.starts_with(|letter: char| letter.is_ascii_uppercase()) {
        parse_schemata(text)
    } else {
        parse_pqos(text)
    };
    parsed.map_err(|error| message(format_args!("{error}")))
}

/// Gives the order at every cache that the setting names; how many they were.
fn carry_out(setting: &Setting, class: u32, note: &mut Message) -> Result<u32, Message> {
    let rdt = &hardware::the().rdt;
    let limited = rdt.mba.is_none();
    if class == division::SECOND_CLASS && confine::is_in_effect() {
        return Err(message(format_args!(
            "class 1 is held by 'mba set 1=..MBps' or a quarantine; end that first"
        )));
    }
    let amount = u32::try_from(setting.value).unwrap_or(u32::MAX);
    let (resource, order) = match setting.what {
        What::L3(part) => (Resource::L3, mask(Resource::L3, part, class, setting.value)),
        What::L2(part) => (Resource::L2, mask(Resource::L2, part, class, setting.value)),
        What::Bandwidth if !limited => (Resource::Bandwidth, Order::Percent { class, percent: amount }),
        What::Bandwidth => {
            let resource = Resource::AmdBandwidth;
            (resource, Order::Limit { resource, class, eighths: amount })
        }
        What::SlowBandwidth => {
            let resource = Resource::AmdSlowBandwidth;
            (resource, Order::Limit { resource, class, eighths: amount })
        }
        What::BandwidthMbps => {
            return Err(message(format_args!("MBps are for class 1 alone, by themselves")));
        }
    };
    let mut count = 0;
    for (cache, leader) in (0u32..).zip(places::leaders(level(resource))) {
        if setting.domains.0.checked_shr(cache).unwrap_or(0) & 1 == 0 {
            continue;
        }
        let values =
            division::give(leader, order).map_err(|error| message(format_args!("cache {cache}: {error}")))?;
        count += 1;
        let throttle = values.first().copied().flatten().and_then(|value| u32::try_from(value).ok());
        if let (Order::Percent { class, .. }, Some(throttle)) = (order, throttle) {
            let percent = rdt.mba.and_then(|mba| mba.percent_of(throttle)).unwrap_or(0);
            *note = message(format_args!("; class {class} has {percent} %"));
        }
    }
    if count == 0 {
        return Err(message(format_args!("there is no such cache; 'topo' shows those there are")));
    }
    Ok(count)
}

const fn mask(resource: Resource, part: Part, class: u32, mask: u64) -> Order {
    Order::Mask { resource, part, class, mask }
}
