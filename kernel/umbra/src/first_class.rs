//! The first-class workload: prepared once, then bursts of requests.
//!
//! While a burst runs on a dedicated core, that core takes no interrupt but
//! its own, sends no message and takes no lock: it spins until the next
//! arrival, serves, records. On a shared core (policies that do not dedicate
//! one) it sleeps until the next arrival like any other task.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use spin::Once;
use umbra_control::machine::{Burst, BurstProgress, Close, Counts, Early, Refusal};
use umbra_memory::{Class, Owner};
use umbra_scenario::{Arrivals, Histogram};
use umbra_sched::Stopwatch;
use umbra_x86_64::cpu;
use workload_api::{Memory, Meter, Workload};
use workload_search::Search;

use crate::boot::ramdisk;
use crate::cells::Handed;
use crate::schedule::{self, Message};
use crate::spawn::{self, SpawnError};
use crate::tasks::{self, Phase};
use crate::{aside, cores, log_line, time};

/// Scratch of whoever runs requests.
pub(crate) const SCRATCH_BYTES: u64 = 256 << 10;
/// An arrival nearer than this is spun for even on a shared core.
const NEAR_NS: u64 = 20_000;

static SEARCH: Once<Search<'static>> = Once::new();
static STATE: AtomicU8 = AtomicU8::new(State::Absent as u8);
static BURST: Handed<Burst> =
    Handed::new(Burst { number: 0, first_unit: 0, requests: 0, mean_gap_ns: 0, seed: 0, late_ns: 0 });
static HISTOGRAM: Handed<Histogram> = Handed::new(Histogram::new());

/// The burst as it stands; written by the first-class core.
struct Live {
    number: AtomicU32,
    answered: AtomicU32,
    late: AtomicU32,
    done: AtomicBool,
    released_ns: AtomicU64,
    ended_ns: AtomicU64,
    /// The task's cycles that went into requests, not into waiting for them.
    serving: Stopwatch,
    /// When the first late request was answered; 0 while there was none.
    first_late_ns: AtomicU64,
    /// The requests that arrived soon after the release: within 100 us and of
    /// those late, within 1 ms and of those late.
    early: [AtomicU32; 4],
    /// Those that left less of the bound than a fifth, a tenth, a twentieth.
    close: [AtomicU32; 3],
    /// Interrupts the core took between release and end.
    interrupts: AtomicU64,
    /// The core was dedicated throughout.
    dedicated: AtomicBool,
}

static LIVE: Live = Live {
    number: AtomicU32::new(0),
    answered: AtomicU32::new(0),
    late: AtomicU32::new(0),
    done: AtomicBool::new(true),
    released_ns: AtomicU64::new(0),
    ended_ns: AtomicU64::new(0),
    serving: Stopwatch::new(),
    first_late_ns: AtomicU64::new(0),
    early: [const { AtomicU32::new(0) }; 4],
    close: [const { AtomicU32::new(0) }; 3],
    interrupts: AtomicU64::new(0),
    dedicated: AtomicBool::new(false),
};

impl Live {
    fn note_early(&self, early: &Early) {
        let counts = [early.within_100us, early.late_within_100us, early.within_1ms, early.late_within_1ms];
        self.early.iter().zip(counts).for_each(|(place, count)| place.store(count, Ordering::Relaxed));
    }

    fn early(&self) -> Early {
        let [within_100us, late_within_100us, within_1ms, late_within_1ms] =
            self.early.each_ref().map(|count| count.load(Ordering::Relaxed));
        Early { within_100us, late_within_100us, within_1ms, late_within_1ms }
    }

    fn note_close(&self, close: &Close) {
        let counts = [close.fifth, close.tenth, close.twentieth];
        self.close.iter().zip(counts).for_each(|(place, count)| place.store(count, Ordering::Relaxed));
    }

    fn close(&self) -> Close {
        let [fifth, tenth, twentieth] = self.close.each_ref().map(|count| count.load(Ordering::Relaxed));
        Close { fifth, tenth, twentieth }
    }

    /// Cycles spent on requests, the one being served included.
    fn cycles_now(&self) -> u64 {
        self.serving.read(tasks::at(tasks::FIRST).counters.cycles_now())
    }
}

/// How far the first-class workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// There is no corpus to serve.
    Absent = 0,
    /// Its index is being built.
    Preparing = 1,
    /// It can serve.
    Ready = 2,
    /// It could not be prepared; the log says why.
    Failed = 3,
}

