//! Policies that steer all the time: what they see, and bringing what is held
//! to what they ask for.

use super::{Line, Prep};
use crate::fixed::permille;
use crate::machine::{CoreSet, Machine, Roles};
use crate::policy::Sight;
use crate::quarantine::{Changes, Phase, reconcile};

/// How far steering is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steering {
    /// The lease in force is the steering policy's, not a plan's.
    pub(super) owns_lease: bool,
    /// Where the tick before began.
    tick_before_ns: u64,
    /// Whole ticks since anything was under way.
    steady_ticks: u32,
    /// Something is being taken away because of what was seen since then.
    reacts_since_ns: Option<u64>,
}

impl Steering {
    pub(super) const IDLE: Self =
        Self { owns_lease: false, tick_before_ns: 0, steady_ticks: 0, reacts_since_ns: None };
}

impl Line {
    /// Asks a steering policy what should hold, and begins what is missing.
    /// It is asked each tick; what it says is taken up when nothing is under way.
    pub(super) fn steer<M: Machine>(&mut self, now_ns: u64, machine: &M) {
        if !self.policies.hooks().steers() {
            return;
        }
        let before_ns = self.watch.at_ns();
        let burst = self.running.as_ref().map(|running| running.progress.counts);
        self.watch.look(now_ns, self.clock, burst.as_ref(), machine);
        self.steering.steady_ticks =
            if self.lease.is_steady() { self.steering.steady_ticks.saturating_add(1) } else { 0 };
        let sight = self.sight(now_ns, machine);
        let Self { policies, watch, lease, steering, .. } = self;
        let sight = Sight { tasks: watch.tasks(), ..sight };
        let holding = policies.hooks().steer(&sight);
        steering.owns_lease |= lease.phase() == Phase::Idle;
        // A plan that the console asked for holds until its lease runs out.
        if !steering.owns_lease || self.preparation.state != Prep::Idle {
            return;
        }
        self.standing = true;
        let lease_ns = self.config.lease_grace_ns;
        lease.renew(now_ns.saturating_add(lease_ns));
        let until = (now_ns, lease_ns);
        let changes = reconcile(&holding, self.first_class_core, watch.tasks(), until, machine, lease);
        steering.tick_before_ns = before_ns;
        if changes != Changes::default() {
            steering.steady_ticks = 0;
        }
        if changes.taken > 0 && changes.given_back == 0 {
            self.reacts(now_ns);
        }
    }

    /// Something is being taken away because of what was seen: during a burst
    /// this is a reaction to it.
    pub(super) fn reacts(&mut self, now_ns: u64) {
        let steers = self.policies.hooks().steers();
        let tick_before_ns = if steers { self.steering.tick_before_ns } else { now_ns };
        let Some(running) = self.running.as_mut() else { return };
        let first_late_ns = Some(running.progress.first_late_ns).filter(|ns| *ns > 0 && !running.reacted);
        running.reacted = true;
        let since_ns = first_late_ns.unwrap_or(tick_before_ns);
        self.steering.reacts_since_ns.get_or_insert(since_ns);
    }

    /// All that was asked for holds.
    pub(super) fn reacted(&mut self) {
        if let Some(since_ns) = self.steering.reacts_since_ns.take()
            && self.policies.current().reacts()
        {
            let took_ns = self.lease.held_at_ns().saturating_sub(since_ns);
            self.stats.reaction_ns.add(i64::try_from(took_ns).unwrap_or(i64::MAX));
        }
    }

    /// At most 64 roles are looked at.
    fn sight<M: Machine>(&self, now_ns: u64, machine: &M) -> Sight<'static> {
        let takes = |core: &_| machine.roles(*core).has(Roles::SECOND_CLASS);
        let taking = machine.cores().iter().filter(takes);
        let taking = taking.fold(CoreSet::default(), |set, core| set.with(CoreSet::only(core)));
        let first = machine.siblings(self.first_class_core).with(CoreSet::only(self.first_class_core));
        let running = self.running.as_ref();
        let bandwidth = machine.memory_bandwidth();
        let load = |running: &super::burst::Running| {
            let wall_ns = now_ns.saturating_sub(running.progress.released_ns);
            permille(running.progress.counts.cycles, self.clock.cycles(wall_ns))
        };
        Sight {
            now_ns,
            burst: running.is_some().then(|| self.view()),
            load_permille: running.map(load),
            first_class_cores: first,
            second_class_cores: taking.with(first),
            cores: machine.cores().count(),
            idle: self.watch.idle(),
            traffic_permille: self.watch.traffic().map(|traffic| permille(traffic, bandwidth)),
            bandwidth,
            llc_bytes: machine.llc_bytes(),
            shares: machine.shares(),
            holds: self.lease.phase() != Phase::Idle,
            steady_ticks: self.steering.steady_ticks,
            tasks: &[],
        }
    }
}
