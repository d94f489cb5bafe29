//! The order of a tick.

use super::prepare::Prep;
use super::{Event, Line};
use crate::demand::{Capacity, Update};
use crate::fixed::Clock;
use crate::machine::{BurstProgress, Machine, TaskState};
use crate::policy::Intent;
use crate::quarantine::{LeaseEvent, Phase};
use crate::shadow::{Generator, Limits};

/// Bins of a profile taken in, or phases of a shadow generated, in one tick.
const BINS_PER_TICK: usize = 2;

/// What a tick did that its caller must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickReport {
    /// When the next tick is wanted, in nanoseconds since boot: a tick from
    /// now, or the release if that comes sooner.
    pub next_ns: u64,
    /// The number of the burst that this tick released.
    pub released: Option<u32>,
    /// The burst that this tick found to have ended.
    pub finished: Option<BurstProgress>,
}

impl Line {
    /// Does what is due at `now_ns` (nanoseconds since boot, never earlier
    /// than the tick before).
    pub fn tick<M: Machine>(&mut self, now_ns: u64, machine: &mut M) -> TickReport {
        let released = self.release_when_due(now_ns, machine);
        self.look(now_ns, machine);
        let finished = self.follow_burst(now_ns, machine);
        self.follow_aside(now_ns, machine);
        self.consult(now_ns, machine);
        self.steer(now_ns, machine);
        self.predict(now_ns);
        self.prepare(now_ns, machine);
        self.hold(now_ns, machine);
        self.learn(now_ns, machine);
        self.stats.generation = self.stats.generation.wrapping_add(1);
        TickReport { next_ns: self.next_ns(now_ns), released, finished }
    }

    fn next_ns(&self, now_ns: u64) -> u64 {
        let tick = now_ns.saturating_add(self.config.tick_ns);
        match &self.waiting {
            Some(waiting) if waiting.release_ns > now_ns => tick.min(waiting.release_ns),
            _ => tick,
        }
    }

    /// Samples, and turns what was seen into demand.
    fn look<M: Machine>(&mut self, now_ns: u64, machine: &M) {
        if self.clock.hz() != machine.tsc_hz() {
            self.clock = Clock::new(machine.tsc_hz());
        }
        if !self.capacity.is_of(machine) {
            self.capacity = Capacity::of(machine);
        }
        self.first_class_core = machine.first_class_core();
        let (now_cycles, clock) = (self.clock.cycles(now_ns), self.clock);
        let Self { sampler, tasks, predictions, capacity, load, stats, .. } = self;
        let stale = sampler.stale();
        sampler.tick(now_cycles, machine, |visit| {
            if let Some(outdated) = tasks.see(&visit, clock, capacity) {
                predictions.mark(outdated);
            }
        });
        load.tick(now_cycles, machine);
        stats.stale_samples = stats.stale_samples.saturating_add(sampler.stale() - stale);
    }

    /// Asks the policy.
    fn consult<M: Machine>(&mut self, now_ns: u64, machine: &M) {
        let view = self.view();
        let hooks = self.policies.hooks();
        let (at_rest, horizon_ns) = (hooks.at_rest(), hooks.horizon_ns(&view));
        let idle = self.preparation.state == Prep::Idle;
        if let Some(rule) = at_rest.filter(|_| idle && !self.standing && self.lease.phase() == Phase::Idle) {
            self.stand(rule, now_ns);
        }
        // A policy that wants no notice wants none for colours either.
        let ahead_ns = if horizon_ns == 0 { 0 } else { self.ahead_ns(machine) };
        let horizon_ns = horizon_ns.saturating_add(ahead_ns);
        let waiting = self.waiting.as_mut().filter(|waiting| !waiting.asked);
        if let Some(waiting) = waiting.filter(|w| now_ns.saturating_add(horizon_ns) >= w.release_ns) {
            waiting.asked = true;
            let release_ns = waiting.release_ns;
            match self.policies.hooks().before_release(&view) {
                Intent::Foresee(rule) => self.foresee(rule, now_ns, release_ns),
                Intent::Apply(rule) => self.plan_by(rule, now_ns, release_ns),
                Intent::Nothing | Intent::StopSuspect => {}
            }
        }
        if self.running.is_some() && self.policies.hooks().during_run(&view) == Intent::StopSuspect {
            self.stop_suspect(&view, now_ns, machine);
        }
    }

