//! `help`, `version`, `uptime`, `log`, `mem` and the ways out.

use heapless::Vec;
use umbra_console::format::Uptime;
use umbra_console::parse::{Level as Asked, SPECS, Spec};
use umbra_console::{help, reply::CLEAR_SCREEN};
use umbra_memory::{Class, FRAME_BYTES};

use super::colours::listed;
use super::look::TaskLook;
use super::page::{Page, Value, name, number};
use super::reply::{Raw, Reply};
use crate::log::{self, Level, Record};
use crate::{cores, exit, heap, memory, tasks, time};

/// Lines that `log` shows unless said otherwise.
const LINES: u16 = 32;
/// Records copied out at a time.
const STRETCH: usize = 16;

/// `help [COMMAND]`.
#[inline(never)]
pub(super) fn explain(reply: Reply, topic: Option<&'static Spec>) {
    reply.show(|page| match (page, topic) {
        (Page::Text(sink), None) => help::overview(*sink),
        (Page::Text(sink), Some(spec)) => help::command(*sink, spec),
        (Page::Json(object), topic) => object.list("commands", |list| {
            SPECS.iter().filter(|spec| topic.is_none_or(|topic| topic == *spec)).try_for_each(|spec| {
                list.object(|object| {
                    object.text("name", spec.name)?;
                    object.display("syntax", &spec.syntax())?;
                    object.text("summary", spec.summary)?;
                    object.text("example", spec.example)
                })
            })
        }),
    });
}

/// `version`.
#[inline(never)]
pub(super) fn version(reply: Reply) {
    let build = if cfg!(debug_assertions) { "with debug assertions" } else { "release" };
    reply.show(|page| {
        page.facts(&[
            ("Umbra", "version", Value::Text(env!("CARGO_PKG_VERSION"))),
            ("build", "build", Value::Text(build)),
            ("most cores", "cores_max", Value::Number(cores::MAX_CORES as u64)),
            ("task slots", "task_slots", Value::Number(u64::from(tasks::SLOTS))),
        ])
    });
}

/// `uptime`.
#[inline(never)]
pub(super) fn uptime(reply: Reply) {
    let now_ns = reply.now_ns;
    reply.show(|page| page.note(format_args!("{}", Uptime(now_ns)), "uptime_ns", Value::Uptime(now_ns)))
}

/// `log`. Records are copied out some at a time: they are kept behind a cell
/// that the tick shares, and the port is slow.
#[inline(never)]
pub(super) fn show_log(reply: Reply, count: Option<u16>, level: Option<Asked>) {
    let level = match level {
        Some(Asked::Error) => Level::Error,
        Some(Asked::Warn) => Level::Warn,
        _ => Level::Info,
    };
    let mut left = available(usize::from(count.unwrap_or(LINES)), level);
    reply.show(|page| match page {
        Page::Text(sink) => {
            while left > 0 {
                stretch(left, level).iter().try_for_each(|record| writeln!(sink, "{record}"))?;
                left = left.saturating_sub(STRETCH);
            }
            match log::lost() {
                0 => Ok(()),
                lost => writeln!(sink, "{lost} records found no room"),
            }
        }
        Page::Json(object) => {
            object.number("lost", log::lost())?;
            object.list("lines", |list| {
                while left > 0 {
                    for record in stretch(left, level) {
                        list.object(|line| line.display("line", &record))?;
                    }
                    left = left.saturating_sub(STRETCH);
                }
                Ok(())
            })
        }
    });
}

/// How many of the last `count` records there are.
fn available(count: usize, level: Level) -> usize {
    let mut there = 0;
    log::recent(count, level, &mut |_| there += 1);
    there
}

/// The first records of the last `left`. Nobody adds any meanwhile: only the
/// control task does, which is here.
fn stretch(left: usize, level: Level) -> Vec<Record, STRETCH> {
    let mut records = Vec::new();
    log::recent(left, level, &mut |record| {
        // Those that find no room come with the next stretch.
        let _ = records.push(*record);
    });
    records
}

