//! A machine whose caches have the strict registers of `umbra_hw::bus`: the
//! quarantine divides them as the kernel does, late and cache by cache.
//!
//! Tasks obey at once; what is wanted of the caches is one word, and each cache
//! follows when its turn comes. A core has an association that every switch
//! brings to the class and identity of the task.

mod processors;

pub use processors::{Processor, processors};

use umbra_control::machine::{
    Action, Actuator, CoreId, CoreSet, Counts, Monitor, Refusal, Roles, Share, Shares, TaskId, TaskState,
    TaskView, Topology, WorkloadId,
};
use umbra_hw::bus::{Machine as Description, StrictBus};
use umbra_hw::rdt::{Associate, Association, Confinement, Limit, Rdt, Rounding};

/// The class that second-class tasks work under.
pub const SECOND_CLASS: u32 = 1;

/// The whole bandwidth of the machine in AMD's units of 1/8 GB/s.
const PEAK_EIGHTHS: u32 = 8 * 20;

/// One cache: its registers, what they held at first, and what confines it.
#[derive(Debug)]
pub struct Cache<'r> {
    /// The registers.
    pub bus: StrictBus,
    confinement: Confinement<'r>,
    associate: Associate,
    held: Option<Share>,
    failed: bool,
}

/// The machine.
#[derive(Debug)]
pub struct Divided<'r> {
    rdt: &'r Rdt,
    /// Its caches.
    pub caches: Vec<Cache<'r>>,
    /// Its tasks.
    pub tasks: Vec<TaskView>,
    roles: Vec<Roles>,
    wanted: Option<Share>,
    /// For each look at the mailboxes: whether they are full.
    pub busy: Vec<bool>,
}

impl<'r> Divided<'r> {
    /// A machine of `cores` cores and so many caches, as after reset.
    #[must_use]
    pub fn new(rdt: &'r Rdt, cores: u8, caches: usize) -> Self {
        let cache = || Cache {
            bus: StrictBus::new(Description { rdt: *rdt, ..Description::default() }),
            confinement: Confinement::new(rdt, SECOND_CLASS),
            associate: Associate::default(),
            held: None,
            failed: false,
        };
        Self {
            rdt,
            caches: (0..caches).map(|_| cache()).collect(),
            tasks: Vec::new(),
            roles: vec![Roles(Roles::SECOND_CLASS.0); usize::from(cores)],
            wanted: None,
            busy: Vec::new(),
        }
    }

    /// Puts a runnable task on a core.
    pub fn put(&mut self, core: u8) {
        let number = u8::try_from(self.tasks.len()).unwrap_or(u8::MAX);
        let (id, workload) = (TaskId(u16::from(number)), WorkloadId(number));
        self.tasks.push(TaskView { id, workload, state: TaskState::Runnable, core: CoreId(core) });
    }

    /// The caches of `turns` (one bit each) follow what is wanted.
    pub fn follow(&mut self, turns: u8) {
        for (number, cache) in self.caches.iter_mut().enumerate() {
            if turns >> number & 1 == 1 && cache.held != self.wanted {
                let limit = self.wanted.and_then(|share| limit(self.rdt, share.percent));
                let ways = self.wanted.map(|share| share.ways);
                let results = [
                    cache.confinement.set_ways(&mut cache.bus, ways),
                    cache.confinement.set_limit(&mut cache.bus, limit),
                ];
                cache.failed = results.iter().any(Result::is_err);
                cache.held = self.wanted;
            }
        }
    }

    /// A core next to `cache` switches to a task's class and identity, or is
    /// refused one that does not exist.
    pub fn switch(&mut self, cache: usize, class: u32, rmid: u32) {
        if let Some(cache) = self.caches.get_mut(cache) {
            let refused = cache.associate.switch(&mut cache.bus, self.rdt, Association { class, rmid });
            assert_eq!(
                refused.is_err(),
                class >= self.rdt.association_classes() || rmid > self.rdt.max_rmid()
            );
        }
    }

    fn task_mut(&mut self, id: TaskId) -> Result<&mut TaskView, Refusal> {
        self.tasks.get_mut(usize::from(id.0)).ok_or(Refusal::NoSuchTask)
    }
}

