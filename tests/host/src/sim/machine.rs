//! What the line sees of the simulated machine.

use super::{Request, Sim, SimAside, SimBurst, count};
use umbra_control::machine::{
    Action, Actuator, Apart, AsideProgress, Burst, BurstProgress, Colouring, CoreId, CoreSet, Count, Counts,
    Monitor, Refusal, Roles, Shares, Stage, TaskId, TaskState, TaskView, Topology,
};
use umbra_control::shadow::{Shadow, ShadowPlan};
use workload_api::{Meter, Random, Workload};

/// Sixteen equally likely gaps of an exponential distribution, in thousandths
/// of its mean: `-ln(1 - (i + 0.5) / 16)`, their mean being 0.97.
const GAPS_PERMILLE: [u64; 16] =
    [32, 98, 170, 247, 330, 421, 521, 632, 758, 901, 1068, 1269, 1520, 1856, 2367, 3466];

impl Monitor for Sim {
    fn counts(&self, id: TaskId) -> Option<Counts> {
        Some(self.tasks.get(usize::from(id.0))?.as_ref()?.counts)
    }

    fn busy_cycles(&self, core: CoreId) -> u64 {
        self.cores.get(usize::from(core.0)).map_or(0, |core| core.busy_cycles)
    }
}

impl Topology for Sim {
    fn cores(&self) -> CoreSet {
        CoreSet(u64::MAX >> (64 - self.cores.len()))
    }

    fn roles(&self, core: CoreId) -> Roles {
        self.cores.get(usize::from(core.0)).map_or(Roles(0), |core| core.roles)
    }

    fn task_slots(&self) -> u16 {
        u16::try_from(self.tasks.len()).unwrap_or(u16::MAX)
    }

    fn task(&self, id: TaskId) -> Option<TaskView> {
        let task = self.tasks.get(usize::from(id.0))?.as_ref()?;
        Some(TaskView { id, workload: task.workload, state: task.state, core: task.core })
    }

    fn shares(&self) -> Shares {
        self.shares
    }

    fn tsc_hz(&self) -> u64 {
        1_000_000_000
    }

    fn llc_bytes(&self) -> u64 {
        self.llc_bytes
    }

    fn colours(&self) -> u32 {
        32
    }

    fn memory_bandwidth(&self) -> u64 {
        self.bandwidth
    }

    fn colouring(&self) -> Colouring {
        self.colouring
    }
}

impl Sim {
    fn refusal(&self, action: Action) -> Option<Refusal> {
        let second_class = |core: CoreId| self.roles(core).has(Roles::SECOND_CLASS);
        match action {
            Action::Pause(id) | Action::Resume(id) | Action::Migrate { task: id, .. }
                if self.task(id).is_none() =>
            {
                Some(Refusal::NoSuchTask)
            }
            Action::Migrate { to, .. } if !second_class(to) => Some(Refusal::NoSuchCore),
            Action::Dedicate(core) => {
                let others = self.cores().iter().filter(|other| *other != core && second_class(*other));
                (others.count() == 0).then_some(Refusal::LastCore)
            }
            Action::Confine(_) if self.shares == Shares::default() => Some(Refusal::Absent),
            Action::Recolour(_) if self.colouring.shared == 0 => Some(Refusal::Absent),
            _ => None,
        }
    }

    /// How long the pages take that are spread evenly and have to move.
    fn recolour_ns(&self, apart: Apart) -> u64 {
        let (kept, shared) = (u64::from(apart.colours), u64::from(self.colouring.shared));
        let first =
            if apart.first_moves { u64::from(self.colouring.first_pages) * (shared - kept) } else { 0 };
        let second = u64::from(self.colouring.second_pages) * kept;
        (first + second) / shared * u64::from(self.colouring.page_ns)
    }

    /// The units of a shadow that was started are really run; its instructions
    /// take a cycle each.
    pub(super) fn run_shadow(&mut self, plan: &ShadowPlan) {
        let (shadow, mut meter) = (Shadow::new(plan), Meter::default());
        let mut scratch = vec![0; shadow.scratch_words()];
        for unit in 0..shadow.units() {
            shadow.unit(unit, &mut scratch, &mut meter);
        }
        let counts = Counts {
            generation: 1,
            cycles: plan.cost_instructions,
            units: shadow.units(),
            instructions: Count::Unknown,
            llc_misses: Count::Unknown,
            read_bytes: meter.read_bytes,
            written_bytes: meter.written_bytes,
            sequential_bytes: meter.sequential_bytes,
            random_accesses: meter.random_accesses,
            working_set_bytes: shadow.working_set_bytes(),
        };
        self.shadow = SimAside {
            ends_ns: self.now_ns + plan.cost_instructions.max(1),
            progress: AsideProgress { done: false, over_budget: false, counts },
        };
    }

