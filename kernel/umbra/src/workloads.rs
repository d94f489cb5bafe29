//! The second-class workloads of this image, and the loop that runs them.

use core::sync::atomic::Ordering;

use workload_api::{Class, Memory, Meter, OutOfMemory, PrepareError, Spec, Workload};

use crate::boot::ramdisk;
use crate::schedule;
use crate::spawn;
use crate::tasks::{self, Phase};

/// Scratch of most second-class tasks, beside what their preparation takes.
const SCRATCH_BYTES: usize = 256 << 10;

/// A workload that can be started.
pub(crate) struct Entry {
    pub(crate) spec: Spec,
    scratch_bytes: usize,
    memory_bytes: fn() -> usize,
    run: fn(u16, Memory<'static>, &mut [u64]) -> Result<(), PrepareError>,
}

macro_rules! entry {
    ($workload:ident, $scratch:expr) => {
        entry!($workload, $scratch, $workload::SPEC, $workload::Config::default())
    };
    ($workload:ident, $scratch:expr, $spec:expr, $config:expr) => {
        Entry {
            spec: $spec,
            scratch_bytes: $scratch,
            memory_bytes: || $workload::memory_bytes(ramdisk::the_corpus(), $config),
            run: |slot, memory, scratch| {
                drive(slot, &$workload::prepare(ramdisk::the_corpus(), memory, $config)?, scratch)
            },
        }
    };
}

macro_rules! fault {
    ($fault:ident, $name:literal, $summary:literal) => {
        entry!(
            workload_faulty,
            SCRATCH_BYTES,
            Spec { name: $name, class: Class::Second, summary: $summary },
            workload_faulty::Config { fault: workload_faulty::Fault::$fault, good_units: GOOD_UNITS }
        )
    };
}

/// Units a faulty workload does before its fault.
pub(crate) const GOOD_UNITS: u64 = 100;

/// Bytes that an antagonist sweeps when no cache may hold them.
const SWEEP_BYTES: usize = 8 << 20;

macro_rules! antagonist {
    ($workload:ident, $scratch:expr, $config:expr, $name:literal, $summary:literal) => {
        entry!($workload, $scratch, Spec { name: $name, class: Class::Second, summary: $summary }, $config)
    };
}

const fn chase(buffer_bytes: usize) -> workload_chase::Config {
    workload_chase::Config { buffer_bytes, loads: 4096, seed: 1 }
}

const fn stream(mode: workload_stream::Mode) -> workload_stream::Config {
    workload_stream::Config { buffer_bytes: SWEEP_BYTES, piece_bytes: 256 << 10, mode }
}

/// Everything `run` can start. The first five are the main job's.
pub(crate) static TABLE: [Entry; 18] = [
    entry!(workload_compress, SCRATCH_BYTES),
    entry!(workload_hash, SCRATCH_BYTES),
    // Its destination lies in its scratch.
    entry!(workload_stream, 8 << 20),
    entry!(workload_chase, SCRATCH_BYTES),
    entry!(workload_matrix, SCRATCH_BYTES),
    entry!(
        workload_chase,
        SCRATCH_BYTES,
        Spec { name: "chase-1m", summary: "as chase, over 1 MiB", ..workload_chase::SPEC },
        workload_chase::Config { buffer_bytes: 1 << 20, ..workload_chase::Config::default() }
    ),
    fault!(Panic, "fault-panic", "panics after some good units"),
    fault!(Overflow, "fault-overflow", "overflows its stack after some good units"),
    fault!(Divide, "fault-divide", "divides by zero after some good units"),
    fault!(Spin, "fault-spin", "never finishes a unit after some good ones"),
    fault!(Exhaust, "fault-exhaust", "asks for more memory than it is given"),
    Entry {
        spec: Spec {
            name: "fault-hardware",
            class: Class::Second,
            summary: "raises the processor's own divide error",
        },
        scratch_bytes: SCRATCH_BYTES,
        memory_bytes: || 0,
        run: |slot, _, scratch| drive(slot, &HardwareFault, scratch),
    },
    // Three copies fill the 5.5 MiB of the modelled four-core machine.
    antagonist!(workload_chase, SCRATCH_BYTES, chase(2 << 20), "llc", "fills the shared cache and keeps it"),
    antagonist!(
        workload_stream,
        SCRATCH_BYTES,
        stream(workload_stream::Mode::Read),
        "read",
        "reads memory in address order"
    ),
    antagonist!(
        workload_stream,
        SWEEP_BYTES,
        stream(workload_stream::Mode::Write),
        "write",
        "writes memory in address order"
    ),
    antagonist!(
        workload_pressure,
        SWEEP_BYTES,
        workload_pressure::Config::WRITEBACK,
        "writeback",
        "dirties a line with every store, so that lines are written back all the time"
    ),
    antagonist!(
        workload_pressure,
        SCRATCH_BYTES,
        workload_pressure::Config::SIBLING,
        "sibling",
        "sweeps the core's own caches"
    ),
    antagonist!(
        workload_pressure,
        SWEEP_BYTES,
        workload_pressure::Config::PHASES,
        "phases",
        "calculates for some milliseconds, then sweeps memory for some, in turn"
    ),
];

/// What safe Rust cannot do: a `div` by zero that nobody checked.
struct HardwareFault;

impl Workload for HardwareFault {
    fn scratch_words(&self) -> usize {
        0
    }

