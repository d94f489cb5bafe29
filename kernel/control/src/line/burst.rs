//! A burst's life: waiting, running, ended.

use super::{Event, Line};
use crate::demand::Demand;
use crate::fixed::permille;
use crate::machine::{Action, Burst, BurstProgress, Close, Machine, TaskId, TaskState};
use crate::policy::{Policy, View};
use crate::quarantine::{Phase, Step, StepState, Subject};
use crate::sample::{Deltas, Outcome, Reading};

/// A burst to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) burst: Burst,
    pub(super) release_ns: u64,
    /// The policy was asked about it.
    pub(super) asked: bool,
}

/// A burst that was released.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub(super) burst: Burst,
    release_ns: u64,
    pub(super) progress: BurstProgress,
    /// What was taken away during it has been counted as a reaction.
    pub(super) reacted: bool,
    /// The demand foreseen for it.
    foreseen: Option<Demand>,
    /// A shadow ran for it.
    shadowed: bool,
    /// Its lead time is still to be taken.
    lead_is_due: bool,
}

impl Line {
    /// What the policy may look at.
    pub(super) fn view(&self) -> View {
        let running = self.running.as_ref();
        View {
            first_class: self.config.first_class,
            threshold_q16: self.config.threshold_q16,
            horizon_ns: self.horizon_ns(),
            late_permille: self.config.late_permille,
            requests: running.map_or(0, |running| running.burst.requests),
            answered: running.map_or(0, |running| running.progress.answered),
            late: running.map_or(0, |running| running.progress.late),
            close: running.map_or(Close::NONE, |running| running.progress.close),
        }
    }

    /// Releases the waiting burst; first thing in a tick, so that nothing
    /// delays it.
    pub(super) fn release_when_due<M: Machine>(&mut self, now_ns: u64, machine: &mut M) -> Option<u32> {
        let due = self.waiting.filter(|waiting| now_ns >= waiting.release_ns && self.running.is_none())?;
        if machine.release(&due.burst).is_err() {
            self.stats.releases_put_off = self.stats.releases_put_off.saturating_add(1);
            return None;
        }
        let delay_ns = now_ns.saturating_sub(due.release_ns);
        self.stats.release_delay_ns.add(i64::try_from(delay_ns).unwrap_or(i64::MAX));
        self.waiting = None;
        self.reading = Reading::NONE;
        self.update = None;
        self.running = Some(Running {
            burst: due.burst,
            release_ns: due.release_ns,
            progress: BurstProgress { number: due.burst.number, ..BurstProgress::default() },
            reacted: false,
            foreseen: self.foreseen.take(),
            shadowed: self.shadowed.is_some(),
            lead_is_due: !self.standing,
        });
        self.events.put(now_ns, Event::Released(due.burst.number));
        if self.lease.phase() == Phase::Active {
            self.held();
        }
        Some(due.burst.number)
    }

    /// A plan holds: how long before the release did it? Before the release
    /// that is not known yet.
    pub(super) fn held(&mut self) {
        let held_at_ns = self.lease.held_at_ns();
        self.prepared(held_at_ns);
        let did_something = self.lease.steps().iter().any(|(_, state)| *state == StepState::Held);
        let Some(running) = self.running.as_mut().filter(|running| running.lead_is_due) else { return };
        running.lead_is_due = false;
        if did_something {
            self.stats.lead_ns.add(difference(running.release_ns, held_at_ns));
        }
    }

    /// Records what the running burst does, and takes it up when it has ended.
    pub(super) fn follow_burst<M: Machine>(&mut self, now_ns: u64, machine: &M) -> Option<BurstProgress> {
        let running = self.running.as_mut()?;
        let progress = machine.burst();
        if progress.number != running.burst.number {
            return None;
        }
        let before = core::mem::replace(&mut running.progress, progress);
        if progress.answered != before.answered {
            self.lease.renew(now_ns.saturating_add(self.config.lease_grace_ns));
        }
        let at_ns = if progress.done { progress.ended_ns } else { now_ns };
        if progress.counts != before.counts || progress.done {
            self.record(at_ns, &progress);
        }
        progress.done.then(|| {
            self.end(now_ns, &progress);
            progress
        })
    }

