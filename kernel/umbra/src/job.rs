//! The main job on this machine: `umbra-scenario`'s sequence over the kernel's
//! tasks and line.

use core::fmt;
use core::sync::atomic::Ordering;

use alloc::boxed::Box;
use umbra_console::parse::JobScale;
use umbra_control::demand::Profile;
use umbra_control::machine::{Action, Actuator, Burst, Share, Stage, Topology, WorkloadId};
use umbra_control::policy::Policy;
use umbra_ramdisk::{Config, Scenario};
use umbra_scenario::rig::{
    Actions, BurstOutcome, ControllerCost, Lead, LineStats, Predictions, Preparation, Reaction, Reason, Rig,
    SECOND_MAX, SecondClass, ShadowCost,
};
use umbra_scenario::{Histogram, Job, Plan, Results, Step, report};
use umbra_sched::Roles;

use crate::boot::ramdisk;
use crate::exit::{self, Code};
use crate::first_class::{self, State};
use crate::machine::Machine;
use crate::shell::Shell;
use crate::tasks::{self, Phase};
use crate::timeline::Timeline;
use crate::{control, cores, machine, records, schedule, spawn, stop, time, trace, workloads};

/// The main job and what it keeps of the machine.
pub(crate) struct Runner {
    job: Box<Job>,
    /// Slot and generation of each second-class workload's task.
    slots: [Option<(u16, u32)>; SECOND_MAX],
    workloads: [u8; SECOND_MAX],
    next_ns: u64,
    /// A job is under way whose report is still to come.
    pending: bool,
    /// The last burst whose latencies were taken.
    taken: u32,
    timeline: Timeline,
    account: Account,
}

/// When the line's account began, and the cycles of its ticks until then.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    begun_ns: u64,
    tick_cycles: u64,
}

impl Account {
    fn begin() -> Self {
        Self { begun_ns: time::now_ns(), tick_cycles: control::tick_cycles() }
    }

    fn controller(self) -> Option<ControllerCost> {
        let window_ns = time::now_ns().saturating_sub(self.begun_ns);
        let spent_ns = time::cycles_to_ns(control::tick_cycles().wrapping_sub(self.tick_cycles));
        (window_ns > 0).then_some(ControllerCost { spent_ns, window_ns })
    }
}

/// How long the cores next to the caches may take to divide them.
const DIVIDING_NS: u64 = 200_000_000;

impl Runner {
    pub(crate) fn new() -> Self {
        Self {
            job: Box::new(Job::new()),
            slots: [None; SECOND_MAX],
            workloads: [0; SECOND_MAX],
            next_ns: 0,
            pending: false,
            taken: 0,
            timeline: Timeline::new(),
            account: Account::default(),
        }
    }

    /// Begins the job that the boot configuration describes.
    pub(crate) fn start(&mut self, config: &Config<'static>, shell: &mut Shell) {
        if config.trace
            && let Err(error) = trace::switch_on()
        {
            shell.show_above(&format_args!("job: nothing is traced: {error}"));
        }
        let mut plan = match config.scenario {
            Scenario::Standard => Plan::standard(),
            Scenario::Quick => Plan::quick(),
            Scenario::Eval => Plan::eval(),
            Scenario::Knee => Plan::knee(),
        };
        plan.seed = config.seed;
        plan.bursts = config.bursts.unwrap_or(plan.bursts);
        plan.requests = config.requests.unwrap_or(plan.requests);
        plan.load_permille = config.load_permille.unwrap_or(plan.load_permille);
        match &config.policies {
            Some(names) => {
                for name in names.as_slice() {
                    match Policy::named(name) {
                        // The list's bound is that of the plan.
                        Some(policy) => drop(plan.policies.push(policy.name())),
                        None => shell.show_above(&format_args!("job: no policy is called {name}")),
                    }
                }
            }
            None => usual_policies(&mut plan),
        }
        match &config.second_class {
            Some(names) => {
                for name in names.as_slice() {
                    match workloads::named(name).and_then(workloads::get) {
                        Some(entry) => {
                            if plan.second_class.push(entry.spec.name).is_err() {
                                shell.show_above(&format_args!(
                                    "job: at most {SECOND_MAX} second-class workloads: {name} is left out"
                                ));
                            }
                        }
                        None => {
                            shell.show_above(&format_args!("job: no second-class workload is called {name}"))
                        }
                    }
                }
            }
            // The knee is measured alone.
            None if config.scenario == Scenario::Knee => {}
            None => whole_mix(&mut plan),
        }
        for share in config.confine.iter().flat_map(|shares| shares.as_slice()) {
            let _ = plan.divisions.push(Share { ways: share.ways, percent: share.percent });
        }
        self.begin(plan, shell);
    }

