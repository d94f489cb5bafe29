//! What is written down at the end of each phase.

use umbra_console::format::{Known, Ns, Permille};

use super::Job;
use super::phase::Phase;
use crate::plan::Plan;
use crate::report::Multiple;
use crate::results::{PolicyRun, Served, Throughput};
use crate::rig::{Reason, Rig, SECOND_MAX, SecondClass};

/// Second-class progress at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// When, in nanoseconds since boot.
    pub(super) at_ns: u64,
    units: [Option<u64>; SECOND_MAX],
}

impl Snapshot {
    /// Nothing running.
    pub(super) const NONE: Self = Self { at_ns: 0, units: [None; SECOND_MAX] };

    /// The progress now of those that run.
    pub(super) fn take(rig: &dyn Rig, plan: &Plan) -> Self {
        let units = core::array::from_fn(|second| match second {
            second if second >= plan.second_class.len() => None,
            second => match rig.second(second) {
                SecondClass::Running { units } => Some(units),
                SecondClass::Absent | SecondClass::Ended(_) => None,
            },
        });
        Self { at_ns: rig.now_ns(), units }
    }

    /// What was done from `before` until now, by those that ran at both ends.
    fn since(&self, before: &Self) -> [Option<Throughput>; SECOND_MAX] {
        let window_ns = self.at_ns.saturating_sub(before.at_ns);
        core::array::from_fn(|second| {
            let earlier = before.units.get(second).copied().flatten()?;
            let units = self.units.get(second).copied().flatten()?.checked_sub(earlier)?;
            (window_ns > 0).then_some(Throughput { units, window_ns })
        })
    }
}

impl Job {
    /// Writes down the phase's figures and says the main ones.
    pub(super) fn collect(&mut self, rig: &mut dyn Rig) -> Result<(), Reason> {
        match self.phase {
            Phase::Prepare => {
                let took = Ns(self.results.prepare_ns.unwrap_or(0));
                self.say(rig, format_args!("        done in {took}"));
            }
            Phase::Calibrate => self.collect_service_time(rig)?,
            Phase::Alone => self.collect_alone(rig)?,
            Phase::Load(load) => self.collect_load(rig, load)?,
            Phase::SecondAlone => self.collect_second_alone(rig)?,
            Phase::Pair(second) => self.collect_pair(rig, second)?,
            Phase::Policy(policy) => self.collect_policy(rig, policy)?,
            Phase::Divided(division) => self.collect_divided(rig, division)?,
            Phase::Profile | Phase::Leave | Phase::Over => {}
        }
        Ok(())
    }

    fn collect_service_time(&mut self, rig: &mut dyn Rig) -> Result<(), Reason> {
        let service_ns = self.series.service_ns()?;
        self.results.service_ns = Some(service_ns);
        let least_ns = self.results.plan.least_ns(service_ns);
        self.say(
            rig,
            format_args!(
                "        {} a request in the mean; the rest takes at least {}",
                Ns(service_ns),
                Ns(least_ns)
            ),
        );
        Ok(())
    }

    fn collect_alone(&mut self, rig: &mut dyn Rig) -> Result<(), Reason> {
        let served = self.series.served(&self.latencies)?;
        self.results.alone = Some(served);
        let (p50, p99) = (served.latencies.p50_ns.map(Ns), served.latencies.p99_ns.map(Ns));
        let bound = self.results.slo_ns().map(Ns);
        self.say(
            rig,
            format_args!("        p50 {}, p99 {}; SLO bound {}", Known(p50), Known(p99), Known(bound)),
        );
        Ok(())
    }

    fn collect_load(&mut self, rig: &mut dyn Rig, load: usize) -> Result<(), Reason> {
        let served = self.series.served(&self.latencies)?;
        if let Some(slot) = self.results.loads.get_mut(load) {
            *slot = Some(served);
        }
        let (p50, p99) = (served.latencies.p50_ns.map(Ns), served.latencies.p99_ns.map(Ns));
        self.say(rig, format_args!("        p50 {}, p99 {}", Known(p50), Known(p99)));
        Ok(())
    }

