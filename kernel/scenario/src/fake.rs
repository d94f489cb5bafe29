//! A machine with virtual time for the tests: synthetic requests on a single
//! first-class core, second-class workloads with made-up interference, four
//! policies. It is strict: whatever a kernel could not do panics here.

use core::fmt::{Arguments, Write};
use std::boxed::Box;
use std::string::{String, ToString};
use std::vec::Vec;

use umbra_control::machine::{Burst, Early, Share};
use umbra_control::policy::Period;
use workload_api::Random;

use crate::arrivals::Arrivals;
use crate::histogram::Histogram;
use crate::job::{Job, Step};
use crate::plan::Plan;
use crate::rig::{
    Actions, BurstOutcome, ControllerCost, Lead, LineStats, Preparation, Reaction, Reason, Rig, SECOND_MAX,
    SecondClass, ShadowCost,
};

/// Names, and how far each lengthens a request by itself, in thousandths.
pub(crate) const SECOND: [(&str, u64); 5] =
    [("compress", 800), ("hash", 0), ("stream", 900), ("chase", 700), ("matrix", 50)];
/// Those that the fake's `concept` takes to interfere: it is wrong about chase.
const SUSPECTS: [bool; SECOND_MAX] = [true, false, true, false, false, false, false, false];
/// Bursts after which the fake's `patent` has found its suspects.
const PATENT_LEARNS: u32 = 4;
/// Bursts that the fake's `oracle` wants to see.
pub(crate) const LESSONS: u32 = 6;
const NS_PER_UNIT: u64 = 1_000_000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    PreparationFails,
    PreparationHangs,
    BurstHangs { number: u32 },
    BurstFallsShort { number: u32 },
    NothingRecorded { number: u32 },
    PolicyRefused(&'static str),
    StartRefused { second: usize },
    SecondEnds { second: usize, at_ns: u64 },
    SecondStaysAfter { at_ns: u64 },
    SecondIdles { second: usize },
}

#[derive(Clone, Copy, Debug, Default)]
struct Task {
    running: bool,
    ended: bool,
    worked_ns: u64,
}

pub(crate) struct Fake {
    pub(crate) lines: Vec<String>,
    line_times_ns: Vec<u64>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) profiled_bursts: u32,
    pub(crate) bursts: Vec<Burst>,
    now_ns: u64,
    prepared_ns: Option<u64>,
    policy: &'static str,
    pub(crate) shares: Vec<Option<Share>>,
    pub(crate) measured: Vec<(String, u64)>,
    profiling: bool,
    tasks: [Task; SECOND_MAX],
    scheduled: Option<(Burst, u64)>,
    outcome: Option<(u32, BurstOutcome, Box<Histogram>)>,
    busy_until_ns: u64,
    bursts_of_policy: u32,
    stats: LineStats,
}

/// A plan that the fake can follow.
pub(crate) fn plan() -> Plan {
    let mut plan = Plan::standard();
    plan.second_class.extend(SECOND.map(|(name, _)| name));
    plan.policies.extend(["none", "static", "patent", "concept"]);
    plan
}

/// Runs `plan` to its end.
pub(crate) fn run(plan: &Plan, faults: &[Fault]) -> (Box<Job>, Fake) {
    let mut job = Box::new(Job::new());
    let mut fake = Fake::new(faults);
    job.start(plan).expect("in range");
    fake.drive(&mut job, u64::MAX);
    (job, fake)
}

impl Fake {
    pub(crate) fn new(faults: &[Fault]) -> Self {
        Self {
            lines: Vec::new(),
            line_times_ns: Vec::new(),
            faults: faults.to_vec(),
            profiled_bursts: 0,
            bursts: Vec::new(),
            now_ns: 1_000_000_000,
            prepared_ns: None,
            policy: "unset",
            shares: Vec::new(),
            measured: Vec::new(),
            profiling: false,
            tasks: [Task::default(); SECOND_MAX],
            scheduled: None,
            outcome: None,
            busy_until_ns: 0,
            bursts_of_policy: 0,
            stats: LineStats::default(),
        }
    }

