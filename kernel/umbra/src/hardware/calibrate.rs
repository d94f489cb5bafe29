//! What each throttle value leaves of memory bandwidth, for each number of
//! cores: measured at boot where that takes no longer than [`LONGEST_NS`], and
//! on command.
//!
//! Cores stream together for a moment, in the class of second-class tasks: one
//! load a line through a stretch of memory that is far larger than the caches.
//! They do so in the handler of a message, so nothing else may run meanwhile.

use core::sync::atomic::{AtomicU64, Ordering};

use umbra_hw::bandwidth::Calibration;
use umbra_hw::rdt::Limit;
use umbra_x86_64::cpu;

use super::{confine, division, the};
use crate::cells::ControlCell;
use crate::cores::{self, Core, MAX_CORES};
use crate::schedule::{self, Message};
use crate::{log_line, memory, time};

/// How long cores stream.
const STREAM_NS: u64 = 250_000;
/// How long before it they are told: messages take time.
const NOTICE_NS: u64 = 100_000;
/// How long calibration may take at boot.
const LONGEST_NS: u64 = 100_000_000;
/// How long to wait for a core or register.
const PATIENCE_NS: u64 = 20_000_000;
/// Attempts at one measurement.
const ATTEMPTS: usize = 3;
/// Where the stretch begins and how much it is at most: what measuring the whole
/// bandwidth at boot reads too. The frames there belong to the allocator.
const FIRST_BYTE: u64 = 16 << 20;
const STRETCH_BYTES: u64 = 256 << 20;
const LINE_BYTES: u64 = 64;
/// Lines between two looks at the clock.
const LINES_AT_ONCE: u64 = 16;
/// A core has not streamed yet; it came too late.
const OPEN: u64 = u64::MAX;
const LATE: u64 = u64::MAX - 1;

/// Bytes of the part of the stretch that each core has.
static PART: AtomicU64 = AtomicU64::new(0);
static BEGIN: AtomicU64 = AtomicU64::new(0);
static END: AtomicU64 = AtomicU64::new(0);
/// Bytes each core streamed in the last round.
static BYTES: [AtomicU64; MAX_CORES] = [const { AtomicU64::new(OPEN) }; MAX_CORES];
/// Where in its part of the stretch each core goes on.
static PLACE: [AtomicU64; MAX_CORES] = [const { AtomicU64::new(0) }; MAX_CORES];
static TABLE: ControlCell<Calibration> = ControlCell::new();

/// Looks at the table, if there is one. Control core only.
pub(crate) fn with_table<R>(body: impl FnOnce(&Calibration) -> R) -> Option<R> {
    TABLE.with(|table| body(table))
}

/// Reads so many bytes of the stretch in the caller's class, so that whatever
/// lies in the caches has to make room. False where the stretch is shorter.
pub(crate) fn sweep(bytes: u64) -> bool {
    let fits = part().saturating_mul(u64::from(cores::count())) >= bytes;
    if fits {
        let batch = LINES_AT_ONCE * LINE_BYTES;
        (0..bytes / batch).for_each(|at| read_lines(FIRST_BYTE + at * batch));
    }
    fits
}

/// Calibrates if it can be done soon enough. Control task, before others run.
pub(crate) fn at_boot() {
    let Some(plan) = plan() else { return };
    let cells = u64::try_from(plan.throttles().len() * plan.cores().len()).unwrap_or(u64::MAX);
    if cells.saturating_mul(STREAM_NS + 2 * NOTICE_NS) > LONGEST_NS {
        log_line!(Info, "bandwidth: not calibrated, it would take too long; 'mba calibrate' does it");
        return;
    }
    let begun_ns = time::now_ns();
    match run(plan) {
        Ok(()) => {
            let ms = (time::now_ns() - begun_ns) / 1_000_000;
            log_line!(Info, "bandwidth: throttle values calibrated in {ms} ms");
        }
        Err(why) => log_line!(Warn, "bandwidth: not calibrated: {why}"),
    }
}

/// Calibrates now. Nobody else may run: the caller has seen to that.
pub(crate) fn now() -> Result<(), &'static str> {
    run(plan().ok_or("the processor has no bandwidth throttle")?)
}

/// What `count` streaming cores are expected to get and get under the throttle
/// value that fits a target, in bytes per second. Nobody else may run.
pub(crate) fn check(bytes_per_s: u64, count: u8) -> Option<(u64, u64)> {
    let fit = with_table(|table| table.fit(bytes_per_s, count))?;
    let set = confine::want_limit(Some(Limit::Throttle(fit.throttle))) && patiently(confine::has_limit);
    let rate = if set { (0..ATTEMPTS).find_map(|_| stream_together(count)) } else { None };
    let back = confine::want_limit(None) && patiently(confine::has_limit);
    rate.filter(|_| back).map(|rate| (fit.bytes_per_s, rate))
}

