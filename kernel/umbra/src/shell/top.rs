//! `top`: drawn again and again until a key is pressed.

use core::fmt::{Result, Write};

use umbra_console::Frame;
use umbra_console::format::{Ns, Permille, Uptime};
use umbra_console::parse::Mode;

use super::look::{CoreLook, CoreRow, TaskLook, TaskRow, TaskRows};
use super::page::{Field, Page, Value, name, number};
use super::reply::{Raw, record};
use super::{cpus, tasks};

/// Interval unless said otherwise.
const INTERVAL_MS: u32 = 1_000;
/// Tasks and cores shown at most, so that the picture fits a terminal of 24
/// rows; the busiest are shown.
const TASKS: usize = 16;
/// Cores in a row.
const CORES_PER_ROW: usize = 6;

/// Columns of the picture: what fits 80 characters.
const FIELDS: [Field; 8] = [
    number("task", "TASK"),
    name("name", "NAME"),
    name("state", "STATE"),
    number("core", "CORE"),
    number("share_permille", "SHARE"),
    number("cpu_ns", "CPU TIME"),
    number("units_per_s", "UNITS/S"),
    number("memory_bytes", "MEMORY"),
];

fn cells(row: &TaskRow) -> [Value<'_>; 8] {
    [
        Value::Number(u64::from(row.slot)),
        Value::Text(row.name),
        Value::Text(row.phase.name()),
        Value::Number(u64::from(row.core)),
        Value::Permille(row.share_permille),
        Value::Ns(row.cpu_ns),
        Value::Number(row.units_per_s),
        Value::Bytes(row.memory_bytes),
    ]
}

/// The picture.
pub(super) struct Top {
    mode: Mode,
    interval_ns: u64,
    next_ns: u64,
    first: bool,
    tasks: TaskLook,
    cores: CoreLook,
}

impl Top {
    #[inline(never)]
    pub(super) fn new(mode: Mode, interval_ms: Option<u32>, now_ns: u64) -> Self {
        let mut top = Self {
            mode,
            interval_ns: u64::from(interval_ms.unwrap_or(INTERVAL_MS)) * 1_000_000,
            next_ns: now_ns,
            first: true,
            tasks: TaskLook::new(),
            cores: CoreLook::new(),
        };
        // The baseline; the first picture is drawn a short while after it.
        top.tasks.read(now_ns);
        top.cores.read(now_ns);
        top.next_ns = now_ns.saturating_add(top.interval_ns.min(200_000_000));
        top
    }

    /// Draws when it is time to.
    #[inline(never)]
    pub(super) fn refresh(&mut self, now_ns: u64) {
        self.tasks.notice(now_ns);
        if now_ns < self.next_ns {
            return;
        }
        self.next_ns = now_ns.saturating_add(self.interval_ns);
        let (mut rows, interval_ns) = self.tasks.read(now_ns);
        let (core_rows, _) = self.cores.read(now_ns);
        rows.sort_unstable_by_key(|row| (core::cmp::Reverse(row.share_permille), row.slot));
        if self.mode == Mode::Json {
            return record("top", now_ns, |page| {
                cpus::table(page, &core_rows)?;
                page.table("tasks", tasks::FIELDS, &rows, tasks::cells)
            });
        }
        // The port takes everything.
        let _ = draw(core::mem::take(&mut self.first), now_ns, interval_ns, &core_rows, &rows);
    }
}

fn draw(first: bool, now_ns: u64, interval_ns: u64, cores: &[CoreRow], rows: &TaskRows) -> Result {
    let mut frame = Frame::begin(Raw, first)?;
    let (up, over) = (Uptime(now_ns), Ns(interval_ns));
    writeln!(frame, "Umbra, up {up}; shares over {over}; any key ends this")?;
    for row in cores.chunks(CORES_PER_ROW) {
        for core in row {
            // A formatter's width does not reach through `Permille`.
            let Permille(busy) = Permille(core.busy_permille);
            write!(frame, "cpu{:<2} {:>3}.{} %  ", core.number, busy / 10, busy % 10)?;
        }
        writeln!(frame)?;
    }
    let shown = rows.get(..rows.len().min(TASKS)).unwrap_or_default();
    Page::Text(&mut frame).table("tasks", FIELDS, shown, cells)?;
    if rows.len() > shown.len() {
        writeln!(frame, "and {} more", rows.len() - shown.len())?;
    }
    frame.end()
}