    /// Begins the job as the console asks for it.
    pub(crate) fn start_scale(&mut self, scale: JobScale, shell: &mut Shell) {
        if self.pending {
            return shell.show_above(&"job: one is under way already");
        }
        let mut plan = match scale {
            JobScale::Standard => Plan::standard(),
            JobScale::Quick => Plan::quick(),
        };
        plan.seed = ramdisk::the_config().seed;
        usual_policies(&mut plan);
        whole_mix(&mut plan);
        self.begin(plan, shell);
    }

    fn begin(&mut self, mut plan: Plan, shell: &mut Shell) {
        plan.emulated = machine::is_emulated();
        for (place, name) in self.workloads.iter_mut().zip(&plan.second_class) {
            *place = workloads::named(name).unwrap_or(u8::MAX);
        }
        match self.job.start(&plan) {
            Ok(()) => self.pending = true,
            Err(error) => {
                shell.show_above(&format_args!("job: {error}"));
                self.finish(shell);
            }
        }
    }

    /// Takes the job one step further, and reports when it is over.
    pub(crate) fn step(&mut self, shell: &mut Shell) {
        self.timeline.look(time::now_ns());
        if !self.pending || time::now_ns() < self.next_ns {
            return;
        }
        let Self { job, slots, workloads, taken, timeline, account, .. } = self;
        let mut rig = KernelRig { shell, slots, workloads, taken, timeline, account };
        match job.step(&mut rig) {
            Step::Wait { until_ns } => self.next_ns = until_ns,
            Step::Working => self.next_ns = 0,
            Step::Finished => {
                self.pending = false;
                let results = self.job.results();
                if let (Some(service_ns), Some(slo_ns)) = (results.service_ns, results.slo_ns()) {
                    shell.learn_load(results.plan.mean_gap_ns(service_ns), slo_ns);
                }
                shell.show_above(&Rendered(report::write_text, self.job.results()));
                records::send_text(&Rendered(report::write_json, self.job.results()));
                self.finish(shell);
            }
        }
    }

    fn finish(&mut self, shell: &mut Shell) {
        if ramdisk::the_config().trace && trace::is_on() {
            trace::switch_off();
            trace::send();
        }
        if ramdisk::the_config().exit {
            exit::end(if is_complete(self.job.results()) { Code::Success } else { Code::Failure });
        }
        shell.start();
    }
}

/// Whether everything that was asked for was measured.
fn is_complete(results: &Results) -> bool {
    let policies = results.plan.policies.len();
    results.alone.is_some() && results.policies.iter().take(policies).all(Option::is_some)
}

/// Results in one of the report's forms.
struct Rendered<'r>(fn(&Results, &mut dyn fmt::Write) -> fmt::Result, &'r Results);

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(self.1, f)
    }
}

fn usual_policies(plan: &mut Plan) {
    for policy in Policy::USUAL {
        // There are fewer than the plan holds.
        let _ = plan.policies.push(policy.name());
    }
}

fn whole_mix(plan: &mut Plan) {
    for entry in workloads::TABLE.iter().take(usize::from(workloads::MIX)) {
        // There are fewer than the plan holds.
        let _ = plan.second_class.push(entry.spec.name);
    }
}

struct KernelRig<'r> {
    shell: &'r mut Shell,
    slots: &'r mut [Option<(u16, u32)>; SECOND_MAX],
    workloads: &'r [u8; SECOND_MAX],
    taken: &'r mut u32,
    timeline: &'r mut Timeline,
    account: &'r mut Account,
}

