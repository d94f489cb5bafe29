//! The kernel log: any core writes a record to its own ring, the control core
//! collects, prints and keeps them. No core waits for another, and a record
//! that finds its ring full is counted instead.

use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};

use heapless::{HistoryBuf, String};
use umbra_sched::Ring;
use umbra_x86_64::cpu;

use crate::{cells::ControlCell, cores, time};

/// Longest text of a record; the rest is cut off.
pub(crate) const TEXT_BYTES: usize = 160;
/// Records a core can have waiting.
pub(crate) const RING: usize = 64;
/// Records kept for `log`.
const HISTORY: usize = 256;

/// How important a record is, most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Something failed.
    Error,
    /// Something fell back.
    Warn,
    /// Something happened.
    Info,
}

impl Level {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
        }
    }
}

/// One line of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    time_ns: u64,
    core: u8,
    pub(crate) level: Level,
    length: u8,
    text: [u8; TEXT_BYTES],
}

impl core::fmt::Display for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (seconds, rest) = (self.time_ns / 1_000_000_000, self.time_ns / 1_000 % 1_000_000);
        let text = self.text.get(..usize::from(self.length)).unwrap_or_default();
        let text = core::str::from_utf8(text).unwrap_or("(not text)");
        write!(f, "[{seconds:5}.{rest:06}] cpu{} {:5} {text}", self.core, self.level.name())
    }
}

static LOST: AtomicU64 = AtomicU64::new(0);
static HISTORY_OF: ControlCell<HistoryBuf<Record, HISTORY>> = ControlCell::new();

/// A core's ring of records.
pub(crate) type LogRing = Ring<Record, RING>;

/// Writes one record. Bounded: one formatting into a fixed buffer, one push.
pub(crate) fn write(level: Level, arguments: core::fmt::Arguments<'_>) {
    let mut text = String::<TEXT_BYTES>::new();
    // A text that does not fit is cut, which is what we want.
    let _ = text.write_fmt(arguments);
    let mut record =
        Record { time_ns: time::now_ns(), core: cores::number(), level, length: 0, text: [0; TEXT_BYTES] };
    record.text[..text.len()].copy_from_slice(text.as_bytes());
    record.length = u8::try_from(text.len()).unwrap_or(0);
    if !cores::are_running() {
        crate::println!("{record}");
        keep(record);
        return;
    }
    cpu::without_interrupts(|| {
        if cores::push_log(record).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
    });
}

/// Keeps a record for `log`; control core only.
pub(crate) fn keep(record: Record) {
    if HISTORY_OF.with(|history| history.write(record)).is_none() {
        HISTORY_OF.set(HistoryBuf::new());
        HISTORY_OF.with(|history| history.write(record));
    }
}

/// Records taken from one core's ring in one go.
const COLLECTED: usize = 16;

/// Takes what the cores have written, keeps it for `log`, and gives it to
/// `visit`. Bound: [`COLLECTED`] records a core.
pub(crate) fn collect(visit: &mut dyn FnMut(&Record)) {
    for core in cores::all() {
        let Some(mut records) = core.log.consumer() else { continue };
        for _ in 0..COLLECTED {
            let Some(record) = records.pop() else { break };
            keep(record);
            visit(&record);
        }
    }
}

/// Calls `visit` with the last `count` records of at least `level`, oldest
/// first.
pub(crate) fn recent(count: usize, level: Level, visit: &mut dyn FnMut(&Record)) {
    HISTORY_OF.with(|history| {
        let matching = history.oldest_ordered().filter(|record| record.level <= level).count();
        let skipped = matching.saturating_sub(count);
        history.oldest_ordered().filter(|record| record.level <= level).skip(skipped).for_each(visit);
    });
}

/// Records that found their ring full.
pub(crate) fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Writes a line to the kernel log: `log_line!(Info, "…")`.
#[macro_export]
macro_rules! log_line {
    (@$level:expr, $($argument:tt)*) => {
        $crate::log::write($level, format_args!($($argument)*))
    };
    ($level:ident, $($argument:tt)*) => {
        $crate::log::write($crate::log::Level::$level, format_args!($($argument)*))
    };
}
