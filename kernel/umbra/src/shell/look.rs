//! Readings of tasks and cores, and what has changed since the reading before.
//!
//! Only atomics of other cores are read: nobody notices.

use core::sync::atomic::Ordering;

use alloc::vec::Vec;
use umbra_control::fixed::permille;
use umbra_control::machine::{CoreId, Monitor};
use umbra_memory::FRAME_BYTES;
use umbra_sched::Roles;

use crate::cores::{self, MAX_CORES};
use crate::machine::Machine;
use crate::tasks::{self, Phase, SLOTS, Task};
use crate::{memory, time, workloads};

/// Rows of tasks.
pub(super) type TaskRows = Vec<TaskRow>;
/// Rows of cores.
pub(super) type CoreRows = Vec<CoreRow>;

/// A task as it stands.
#[derive(Clone, Copy)]
pub(super) struct TaskRow {
    pub(super) slot: u16,
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) phase: Phase,
    pub(super) core: u8,
    /// Of one core, since the reading before or since it started.
    pub(super) share_permille: u32,
    pub(super) cpu_ns: u64,
    pub(super) units: u64,
    pub(super) units_per_s: u64,
    pub(super) memory_bytes: u64,
    /// What ended it.
    pub(super) report: &'static str,
}

/// A core as it stands.
#[derive(Clone, Copy)]
pub(super) struct CoreRow {
    pub(super) number: u8,
    pub(super) apic_id: u32,
    pub(super) roles: Roles,
    pub(super) tick: bool,
    pub(super) busy_permille: u32,
    pub(super) task: &'static str,
    pub(super) queued: u32,
    pub(super) interrupts: u64,
    pub(super) switches: u64,
}

/// The last reading of all tasks.
pub(super) struct TaskLook {
    at_ns: u64,
    noticed_ns: u64,
    seen: [Seen; SLOTS as usize],
}

/// The baseline of a slot.
#[derive(Clone, Copy)]
struct Seen {
    generation: u32,
    at_ns: u64,
    cycles: u64,
    units: u64,
}

/// How exactly the start of a task is noticed.
const NOTICE_NS: u64 = 10_000_000;

/// The last reading of all cores.
pub(super) struct CoreLook {
    at_ns: u64,
    busy: [u64; MAX_CORES],
}

impl TaskLook {
    /// No reading: the first is compared with boot.
    pub(super) const fn new() -> Self {
        let nothing = Seen { generation: 0, at_ns: 0, cycles: 0, units: 0 };
        Self { at_ns: 0, noticed_ns: 0, seen: [nothing; SLOTS as usize] }
    }

    /// Notes which tasks are new, so that their shares are over the time they
    /// have been there. Bound: the slots, a hundred times a second.
    pub(super) fn notice(&mut self, now_ns: u64) {
        if now_ns.saturating_sub(self.noticed_ns) < NOTICE_NS {
            return;
        }
        self.noticed_ns = now_ns;
        for (slot, seen) in (0..SLOTS).zip(self.seen.iter_mut()) {
            let generation = tasks::at(slot).generation.load(Ordering::Relaxed);
            if generation != seen.generation {
                *seen = Seen { generation, at_ns: now_ns, cycles: 0, units: 0 };
            }
        }
    }

    /// Reads every task. Returns them, and the nanoseconds their shares and
    /// rates are over, unless they are younger than that.
    pub(super) fn read(&mut self, now_ns: u64) -> (TaskRows, u64) {
        self.noticed_ns = 0;
        self.notice(now_ns);
        let interval_ns = now_ns.saturating_sub(core::mem::replace(&mut self.at_ns, now_ns)).max(1);
        let present = |slot: &u16| tasks::at(*slot).phase() != Phase::Empty;
        let rows = (0..SLOTS).filter(present).map(|slot| self.row(slot, now_ns)).collect();
        (rows, interval_ns)
    }

    fn row(&mut self, slot: u16, now_ns: u64) -> TaskRow {
        let task = tasks::at(slot);
        let now = Seen {
            generation: task.generation.load(Ordering::Relaxed),
            at_ns: now_ns,
            cycles: task.counters.cycles_now(),
            units: task.counters.units.load(Ordering::Acquire),
        };
        let before = match self.seen.get_mut(usize::from(slot)) {
            Some(seen) => core::mem::replace(seen, now),
            None => now,
        };
        // Counts that began anew are no baseline (those of another task would
        // have been noticed).
        let base_units = if before.units <= now.units { before.units } else { 0 };
        let cycles = now.cycles.saturating_sub(before.cycles);
        let interval_ns = now_ns.saturating_sub(before.at_ns).max(1);
        TaskRow {
            slot,
            name: workloads::name_of(slot),
            class: class_of(slot),
            phase: task.phase(),
            core: task.core.load(Ordering::Acquire),
            share_permille: permille(time::cycles_to_ns(cycles), interval_ns).min(1000),
            cpu_ns: time::cycles_to_ns(now.cycles),
            units: now.units,
            units_per_s: per_second(now.units - base_units, interval_ns),
            memory_bytes: memory_of(slot, task),
            report: task.report(),
        }
    }
}

impl CoreLook {
    /// No reading: the first is compared with boot.
    pub(super) const fn new() -> Self {
        Self { at_ns: 0, busy: [0; MAX_CORES] }
    }

    /// Reads every core. Returns them, and the nanoseconds their busy shares
    /// are over.
    pub(super) fn read(&mut self, now_ns: u64) -> (CoreRows, u64) {
        let interval_ns = now_ns.saturating_sub(core::mem::replace(&mut self.at_ns, now_ns)).max(1);
        (cores::all().map(|core| self.row(core, interval_ns)).collect(), interval_ns)
    }

    fn row(&mut self, core: &cores::Core, interval_ns: u64) -> CoreRow {
        let now = Machine.busy_cycles(CoreId(core.number));
        let before = match self.busy.get_mut(usize::from(core.number)) {
            Some(busy) => core::mem::replace(busy, now),
            None => now,
        };
        let busy_ns = time::cycles_to_ns(now.saturating_sub(before));
        let current = core.current.load(Ordering::Relaxed);
        CoreRow {
            number: core.number,
            apic_id: core.apic_id(),
            roles: core.roles(),
            tick: !core.tick_off.load(Ordering::Relaxed),
            busy_permille: permille(busy_ns, interval_ns).min(1000),
            task: if current == cores::NO_TASK { "idle" } else { workloads::name_of(current) },
            queued: core.queued.load(Ordering::Relaxed),
            interrupts: core.interrupts.load(Ordering::Relaxed),
            switches: core.switches.load(Ordering::Relaxed),
        }
    }
}

const fn class_of(slot: u16) -> &'static str {
    match slot {
        tasks::CONTROL => "control",
        tasks::FIRST => "first",
        tasks::SHADOW | tasks::ECHO => "shadow",
        _ => "second",
    }
}

/// Bytes that hold a task: stack and memory.
fn memory_of(slot: u16, task: &'static Task) -> u64 {
    if slot >= tasks::SECOND {
        return u64::from(memory::used_by_task(slot)) * FRAME_BYTES;
    }
    // SAFETY: only the control core uses this, and its task, which runs this
    // code, is the only one that changes it.
    let tenancy = unsafe { *task.tenancy.get() };
    tenancy.map_or(0, |tenancy| tenancy.areas.stack_bytes + tenancy.areas.memory_bytes)
}

fn per_second(count: u64, interval_ns: u64) -> u64 {
    let rate = u128::from(count) * 1_000_000_000 / u128::from(interval_ns.max(1));
    u64::try_from(rate).unwrap_or(u64::MAX)
}
