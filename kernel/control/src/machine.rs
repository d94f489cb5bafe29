//! What the line needs of the machine: the kernel implements this, the host
//! simulation and the strict fake implement it too. Calls are short, take no
//! lock a first-class core could hold, and never block: what takes time is
//! started here and asked for at a later tick.

mod tail;

pub use tail::{Close, Early};

use crate::shadow::ShadowPlan;

/// A task of the kernel's task table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u16);

/// A core, numbered from 0 in the order they were started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreId(pub u8);

/// A set of at most 64 cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreSet(pub u64);

impl CoreSet {
    /// The set of `core` alone.
    #[must_use]
    pub const fn only(core: CoreId) -> Self {
        Self(1 << (core.0 & 63))
    }

    /// Whether `core` is in the set.
    #[must_use]
    pub const fn has(self, core: CoreId) -> bool {
        self.0 & Self::only(core).0 != 0
    }

    /// Both sets' cores.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The cores of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// How many cores are in the set.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// The cores in ascending order.
    pub fn iter(self) -> impl Iterator<Item = CoreId> {
        (0..64u8).map(CoreId).filter(move |core| self.has(*core))
    }
}

/// What a core may run. A core of a small machine may have several roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(pub u8);

impl Roles {
    /// Console, planner, timekeeping.
    pub const CONTROL: Self = Self(1);
    /// Runs first-class bursts; when it has no other role its tick is off.
    pub const FIRST_CLASS: Self = Self(2);
    /// Runs shadows and echoes.
    pub const SHADOW: Self = Self(4);
    /// Runs second-class tasks.
    pub const SECOND_CLASS: Self = Self(8);

    /// Whether all of `other`'s roles are among these.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Where a second-class task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// On a run queue, or running.
    Runnable,
    /// Off every run queue until it is resumed.
    Paused,
    /// Ended by itself, by `stop` or by a fault.
    Ended,
}

/// A second-class task as the planner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskView {
    /// Its slot.
    pub id: TaskId,
    /// A stable name of the workload (for remembered pairs and labels).
    pub workload: WorkloadId,
    /// Whether it may run.
    pub state: TaskState,
    /// The core whose run queue holds it.
    pub core: CoreId,
}

/// A workload, whatever task runs it: its index in the kernel's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadId(pub u8);

/// A counter that may be missing; nothing invents a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Count {
    /// Counted by hardware or by software at the point where it happens.
    Counted(u64),
    /// Derived from something else that was counted.
    Estimated(u64),
    /// Not available on this machine.
    #[default]
    Unknown,
}

/// Cumulative counts of one task since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Changes when the slot is used for another task: deltas across
    /// generations mean nothing.
    pub generation: u32,
    /// Time it has been on a core, in TSC cycles.
    pub cycles: u64,
    /// Units of work finished.
    pub units: u64,
    /// Instructions retired.
    pub instructions: Count,
    /// Last-level cache misses.
    pub llc_misses: Count,
    /// Bytes loaded.
    pub read_bytes: u64,
    /// Bytes stored.
    pub written_bytes: u64,
    /// Of both, bytes in address order.
    pub sequential_bytes: u64,
    /// Unpredictable accesses.
    pub random_accesses: u64,
    /// Bytes touched again and again (a level, not a sum).
    pub working_set_bytes: u64,
}

/// Reads counters. The cost of a call is bounded and small.
pub trait Monitor {
    /// The counts of a task, or none when the slot is empty.
    fn counts(&self, task: TaskId) -> Option<Counts>;
    /// Cycles a core has spent on tasks (not idle) since boot.
    fn busy_cycles(&self, core: CoreId) -> u64;
}

/// Looks at the machine's division.
pub trait Topology {
    /// The cores that run.
    fn cores(&self) -> CoreSet;
    /// The threads of the physical core that `core` is one of, itself included;
    /// itself alone unless the machine knows better. While a first-class core is
    /// dedicated, no second-class task runs on any of them.
    fn siblings(&self, core: CoreId) -> CoreSet {
        CoreSet::only(core)
    }
    /// What can be kept from second-class tasks; nothing unless the machine knows
    /// better.
    fn shares(&self) -> Shares {
        Shares::default()
    }
    /// What setting first and second class apart by page colours comes to;
    /// nothing unless the machine knows better.
    fn colouring(&self) -> Colouring {
        Colouring::default()
    }
    /// The roles of a core, as the core itself last confirmed them.
    fn roles(&self, core: CoreId) -> Roles;
    /// Slots in use are below this number (at most 128).
    fn task_slots(&self) -> u16;
    /// A second-class task, or none when the slot holds none.
    fn task(&self, id: TaskId) -> Option<TaskView>;
    /// Units that two cores' timestamps are given in, per second.
    fn tsc_hz(&self) -> u64;
    /// Bytes of the last-level cache that all cores share.
    fn llc_bytes(&self) -> u64;
    /// Page colours of that cache (at least 1).
    fn colours(&self) -> u32;
    /// Bandwidth that counts as the whole, in bytes per second, measured on
    /// this machine.
    fn memory_bandwidth(&self) -> u64;
}

/// What second-class tasks may take while a quarantine holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Ways of the last-level cache; 0 where they cannot be divided.
    pub ways: u8,
    /// Percent of the memory bandwidth, 1 to 100.
    pub percent: u8,
}

/// What the machine can keep second-class tasks from taking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Ways of the last-level cache; 0 where they cannot be divided.
    pub ways: u8,
    /// The least percent of bandwidth they can be left with; 0 where it cannot
    /// be divided.
    pub least_percent: u8,
}

