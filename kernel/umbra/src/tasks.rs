//! The task table: what a task is, and what any core may read of it.
//!
//! A slot belongs to the core that `core` names; only that core changes the
//! phase of a live task. Others send it messages (see [`crate::schedule`]).
//! The control core fills slots and empties them again once their phase says
//! that no core will run them any more.

use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use heapless::String;
use umbra_control::machine::TaskId;
use umbra_sched::Stopwatch;
use workload_api::Meter;

use crate::cells::Handed;
use crate::hardware::division;
use crate::memory::Areas;
use crate::{cores, schedule};

/// Slots there are.
pub(crate) const SLOTS: u16 = umbra_memory::TASK_SLOTS;
/// Console, planner and everything else of the control core.
pub(crate) const CONTROL: u16 = 0;
/// The first-class workload.
pub(crate) const FIRST: u16 = 1;
/// The shadow.
pub(crate) const SHADOW: u16 = 2;
/// The echo.
pub(crate) const ECHO: u16 = 3;
/// Second-class tasks have this slot and those above.
pub(crate) const SECOND: u16 = 4;

/// Longest report of a fault; the rest is cut off.
const REPORT_BYTES: usize = 128;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The slot is free.
    Empty = 0,
    /// On its core's run queue.
    Ready = 1,
    /// On its core.
    Running = 2,
    /// Until a timer of its core.
    Sleeping = 3,
    /// Until a message.
    Parked = 4,
    /// Off the run queue until it is resumed.
    Paused = 5,
    /// On its way to another core.
    Moving = 6,
    /// Came to its end or was stopped.
    Ended = 7,
    /// Was ended for a fault; the report says which.
    Faulted = 8,
}

impl Phase {
    const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Ready,
            2 => Self::Running,
            3 => Self::Sleeping,
            4 => Self::Parked,
            5 => Self::Paused,
            6 => Self::Moving,
            7 => Self::Ended,
            8 => Self::Faulted,
            _ => Self::Empty,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::Parked => "waiting",
            Self::Paused => "paused",
            Self::Moving => "moving",
            Self::Ended => "ended",
            Self::Faulted => "faulted",
        }
    }

    /// Whether no core will run it any more.
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Faulted)
    }
}

/// Counts a task publishes; one writer at a time, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Cycles on a core.
    pub(crate) cycles: Stopwatch,
    pub(crate) units: AtomicU64,
    pub(crate) read_bytes: AtomicU64,
    pub(crate) written_bytes: AtomicU64,
    pub(crate) sequential_bytes: AtomicU64,
    pub(crate) random_accesses: AtomicU64,
    pub(crate) working_set_bytes: AtomicU64,
    pub(crate) checksum: AtomicU64,
    /// `cycles` (with the running part) when the last unit was finished.
    pub(crate) progress: AtomicU64,
    /// What the processor counted: instructions, misses of the last-level
    /// cache.
    pub(crate) counted: [AtomicU64; 2],
}

impl Counters {
    const fn new() -> Self {
        Self {
            cycles: Stopwatch::new(),
            units: AtomicU64::new(0),
            read_bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            sequential_bytes: AtomicU64::new(0),
            random_accesses: AtomicU64::new(0),
            working_set_bytes: AtomicU64::new(0),
            checksum: AtomicU64::new(0),
            progress: AtomicU64::new(0),
            counted: [const { AtomicU64::new(0) }; 2],
        }
    }

    /// Publishes the totals after a unit.
    pub(crate) fn publish(&self, units: u64, meter: &Meter, checksum: u64) {
        self.read_bytes.store(meter.read_bytes, Ordering::Relaxed);
        self.written_bytes.store(meter.written_bytes, Ordering::Relaxed);
        self.sequential_bytes.store(meter.sequential_bytes, Ordering::Relaxed);
        self.random_accesses.store(meter.random_accesses, Ordering::Relaxed);
        self.checksum.store(checksum, Ordering::Relaxed);
        self.progress.store(self.cycles_now(), Ordering::Relaxed);
        crate::hardware::counters::charge_current();
        self.units.store(units, Ordering::Release);
    }