    fn collect_divided(&mut self, rig: &mut dyn Rig, division: usize) -> Result<(), Reason> {
        let served = self.series.served(&self.latencies)?;
        self.note_ends(rig);
        if let Some(slot) = self.results.divided.get_mut(division) {
            *slot = Some(served);
        }
        self.say_served(rig, &served, format_args!("core kept apart"));
        Ok(())
    }

    fn collect_second_alone(&mut self, rig: &mut dyn Rig) -> Result<(), Reason> {
        self.note_ends(rig);
        let done = Snapshot::take(rig, &self.results.plan).since(&self.before);
        for (second, name) in self.results.plan.second_class.clone().iter().enumerate() {
            let Some(throughput) = done.get(second).copied().flatten() else { continue };
            if throughput.units == 0 {
                let (title, window) = (self.phase.title(&self.results.plan), Ns(throughput.window_ns));
                self.results.note(Reason::new(format_args!("{title}: {name} finished no unit in {window}")));
            } else if let Some(slot) = self.results.second_alone.get_mut(second) {
                *slot = Some(throughput);
            }
        }
        match self.results.second_alone.iter().flatten().count() {
            0 => Err(Reason::new(format_args!("no second-class workload did any work"))),
            measured => {
                self.say(rig, format_args!("        {measured} measured"));
                Ok(())
            }
        }
    }

    fn collect_pair(&mut self, rig: &mut dyn Rig, second: usize) -> Result<(), Reason> {
        if let SecondClass::Ended(reason) = rig.second(second) {
            return Err(Reason::new(format_args!("the second-class workload ended: {reason}")));
        }
        let served = self.series.served(&self.latencies)?;
        if let Some(slot) = self.results.pairs.get_mut(second) {
            *slot = Some(served);
        }
        let verdict = match self.results.interferes(second) {
            Some(true) => "interferes",
            Some(false) => "does not interfere",
            None => "cannot be told",
        };
        self.say_served(rig, &served, format_args!("{verdict}"));
        Ok(())
    }

    fn collect_policy(&mut self, rig: &mut dyn Rig, policy: usize) -> Result<(), Reason> {
        let after = Snapshot::take(rig, &self.results.plan);
        let run = PolicyRun {
            served: self.series.served(&self.latencies)?,
            window_ns: after.at_ns.saturating_sub(self.before.at_ns).max(1),
            second: after.since(&self.before),
            line: rig.line_stats(),
            training_bursts: self.taught,
        };
        if let Some(why) = run.line.idle_because {
            let title = self.phase.title(&self.results.plan);
            self.results.note(Reason::new(format_args!("{title}: does nothing: {why}")));
        }
        self.note_ends(rig);
        if let Some(slot) = self.results.policies.get_mut(policy) {
            *slot = Some(run);
        }
        let share = Known(self.results.figures(&run).second_share_permille.map(Permille));
        self.say_served(rig, &run.served, format_args!("second class {share}"));
        Ok(())
    }

    fn say_served(&mut self, rig: &mut dyn Rig, served: &Served, more: core::fmt::Arguments<'_>) {
        let p99 = Known(self.results.multiples(&served.latencies).p99_q16.map(Multiple::from_q16));
        let (missed, bursts) = (Known(served.slo.map(|slo| slo.missed_bursts)), served.bursts);
        self.say(
            rig,
            format_args!("        p99 {p99} of alone, {missed} of {bursts} bursts missed the SLO; {more}"),
        );
    }

    /// Notes which second-class workloads have ended on their own.
    fn note_ends(&mut self, rig: &dyn Rig) {
        for (second, name) in self.results.plan.second_class.clone().iter().enumerate() {
            if let SecondClass::Ended(reason) = rig.second(second) {
                let title = self.phase.title(&self.results.plan);
                self.results.note(Reason::new(format_args!("{title}: {name} ended: {reason}")));
            }
        }
    }
}