impl KernelRig<'_> {
    fn has_company(&self) -> bool {
        (0..SECOND_MAX).any(|second| matches!(self.second(second), SecondClass::Running { .. }))
    }
}

impl Rig for KernelRig<'_> {
    fn now_ns(&self) -> u64 {
        time::now_ns()
    }

    fn progress(&mut self, line: fmt::Arguments<'_>) {
        self.shell.show_above(&format_args!("[{:>4} s] {line}", time::now_ns() / 1_000_000_000));
    }

    fn prepare(&mut self) -> Result<(), Reason> {
        match first_class::state() {
            State::Absent => Err(Reason::new(format_args!("there is no corpus in the ramdisk to search"))),
            State::Failed => Err(Reason::new(format_args!("search could not be prepared; see the log"))),
            State::Preparing | State::Ready => Ok(()),
        }
    }

    fn preparation(&self) -> Preparation {
        match first_class::state() {
            State::Ready => Preparation::Ready,
            State::Preparing => Preparation::Pending,
            State::Absent | State::Failed => Preparation::Failed(Reason::new(format_args!("see the log"))),
        }
    }

    /// Workloads are dealt out to the second-class cores in turn, so that each
    /// stands where it stands in the mix.
    fn start_second(&mut self, second: usize) -> Result<(), Reason> {
        let takes = |core: &&cores::Core| core.roles().has(Roles::SECOND_CLASS);
        let resting =
            |core: &&cores::Core| machine::resting_roles(core.number).0 & Roles::SECOND_CLASS.0 != 0;
        let homes = cores::all().filter(resting).count().max(1);
        let home = cores::all().filter(resting).nth(second % homes);
        // Where the policy keeps the home for the first-class workload, the
        // least loaded core of the others takes it.
        let core = home.filter(takes).map(|core| core.number);
        let workload = self.workloads.get(second).copied().unwrap_or(u8::MAX);
        let slot =
            spawn::second_class(workload, core).map_err(|error| Reason::new(format_args!("{error}")))?;
        if let Some(place) = self.slots.get_mut(second) {
            *place = Some((slot, tasks::at(slot).generation.load(Ordering::Relaxed)));
        }
        Ok(())
    }

    fn stop_second(&mut self) {
        for (slot, generation) in self.slots.iter().flatten() {
            if tasks::at(*slot).generation.load(Ordering::Relaxed) == *generation {
                stop::request(*slot, time::now_ns());
            }
        }
    }

    fn second(&self, second: usize) -> SecondClass {
        let Some((slot, generation)) = self.slots.get(second).copied().flatten() else {
            return SecondClass::Absent;
        };
        let task = tasks::at(slot);
        if task.generation.load(Ordering::Relaxed) != generation {
            return SecondClass::Absent;
        }
        match task.phase() {
            Phase::Empty | Phase::Ended => SecondClass::Absent,
            Phase::Faulted => SecondClass::Ended(Reason::new(format_args!("{}", task.report()))),
            _ => SecondClass::Running { units: task.counters.units.load(Ordering::Acquire) },
        }
    }

    fn set_policy(&mut self, policy: &'static str) -> Result<(), Reason> {
        let policy = Policy::named(policy)
            .ok_or_else(|| Reason::new(format_args!("there is no policy called {policy}")))?;
        control::with_line(|line, _| {
            line.set_policy(policy, time::now_ns());
            line.reset_stats();
        });
        self.timeline.begin(policy.name());
        *self.account = Account::begin();
        Ok(())
    }

    fn confine(&mut self, share: Option<Share>) -> Result<(), Reason> {
        let action = share.map_or(Action::Unconfine, Action::Confine);
        if Machine.holds(action) {
            return Ok(());
        }
        Machine
            .apply(action)
            .map_err(|refusal| Reason::new(format_args!("cache and bandwidth: {refusal:?}")))?;
        let limit_ns = time::now_ns() + DIVIDING_NS;
        while !Machine.holds(action) {
            if time::now_ns() >= limit_ns {
                return Err(Reason::new(format_args!("cache and bandwidth were not divided in time")));
            }
            umbra_x86_64::cpu::relax();
        }
        Ok(())
    }

    fn latencies(&mut self, step: fmt::Arguments<'_>, latencies: &Histogram) {
        records::send(|o| {
            o.text("record", "latencies")?;
            o.display("step", &step)?;
            o.list("buckets", |l| {
                latencies.filled().try_for_each(|(highest_ns, count)| {
                    l.list(|l| {
                        l.number(highest_ns)?;
                        l.number(count)
                    })
                })
            })
        });
    }

    fn wants_burst(&self) -> Option<u32> {
        control::with_line(|line, _| line.wants_burst()).flatten()
    }

    fn restart_account(&mut self) {
        control::with_line(|line, _| line.reset_stats());
        *self.account = Account::begin();
    }

    /// Profiles are always followed; asking for one begins it anew.
    fn record_profile(&mut self, on: bool) {
        if on {
            control::with_line(|line, _| line.set_profile(Profile::new()));
        }
    }

    fn schedule_burst(&mut self, burst: &Burst, release_ns: u64) -> Result<(), Reason> {
        if first_class::state() != State::Ready {
            return Err(Reason::new(format_args!("search is not there any more")));
        }
        let has_company = self.has_company();
        self.timeline.notice(burst.number, time::now_ns(), has_company);
        control::with_line(|line, _| line.schedule(*burst, release_ns))
            .ok_or_else(|| Reason::new(format_args!("the line is not there")))?
            .map_err(|error| Reason::new(format_args!("{error}")))
    }

    fn take_burst(&mut self, number: u32, latencies: &mut Histogram) -> Option<BurstOutcome> {
        let burst = Machine.burst();
        if burst.number != number || !burst.done || *self.taken == number {
            return None;
        }
        *self.taken = number;
        self.timeline.ended(burst);
        first_class::with_histogram(|histogram| latencies.merge(histogram));
        Some(BurstOutcome {
            answered: burst.answered,
            late: burst.late,
            released_ns: burst.released_ns,
            ended_ns: burst.ended_ns,
            early: burst.early,
        })
    }

    fn line_stats(&self) -> LineStats {
        let account = control::with_line(|line, machine| (*line.stats(), machine.shares()));
        let Some((stats, shares)) = account else { return LineStats::default() };
        let lead = stats.lead_ns.mean().map(|mean_ns| Lead { mean_ns, worst_ns: stats.lead_ns.least });
        let mut predictions = [Predictions::default(); SECOND_MAX];
        for (second, (place, workload)) in predictions.iter_mut().zip(self.workloads).enumerate() {
            // What is told of a workload is told once, however many run it.
            let before = self.workloads.get(..second).unwrap_or_default();
            if !before.contains(workload)
                && let Some(verdict) = stats.verdict(WorkloadId(*workload))
            {
                *place = Predictions {
                    interferes: verdict.interfering,
                    harmless: verdict.made.saturating_sub(verdict.interfering),
                };
            }
        }
        let actions = stats.actions;
        let reaction = stats.reaction_ns.mean().map(|mean_ns| Reaction {
            count: stats.reaction_ns.count,
            mean_ns,
            worst_ns: stats.reaction_ns.most,
        });
        LineStats {
            lead,
            reaction,
            controller: self.account.controller(),
            period: stats.policy.period(schedule::TICK_NS),
            idle_because: stats.policy.is_idle_because(shares),
            shadow: ShadowCost {
                shadow_cycles: stats.shadow_cycles,
                mirrored_cycles: stats.mirrored_cycles,
                shadow_instructions: None,
                mirrored_instructions: None,
            },
            predictions,
            actions: Actions {
                pause: actions.paused,
                resume: actions.resumed,
                migrate: actions.migrated,
                dedicate: actions.dedicated,
                share: actions.shared,
                confine: actions.confined,
                unconfine: actions.unconfined,
                refused: stats.refusals,
            },
        }
    }
}