    /// Scores some pairs; those scored for a plan count as verdicts.
    fn predict(&mut self, now_ns: u64) {
        let (system, threshold_q16) = (self.system(), self.config.threshold_q16);
        let for_plan = self.preparation.state == Prep::Score;
        let Self { predictions, tasks, stats, events, .. } = self;
        let made = predictions.made();
        predictions.tick(tasks, self.first_class_core, &system, |id, score| {
            let runnable = |task: &&crate::demand::Task| task.view.state == TaskState::Runnable;
            if let Some(task) = tasks.get(id).filter(runnable).filter(|_| for_plan) {
                stats.judge(task.view.workload, score.total, threshold_q16);
                events.put(now_ns, Event::Scored(id, task.view.workload, score.total));
            }
        });
        stats.predictions = stats.predictions.saturating_add(predictions.made() - made);
    }

    /// Moves what is in force on, and counts what came of it.
    fn hold<M: Machine>(&mut self, now_ns: u64, machine: &mut M) {
        let Self { lease, stats, events, .. } = self;
        let mut holds = false;
        lease.tick(now_ns, machine, |event| {
            match event {
                LeaseEvent::Started(action) => stats.actions.count(action),
                LeaseEvent::Refused(..) => stats.refusals += 1,
                LeaseEvent::TimedOut(_) => stats.timeouts += 1,
                LeaseEvent::Holds => holds = true,
                LeaseEvent::Expired => stats.expired += 1,
                LeaseEvent::LeftBehind(_) => stats.left_behind += 1,
                LeaseEvent::Undone => stats.undone += 1,
            }
            events.put(now_ns, Event::Lease(event));
        });
        if holds {
            self.held();
            self.reacted();
        }
    }

    /// Takes a finished burst into the profile, then makes a shadow of that.
    fn learn<M: Machine>(&mut self, now_ns: u64, machine: &M) {
        if let Some(update) = &mut self.update {
            if update.step(&mut self.profile, &self.recording, self.clock, BINS_PER_TICK) {
                self.update = None;
                self.plan_is_stale = true;
                self.events.put(now_ns, Event::Profiled(self.profile.version));
            }
        } else if let Some(generator) = &mut self.generator {
            if generator.step(&self.profile, &mut self.shadow_plan, BINS_PER_TICK) {
                self.generator = None;
            }
        } else if self.plan_is_stale && !self.aside.is_shadow() {
            self.plan_is_stale = false;
            let limits = Limits {
                colours: machine.colours(),
                memory_bytes: self.config.shadow_memory_bytes,
                window_ns: self.config.shadow_window_ns,
                level: self.effort.level(self.load_q16()),
            };
            self.generator = Generator::begin(&self.profile, &limits, &mut self.shadow_plan);
        }
    }

    /// Begins to take the recording into the profile.
    pub(super) fn begin_learning(&mut self, requests: u32, anew: bool) {
        self.generator = None;
        self.update = Update::begin(&mut self.profile, &mut self.recording, requests, self.clock, anew);
    }

    /// A shadow is there to be run.
    pub(super) const fn has_shadow(&self) -> bool {
        !self.shadow_plan.is_empty() && self.generator.is_none() && !self.plan_is_stale
    }

    /// A shadow is about to be there.
    pub(super) const fn is_learning(&self) -> bool {
        self.update.is_some() || self.generator.is_some() || self.plan_is_stale
    }
}
