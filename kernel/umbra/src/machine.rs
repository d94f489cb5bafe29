//! The machine as policy sees it: the kernel's side of
//! `umbra_control::machine`. Control core only, interrupts off or on.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use umbra_control::machine::{
    Action, Actuator, AsideProgress, Burst, BurstProgress, Colouring, CoreId, CoreSet, Counts, Monitor,
    Refusal, Roles, Shares, Stage, TaskId, TaskState, TaskView, Topology, WorkloadId,
};
use umbra_control::shadow::ShadowPlan;
use umbra_hw::cpuid::Inventory;
use umbra_sched::initial_roles;

use crate::hardware::{confine, places};
use crate::memory::colours;
use crate::schedule::{self, Message, Subject};
use crate::tasks::{self, Phase};
use crate::{aside, cores, first_class, memory, recolour, time};

/// The one machine there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine;

static LLC_BYTES: AtomicU64 = AtomicU64::new(0);
static LLC_WAYS: AtomicU32 = AtomicU32::new(0);
static BANDWIDTH: AtomicU64 = AtomicU64::new(0);
static EMULATED: AtomicBool = AtomicBool::new(false);
static COLOURS: AtomicU32 = AtomicU32::new(1);

/// Stand-in for the size of a last-level cache that CPUID does not describe.
const UNKNOWN_LLC_BYTES: u64 = 8 << 20;

/// Whether times are an emulator's. A hypervisor that executes on the real
/// processor counts as a machine.
pub(crate) fn is_emulated() -> bool {
    EMULATED.load(Ordering::Relaxed)
}

/// Notes what boot found out.
pub(crate) fn learn(inventory: &Inventory, memory_bandwidth: u64) {
    EMULATED.store(inventory.identity.brand.as_str().contains("TCG"), Ordering::Relaxed);
    let llc = inventory.last_level_cache().map_or(UNKNOWN_LLC_BYTES, |cache| cache.bytes());
    LLC_BYTES.store(llc, Ordering::Relaxed);
    LLC_WAYS.store(inventory.last_level_cache().map_or(0, |cache| cache.ways), Ordering::Relaxed);
    BANDWIDTH.store(memory_bandwidth, Ordering::Relaxed);
    learn_colours();
}

/// Notes how many page colours there are.
pub(crate) fn learn_colours() {
    COLOURS.store(memory::usage().map_or(1, |usage| usage.colours), Ordering::Relaxed);
}

/// Ways of the last-level cache, if CPUID tells.
pub(crate) fn llc_ways() -> Option<u32> {
    Some(LLC_WAYS.load(Ordering::Relaxed)).filter(|ways| *ways > 0)
}

/// The core that first-class bursts run on.
pub(crate) fn first_class_core() -> u8 {
    if cores::count() == 1 { 0 } else { 1 }
}

/// The roles a core has while nothing is quarantined.
pub(crate) fn resting_roles(core: u8) -> Roles {
    Roles(initial_roles(core, cores::count()).0)
}

impl Monitor for Machine {
    fn counts(&self, task: TaskId) -> Option<Counts> {
        let entry = tasks::get(task.0)?;
        if entry.phase() == Phase::Empty {
            return None;
        }
        Some(aside::counts_of(task.0, entry.generation.load(Ordering::Relaxed)))
    }

    fn busy_cycles(&self, core: CoreId) -> u64 {
        cores::get(core.0).map_or(0, |core| core.busy.read(umbra_x86_64::cpu::timestamp()))
    }
}

impl Topology for Machine {
    fn cores(&self) -> CoreSet {
        cores::set()
    }

    fn shares(&self) -> Shares {
        confine::shares()
    }

    fn colouring(&self) -> Colouring {
        recolour::colouring()
    }

    fn siblings(&self, core: CoreId) -> CoreSet {
        places::threads(core.0).with(CoreSet::only(core))
    }

    fn roles(&self, core: CoreId) -> Roles {
        Roles(cores::get(core.0).map_or(0, |core| core.roles().0))
    }

    fn task_slots(&self) -> u16 {
        tasks::SLOTS
    }

    fn task(&self, id: TaskId) -> Option<TaskView> {
        let task = tasks::get(id.0).filter(|_| id.0 >= tasks::SECOND)?;
        let state = match task.phase() {
            Phase::Empty => return None,
            Phase::Paused if !task.is_merely_held() => TaskState::Paused,
            phase if phase.is_over() => TaskState::Ended,
            _ => TaskState::Runnable,
        };
        Some(TaskView {
            id,
            workload: WorkloadId(task.workload.load(Ordering::Relaxed)),
            state,
            core: CoreId(task.core.load(Ordering::Acquire)),
        })
    }

    fn tsc_hz(&self) -> u64 {
        time::tsc_hz()
    }

    fn llc_bytes(&self) -> u64 {
        LLC_BYTES.load(Ordering::Relaxed)
    }

    fn colours(&self) -> u32 {
        COLOURS.load(Ordering::Relaxed)
    }

    fn memory_bandwidth(&self) -> u64 {
        BANDWIDTH.load(Ordering::Relaxed)
    }
}