struct Share {
    owner: &'static str,
    bytes: u64,
}

/// `mem`.
#[inline(never)]
pub(super) fn show_memory(reply: Reply) {
    let Some(usage) = memory::usage() else { return reply.fail(&"memory is not set up") };
    let (rows, _) = TaskLook::new().read(reply.now_ns);
    let second: u64 = rows.iter().filter(|row| row.slot >= tasks::SECOND).map(|row| row.memory_bytes).sum();
    let frames = |frames: u32| u64::from(frames) * FRAME_BYTES;
    let owners = [
        Share { owner: "kernel objects, stacks and heap", bytes: frames(usage.kernel) },
        Share { owner: "page tables", bytes: frames(usage.page_tables) },
        Share { owner: "search: index and stack", bytes: frames(usage.corpus) },
        Share { owner: "shadow and echo", bytes: frames(usage.shadow) },
        Share { owner: "second-class tasks", bytes: second },
        Share { owner: "free", bytes: frames(usage.free) },
    ];
    let of = |class| listed(usage.division.of(class));
    let (kernel, first) = (of(Class::Kernel), of(Class::First));
    let (shadow, others) = (of(Class::Shadow), of(Class::Second));
    reply.show(|page| {
        page.facts(&[
            ("frames managed", "frames", Value::Number(u64::from(usage.managed))),
            ("frames free", "frames_free", Value::Number(u64::from(usage.free))),
            ("memory managed", "managed_bytes", Value::Bytes(frames(usage.managed))),
            ("kernel image, frame table", "fixed_bytes", Value::Bytes(memory::fixed_bytes())),
            ("heap", "heap_bytes", Value::Bytes(heap::BYTES as u64)),
            ("heap in use", "heap_used_bytes", Value::Bytes(heap::used() as u64)),
            ("page colours", "colours", Value::Number(u64::from(usage.colours))),
            ("colours of the kernel", "colours_kernel", Value::Text(&kernel)),
            ("colours of the shadow", "colours_shadow", Value::Text(&shadow)),
            ("colours of first class", "colours_first_class", Value::Text(&first)),
            ("colours of second class", "colours_tasks", Value::Text(&others)),
        ])?;
        page.table("owners", [name("owner", "OWNER"), number("bytes", "BYTES")], &owners, |share| {
            [Value::Text(share.owner), Value::Bytes(share.bytes)]
        })?;
        let fields = [number("task", "TASK"), name("name", "NAME"), number("bytes", "MEMORY")];
        page.table("tasks", fields, &rows, |row| {
            [Value::Number(u64::from(row.slot)), Value::Text(row.name), Value::Bytes(row.memory_bytes)]
        })
    });
}

/// `clear`.
#[inline(never)]
pub(super) fn clear(reply: Reply) {
    if reply.mode == umbra_console::parse::Mode::Text {
        // The port takes everything.
        let _ = core::fmt::Write::write_str(&mut Raw, CLEAR_SCREEN);
    }
    reply.show(|_| Ok(()));
}

/// `reboot`.
#[inline(never)]
pub(super) fn reboot(reply: Reply) {
    reply.done(format_args!("starting again"));
    settle();
    exit::reboot()
}

/// `poweroff`.
#[inline(never)]
pub(super) fn power_off(reply: Reply) {
    reply.done(format_args!("off"));
    settle();
    exit::power_off()
}

/// `crash [yes]`.
#[inline(never)]
pub(super) fn crash(reply: Reply, confirmed: bool) {
    if !confirmed {
        return reply.fail(&"this ends the kernel; 'crash yes' if that is what you want");
    }
    reply.done(format_args!("panicking"));
    settle();
    panic!("asked for on the console");
}

/// Lets the port send what it still holds: 16 bytes at 115200 baud.
fn settle() {
    time::pause_us(2_000);
}
