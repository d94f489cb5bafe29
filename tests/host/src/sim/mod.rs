//! A simulated machine: cores that share their time fairly among tasks, a
//! cache and a memory bus that tasks press on, and a first-class server of
//! requests that arrive open loop.
//!
//! The clock runs at 1 GHz, so a cycle is a nanosecond. Time passes in quanta
//! of 20 microseconds. In each, a request being served advances by the server's
//! share of its core, divided by a slowdown of
//! `1 + 2 * min(1, other working sets / cache) + other traffic / bandwidth`;
//! working sets count for nothing while first and second class have colours of
//! their own, which takes as long to come about as its pages take to move.

mod advance;
mod machine;

use std::collections::VecDeque;
use umbra_control::machine::{
    Action, Apart, AsideProgress, Burst, BurstProgress, Colouring, CoreId, Count, Counts, Roles, Share,
    Shares, TaskId, TaskState, WorkloadId,
};
use umbra_control::shadow::ShadowPlan;

/// What a task or a request does while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Nature {
    /// Its name in texts.
    pub name: &'static str,
    /// Bytes loaded per microsecond on a core.
    pub read_per_us: u64,
    /// Bytes stored per microsecond on a core.
    pub write_per_us: u64,
    /// Share of bytes in address order, in thousandths.
    pub sequential_permille: u64,
    /// Bytes it touches again and again.
    pub working_set_bytes: u64,
}

/// A second-class task.
#[derive(Clone, Copy, Debug)]
pub struct SimTask {
    /// What it does.
    pub nature: Nature,
    /// Its workload.
    pub workload: WorkloadId,
    /// Which user of its slot it is.
    pub generation: u32,
    /// Whether it may run.
    pub state: TaskState,
    /// The core it is on.
    pub core: CoreId,
    /// What it has counted.
    pub counts: Counts,
}

#[derive(Clone, Copy, Debug)]
struct SimCore {
    roles: Roles,
    busy_cycles: u64,
}

/// A request: when it arrived, what is left of it to serve.
#[derive(Clone, Copy, Debug)]
struct Request {
    arrival_ns: u64,
    left_ns: u64,
}

/// The burst that runs.
#[derive(Clone, Debug)]
struct SimBurst {
    burst: Burst,
    progress: BurstProgress,
    requests: VecDeque<Request>,
    latencies_ns: Vec<u64>,
}

/// Something on the shadow core.
#[derive(Clone, Copy, Debug, Default)]
struct SimAside {
    ends_ns: u64,
    progress: AsideProgress,
}

/// How the first-class server behaves.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// What serving does.
    pub nature: Nature,
    /// Undisturbed service time of a request, in nanoseconds.
    pub service_ns: u64,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Sim {
    now_ns: u64,
    cores: Vec<SimCore>,
    /// The task slots.
    pub tasks: Vec<Option<SimTask>>,
    /// The first-class server.
    pub server: Server,
    first_class: CoreId,
    shadow_core: CoreId,
    /// Nanoseconds an action takes to have effect.
    pub action_delay_ns: u64,
    actions: VecDeque<(u64, Action)>,
    /// What colours could be divided.
    pub colouring: Colouring,
    /// How colours are divided now.
    pub apart: Option<Apart>,
    burst: Option<SimBurst>,
    last_burst: BurstProgress,
    plan_to_run: Option<Box<ShadowPlan>>,
    shadow: SimAside,
    echo: SimAside,
    bursts: u32,
    /// What of cache and bandwidth can be divided; nothing at first.
    pub shares: Shares,
    /// Whether the misses of tasks are counted; not at first.
    pub counts_misses: bool,
    confined: Option<Share>,
    /// Bytes of last-level cache.
    pub llc_bytes: u64,
    /// Bytes per second to memory.
    pub bandwidth: u64,
    /// Latencies of all bursts, in nanoseconds, in order of answers.
    pub latencies_ns: Vec<u64>,
}