    fn arrivals(&self, burst: &Burst) -> impl Iterator<Item = Request> + use<> {
        let (mut random, mean_gap_ns) = (Random::new(burst.seed), burst.mean_gap_ns);
        let (mut arrival_ns, left_ns) = (self.now_ns, self.server.service_ns);
        (0..burst.requests).map(move |_| {
            let gap_permille = GAPS_PERMILLE[random.below(16) as usize];
            arrival_ns += mean_gap_ns * gap_permille / 1000;
            Request { arrival_ns, left_ns }
        })
    }
}

impl Actuator for Sim {
    fn apply(&mut self, action: Action) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal(action) {
            return Err(refusal);
        }
        // Pages are moved beside everything else.
        let delay_ns = match action {
            Action::Recolour(apart) => self.recolour_ns(apart),
            _ => self.action_delay_ns,
        };
        self.actions.push_back((self.now_ns + delay_ns, action));
        self.actions.make_contiguous().sort_by_key(|(due_ns, _)| *due_ns);
        Ok(())
    }

    fn holds(&self, action: Action) -> bool {
        let is = |id, state| self.task(id).is_some_and(|task| task.state == state);
        match action {
            Action::Pause(id) => is(id, TaskState::Paused),
            Action::Resume(id) => is(id, TaskState::Runnable),
            Action::Migrate { task, to } => self.task(task).is_some_and(|task| task.core == to),
            Action::Dedicate(core) => !self.roles(core).has(Roles::SECOND_CLASS),
            Action::Share(core) => self.roles(core).has(Roles::SECOND_CLASS),
            Action::Confine(share) => self.confined == Some(share),
            Action::Unconfine => self.confined.is_none(),
            Action::Recolour(apart) => self.apart == Some(apart),
            Action::Uncolour => self.apart.is_none(),
        }
    }
}

impl Stage for Sim {
    fn start_shadow(&mut self, plan: &ShadowPlan) -> Result<(), Refusal> {
        if self.plan_to_run.is_some() || self.shadow.ends_ns.max(self.echo.ends_ns) > self.now_ns {
            return Err(Refusal::Busy);
        }
        self.plan_to_run = Some(Box::new(plan.clone()));
        self.shadow.progress.done = false;
        Ok(())
    }

    fn shadow(&self) -> AsideProgress {
        self.shadow.progress
    }
    fn start_echo(&mut self, _: u64, requests: u32, budget_cycles: u64) -> Result<(), Refusal> {
        if self.shadow.ends_ns.max(self.echo.ends_ns) > self.now_ns {
            return Err(Refusal::Busy);
        }
        let affordable = budget_cycles / self.server.service_ns;
        let units = u64::from(requests).min(affordable);
        let mut counts = Counts { generation: 1, units, ..Counts::default() };
        count(&mut counts, &self.server.nature, units * self.server.service_ns);
        self.echo = SimAside {
            ends_ns: self.now_ns + counts.cycles.max(1),
            progress: AsideProgress { done: false, over_budget: affordable < u64::from(requests), counts },
        };
        Ok(())
    }

    fn echo(&self) -> AsideProgress {
        self.echo.progress
    }

    fn first_class_core(&self) -> CoreId {
        self.first_class
    }

    fn release(&mut self, burst: &Burst) -> Result<(), Refusal> {
        if self.burst.is_some() {
            return Err(Refusal::Busy);
        }
        self.bursts += 1;
        let counts = Counts { generation: self.bursts, ..Counts::default() };
        let progress = BurstProgress {
            number: burst.number,
            released_ns: self.now_ns,
            counts,
            ..BurstProgress::default()
        };
        let requests = self.arrivals(burst).collect();
        self.last_burst = progress;
        self.burst = Some(SimBurst { burst: *burst, progress, requests, latencies_ns: Vec::new() });
        Ok(())
    }

    fn burst(&self) -> BurstProgress {
        self.burst.as_ref().map_or(self.last_burst, |running| running.progress)
    }
}
