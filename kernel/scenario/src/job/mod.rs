//! The main job, one short step after another. The control task calls
//! [`Job::step`] again when a step says so; nothing here blocks, and every wait
//! has an end. What does not come in time, or goes wrong, becomes a note in the
//! results and a figure that is "not measured"; the job goes on to the next.
//!
//! Every part of the job is the same recipe with other ingredients: stop what
//! is left over, set a policy, start second-class workloads, let them settle,
//! then serve a series of bursts or just watch, and collect. A coroutine a part
//! was refused: a table of recipes can be read and tested.

mod collect;
mod phase;
mod series;

use crate::histogram::Histogram;
use crate::plan::{Plan, PlanError};
use crate::results::Results;
use crate::rig::{Preparation, Reason, Rig, SecondClass};

use collect::Snapshot;
use phase::{Phase, Recipe};
use series::Series;

/// How often to look for what gives no sign, in nanoseconds.
const POLL_NS: u64 = 2_000_000;
/// Longest silence while something is under way.
const SILENCE_NS: u64 = 5_000_000_000;
/// Longest wait for second-class workloads to end.
const CLEARING_NS: u64 = 10_000_000_000;
/// Longest wait for the first-class workload to be prepared.
const PREPARING_NS: u64 = 300_000_000_000;

/// Most bursts that a policy may learn from before it is measured.
const LESSONS_MAX: u32 = 128;

/// Longest wait for a burst that an abandoned job has left under way.
const ABANDONED_NS: u64 = 60_000_000_000;

/// What [`Job::step`] wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Call again at `until_ns`; earlier does no harm.
    Wait {
        /// Nanoseconds since boot.
        until_ns: u64,
    },
    /// Call again, after letting others run.
    Working,
    /// Nothing is left to do; the results stand.
    Finished,
}

/// The main job and its results. About 20 KiB: meant for a static.
#[derive(Debug)]
pub struct Job {
    results: Results,
    latencies: Histogram,
    phase: Phase,
    stage: Stage,
    series: Series,
    /// Bursts the policy has learnt from.
    taught: u32,
    before: Snapshot,
    /// The last burst's number, in this job or an earlier one.
    number: u32,
    /// A burst that was given up but may still be under way.
    overdue: Option<Overdue>,
    spoke_ns: u64,
}

const _: () = assert!(size_of::<Job>() < 24 * 1024);

/// Where a phase stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Begin,
    Clearing { deadline_ns: u64 },
    Preparing { since_ns: u64 },
    Settling { until_ns: u64 },
    Learning,
    Serving,
    Watching { until_ns: u64 },
}

/// A burst nobody waits for any more; the next has to, since one runs at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Overdue {
    number: u32,
    /// When to stop hoping.
    deadline_ns: u64,
}

impl Default for Job {
    fn default() -> Self {
        Self::new()
    }
}

