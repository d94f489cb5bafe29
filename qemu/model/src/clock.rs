//! What QEMU's clocks show: modelled time.
//!
//! A vCPU that runs sees its own time; everything outside of guest code (the
//! timers above all) sees global time, which all vCPUs have reached. While all
//! are idle QEMU's main thread skips to the next timer and notes how far; that
//! is added until the emulating thread has taken it into global time. The main
//! thread reads nothing but the atomics here.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use crate::internals::SkippedTime;
use crate::model::model;
use crate::turns::Phase;

static CLOCK: Clock = Clock {
    global: AtomicU64::new(0),
    skipped_seen: AtomicU64::new(0),
    mhz: AtomicU64::new(1),
    idle: AtomicBool::new(true),
    between: AtomicBool::new(false),
    thread: AtomicU64::new(0),
    skipped: AtomicPtr::new(ptr::null_mut()),
};

/// What both threads read.
struct Clock {
    /// Global time in cycles.
    global: AtomicU64,
    /// Skipped nanoseconds that global time contains.
    skipped_seen: AtomicU64,
    mhz: AtomicU64,
    idle: AtomicBool,
    /// Timers are run: the clock shows global time.
    between: AtomicBool,
    /// The emulating thread.
    thread: AtomicU64,
    skipped: AtomicPtr<SkippedTime>,
}

/// Sets the rate, once.
pub(crate) fn set_rate(mhz: u64) {
    CLOCK.mhz.store(mhz, Ordering::Relaxed);
}

/// Sets where QEMU notes what it skips, once.
pub(crate) fn set_skipped(skipped: SkippedTime) {
    CLOCK.skipped_seen.store(skipped.nanoseconds(), Ordering::Relaxed);
    CLOCK.skipped.store(Box::into_raw(Box::new(skipped)), Ordering::Release);
}

/// Makes the calling thread the emulating one.
pub(crate) fn adopt_thread() {
    CLOCK.thread.store(this_thread(), Ordering::Relaxed);
}

/// Whether the calling thread is the emulating one.
pub(crate) fn is_emulating_thread() -> bool {
    this_thread() == CLOCK.thread.load(Ordering::Relaxed)
}

fn this_thread() -> u64 {
    // SAFETY: asks for the caller's own identity.
    unsafe { libc::pthread_self() }
}

/// Publishes global time and whether all are idle.
pub(crate) fn publish(global: u64, idle: bool) {
    CLOCK.global.store(global, Ordering::Relaxed);
    CLOCK.idle.store(idle, Ordering::Release);
}

/// Whether all vCPUs were idle when that was last published.
pub(crate) fn all_idle() -> bool {
    CLOCK.idle.load(Ordering::Acquire)
}

/// Runs `timers` with the clock at global time.
pub(crate) fn between_turns(timers: impl FnOnce()) {
    CLOCK.between.store(true, Ordering::Relaxed);
    timers();
    CLOCK.between.store(false, Ordering::Relaxed);
}

/// Cycles that were skipped and not taken yet; they count as taken now.
pub(crate) fn take_skipped() -> u64 {
    let skipped = skipped();
    let seen = CLOCK.skipped_seen.swap(skipped, Ordering::Relaxed);
    cycles(skipped.saturating_sub(seen))
}

/// QEMU_CLOCK_VIRTUAL, in nanoseconds.
pub(crate) unsafe extern "C" fn virtual_clock() -> i64 {
    // Cycles times 1000 over MHz, without overflow for as long as a run may take.
    let mhz = CLOCK.mhz.load(Ordering::Relaxed);
    let cycles = clock();
    let nanoseconds = cycles / mhz * 1000 + cycles % mhz * 1000 / mhz;
    i64::try_from(nanoseconds).unwrap_or(i64::MAX)
}

/// The timestamp counter, in cycles.
pub(crate) unsafe extern "C" fn elapsed_ticks() -> i64 {
    i64::try_from(clock()).unwrap_or(i64::MAX)
}

/// The running vCPU's own time; outside of guest code, global time.
fn clock() -> u64 {
    if is_emulating_thread() && !CLOCK.between.load(Ordering::Relaxed) {
        // SAFETY: the emulating thread, and no caller holds a reference.
        let model = unsafe { model() };
        if let Phase::Turn(at) = model.turns.phase()
            && model.vcpus[at].state.is_running()
        {
            return model.now(at);
        }
    }
    let unseen = skipped().saturating_sub(CLOCK.skipped_seen.load(Ordering::Relaxed));
    CLOCK.global.load(Ordering::Relaxed) + cycles(unseen)
}

fn skipped() -> u64 {
    // SAFETY: null or a value that lives for ever.
    unsafe { CLOCK.skipped.load(Ordering::Acquire).as_ref() }.map_or(0, |skipped| skipped.nanoseconds())
}

/// Rounded up, so that a timer that was jumped to has expired.
fn cycles(nanoseconds: u64) -> u64 {
    (nanoseconds * CLOCK.mhz.load(Ordering::Relaxed)).div_ceil(1000)
}