    fn working_set_bytes(&self) -> u64 {
        0
    }

    fn unit(&self, index: u64, _scratch: &mut [u64], _meter: &mut Meter) -> u64 {
        if index >= GOOD_UNITS {
            umbra_x86_64::cpu::divide_by_zero();
        }
        index
    }
}

/// How many of [`TABLE`] the main job runs.
pub(crate) const MIX: u8 = 5;

/// The index of the workload with this name.
pub(crate) fn named(name: &str) -> Option<u8> {
    TABLE.iter().position(|entry| entry.spec.name == name).and_then(|index| u8::try_from(index).ok())
}

/// The workload with this index.
pub(crate) fn get(index: u8) -> Option<&'static Entry> {
    TABLE.get(usize::from(index))
}

/// What a slot runs, in words.
pub(crate) fn name_of(slot: u16) -> &'static str {
    match slot {
        tasks::CONTROL => "control",
        tasks::FIRST => workload_search::SPEC.name,
        tasks::SHADOW => "shadow",
        tasks::ECHO => "echo",
        _ => {
            let index = tasks::get(slot).map_or(u8::MAX, |task| task.workload.load(Ordering::Relaxed));
            get(index).map_or("none", |entry| entry.spec.name)
        }
    }
}

/// Bytes a task of this workload is given.
pub(crate) fn memory_bytes(index: u8) -> u64 {
    let bytes = get(index).map_or(0, |entry| (entry.memory_bytes)().saturating_add(entry.scratch_bytes));
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Main function of every second-class task.
pub(crate) extern "sysv64" fn second_class_main(slot: u64) -> ! {
    spawn::begin();
    let slot = u16::try_from(slot).unwrap_or(0);
    let Some(entry) = get(tasks::at(slot).workload.load(Ordering::Relaxed)) else {
        schedule::leave(Phase::Ended)
    };
    // SAFETY: the task's own memory, taken once.
    let words = unsafe { spawn::memory_of(slot) };
    let (scratch, rest) = words.split_at_mut((entry.scratch_bytes / 8).min(words.len()));
    match (entry.run)(slot, Memory::new(rest), scratch) {
        Ok(()) => schedule::leave(Phase::Ended),
        Err(error) => tasks::end_current(format_args!("could not be prepared: {error}")),
    }
}

/// Runs units until the task is asked to stop. Between two units there is
/// nothing but counting: a unit that never returns is the monitor's to notice.
fn drive(slot: u16, workload: &impl Workload, scratch: &mut [u64]) -> Result<(), PrepareError> {
    let wanted = workload.scratch_words();
    if wanted > scratch.len() {
        let error = OutOfMemory { wanted_bytes: wanted * 8, left_bytes: scratch.len() * 8 };
        return Err(PrepareError::OutOfMemory(error));
    }
    let task = tasks::at(slot);
    task.counters.working_set_bytes.store(workload.working_set_bytes(), Ordering::Relaxed);
    let (mut meter, mut checksum, mut unit) = (Meter::default(), 0u64, 0u64);
    while !task.stop.load(Ordering::Relaxed) {
        checksum ^= workload.unit(unit, scratch, &mut meter);
        unit += 1;
        task.counters.publish(unit, &meter, checksum);
    }
    Ok(())
}