    /// Begins the processor's counts anew. The task is not running.
    pub(crate) fn restart_counted(&self) {
        self.counted.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    /// Cycles on a core, the running part included.
    pub(crate) fn cycles_now(&self) -> u64 {
        self.cycles.read(umbra_x86_64::cpu::timestamp())
    }

    fn reset(&self) {
        self.cycles.reset();
        for counter in [
            &self.units,
            &self.read_bytes,
            &self.written_bytes,
            &self.sequential_bytes,
            &self.random_accesses,
            &self.working_set_bytes,
            &self.checksum,
            &self.progress,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        self.restart_counted();
    }
}

/// What the control core knows of a slot; only it reads and writes this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenancy {
    pub(crate) areas: Areas,
    pub(crate) owner: umbra_memory::Owner,
    /// Frames were given back.
    pub(crate) reaped: bool,
}

/// A task.
#[repr(align(128))]
pub(crate) struct Task {
    phase: AtomicU8,
    /// The core whose run queue holds it.
    pub(crate) core: AtomicU8,
    /// Index in the workload table.
    pub(crate) workload: AtomicU8,
    /// Asked to end at its next unit.
    pub(crate) stop: AtomicBool,
    /// Policy wants it off its core. Written by its core.
    pub(crate) paused: AtomicBool,
    /// Its pages are being moved: it is kept off its core. Written by its core.
    pub(crate) held: AtomicBool,
    /// Woken while it still ran. Written by its core.
    pub(crate) woken: AtomicBool,
    /// Counts the slot's tenants.
    pub(crate) generation: AtomicU32,
    /// Mapping generation its slot was mapped in.
    pub(crate) mapped_in: AtomicU64,
    /// Lowest address of its stack.
    pub(crate) stack_bottom: AtomicU64,
    pub(crate) counters: Counters,
    /// The class and RMID it works under, as the register takes them.
    pub(crate) association: AtomicU64,
    /// Stack pointer while it is not running.
    pub(crate) context: Handed<u64>,
    report: Handed<String<REPORT_BYTES>>,
    pub(crate) tenancy: Handed<Option<Tenancy>>,
}

impl Task {
    const fn new() -> Self {
        Self {
            phase: AtomicU8::new(0),
            core: AtomicU8::new(0),
            workload: AtomicU8::new(u8::MAX),
            stop: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            held: AtomicBool::new(false),
            woken: AtomicBool::new(false),
            generation: AtomicU32::new(0),
            mapped_in: AtomicU64::new(0),
            stack_bottom: AtomicU64::new(0),
            counters: Counters::new(),
            association: AtomicU64::new(0),
            context: Handed::new(0),
            report: Handed::new(String::new()),
            tenancy: Handed::new(None),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::from_u8(self.phase.load(Ordering::Acquire))
    }

    /// Whether only the moving of its pages keeps it off its core.
    pub(crate) fn is_merely_held(&self) -> bool {
        self.phase() == Phase::Paused
            && self.held.load(Ordering::Acquire)
            && !self.paused.load(Ordering::Relaxed)
    }

    /// Publishes a phase, and everything written before it.
    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Prepares the slot for a new tenant.
    pub(crate) fn reset(&self, slot: u16, workload: u8, core: u8) {
        self.counters.reset();
        for flag in [&self.stop, &self.paused, &self.held, &self.woken] {
            flag.store(false, Ordering::Relaxed);
        }
        self.workload.store(workload, Ordering::Relaxed);
        self.association.store(division::association(slot, workload), Ordering::Relaxed);
        self.core.store(core, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the slot is empty, so the control core is its only user.
        unsafe { self.report.get() }.clear();
    }

    /// What ended it; empty unless its phase is `Faulted`.
    pub(crate) fn report(&self) -> &str {
        if self.phase() != Phase::Faulted {
            return "";
        }
        // SAFETY: the report was written before the phase was published, and
        // nobody writes it until the slot is used again.
        unsafe { self.report.get() }
    }
}

static TABLE: [Task; SLOTS as usize] = [const { Task::new() }; SLOTS as usize];

/// The task in a slot.
pub(crate) fn get(slot: u16) -> Option<&'static Task> {
    TABLE.get(usize::from(slot))
}

/// The task in a slot that the kernel itself chose.
pub(crate) fn at(slot: u16) -> &'static Task {
    &TABLE[usize::from(slot) % TABLE.len()]
}

/// Slots of second-class tasks that are not empty.
pub(crate) fn second_class() -> impl Iterator<Item = (u16, &'static Task)> {
    (SECOND..SLOTS).map(|slot| (slot, at(slot))).filter(|(_, task)| task.phase() != Phase::Empty)
}

/// The identifier policy knows a slot by.
pub(crate) const fn id(slot: u16) -> TaskId {
    TaskId(slot)
}

/// Whether what goes wrong now is the running task's own fault and can be
/// answered by ending it: a task runs, it is not the control task, and the
/// kernel is not inside a handler.
pub(crate) fn may_end_current() -> bool {
    cores::are_running() && !schedule::in_handler() && schedule::current().is_some_and(|slot| slot != CONTROL)
}

/// Ends the running task for a panic of its code.
pub(crate) fn end_current_by_panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(place) => {
            end_current(format_args!("panicked at {}:{}: {}", place.file(), place.line(), info.message()))
        }
        None => end_current(format_args!("panicked: {}", info.message())),
    }
}

/// Ends the running task with a report, for a fault.
pub(crate) fn end_current(report: core::fmt::Arguments<'_>) -> ! {
    umbra_x86_64::cpu::disable_interrupts();
    if let Some(slot) = schedule::current() {
        // SAFETY: the slot's own core writes, before it publishes the phase.
        let text = unsafe { at(slot).report.get() };
        text.clear();
        // A report that does not fit is cut.
        let _ = text.write_fmt(report);
        crate::log_line!(Error, "task {slot} {}: {text}", crate::workloads::name_of(slot));
    }
    schedule::leave(Phase::Faulted)
}

/// The running task in words.
pub(crate) fn describe_current() -> String<64> {
    let mut text = String::new();
    let _ = match schedule::current_if_up() {
        Some(slot) => write!(text, "{slot} {}", crate::workloads::name_of(slot)),
        None => text.write_str("none"),
    };
    text
}
