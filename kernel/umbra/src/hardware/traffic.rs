//! What second-class tasks move to and from memory, by the best count there is.

use core::sync::atomic::Ordering;

use umbra_hw::rdt::max_interval_ms;

use super::counters::{self, Quality};
use super::{hold, the};
use crate::{schedule, tasks, time};

/// Bytes of a miss.
const LINE_BYTES: u64 = 64;
/// Memory is not faster than this, in bytes per second, next to one cache.
const FASTEST: u64 = 1 << 40;

/// What was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Bytes to and from memory, by the bandwidth monitor.
    Monitor,
    /// Lines brought in, by the counter of misses; lines written back are not
    /// in it.
    Misses,
}

impl Source {
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Misses => "lines brought in",
        }
    }
}

/// The source there is.
pub(crate) fn source() -> Option<Source> {
    match the().rdt.monitoring {
        Some(monitoring) if monitoring.total || monitoring.local => Some(Source::Monitor),
        _ => (counters::misses() != Quality::Unknown).then_some(Source::Misses),
    }
}

/// Bytes a second over `window_ns`, in which `wait` is called again and again.
/// None without a count. Control task only.
pub(crate) fn measure(source: Source, window_ns: u64, mut wait: impl FnMut()) -> Option<u64> {
    let begun_ns = time::now_ns();
    let before = count(source)?;
    while time::now_ns().saturating_sub(begun_ns) < window_ns {
        wait();
    }
    let after = count(source)?;
    let took_ns = time::now_ns().saturating_sub(begun_ns).max(1);
    Some(match source {
        Source::Monitor => hold::rate_between(before, after, took_ns),
        Source::Misses => {
            let bytes = u128::from(after.saturating_sub(before)) * u128::from(LINE_BYTES);
            u64::try_from(bytes * 1_000_000_000 / u128::from(took_ns)).unwrap_or(u64::MAX)
        }
    })
}

/// The longest window in which the monitor cannot go round unnoticed.
pub(crate) fn longest_window_ns() -> u64 {
    let limit = the()
        .rdt
        .monitoring
        .and_then(|monitoring| max_interval_ms(monitoring.counter_bits, monitoring.upscale, FASTEST));
    limit.map_or(u64::MAX, |ms| ms.max(1).saturating_mul(1_000_000))
}

/// Sleeps for a millisecond and lets what holds bandwidth go on.
pub(crate) fn pass_a_moment() {
    let now_ns = time::now_ns();
    hold::look(now_ns);
    schedule::sleep_until(time::tsc_at(now_ns + 1_000_000));
}

fn count(source: Source) -> Option<u64> {
    match source {
        Source::Monitor => hold::second_class_count(),
        Source::Misses => {
            let misses =
                tasks::second_class().map(|(_, task)| task.counters.counted[1].load(Ordering::Relaxed));
            Some(misses.fold(0, u64::wrapping_add))
        }
    }
}
