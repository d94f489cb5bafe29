//! Bringing tasks into the world and taking their remains away. Control core
//! only.

use core::sync::atomic::{AtomicU64, Ordering};

use umbra_memory::{Class, Demand, DemandError, Owner};
use umbra_sched::Roles;
use umbra_x86_64::{context, cpu};

use crate::memory::{self, Areas, MemoryError};
use crate::schedule::{self, Message};
use crate::tasks::{self, Phase, Tenancy};
use crate::{cores, hardware, recolour, retired, workloads};

/// Stack of the control task: the console formats on it, and the tick runs on
/// whatever stack it finds.
const CONTROL_STACK_BYTES: u64 = 128 << 10;
/// Stack of every other task.
const STACK_BYTES: u64 = 64 << 10;
/// A handler that finds less than this left of a task's stack ends the task
/// instead of running over the guard half-way through its work.
pub(crate) const HANDLER_STACK_BYTES: u64 = 16 << 10;

static MAPPINGS: AtomicU64 = AtomicU64::new(1);

/// Counts the changes to task slots; a core that runs a task mapped later than
/// its last flush flushes first.
pub(crate) fn mapping_generation() -> u64 {
    MAPPINGS.load(Ordering::Acquire)
}

/// Notes that the mapping of a slot has changed.
pub(crate) fn remapped(slot: u16) {
    tasks::at(slot).mapped_in.store(next_mapping_generation(), Ordering::Release);
}

/// Begins a new one.
pub(crate) fn next_mapping_generation() -> u64 {
    MAPPINGS.fetch_add(1, Ordering::AcqRel) + 1
}

/// Why a task was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpawnError {
    /// Every slot is in use.
    NoSlot,
    /// The demand fits no slot.
    Demand(DemandError),
    /// Memory ran out.
    Memory(MemoryError),
    /// No core takes second-class tasks now.
    NoCore,
    /// The core's mailbox is full.
    Busy,
}

impl core::fmt::Display for SpawnError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSlot => write!(f, "all {} task slots are in use", tasks::SLOTS - tasks::SECOND),
            Self::Demand(error) => error.fmt(f),
            Self::Memory(error) => error.fmt(f),
            Self::NoCore => f.write_str("no core takes second-class tasks now"),
            Self::Busy => f.write_str("the core's mailbox is full, try again"),
        }
    }
}

/// Starts a second-class task of a workload, on `core` or where there is least
/// to do, and returns its slot.
pub(crate) fn second_class(workload: u8, core: Option<u8>) -> Result<u16, SpawnError> {
    reap();
    let free = (tasks::SECOND..tasks::SLOTS).find(|slot| tasks::at(*slot).phase() == Phase::Empty);
    // Slots of tasks that are over are kept for their report until needed.
    let over = || (tasks::SECOND..tasks::SLOTS).find(|slot| tasks::at(*slot).phase().is_over());
    let slot = free.or_else(over).ok_or(SpawnError::NoSlot)?;
    let core = core.or_else(emptiest).ok_or(SpawnError::NoCore)?;
    let bytes = workloads::memory_bytes(workload);
    let owner = Owner::task(slot).unwrap_or(Owner::KERNEL);
    create(slot, workload, core, STACK_BYTES, bytes, Class::Second, owner, workloads::second_class_main)?;
    if schedule::send(core, Message::Enqueue(slot)) {
        return Ok(slot);
    }
    tasks::at(slot).set_phase(Phase::Ended);
    reap();
    Err(SpawnError::Busy)
}

/// The core with the fewest second-class tasks among those that take any, by
/// the task table: what was sent a moment ago counts already. Of equal ones
/// rather one that serves no bursts. Bound: cores times slots.
fn emptiest() -> Option<u8> {
    let crowd = |core: &cores::Core| {
        let here = |task: &tasks::Task| task.core.load(Ordering::Acquire) == core.number;
        tasks::second_class().filter(|(_, task)| !task.phase().is_over() && here(task)).count()
    };
    cores::all()
        .filter(|core| core.roles().has(Roles::SECOND_CLASS))
        .min_by_key(|core| (crowd(core), core.roles().has(Roles::FIRST_CLASS)))
        .map(|core| core.number)
}