impl Job {
    /// A job that has nothing to do yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            results: Results::new(Plan::standard()),
            latencies: Histogram::new(),
            phase: Phase::Over,
            stage: Stage::Begin,
            series: Series::NONE,
            taught: 0,
            before: Snapshot::NONE,
            number: 0,
            overdue: None,
            spoke_ns: 0,
        }
    }

    /// Begins the job that `plan` describes, from the first step. To be called
    /// when none is under way (see [`Job::abandon`]).
    ///
    /// # Errors
    /// The first parameter of the plan that is out of its range; then nothing
    /// has changed.
    pub fn start(&mut self, plan: &Plan) -> Result<(), PlanError> {
        plan.check()?;
        self.results = Results::new(plan.clone());
        self.phase = Phase::Prepare;
        self.stage = Stage::Begin;
        Ok(())
    }

    /// Gives up: the rest stays "not measured". The steps that follow stop the
    /// second-class workloads; a burst under way is left to end by itself.
    pub fn abandon(&mut self, rig: &mut dyn Rig) {
        if !self.is_finished() {
            self.results
                .note(Reason::new(format_args!("abandoned at {}", self.phase.title(&self.results.plan))));
            self.close(rig, ABANDONED_NS);
            self.phase = Phase::Leave;
        }
    }

    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Over
    }

    /// What has been measured so far.
    #[must_use]
    pub const fn results(&self) -> &Results {
        &self.results
    }

    /// Does what can be done now. Bounded: at most one merge of a histogram and
    /// a few calls of the rig for each second-class workload.
    pub fn step(&mut self, rig: &mut dyn Rig) -> Step {
        if self.is_finished() {
            return Step::Finished;
        }
        let now_ns = rig.now_ns();
        match self.advance(rig, now_ns) {
            Ok(step) => {
                self.break_silence(rig, now_ns);
                step
            }
            Err(reason) => {
                self.fail(rig, &reason);
                Step::Working
            }
        }
    }

    fn advance(&mut self, rig: &mut dyn Rig, now_ns: u64) -> Result<Step, Reason> {
        match self.stage {
            Stage::Begin => {
                self.announce(rig);
                rig.stop_second();
                self.stage = Stage::Clearing { deadline_ns: now_ns.saturating_add(CLEARING_NS) };
                Ok(Step::Working)
            }
            Stage::Clearing { deadline_ns } => self.clear(rig, now_ns, deadline_ns),
            Stage::Preparing { since_ns } => self.prepare(rig, now_ns, since_ns),
            Stage::Settling { until_ns } if now_ns < until_ns => Ok(Step::Wait { until_ns }),
            Stage::Settling { .. } => {
                self.taught = 0;
                self.teach(rig)
            }
            Stage::Learning => self.learn(rig, now_ns),
            Stage::Serving => self.serve(rig, now_ns),
            Stage::Watching { until_ns } if now_ns < until_ns => Ok(Step::Wait { until_ns }),
            Stage::Watching { .. } => self.finish_phase(rig),
        }
    }

    fn clear(&mut self, rig: &mut dyn Rig, now_ns: u64, deadline_ns: u64) -> Result<Step, Reason> {
        let absent = |second| rig.second(second) == SecondClass::Absent;
        if (0..self.results.plan.second_class.len()).all(absent) {
            match self.overdue(rig) {
                None => return self.enter(rig, now_ns),
                Some(overdue) if now_ns >= overdue.deadline_ns => {
                    return Err(Reason::new(format_args!("a burst is still under way")));
                }
                Some(_) => {}
            }
        } else if now_ns >= deadline_ns {
            return Err(Reason::new(format_args!("second-class workloads did not stop within 10 s")));
        }
        Ok(Step::Wait { until_ns: now_ns.saturating_add(POLL_NS) })
    }

    /// The burst that has to end before anything can be measured.
    fn overdue(&mut self, rig: &mut dyn Rig) -> Option<Overdue> {
        let overdue = self.overdue.filter(|_| self.phase != Phase::Leave)?;
        if rig.take_burst(overdue.number, &mut self.latencies).is_some() {
            self.overdue = None;
        }
        self.overdue
    }

    fn enter(&mut self, rig: &mut dyn Rig, now_ns: u64) -> Result<Step, Reason> {
        match self.phase {
            Phase::Prepare => {
                rig.prepare()?;
                self.stage = Stage::Preparing { since_ns: now_ns };
            }
            Phase::Leave | Phase::Over => {
                rig.confine(None)?;
                self.phase = Phase::Over;
            }
            _ => {
                let recipe = self.phase.recipe(&self.results)?;
                rig.set_policy(recipe.policy)?;
                rig.confine(recipe.share)?;
                rig.record_profile(recipe.profile);
                self.start_second(rig, &recipe)?;
                let settle_ns = if recipe.has_company() { self.results.plan.settle_ns } else { 0 };
                self.stage = Stage::Settling { until_ns: now_ns.saturating_add(settle_ns) };
            }
        }
        Ok(Step::Working)
    }

    /// Starts the recipe's workloads. One that cannot be started is left out
    /// when the mix is first measured, and spoils any later phase.
    fn start_second(&mut self, rig: &mut dyn Rig, recipe: &Recipe) -> Result<(), Reason> {
        for second in recipe.company() {
            let Err(reason) = rig.start_second(second) else { continue };
            let name = self.results.plan.second_class.get(second).copied().unwrap_or_default();
            let note = Reason::new(format_args!("{name} does not start: {reason}"));
            if self.phase != Phase::SecondAlone {
                return Err(note);
            }
            let title = self.phase.title(&self.results.plan);
            self.results.note(Reason::new(format_args!("{title}: {note}")));
        }
        Ok(())
    }

    fn prepare(&mut self, rig: &mut dyn Rig, now_ns: u64, since_ns: u64) -> Result<Step, Reason> {
        match rig.preparation() {
            Preparation::Ready => {
                self.results.prepare_ns = Some(now_ns.saturating_sub(since_ns));
                self.finish_phase(rig)
            }
            Preparation::Failed(reason) => Err(reason),
            Preparation::Pending if now_ns.saturating_sub(since_ns) >= PREPARING_NS => {
                Err(Reason::new(format_args!("not prepared within 300 s")))
            }
            Preparation::Pending => Ok(Step::Wait { until_ns: now_ns.saturating_add(POLL_NS) }),
        }
    }

    /// Lets the policy see the bursts it wants to see, one after the other.
    fn teach(&mut self, rig: &mut dyn Rig) -> Result<Step, Reason> {
        let compares = matches!(self.phase, Phase::Policy(_));
        let learns = compares && self.phase.recipe(&self.results)?.has_company();
        let Some(index) = (if learns { rig.wants_burst() } else { None }) else {
            if self.taught > 0 {
                rig.restart_account();
            }
            return self.measure(rig);
        };
        if self.taught >= LESSONS_MAX {
            return Err(Reason::new(format_args!(
                "the policy has not learnt enough from {LESSONS_MAX} bursts"
            )));
        }
        self.series = Series::learning_from(&self.results, index % self.results.plan.bursts);
        self.stage = Stage::Learning;
        Ok(Step::Working)
    }

    fn learn(&mut self, rig: &mut dyn Rig, now_ns: u64) -> Result<Step, Reason> {
        match self.series.step(rig, &self.results, &mut self.latencies, &mut self.number, now_ns)? {
            Some(step) => Ok(step),
            None => {
                self.taught += 1;
                self.teach(rig)
            }
        }
    }

    fn measure(&mut self, rig: &mut dyn Rig) -> Result<Step, Reason> {
        let recipe = self.phase.recipe(&self.results)?;
        self.latencies.clear();
        self.before = Snapshot::take(rig, &self.results.plan);
        let until_ns = self.before.at_ns.saturating_add(recipe.watch_ns);
        (self.series, self.stage) = match recipe.series {
            Some(series) => (series, Stage::Serving),
            None => (Series::NONE, Stage::Watching { until_ns }),
        };
        Ok(Step::Working)
    }

    fn serve(&mut self, rig: &mut dyn Rig, now_ns: u64) -> Result<Step, Reason> {
        match self.series.step(rig, &self.results, &mut self.latencies, &mut self.number, now_ns)? {
            Some(step) => Ok(step),
            None => self.finish_phase(rig),
        }
    }

    fn finish_phase(&mut self, rig: &mut dyn Rig) -> Result<Step, Reason> {
        self.collect(rig)?;
        if self.latencies.count() > 0 && self.stage == Stage::Serving {
            rig.latencies(format_args!("{}", self.phase.title(&self.results.plan)), &self.latencies);
        }
        self.close(rig, 0);
        self.phase = self.phase.next(&self.results.plan);
        Ok(Step::Working)
    }

    fn fail(&mut self, rig: &mut dyn Rig, reason: &Reason) {
        self.say(rig, format_args!("        not measured: {reason}"));
        let title = self.phase.title(&self.results.plan);
        self.results.note(Reason::new(format_args!("{title}: {reason}")));
        self.close(rig, 0);
        self.phase = self.phase.after_failure(&self.results.plan);
    }

    /// Leaves nothing of a phase standing but second-class workloads, which the
    /// next one stops, and a burst that does not end: the next one waits
    /// `patience_ns` for it.
    fn close(&mut self, rig: &mut dyn Rig, patience_ns: u64) {
        if self.phase == Phase::Profile {
            rig.record_profile(false);
        }
        if let Some(number) = core::mem::replace(&mut self.series, Series::NONE).awaited() {
            let deadline_ns = rig.now_ns().saturating_add(patience_ns);
            self.overdue = Some(Overdue { number, deadline_ns });
        }
        self.stage = Stage::Begin;
    }

    fn announce(&mut self, rig: &mut dyn Rig) {
        if let Some(step) = self.phase.step(&self.results.plan) {
            let steps = Phase::steps(&self.results.plan);
            let results = &self.results;
            rig.progress(format_args!("[{step:2}/{steps}] {}", self.phase.description(results)));
            self.spoke_ns = rig.now_ns();
        }
    }

    fn break_silence(&mut self, rig: &mut dyn Rig, now_ns: u64) {
        if now_ns.saturating_sub(self.spoke_ns) < SILENCE_NS {
            return;
        }
        match self.stage {
            Stage::Learning => {
                let done = self.taught;
                self.say(rig, format_args!("        {done} bursts to learn from done"));
            }
            Stage::Serving => {
                let (done, bursts) = self.series.progress();
                self.say(rig, format_args!("        {done} of {bursts} bursts done"));
            }
            Stage::Preparing { since_ns } => {
                let seconds = now_ns.saturating_sub(since_ns) / 1_000_000_000;
                self.say(rig, format_args!("        under way for {seconds} s"));
            }
            _ => self.say(rig, format_args!("        waiting")),
        }
    }

    fn say(&mut self, rig: &mut dyn Rig, line: core::fmt::Arguments<'_>) {
        rig.progress(line);
        self.spoke_ns = rig.now_ns();
    }
}

#[cfg(test)]
mod tests;