impl Sim {
    /// A machine of `cores` cores (1 to 64): core 0 controls and runs shadows,
    /// core 1 is the first-class core; with one core, core 0 is everything.
    #[must_use]
    pub fn new(cores: u8, server: Server) -> Self {
        let every = Roles(Roles::CONTROL.0 | Roles::FIRST_CLASS.0 | Roles::SHADOW.0 | Roles::SECOND_CLASS.0);
        let roles = |core: u8| match (cores, core) {
            (1, _) => every,
            (_, 0) => Roles(Roles::CONTROL.0 | Roles::SHADOW.0 | Roles::SECOND_CLASS.0),
            (_, 1) => Roles(Roles::FIRST_CLASS.0 | Roles::SECOND_CLASS.0),
            _ => Roles::SECOND_CLASS,
        };
        Self {
            now_ns: 0,
            cores: (0..cores).map(|core| SimCore { roles: roles(core), busy_cycles: 0 }).collect(),
            tasks: Vec::new(),
            server,
            first_class: CoreId(u8::from(cores > 1)),
            shadow_core: CoreId(0),
            action_delay_ns: 200_000,
            actions: VecDeque::new(),
            colouring: Colouring::default(),
            apart: None,
            burst: None,
            last_burst: BurstProgress::default(),
            plan_to_run: None,
            shadow: SimAside::default(),
            echo: SimAside::default(),
            bursts: 0,
            shares: Shares::default(),
            counts_misses: false,
            confined: None,
            llc_bytes: 16 << 20,
            bandwidth: 10_000_000_000,
            latencies_ns: Vec::new(),
        }
    }

    /// Starts a task in the first free slot.
    pub fn start(&mut self, nature: Nature, workload: u8, core: u8) -> TaskId {
        let slot = self.tasks.iter().position(Option::is_none).unwrap_or(self.tasks.len());
        if slot == self.tasks.len() {
            self.tasks.push(None);
        }
        let generation = u32::try_from(self.now_ns / 1000).unwrap_or(0) + 1;
        let counts = Counts {
            generation,
            instructions: Count::Unknown,
            llc_misses: Count::Unknown,
            working_set_bytes: nature.working_set_bytes,
            ..Counts::default()
        };
        self.tasks[slot] = Some(SimTask {
            nature,
            workload: WorkloadId(workload),
            generation,
            state: TaskState::Runnable,
            core: CoreId(core),
            counts,
        });
        TaskId(u16::try_from(slot).expect("few slots"))
    }

    /// Ends a task and frees its slot.
    pub fn end(&mut self, task: TaskId) {
        self.tasks[usize::from(task.0)] = None;
    }

    /// Nanoseconds since boot.
    #[must_use]
    pub const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Cycles second-class tasks have had, all together.
    #[must_use]
    pub fn second_class_cycles(&self) -> u64 {
        self.tasks.iter().flatten().map(|task| task.counts.cycles).sum()
    }

    /// Where every task stands, for comparing before and after.
    #[must_use]
    pub fn placement(&self) -> Vec<Option<(u32, TaskState, CoreId)>> {
        let place = |task: &SimTask| (task.generation, task.state, task.core);
        self.tasks.iter().map(|task| task.as_ref().map(place)).collect()
    }

    /// What second-class tasks are confined to, if they are.
    #[must_use]
    pub const fn confined(&self) -> Option<Share> {
        self.confined
    }

    /// Whether the first-class core also takes second-class tasks.
    #[must_use]
    pub fn first_class_core_is_shared(&self) -> bool {
        self.cores[usize::from(self.first_class.0)].roles.has(Roles::SECOND_CLASS)
    }
}

/// Adds what running for `ns` on a core counts.
fn count(counts: &mut Counts, nature: &Nature, ns: u64) {
    counts.cycles += ns;
    let (read, written) = (nature.read_per_us * ns / 1000, nature.write_per_us * ns / 1000);
    counts.read_bytes += read;
    counts.written_bytes += written;
    let sequential = (read + written) * nature.sequential_permille / 1000;
    counts.sequential_bytes += sequential;
    counts.random_accesses += (read + written - sequential) / 64;
    counts.working_set_bytes = nature.working_set_bytes;
}