/// Where it stands.
pub(crate) fn state() -> State {
    if tasks::at(tasks::FIRST).phase() == Phase::Faulted {
        return State::Failed;
    }
    match STATE.load(Ordering::Acquire) {
        1 => State::Preparing,
        2 => State::Ready,
        3 => State::Failed,
        _ => State::Absent,
    }
}

/// The prepared workload.
pub(crate) fn search() -> Option<&'static Search<'static>> {
    SEARCH.get()
}

/// Makes the first-class task on `core` and lets it prepare itself.
pub(crate) fn create(core: u8) -> Result<(), SpawnError> {
    let corpus = ramdisk::the_corpus();
    if corpus.text().is_empty() {
        return Ok(());
    }
    let index = workload_search::memory_bytes(corpus, workload_search::Config::default());
    let bytes = u64::try_from(index).unwrap_or(u64::MAX).next_multiple_of(4096) + SCRATCH_BYTES;
    spawn::parked(tasks::FIRST, core, bytes, Class::First, Owner::CORPUS, main)?;
    STATE.store(State::Preparing as u8, Ordering::Release);
    Ok(())
}

/// Wakes the task to build its index.
pub(crate) fn begin_preparing() {
    let core = tasks::at(tasks::FIRST).core.load(Ordering::Relaxed);
    if state() == State::Preparing && !schedule::send(core, Message::Wake(tasks::FIRST)) {
        log_line!(Error, "first-class: the mailbox of core {core} is full");
    }
}

/// Whether it serves nothing and nothing has told it to: then it stays away
/// from its memory until the control core releases a burst.
pub(crate) fn is_idle() -> bool {
    state() == State::Ready
        && LIVE.done.load(Ordering::Acquire)
        && tasks::at(tasks::FIRST).phase() == Phase::Parked
}

/// Releases a burst.
pub(crate) fn release(burst: &Burst) -> Result<(), Refusal> {
    if state() != State::Ready || !LIVE.done.load(Ordering::Acquire) {
        return Err(Refusal::Busy);
    }
    // SAFETY: no burst runs, so both are the control core's.
    unsafe {
        *BURST.get() = *burst;
        HISTOGRAM.get().clear();
    }
    LIVE.answered.store(0, Ordering::Relaxed);
    LIVE.late.store(0, Ordering::Relaxed);
    LIVE.serving.reset();
    LIVE.first_late_ns.store(0, Ordering::Relaxed);
    LIVE.note_early(&Early::NONE);
    LIVE.note_close(&Close::NONE);
    LIVE.number.store(burst.number, Ordering::Relaxed);
    tasks::at(tasks::FIRST).counters.restart_counted();
    tasks::at(tasks::FIRST).counters.publish(0, &Meter::default(), 0);
    LIVE.released_ns.store(time::now_ns(), Ordering::Relaxed);
    LIVE.done.store(false, Ordering::Release);
    let core = tasks::at(tasks::FIRST).core.load(Ordering::Relaxed);
    if schedule::send(core, Message::Wake(tasks::FIRST)) {
        return Ok(());
    }
    LIVE.done.store(true, Ordering::Release);
    Err(Refusal::Busy)
}

/// The burst that was released last. A first-class task that faulted has
/// ended its burst.
pub(crate) fn progress() -> BurstProgress {
    let done = LIVE.done.load(Ordering::Acquire) || tasks::at(tasks::FIRST).phase() == Phase::Faulted;
    let number = LIVE.number.load(Ordering::Relaxed);
    BurstProgress {
        number,
        answered: LIVE.answered.load(Ordering::Relaxed),
        late: LIVE.late.load(Ordering::Relaxed),
        done,
        released_ns: LIVE.released_ns.load(Ordering::Relaxed),
        ended_ns: LIVE.ended_ns.load(Ordering::Relaxed),
        counts: Counts { cycles: LIVE.cycles_now(), ..aside::counts_of(tasks::FIRST, number) },
        close: LIVE.close(),
        first_late_ns: LIVE.first_late_ns.load(Ordering::Relaxed),
        early: LIVE.early(),
    }
}

/// What the last burst's core went through: whether it was dedicated
/// throughout, and the interrupts it took from release to end.
pub(crate) fn disturbance() -> (bool, u64) {
    (LIVE.dedicated.load(Ordering::Relaxed), LIVE.interrupts.load(Ordering::Relaxed))
}