/// Starts the control task on this core.
pub(crate) fn control(main: extern "sysv64" fn(u64) -> !) -> Result<(), SpawnError> {
    create(tasks::CONTROL, u8::MAX, 0, CONTROL_STACK_BYTES, 0, Class::Kernel, Owner::KERNEL, main)?;
    cpu::without_interrupts(|| {
        let queue = &mut schedule::owned(crate::cores::this()).queue;
        tasks::at(tasks::CONTROL).set_phase(Phase::Ready);
        let index = umbra_sched::TaskIndex(tasks::CONTROL);
        // The queue is empty and the slot in range.
        let _ = queue.enqueue(index, umbra_sched::Class::Control, umbra_sched::NOMINAL_WEIGHT);
    });
    Ok(())
}

/// Makes one of the kernel's own tasks (first-class, shadow, echo), parked on
/// `core`.
pub(crate) fn parked(
    slot: u16,
    core: u8,
    memory_bytes: u64,
    class: Class,
    owner: Owner,
    main: extern "sysv64" fn(u64) -> !,
) -> Result<Areas, SpawnError> {
    create(slot, u8::MAX, core, STACK_BYTES, memory_bytes, class, owner, main)
}

#[expect(clippy::too_many_arguments, reason = "one private function that all kinds of tasks share")]
fn create(
    slot: u16,
    workload: u8,
    core: u8,
    stack_bytes: u64,
    memory_bytes: u64,
    class: Class,
    owner: Owner,
    main: extern "sysv64" fn(u64) -> !,
) -> Result<Areas, SpawnError> {
    let budget = Demand { stack_bytes, memory_bytes }.budget().map_err(SpawnError::Demand)?;
    let colours = memory::colours::admit(slot, class);
    let apic_id = cores::get(core).map_or(0, |core| core.apic_id());
    memory::settle_at(owner, hardware::the().nodes.of_processor(apic_id));
    let areas = memory::map_task(slot, budget, colours, owner).map_err(|error| {
        memory::colours::forget(slot);
        SpawnError::Memory(error)
    })?;
    let task = tasks::at(slot);
    task.reset(slot, workload, core);
    task.stack_bottom.store(areas.stack_bottom, Ordering::Relaxed);
    remapped(slot);
    let words = usize::try_from(areas.stack_bytes / 8).unwrap_or(0);
    // SAFETY: the stack was just mapped for this task, which does not run yet.
    let stack = unsafe { core::slice::from_raw_parts_mut(areas.stack_bottom as *mut u64, words) };
    // SAFETY: the slot is empty or over, so the control core is its only user.
    unsafe {
        *task.context.get() = context::prepare(stack, main, u64::from(slot));
        *task.tenancy.get() = Some(Tenancy { areas, owner, reaped: false });
    }
    task.set_phase(Phase::Parked);
    Ok(areas)
}

/// The first lines of every task's main function: finish the switch that
/// brought it here, then let interrupts in.
pub(crate) fn begin() {
    schedule::after_switch();
    cpu::enable_interrupts();
}

/// Where a task's memory lies, as words.
///
/// # Safety
/// Called once by the task itself, or by a user that knows it has the memory
/// to itself.
pub(crate) unsafe fn memory_of(slot: u16) -> &'static mut [u64] {
    // SAFETY: written before the task was enqueued, and not changed while it lives.
    let Some(tenancy) = (unsafe { *tasks::at(slot).tenancy.get() }) else { return &mut [] };
    let words = usize::try_from(tenancy.areas.memory_bytes / 8).unwrap_or(0);
    // SAFETY: mapped for this task alone, for as long as it lives.
    unsafe { core::slice::from_raw_parts_mut(tenancy.areas.memory_bottom as *mut u64, words) }
}

/// Gives back the frames of second-class tasks that are over. Their slots keep
/// the report until they are needed.
pub(crate) fn reap() {
    for (slot, task) in tasks::second_class() {
        if !task.phase().is_over() {
            continue;
        }
        // SAFETY: the task is over and switched away from: the control core is
        // the only user of its slot.
        let Some(tenancy) = (unsafe { task.tenancy.get() }) else { continue };
        if !tenancy.reaped {
            recolour::give_up(slot);
            memory::colours::forget(slot);
            memory::unmap_task(tenancy.areas, tenancy.owner, &mut retired::add);
            tenancy.reaped = true;
            if task.phase() == Phase::Ended {
                task.set_phase(Phase::Empty);
            }
        }
    }
}