impl Actuator for Machine {
    fn apply(&mut self, action: Action) -> Result<(), Refusal> {
        // Also when it holds already: the opposite may be on its way, and what
        // is asked for last must arrive last.
        let (core, message) = match action {
            Action::Pause(task) => (owner(task)?, Message::Pause(Subject::of(task.0))),
            Action::Resume(task) => (owner(task)?, Message::Resume(Subject::of(task.0))),
            Action::Migrate { task, to } => {
                if !self.roles(to).has(Roles::SECOND_CLASS) {
                    return Err(Refusal::NoSuchCore);
                }
                (owner(task)?, Message::Move { task: Subject::of(task.0), to: to.0 })
            }
            Action::Dedicate(core) => {
                let resting = resting_roles(core.0);
                if !resting.has(Roles::FIRST_CLASS) {
                    return Err(Refusal::NoSuchCore);
                }
                let others = self.cores().without(self.siblings(core));
                if !others.iter().any(|other| self.roles(other).has(Roles::SECOND_CLASS)) {
                    return Err(Refusal::LastCore);
                }
                return self.divide(core, |core| Roles(resting_roles(core).0 & !Roles::SECOND_CLASS.0));
            }
            Action::Share(core) => return self.divide(core, resting_roles),
            Action::Confine(share) => return confine::want(Some(share)),
            Action::Unconfine => return confine::want(None),
            // Moving the pages is the control task's: see `recolour`.
            Action::Recolour(apart) => {
                return colours::set_apart(apart).map(|_| ()).map_err(|_| Refusal::Absent);
            }
            Action::Uncolour => {
                colours::reunite();
                return Ok(());
            }
        };
        if cores::get(core).is_none() {
            return Err(Refusal::NoSuchCore);
        }
        if schedule::send(core, message) { Ok(()) } else { Err(Refusal::Busy) }
    }

    fn holds(&self, action: Action) -> bool {
        let phase = |task: TaskId| tasks::get(task.0).map_or(Phase::Empty, tasks::Task::phase);
        // A task that is held for a moment counts as what it is otherwise.
        let held = |task: TaskId| tasks::get(task.0).is_some_and(tasks::Task::is_merely_held);
        match action {
            Action::Pause(task) => phase(task) == Phase::Paused && !held(task),
            Action::Resume(task) => {
                held(task) || matches!(phase(task), Phase::Ready | Phase::Running | Phase::Sleeping)
            }
            Action::Migrate { task, to } => {
                let here = tasks::get(task.0).map(|task| task.core.load(Ordering::Acquire));
                here == Some(to.0) && !matches!(phase(task), Phase::Moving | Phase::Empty)
            }
            Action::Dedicate(core) => {
                let taken = self.siblings(core).iter().any(|core| self.roles(core).has(Roles::SECOND_CLASS));
                self.roles(core).has(Roles::FIRST_CLASS) && !taken
            }
            Action::Confine(share) => confine::holds(Some(share)),
            Action::Unconfine => confine::holds(None),
            Action::Recolour(apart) => colours::is_apart(apart),
            Action::Uncolour => !colours::are_set_apart(),
            Action::Share(core) => {
                self.siblings(core).iter().all(|core| self.roles(core) == resting_roles(core.0))
            }
        }
    }
}

impl Machine {
    /// Asks a first-class core and the threads that share it for roles. When
    /// one cannot be asked, those that were are asked to rest again.
    fn divide(self, core: CoreId, roles: impl Fn(u8) -> Roles) -> Result<(), Refusal> {
        let all = self.siblings(core);
        if cores::get(core.0).is_none() {
            return Err(Refusal::NoSuchCore);
        }
        let ask = |core: CoreId, roles: Roles| schedule::send(core.0, Message::Roles(roles.0));
        let Some(deaf) = all.iter().find(|core| !ask(*core, roles(core.0))) else { return Ok(()) };
        for asked in all.iter().take_while(|core| *core != deaf) {
            // It took a message just now; if it does not take this one, the
            // next attempt or the undoing tells it.
            let _ = ask(asked, resting_roles(asked.0));
        }
        Err(Refusal::Busy)
    }
}

impl Stage for Machine {
    fn start_shadow(&mut self, plan: &ShadowPlan) -> Result<(), Refusal> {
        aside::start_shadow(plan)
    }

    fn shadow(&self) -> AsideProgress {
        aside::SHADOW.progress()
    }

    fn start_echo(&mut self, first_unit: u64, requests: u32, budget_cycles: u64) -> Result<(), Refusal> {
        aside::start_echo(first_unit, requests, budget_cycles)
    }

    fn echo(&self) -> AsideProgress {
        aside::ECHO.progress()
    }

    fn first_class_core(&self) -> CoreId {
        CoreId(first_class_core())
    }

    fn release(&mut self, burst: &Burst) -> Result<(), Refusal> {
        first_class::release(burst)
    }

    fn burst(&self) -> BurstProgress {
        first_class::progress()
    }
}

/// The core that a second-class task belongs to.
fn owner(task: TaskId) -> Result<u8, Refusal> {
    let entry = tasks::get(task.0).filter(|_| task.0 >= tasks::SECOND).ok_or(Refusal::NoSuchTask)?;
    let phase = entry.phase();
    if phase == Phase::Empty || phase.is_over() {
        return Err(Refusal::NoSuchTask);
    }
    if phase == Phase::Moving {
        return Err(Refusal::Busy);
    }
    Ok(entry.core.load(Ordering::Acquire))
}