/// What each core has of the stretch.
fn part() -> u64 {
    let managed = memory::usage().map_or(0, |usage| u64::from(usage.managed) * 4096);
    managed.saturating_sub(FIRST_BYTE).min(STRETCH_BYTES) / u64::from(cores::count())
}

fn plan() -> Option<Calibration> {
    let mba = the().rdt.mba.filter(|_| confine::has_registers())?;
    Some(Calibration::plan(&mba, cores::count()))
}

fn run(mut table: Calibration) -> Result<(), &'static str> {
    if part() < LINES_AT_ONCE * LINE_BYTES {
        return Err("there is too little memory to stream through");
    }
    PART.store(part(), Ordering::Relaxed);
    let result = fill(&mut table);
    if !confine::want_limit(None) || !patiently(confine::has_limit) {
        return Err("a throttle value was not given back");
    }
    result?;
    table.repair();
    TABLE.set(table);
    Ok(())
}

fn fill(table: &mut Calibration) -> Result<(), &'static str> {
    for row in 0..table.throttles().len() {
        let throttle = table.throttles().get(row).copied().unwrap_or(0);
        if !confine::want_limit(Some(Limit::Throttle(throttle))) || !patiently(confine::has_limit) {
            return Err("a throttle value was not taken");
        }
        for column in 0..table.cores().len() {
            let count = table.cores().get(column).copied().unwrap_or(1);
            let rate = (0..ATTEMPTS).find_map(|_| stream_together(count));
            table.note(row, column, rate.ok_or("a core did not stream in time")?);
        }
    }
    Ok(())
}

/// Lets the last `count` cores stream, the control core only if it takes all,
/// and returns bytes per second of all together.
fn stream_together(count: u8) -> Option<u64> {
    let chosen = (0..cores::count()).rev().take(usize::from(count));
    let now = cpu::timestamp();
    let begin = now.wrapping_add(time::ns_to_cycles(NOTICE_NS));
    BYTES.iter().for_each(|bytes| bytes.store(OPEN, Ordering::Relaxed));
    BEGIN.store(begin, Ordering::Relaxed);
    END.store(begin.wrapping_add(time::ns_to_cycles(STREAM_NS)), Ordering::Release);
    for number in chosen.clone() {
        if !schedule::send(number, Message::Stream) {
            return None;
        }
    }
    let bytes =
        |number: u8| BYTES.get(usize::from(number)).map_or(LATE, |bytes| bytes.load(Ordering::Acquire));
    if !patiently(|| chosen.clone().all(|number| bytes(number) != OPEN)) {
        return None;
    }
    let mut sum = 0u64;
    for number in chosen {
        match bytes(number) {
            LATE | OPEN => return None,
            bytes => sum = sum.saturating_add(bytes),
        }
    }
    u64::try_from(u128::from(sum) * 1_000_000_000 / u128::from(STREAM_NS)).ok()
}

fn patiently(done: impl Fn() -> bool) -> bool {
    let limit = cpu::timestamp().wrapping_add(time::ns_to_cycles(PATIENCE_NS));
    while !done() {
        if cpu::timestamp() >= limit {
            return false;
        }
        cpu::relax();
    }
    true
}

/// A core's part: wait for the begin, stream until the end, say how much. Takes
/// [`NOTICE_NS`] and [`STREAM_NS`] at most, with interrupts off.
pub(crate) fn take_part(core: &Core) {
    let number = usize::from(core.number);
    let (Some(bytes), Some(place)) = (BYTES.get(number), PLACE.get(number)) else { return };
    let (end, begin) = (END.load(Ordering::Acquire), BEGIN.load(Ordering::Relaxed));
    if cpu::timestamp() >= begin {
        bytes.store(LATE, Ordering::Release);
        return;
    }
    // At least one batch: `run` has seen to that.
    let lines = (PART.load(Ordering::Relaxed) / LINE_BYTES / LINES_AT_ONCE).max(1) * LINES_AT_ONCE;
    let start = FIRST_BYTE + u64::from(core.number) * lines * LINE_BYTES;
    while cpu::timestamp() < begin {
        cpu::relax();
    }
    let (mut line, mut read) = (place.load(Ordering::Relaxed) % lines, 0u64);
    division::in_second_class(core, || {
        while cpu::timestamp() < end {
            read_lines(start + line * LINE_BYTES);
            line = (line + LINES_AT_ONCE) % lines;
            read += LINES_AT_ONCE;
        }
    });
    place.store(line, Ordering::Relaxed);
    bytes.store(read * LINE_BYTES, Ordering::Release);
}

/// Loads one word of each of [`LINES_AT_ONCE`] lines.
#[inline]
fn read_lines(physical: u64) {
    for line in 0..LINES_AT_ONCE {
        let word = memory::window(physical + line * LINE_BYTES) as *const u64;
        // SAFETY: the stretch is RAM that the window shows; the volatile read
        // takes whatever is there and nothing is concluded from it.
        unsafe { word.read_volatile() };
    }
}