/// The page colours that could be divided, and what moving pages takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colouring {
    /// Colours that first and second class share while nothing is set apart; 0
    /// where they share none.
    pub shared: u8,
    /// Pages of the first-class workload.
    pub first_pages: u32,
    /// Pages of second-class tasks, all together.
    pub second_pages: u32,
    /// Nanoseconds from the begin of a move to its end for each page moved, as
    /// measured; 0 while nothing was measured, which keeps colours unplanned.
    pub page_ns: u32,
}

/// A part of the shared colours, from the top, that is the first class's alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apart {
    /// How many colours second-class tasks move out of.
    pub colours: u8,
    /// Whether the first-class workload moves into them. Where it does not, it
    /// keeps all of its colours.
    pub first_moves: bool,
}

/// One step of a quarantine. Each is undone by its opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Take a second-class task off its run queue.
    Pause(TaskId),
    /// Put it back.
    Resume(TaskId),
    /// Move a second-class task to another core's run queue.
    Migrate {
        /// The task.
        task: TaskId,
        /// Where to.
        to: CoreId,
    },
    /// Make a core first-class alone: its second-class tasks, and those of the
    /// other threads of its physical core, are pushed to other cores that may run
    /// them, then its tick goes off.
    Dedicate(CoreId),
    /// Give such a core back to second-class tasks.
    Share(CoreId),
    /// Keep all second-class tasks, those that come later too, to a share of
    /// cache and bandwidth.
    Confine(Share),
    /// Give cache and bandwidth back exactly as they were divided before.
    Unconfine,
    /// Set first and second class apart by page colours, those of tasks that
    /// come later too. It takes effect once every page has moved.
    Recolour(Apart),
    /// Give classes and tasks exactly the colours they had before. Their pages
    /// go back in the background.
    Uncolour,
}

/// Why the machine would not take an action. A refused action changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The slot is empty or the task is not second-class.
    NoSuchTask,
    /// The core does not exist or may not run second-class tasks.
    NoSuchCore,
    /// The mailbox to the core is full; ask again at the next tick.
    Busy,
    /// The last core that could run second-class tasks, and some must run.
    LastCore,
    /// The machine can divide neither cache nor bandwidth.
    Absent,
}

/// Carries out actions. Applying starts an action; [`Actuator::holds`] reads
/// back, from the owning core's own state, whether it has taken effect.
pub trait Actuator {
    /// Starts `action`; applying one that already holds is fine.
    ///
    /// # Errors
    /// Says why nothing was started.
    fn apply(&mut self, action: Action) -> Result<(), Refusal>;
    /// Whether `action` is in effect now.
    fn holds(&self, action: Action) -> bool;
}

/// A burst of first-class requests, open loop: request `i` arrives at the
/// release plus the sum of the first `i` gaps, however late the ones before it
/// are. Gaps are exponential, drawn from the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Which burst this is, counted from 1.
    pub number: u32,
    /// The unit of the first request; the others follow.
    pub first_unit: u64,
    /// Requests in the burst.
    pub requests: u32,
    /// Mean gap between arrivals, in nanoseconds.
    pub mean_gap_ns: u64,
    /// Seed of the gaps.
    pub seed: u64,
    /// A request slower than this counts as late, in nanoseconds.
    pub late_ns: u64,
}

/// A burst as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BurstProgress {
    /// The burst's number, 0 before the first.
    pub number: u32,
    /// Requests answered so far.
    pub answered: u32,
    /// Of those, the late ones.
    pub late: u32,
    /// Whether the last request is answered and its figures are published.
    pub done: bool,
    /// When it was released and when it ended, in nanoseconds since boot.
    pub released_ns: u64,
    /// End; meaningful when `done`.
    pub ended_ns: u64,
    /// What serving (not waiting) has cost so far.
    pub counts: Counts,
    /// Of the answered, those that came close to being late.
    pub close: Close,
    /// When the first late request was answered, in nanoseconds since boot; 0
    /// while none was late.
    pub first_late_ns: u64,
    /// The requests that arrived soon after the release.
    pub early: Early,
}

/// A run on the shadow core, shadow or echo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsideProgress {
    /// Whether it is over.
    pub done: bool,
    /// It stopped at its budget.
    pub over_budget: bool,
    /// Its counts, so far or in all.
    pub counts: Counts,
}

/// Starts first-class bursts, shadows and echoes.
pub trait Stage {
    /// Starts the shadow on the shadow core.
    ///
    /// # Errors
    /// [`Refusal::Busy`] while one is still running there.
    fn start_shadow(&mut self, plan: &ShadowPlan) -> Result<(), Refusal>;
    /// The shadow that was started last.
    fn shadow(&self) -> AsideProgress;
    /// Starts an echo: real requests from `first_unit` on, on the shadow core,
    /// with scratch of its own, ended at `budget_cycles`.
    ///
    /// # Errors
    /// [`Refusal::Busy`] while one is still running there.
    fn start_echo(&mut self, first_unit: u64, requests: u32, budget_cycles: u64) -> Result<(), Refusal>;
    /// The echo that was started last.
    fn echo(&self) -> AsideProgress;
    /// The first-class core.
    fn first_class_core(&self) -> CoreId;
    /// Starts a burst on the first-class core.
    ///
    /// # Errors
    /// [`Refusal::Busy`] while one is still running.
    fn release(&mut self, burst: &Burst) -> Result<(), Refusal>;
    /// The burst that was released last.
    fn burst(&self) -> BurstProgress;
}

/// All of it.
pub trait Machine: Monitor + Topology + Actuator + Stage {}

impl<M: Monitor + Topology + Actuator + Stage> Machine for M {}
