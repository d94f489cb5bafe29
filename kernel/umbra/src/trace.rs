//! Who ran where, when that is to be recorded.
//!
//! Each core writes what it switches to into a recorder of its own; nothing is
//! shared with it and nothing can make it wait. While recording is off a switch
//! costs one relaxed load more. What the line did meanwhile is in [`events`].

use core::fmt::Result;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use umbra_console::json::Object;
use umbra_sched::Recorder;

use crate::cores::{self, MAX_CORES};
use crate::memory::{self, MemoryError};
use crate::{events, records, tasks, time, workloads};

/// Switches kept of each core, and one more: 64 KiB.
const KEPT: usize = 4096;
/// Switches in one record, so that its line stays below a few KiB.
const STRETCH: usize = 64;
/// In a word: the slot's bits, above them the workload's index.
const SLOT_BITS: u32 = 16;

type CoreRecorder = Recorder<KEPT>;

static ON: AtomicBool = AtomicBool::new(false);
/// Each core's recorder, once recording was on for the first time.
static RECORDERS: [AtomicPtr<CoreRecorder>; MAX_CORES] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CORES];
/// When it was switched on, in cycles.
static SINCE: AtomicU64 = AtomicU64::new(0);

/// A core switches to a task, or to none. Bound: three stores.
pub(crate) fn switched(core: u8, next: Option<u16>, now: u64) {
    if ON.load(Ordering::Relaxed)
        && let Some(recorder) = recorder(core)
    {
        recorder.write(now, word(next));
    }
}

fn word(next: Option<u16>) -> u64 {
    let slot = next.unwrap_or(cores::NO_TASK);
    let workload = tasks::get(slot).map_or(u8::MAX, |task| task.workload.load(Ordering::Relaxed));
    u64::from(slot) | u64::from(workload) << SLOT_BITS
}

fn recorder(core: u8) -> Option<&'static CoreRecorder> {
    let recorder = RECORDERS.get(usize::from(core))?.load(Ordering::Acquire);
    // SAFETY: null, or set by `switch_on` to an object that is never given back.
    unsafe { recorder.as_ref() }
}

/// Records from now on; control task only. The first time takes 64 KiB a core.
pub(crate) fn switch_on() -> core::result::Result<(), MemoryError> {
    for core in cores::all() {
        let Some(place) = RECORDERS.get(usize::from(core.number)) else { continue };
        if place.load(Ordering::Relaxed).is_null() {
            // All zeros is an empty recorder, which is what a fresh object is.
            let room = memory::object::<CoreRecorder>(1)?;
            place.store(room[0].as_mut_ptr(), Ordering::Release);
        }
    }
    SINCE.store(umbra_x86_64::cpu::timestamp(), Ordering::Relaxed);
    ON.store(true, Ordering::Release);
    Ok(())
}

/// Records no more. What was recorded stays.
pub(crate) fn switch_off() {
    ON.store(false, Ordering::Release);
}

/// Whether it records.
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Nanoseconds since boot when it was last switched on.
pub(crate) fn since_ns() -> u64 {
    time::ns_at(SINCE.load(Ordering::Relaxed))
}

/// One switch.
#[derive(Clone, Copy)]
pub(crate) struct Switch {
    pub(crate) core: u8,
    pub(crate) at_ns: u64,
    /// None: the core idles.
    pub(crate) slot: Option<u16>,
    workload: u8,
}

impl Switch {
    /// What the core switched to, by name.
    pub(crate) fn name(&self) -> &'static str {
        match self.slot {
            None => "idle",
            Some(slot) if slot < tasks::SECOND => workloads::name_of(slot),
            Some(_) => workloads::get(self.workload).map_or("none", |entry| entry.spec.name),
        }
    }
}

/// What a core's recorder holds.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    pub(crate) core: u8,
    pub(crate) switches: u64,
    /// Overwritten since it was switched on for the first time.
    pub(crate) lost: u64,
}

/// What each core's recorder holds.
pub(crate) fn held() -> impl Iterator<Item = Held> {
    cores::all().filter_map(|core| {
        let kept = recorder(core.number)?.kept();
        Some(Held { core: core.number, switches: kept.end - kept.start, lost: kept.start })
    })
}

/// A core's last `most` switches since recording was switched on, oldest first.
pub(crate) fn switches(core: u8, most: usize) -> impl Iterator<Item = Switch> {
    let since = SINCE.load(Ordering::Relaxed);
    let recorder = recorder(core);
    let kept = recorder.map_or(0..0, Recorder::kept);
    let skipped = (kept.end - kept.start).saturating_sub(most as u64);
    let of = move |number| recorder.and_then(|recorder| recorder.get(number));
    (kept.start + skipped..kept.end).filter_map(of).filter(move |(at, _)| *at >= since).map(
        move |(at, word)| {
            let slot = u16::try_from(word & 0xFFFF).unwrap_or(cores::NO_TASK);
            Switch {
                core,
                at_ns: time::ns_at(at),
                slot: (slot != cores::NO_TASK).then_some(slot),
                workload: u8::try_from(word >> SLOT_BITS & 0xFF).unwrap_or(u8::MAX),
            }
        },
    )
}

/// Sends everything as records for the host: the clock, the line's events, each
/// core's switches. Recording rests meanwhile.
pub(crate) fn send() {
    let was_on = is_on();
    switch_off();
    send_clock();
    for dated in events::since(since_ns()) {
        records::send(|o| {
            o.text("record", "trace")?;
            o.text("kind", "event")?;
            events::write(&dated, o)
        });
    }
    for held in held() {
        let mut switches = switches(held.core, KEPT).peekable();
        while switches.peek().is_some() {
            records::send(|o| write_stretch(o, held, &mut switches.by_ref().take(STRETCH)));
        }
    }
    ON.store(was_on, Ordering::Release);
}

/// How the guest's nanoseconds come from its counter, and where they begin.
fn send_clock() {
    records::send(|o| {
        o.text("record", "trace")?;
        o.text("kind", "clock")?;
        o.number("boot_tsc", time::tsc_at(0))?;
        o.number("tsc_hz", time::tsc_hz())?;
        o.number("since_ns", since_ns())?;
        o.number("now_ns", time::now_ns())?;
        o.number("cores", cores::all().count() as u64)
    });
}

fn write_stretch(o: &mut Object<'_>, held: Held, switches: &mut dyn Iterator<Item = Switch>) -> Result {
    o.text("record", "trace")?;
    o.text("kind", "switches")?;
    o.number("core", held.core)?;
    o.number("lost", held.lost)?;
    o.list("switches", |list| {
        for switch in switches {
            list.object(|o| {
                o.number("at_ns", switch.at_ns)?;
                o.known("task", switch.slot)?;
                o.text("name", switch.name())
            })?;
        }
        Ok(())
    })
}