    fn record(&mut self, at_ns: u64, progress: &BurstProgress) {
        let deltas = match self.reading.advance(self.clock.cycles(at_ns), &progress.counts) {
            Outcome::First => {
                self.recording.start(progress.released_ns);
                Deltas::since_start(&progress.counts)
            }
            Outcome::Fresh(_, deltas) => deltas,
            Outcome::Stale => return,
        };
        self.recording.add(at_ns, &deltas);
    }

    fn end(&mut self, now_ns: u64, progress: &BurstProgress) {
        let Some(running) = self.running.take() else { return };
        self.events.put(now_ns, Event::Ended(progress.number, progress.late));
        let late =
            permille(u64::from(progress.late), u64::from(running.burst.requests)) > self.config.late_permille;
        self.count_burst(&running, late);
        let changed = self.detector.see(self.recording.total());
        if changed {
            self.stats.change_points = self.stats.change_points.saturating_add(1);
            self.ration.doubt();
            self.events.put(now_ns, Event::Changed);
        }
        self.learn_from(running.burst.requests, late, changed);
        let view = View {
            requests: running.burst.requests,
            answered: progress.answered,
            late: progress.late,
            close: progress.close,
            ..self.view()
        };
        self.policies.hooks().after_run(&view);
        if !self.standing {
            self.lease.undo();
        }
    }

    /// The profile is of undisturbed bursts: a late one is only taken where
    /// nothing better is known, and the first that is in time replaces it.
    fn learn_from(&mut self, requests: u32, late: bool, changed: bool) {
        let known = !self.profile.is_empty();
        if late && known && !changed && !self.profile_is_disturbed {
            return;
        }
        let anew = changed || (self.profile_is_disturbed && !late);
        self.profile_is_disturbed = late;
        self.begin_learning(requests, anew);
    }

    fn count_burst(&mut self, running: &Running, late: bool) {
        let paused = self.lease.steps().iter().any(|(step, _)| matches!(step.action, Action::Pause(_)));
        let stats = &mut self.stats;
        stats.bursts = stats.bursts.saturating_add(1);
        stats.late_bursts = stats.late_bursts.saturating_add(u32::from(late));
        if self.lease.phase() == Phase::Applying && running.lead_is_due {
            stats.plans_too_late = stats.plans_too_late.saturating_add(1);
        }
        if running.shadowed {
            stats.mirrored_cycles = stats.mirrored_cycles.saturating_add(self.recording.total().cycles);
        }
        if let Some((foreseen, truth)) = running.foreseen.zip(self.recording.mean(self.clock)) {
            stats.demand_error_permille.add(i64::from(foreseen.error_permille(&truth)));
        }
        // Where nothing was paused the scores changed nothing: clearing the
        // core needs no shadow.
        self.effort.burst(paused, late);
        self.ration.burst();
        if late && !paused && self.policies.current() == Policy::Concept {
            stats.missed = stats.missed.saturating_add(1);
            self.ration.doubt();
        }
    }

    /// Pauses the runnable task that uses most, those on the first-class core
    /// before all others, for the rest of the burst. At most 128 are compared.
    pub(super) fn stop_suspect<M: Machine>(&mut self, view: &View, now_ns: u64, machine: &M) {
        let stopped =
            |id: TaskId| self.lease.steps().iter().any(|(step, _)| step.action == Action::Pause(id));
        let core = self.first_class_core;
        let runnable = |id: TaskId| machine.task(id).is_some_and(|view| view.state == TaskState::Runnable);
        let suspect = self
            .tasks
            .iter()
            .filter(|task| runnable(task.view.id) && !stopped(task.view.id))
            .max_by_key(|task| (task.view.core == core, task.compact.weight()));
        let Some(task) = suspect.copied() else { return };
        let (id, workload) = (task.view.id, task.view.workload);
        let step = Step {
            action: Action::Pause(id),
            undo: Action::Resume(id),
            subject: Subject::Task { id, generation: task.generation, workload },
            score_q16: 0,
            expected_q16: 0,
        };
        if self.lease.append(now_ns, step, self.config.lease_grace_ns) {
            self.policies.hooks().stopped(view, workload);
            self.reacts(now_ns);
            self.stats.suspects = self.stats.suspects.saturating_add(1);
            self.events.put(now_ns, Event::Suspect(id, workload));
        }
    }
}

/// `a - b` with its sign, saturating.
fn difference(a: u64, b: u64) -> i64 {
    let size = i64::try_from(a.abs_diff(b)).unwrap_or(i64::MAX);
    if a >= b { size } else { -size }
}