/// Gives `visit` the latencies of the last burst, once it is done.
pub(crate) fn with_histogram<R>(visit: impl FnOnce(&Histogram) -> R) -> Option<R> {
    if !LIVE.done.load(Ordering::Acquire) {
        return None;
    }
    // SAFETY: `done` handed the histogram to the control core, our only caller.
    Some(visit(unsafe { HISTOGRAM.get() }))
}

extern "sysv64" fn main(_slot: u64) -> ! {
    spawn::begin();
    // SAFETY: the task's own memory, taken once.
    let words = unsafe { spawn::memory_of(tasks::FIRST) };
    let scratch_words = usize::try_from(SCRATCH_BYTES / 8).unwrap_or(0);
    let (scratch, index) = words.split_at_mut(scratch_words);
    let begun = time::now_ns();
    match workload_search::prepare(
        ramdisk::the_corpus(),
        Memory::new(index),
        workload_search::Config::default(),
    ) {
        Ok(search) => {
            let figures = search.statistics();
            log_line!(
                Info,
                "search: {} documents, {} words, {} postings indexed in {} ms",
                figures.documents,
                figures.terms,
                figures.postings,
                (time::now_ns() - begun) / 1_000_000
            );
            SEARCH.call_once(|| search);
        }
        Err(error) => {
            log_line!(Error, "search: {error}");
            STATE.store(State::Failed as u8, Ordering::Release);
            schedule::leave(Phase::Ended);
        }
    }
    let Some(search) = SEARCH.get() else { schedule::leave(Phase::Ended) };
    STATE.store(State::Ready as u8, Ordering::Release);
    loop {
        schedule::park();
        if !LIVE.done.load(Ordering::Acquire) {
            // SAFETY: `release` handed both over; they are ours until `done`.
            let (burst, histogram) = unsafe { (*BURST.get(), HISTOGRAM.get()) };
            serve(search, &burst, histogram, scratch);
            LIVE.ended_ns.store(time::now_ns(), Ordering::Relaxed);
            LIVE.done.store(true, Ordering::Release);
        }
    }
}

fn serve(search: &Search<'static>, burst: &Burst, histogram: &mut Histogram, scratch: &mut [u64]) {
    let counters = &tasks::at(tasks::FIRST).counters;
    counters.working_set_bytes.store(search.working_set_bytes(), Ordering::Relaxed);
    let core = cores::this();
    let (interrupts, mut dedicated) = (core.interrupts.load(Ordering::Relaxed), is_dedicated());
    let mut arrivals = Arrivals::new(burst.seed, burst.mean_gap_ns);
    let released_ns = LIVE.released_ns.load(Ordering::Relaxed);
    let (mut meter, mut checksum) = (Meter::default(), 0);
    let (mut early, mut close) = (Early::NONE, Close::NONE);
    for request in 0..burst.requests {
        let due = released_ns.saturating_add(arrivals.next().unwrap_or(0));
        wait_until(due);
        dedicated &= is_dedicated();
        LIVE.serving.start(counters.cycles_now());
        checksum ^= search.unit(burst.first_unit + u64::from(request), scratch, &mut meter);
        LIVE.serving.stop(counters.cycles_now());
        let now_ns = time::now_ns();
        let latency = now_ns.saturating_sub(due);
        histogram.record(latency);
        let late = latency > burst.late_ns;
        if late && LIVE.late.fetch_add(1, Ordering::Relaxed) == 0 {
            LIVE.first_late_ns.store(now_ns, Ordering::Relaxed);
        }
        early.answer(due.saturating_sub(released_ns), late);
        close.answer(latency, burst.late_ns);
        LIVE.note_early(&early);
        LIVE.note_close(&close);
        counters.publish(u64::from(request) + 1, &meter, checksum);
        LIVE.answered.store(request + 1, Ordering::Release);
    }
    LIVE.interrupts.store(core.interrupts.load(Ordering::Relaxed) - interrupts, Ordering::Relaxed);
    LIVE.dedicated.store(dedicated, Ordering::Relaxed);
}

fn is_dedicated() -> bool {
    cores::this().roles().is_dedicated()
}

fn wait_until(due_ns: u64) {
    loop {
        let now = time::now_ns();
        if now >= due_ns {
            return;
        }
        if is_dedicated() || due_ns - now < NEAR_NS {
            cpu::relax();
        } else {
            schedule::sleep_until(time::tsc_at(due_ns));
        }
    }
}