    /// Steps `job` as the control task would, until it is finished or virtual
    /// time has reached `until_ns`.
    pub(crate) fn drive(&mut self, job: &mut Job, until_ns: u64) {
        let mut without_wait = 0;
        while self.now_ns < until_ns {
            match job.step(self) {
                Step::Finished => return,
                Step::Working => {
                    without_wait += 1;
                    assert!(without_wait < 32, "works without end");
                }
                Step::Wait { until_ns } => {
                    without_wait = 0;
                    self.advance(until_ns);
                }
            }
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.now_ns
    }

    /// When the line that begins with `start` was said.
    pub(crate) fn said_at(&self, start: &str) -> u64 {
        let place = self.lines.iter().position(|line| line.starts_with(start)).expect("said");
        self.line_times_ns[place]
    }

    pub(crate) fn second_class_tasks(&self) -> usize {
        self.tasks.iter().filter(|task| task.running).count()
    }

    pub(crate) fn is_profiling(&self) -> bool {
        self.profiling
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn advance(&mut self, to_ns: u64) {
        assert!(to_ns > self.now_ns, "waits for the past");
        assert!(to_ns - self.now_ns <= 10_000_000_000, "waits too long for anybody to watch");
        while self.now_ns < to_ns {
            let release_ns = self.scheduled.map_or(u64::MAX, |(_, release_ns)| release_ns);
            let turn_ns =
                [release_ns, self.busy_until_ns, to_ns].into_iter().filter(|turn| *turn > self.now_ns);
            self.work_until(turn_ns.min().expect("the end is ahead"));
            if self.now_ns == release_ns {
                self.release();
            }
        }
    }

    fn work_until(&mut self, to_ns: u64) {
        let serving = self.now_ns < self.busy_until_ns;
        for second in 0..SECOND_MAX {
            let speed_permille = match self.policy {
                "static" => 750,
                _ if serving && self.is_held(second) => 0,
                _ if serving => 900,
                _ => 1000,
            };
            if !self.has(Fault::SecondIdles { second }) && self.tasks[second].running {
                self.tasks[second].worked_ns += (to_ns - self.now_ns) * speed_permille / 1000;
            }
        }
        self.now_ns = to_ns;
        for fault in &self.faults {
            if let Fault::SecondEnds { second, at_ns } = *fault
                && self.now_ns >= at_ns
                && self.tasks[second].running
            {
                self.tasks[second].ended = true;
            }
        }
    }

    fn is_held(&self, second: usize) -> bool {
        let knows =
            self.policy == "concept" || self.policy == "patent" && self.bursts_of_policy > PATENT_LEARNS;
        knows && SUSPECTS[second]
    }

    fn release(&mut self) {
        let (burst, release_ns) = self.scheduled.take().expect("scheduled");
        self.bursts_of_policy += 1;
        self.profiled_bursts += u32::from(self.profiling);
        self.account();
        let lengthened_permille: u64 = (0..SECOND.len())
            .filter(|second| self.tasks[*second].running && !self.tasks[*second].ended)
            .filter(|second| self.policy != "static" && !self.is_held(*second))
            .map(|second| SECOND[second].1)
            .sum();
        let (mut latencies, mut free_ns, mut late) = (Box::new(Histogram::new()), 0, 0);
        let mut early = Early::default();
        for (i, arrival_ns) in
            Arrivals::new(burst.seed, burst.mean_gap_ns).take(burst.requests as usize).enumerate()
        {
            let alone_ns = 200_000 + u64::from(Random::new(burst.first_unit + i as u64).below(800_000));
            free_ns = arrival_ns.max(free_ns) + alone_ns * (1000 + lengthened_permille) / 1000;
            latencies.record(free_ns - arrival_ns);
            late += u32::from(free_ns - arrival_ns > burst.late_ns);
            early.answer(arrival_ns, free_ns - arrival_ns > burst.late_ns);
        }
        self.busy_until_ns = release_ns + free_ns;
        let number = burst.number;
        if self.has(Fault::BurstHangs { number }) {
            self.busy_until_ns = u64::MAX;
        }
        if self.has(Fault::NothingRecorded { number }) {
            latencies.clear();
        }
        let short = u32::from(self.has(Fault::BurstFallsShort { number }));
        let (answered, ended_ns) = (burst.requests - short, release_ns + free_ns);
        let outcome = BurstOutcome { answered, late, released_ns: release_ns, ended_ns, early };
        self.outcome = Some((number, outcome, latencies));
    }

    fn account(&mut self) {
        let suspects =
            (0..SECOND.len()).filter(|second| self.tasks[*second].running && SUSPECTS[*second]).count();
        let suspects = u32::try_from(suspects).expect("few");
        if self.policy == "concept" {
            for (second, told) in self.stats.predictions.iter_mut().enumerate().take(SECOND.len()) {
                *(if SUSPECTS[second] { &mut told.interferes } else { &mut told.harmless }) += 1;
            }
            self.stats.lead = Some(Lead { mean_ns: 21_500_000, worst_ns: -1_250_000 });
            self.stats.shadow.shadow_cycles += 3_100;
            self.stats.shadow.mirrored_cycles += 100_000;
        }
        if self.policy == "concept" || self.policy == "patent" && self.bursts_of_policy > PATENT_LEARNS {
            self.stats.actions.pause += suspects;
            self.stats.actions.resume += suspects;
        }
        if self.policy == "patent" {
            self.stats.reaction = Some(Reaction { count: 2, mean_ns: 3_500_000, worst_ns: 4_250_000 });
            self.stats.period = Some(Period { paper_ns: Some(10_000), ours_ns: 1_000_000 });
        }
        self.stats.controller = Some(ControllerCost { spent_ns: 7_000_000, window_ns: 1_000_000_000 });
        if self.policy == "static" && self.bursts_of_policy == 1 {
            self.stats.actions = Actions { dedicate: 1, refused: 2, ..Actions::default() };
            self.stats.shadow = ShadowCost::default();
        }
    }
}

impl Rig for Fake {
    fn now_ns(&self) -> u64 {
        self.now_ns
    }

    fn progress(&mut self, line: Arguments<'_>) {
        let line = line.to_string();
        assert!(line.len() < 120 && !line.contains('\n'), "{line}");
        self.lines.push(line);
        self.line_times_ns.push(self.now_ns);
    }

    fn prepare(&mut self) -> Result<(), Reason> {
        self.prepared_ns.get_or_insert(self.now_ns + 6_500_000_000);
        Ok(())
    }

    fn preparation(&self) -> Preparation {
        let ready_ns = self.prepared_ns.expect("asked for before it was started");
        if self.has(Fault::PreparationFails) {
            return Preparation::Failed(Reason::new(format_args!("the corpus holds no word")));
        }
        let hangs = self.has(Fault::PreparationHangs);
        if self.now_ns >= ready_ns && !hangs { Preparation::Ready } else { Preparation::Pending }
    }

    fn start_second(&mut self, second: usize) -> Result<(), Reason> {
        assert!(second < SECOND.len(), "no such workload");
        assert_eq!(self.second(second), SecondClass::Absent, "{second} is started twice");
        if self.has(Fault::StartRefused { second }) {
            return Err(Reason::new(format_args!("out of memory")));
        }
        self.tasks[second] = Task { running: true, ..Task::default() };
        Ok(())
    }

    fn stop_second(&mut self) {
        let stays = self
            .faults
            .iter()
            .any(|fault| matches!(fault, Fault::SecondStaysAfter { at_ns } if self.now_ns >= *at_ns));
        if !stays {
            self.tasks = [Task::default(); SECOND_MAX];
        }
    }

    fn second(&self, second: usize) -> SecondClass {
        match self.tasks[second] {
            Task { running: false, .. } => SecondClass::Absent,
            Task { ended: true, .. } => SecondClass::Ended(Reason::new(format_args!("division by zero"))),
            Task { worked_ns, .. } => SecondClass::Running { units: worked_ns / NS_PER_UNIT },
        }
    }

    fn set_policy(&mut self, policy: &'static str) -> Result<(), Reason> {
        assert!(
            ["none", "static", "patent", "oracle", "concept"].contains(&policy),
            "unknown policy {policy}"
        );
        assert_eq!(self.second_class_tasks(), 0, "the policy is to place the tasks");
        if self.has(Fault::PolicyRefused(policy)) {
            return Err(Reason::new(format_args!("needs a second core")));
        }
        self.policy = policy;
        self.bursts_of_policy = 0;
        self.stats = LineStats::default();
        Ok(())
    }

    fn confine(&mut self, share: Option<Share>) -> Result<(), Reason> {
        assert_eq!(self.second_class_tasks(), 0, "they are to start under it");
        self.shares.push(share);
        Ok(())
    }

    fn latencies(&mut self, step: Arguments<'_>, latencies: &Histogram) {
        self.measured.push((step.to_string(), latencies.count()));
    }

    fn wants_burst(&self) -> Option<u32> {
        assert!(self.second_class_tasks() > 0, "it learns about what runs");
        let learns = self.policy == "oracle" && self.bursts_of_policy < LESSONS;
        learns.then_some(self.bursts_of_policy / 2)
    }

    fn restart_account(&mut self) {
        assert!(self.bursts_of_policy > 0, "there is something to forget");
        self.stats = LineStats::default();
    }

    fn record_profile(&mut self, on: bool) {
        self.profiling = on;
    }

    fn schedule_burst(&mut self, burst: &Burst, release_ns: u64) -> Result<(), Reason> {
        assert!(self.prepared_ns.is_some_and(|ready_ns| self.now_ns >= ready_ns), "not prepared");
        assert!(self.scheduled.is_none() && self.now_ns >= self.busy_until_ns, "one burst at a time");
        assert!(self.bursts.last().is_none_or(|last| last.number < burst.number), "numbers ascend");
        assert!(release_ns > self.now_ns && burst.requests > 0);
        self.outcome = None;
        self.bursts.push(*burst);
        self.scheduled = Some((*burst, release_ns));
        Ok(())
    }

    fn take_burst(&mut self, number: u32, latencies: &mut Histogram) -> Option<BurstOutcome> {
        assert_eq!(
            self.bursts.last().map(|burst| burst.number),
            Some(number),
            "not the burst that was scheduled"
        );
        if self.now_ns < self.busy_until_ns {
            return None;
        }
        let (found, outcome, recorded) = self.outcome.take()?;
        assert_eq!(found, number);
        latencies.merge(&recorded);
        Some(outcome)
    }

    fn line_stats(&self) -> LineStats {
        self.stats
    }
}

/// What `write` writes.
pub(crate) fn text(write: impl FnOnce(&mut dyn Write) -> core::fmt::Result) -> String {
    let mut out = String::new();
    write(&mut out).expect("a string takes all");
    out
}

/// Compares `found` with a file of `snapshots/`. To accept a change, run the
/// tests with `UMBRA_WRITE_SNAPSHOTS=1` and read the difference.
pub(crate) fn check_snapshot(name: &str, found: &str) {
    let path = std::format!("{}/snapshots/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UMBRA_WRITE_SNAPSHOTS").is_some() {
        std::fs::write(&path, found).expect("the snapshot can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("the snapshot is there");
    assert!(found == expected, "{name} is\n{found}\nbut was\n{expected}");
}