/// The limit that leaves a share of the bandwidth, on either maker's processors.
fn limit(rdt: &Rdt, percent: u8) -> Option<Limit> {
    let percent = u32::from(percent);
    if percent >= 100 {
        return None;
    }
    let throttle = rdt.mba.and_then(|mba| mba.throttle_for(percent, Rounding::Down).ok());
    throttle
        .map(Limit::Throttle)
        .or_else(|| rdt.bandwidth.map(|_| Limit::Eighths(percent * PEAK_EIGHTHS / 100)))
}

impl Monitor for Divided<'_> {
    fn counts(&self, task: TaskId) -> Option<Counts> {
        self.tasks.get(usize::from(task.0)).map(|_| Counts { generation: 1, ..Counts::default() })
    }
    fn busy_cycles(&self, _: CoreId) -> u64 {
        0
    }
}

impl Topology for Divided<'_> {
    fn cores(&self) -> CoreSet {
        CoreSet(u64::MAX.checked_shr(64 - u32::try_from(self.roles.len()).unwrap_or(0)).unwrap_or(0))
    }
    fn shares(&self) -> Shares {
        let Some(l3) = self.rdt.l3.filter(|_| self.rdt.common_classes(false) > SECOND_CLASS) else {
            return Shares::default();
        };
        let least = self.rdt.mba.and_then(|mba| mba.least_percent()).unwrap_or(0);
        Shares { ways: l3.rules.length, least_percent: u8::try_from(least).unwrap_or(0) }
    }
    fn roles(&self, core: CoreId) -> Roles {
        self.roles.get(usize::from(core.0)).copied().unwrap_or(Roles(0))
    }
    fn task_slots(&self) -> u16 {
        u16::try_from(self.tasks.len()).unwrap_or(u16::MAX)
    }
    fn task(&self, id: TaskId) -> Option<TaskView> {
        self.tasks.get(usize::from(id.0)).copied()
    }
    fn tsc_hz(&self) -> u64 {
        1_000_000_000
    }
    fn llc_bytes(&self) -> u64 {
        8 << 20
    }
    fn colours(&self) -> u32 {
        32
    }
    fn memory_bandwidth(&self) -> u64 {
        8 << 30
    }
}

impl Actuator for Divided<'_> {
    fn apply(&mut self, action: Action) -> Result<(), Refusal> {
        if self.busy.pop().unwrap_or(false) {
            return Err(Refusal::Busy);
        }
        match action {
            Action::Pause(id) => self.task_mut(id)?.state = TaskState::Paused,
            Action::Resume(id) => self.task_mut(id)?.state = TaskState::Runnable,
            Action::Migrate { task, to } if self.roles(to).has(Roles::SECOND_CLASS) => {
                self.task_mut(task)?.core = to;
            }
            Action::Migrate { .. } => return Err(Refusal::NoSuchCore),
            Action::Dedicate(core) | Action::Share(core) => {
                let shared = matches!(action, Action::Share(_));
                let roles = self.roles.get_mut(usize::from(core.0)).ok_or(Refusal::NoSuchCore)?;
                *roles = if shared { Roles::SECOND_CLASS } else { Roles::FIRST_CLASS };
            }
            Action::Confine(_) | Action::Unconfine if self.shares() == Shares::default() => {
                return Err(Refusal::Absent);
            }
            Action::Confine(share) => self.wanted = Some(share),
            Action::Unconfine => self.wanted = None,
            Action::Recolour(_) | Action::Uncolour => return Err(Refusal::Absent),
        }
        Ok(())
    }

    fn holds(&self, action: Action) -> bool {
        let is = |id, state| self.task(id).is_some_and(|task| task.state == state);
        let caches = |share| self.caches.iter().all(|cache| cache.held == share && !cache.failed);
        match action {
            Action::Pause(id) => is(id, TaskState::Paused),
            Action::Resume(id) => is(id, TaskState::Runnable),
            Action::Migrate { task, to } => self.task(task).is_some_and(|task| task.core == to),
            Action::Dedicate(core) => self.roles(core).has(Roles::FIRST_CLASS),
            Action::Share(core) => self.roles(core).has(Roles::SECOND_CLASS),
            Action::Confine(share) => caches(Some(share)),
            Action::Unconfine => self.wanted.is_none() && caches(None),
            Action::Recolour(_) => false,
            Action::Uncolour => true,
        }
    }
}
