//! Preparing for a burst: shadow, echo, scores, plan, action, one after the
//! other, each given up when the time left is needed for what follows.

use super::ahead::keeps_cache_apart;
use super::{Event, Line};
use crate::adapt::learn_correction;
use crate::demand::Compact;
use crate::machine::{AsideProgress, Machine};
use crate::predict::PAIRS_PER_TICK;
use crate::quarantine::{Phase, Recolour, Rule, SLOTS_PER_TICK, TASKS_PER_TICK, confinement, recolouring};
use crate::sample::MAX_TASKS;
use crate::shadow::{echo_demand, shadow_demand};

/// An aside that has not ended after this long is not waited for any more.
const LOST_ASIDE_NS: u64 = 10_000_000_000;

/// A plan asked for on the console has this long for its shadow, scores and
/// actions.
const WISH_NS: u64 = 1_000_000_000;

/// Where a preparation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prep {
    /// There is none.
    Idle,
    /// A shadow is to be run.
    Shadow,
    /// The shadow runs.
    ShadowRuns,
    /// An echo may be run.
    Echo,
    /// The echo runs.
    EchoRuns,
    /// Pairs are being scored.
    Score,
    /// The plan is being made.
    Plan,
    /// The plan waits for the one before it to be given back.
    Act,
    /// The plan is being carried out.
    Acting,
}

/// A preparation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preparation {
    pub(super) state: Prep,
    rule: Rule,
    begun_ns: u64,
    /// Asides are waited for until then.
    asides_until_ns: u64,
    pub(super) lease_ns: u64,
    /// The plan is not carried out sooner: what is paused early is lost.
    pub(super) not_before_ns: u64,
    /// When the plan was ready.
    ready_ns: u64,
    /// The plan is carried out, not only made.
    acts: bool,
    /// The planner has begun.
    planning: bool,
    /// The colours that are set apart ahead of all else, and whether that has
    /// begun.
    pub(super) ahead: Option<Recolour>,
    pub(super) is_ahead: bool,
    /// It began with a shadow, so its length tells how early to begin.
    foresees: bool,
}

impl Preparation {
    pub(super) const IDLE: Self = Self {
        state: Prep::Idle,
        rule: Rule::ClearCore,
        begun_ns: 0,
        asides_until_ns: 0,
        lease_ns: 0,
        not_before_ns: 0,
        ready_ns: 0,
        acts: false,
        planning: false,
        ahead: None,
        is_ahead: false,
        foresees: false,
    };
}

/// What runs on the shadow core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aside {
    None,
    Shadow { since_ns: u64 },
    Echo { since_ns: u64 },
}

impl Aside {
    pub(super) const fn is_shadow(self) -> bool {
        matches!(self, Self::Shadow { .. })
    }

    const fn since_ns(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Shadow { since_ns } | Self::Echo { since_ns } => Some(since_ns),
        }
    }
}

impl Line {
    /// Begins a preparation that looks ahead.
    pub(super) fn foresee(&mut self, rule: Rule, now_ns: u64, release_ns: u64) {
        (self.shadowed, self.echoed) = (None, None);
        self.plan_by(rule, now_ns, release_ns);
        self.preparation.state = Prep::Shadow;
        self.preparation.foresees = true;
    }

    /// Begins a preparation that only plans, and acts in time for the release.
    pub(super) fn plan_by(&mut self, rule: Rule, now_ns: u64, release_ns: u64) {
        let burst_ns = self.profile.duration_ns.saturating_mul(4).saturating_add(self.config.lease_grace_ns);
        let before_ns = release_ns.saturating_sub(now_ns);
        let margin_ns = self.effort.acting_margin_ns().saturating_add(4 * self.config.tick_ns);
        self.plan.clear();
        self.preparation = Preparation {
            state: Prep::Plan,
            rule,
            begun_ns: now_ns,
            asides_until_ns: release_ns.saturating_sub(self.time_to_act_ns()),
            lease_ns: before_ns.saturating_add(burst_ns),
            not_before_ns: release_ns.saturating_sub(margin_ns),
            ready_ns: 0,
            acts: true,
            planning: false,
            ahead: None,
            is_ahead: false,
            foresees: false,
        };
    }

    /// Begins a preparation for a plan that holds at once and all the time.
    pub(super) fn stand(&mut self, rule: Rule, now_ns: u64) {
        self.standing = true;
        self.plan_by(rule, now_ns, u64::MAX);
        self.preparation.not_before_ns = 0;
    }

    /// How long scoring, planning and acting may take.
    fn time_to_act_ns(&self) -> u64 {
        let tasks: u64 = self.tasks.crowd().iter().map(|count| u64::from(*count)).sum();
        let ticks = tasks.div_ceil(PAIRS_PER_TICK as u64)
            + tasks.div_ceil(u64::from(TASKS_PER_TICK))
            + MAX_TASKS as u64 / u64::from(SLOTS_PER_TICK)
            + tasks.div_ceil(4)
            + 4;
        ticks.saturating_mul(self.config.tick_ns)
    }

    /// Moves the preparation on by one step.
    pub(super) fn prepare<M: Machine>(&mut self, now_ns: u64, machine: &mut M) {
        let out_of_time = now_ns >= self.preparation.asides_until_ns;
        let state = self.preparation.state;
        let next = match state {
            Prep::Idle => return self.grant_wishes(now_ns, machine),
            Prep::Shadow if out_of_time => self.begin_scoring(),
            Prep::Shadow if self.is_learning() => Prep::Shadow,
            Prep::Shadow if !self.has_shadow() => Prep::Echo,
            Prep::Shadow if self.start_shadow(now_ns, machine) => Prep::ShadowRuns,
            Prep::Shadow => Prep::Shadow,
            Prep::ShadowRuns if self.aside == Aside::None => Prep::Echo,
            Prep::EchoRuns if self.aside == Aside::None => self.begin_scoring(),
            Prep::ShadowRuns | Prep::EchoRuns if !out_of_time => state,
            Prep::ShadowRuns => {
                self.stats.shadows_cut = self.stats.shadows_cut.saturating_add(1);
                self.events.put(now_ns, Event::ShadowCut);
                self.begin_scoring()
            }
            Prep::EchoRuns => self.begin_scoring(),
            Prep::Echo if out_of_time || !self.wants_echo() => self.begin_scoring(),
            Prep::Echo => {
                let (first_unit, requests) = self.coming_requests();
                match self.start_echo(first_unit, requests, now_ns, machine) {
                    true => Prep::EchoRuns,
                    false => self.begin_scoring(),
                }
            }
            Prep::Score if self.predictions.is_settled() => Prep::Plan,
            Prep::Score => Prep::Score,
            Prep::Plan => self.make_plan(now_ns, machine),
            Prep::Act if now_ns < self.preparation.not_before_ns => self.act_ahead(now_ns),
            Prep::Act => self.act(now_ns),
            Prep::Acting => match self.lease.phase() {
                Phase::Applying => Prep::Acting,
                _ => Prep::Idle,
            },
        };
        self.preparation.state = next;
    }

    fn grant_wishes<M: Machine>(&mut self, now_ns: u64, machine: &mut M) {
        if self.aside == Aside::None {
            if self.wishes.shadow && self.has_shadow() {
                self.wishes.shadow = !self.start_shadow(now_ns, machine);
            } else if let Some((first_unit, requests)) = self.wishes.echo
                && self.start_echo(first_unit, requests, now_ns, machine)
            {
                self.wishes.echo = None;
            }
        }
        if let Some(hold_ns) = self.wishes.quarantine.take() {
            self.foresee(Rule::Predicted(self.config.threshold_q16), now_ns, now_ns.saturating_add(WISH_NS));
            self.preparation.lease_ns = hold_ns;
            self.preparation.not_before_ns = 0;
            self.preparation.acts = hold_ns > 0;
            self.preparation.foresees = false;
        }
    }

    /// Sets what scores are made for: the shadow's demand, else the echo's,
    /// else the profile's.
    fn begin_scoring(&mut self) -> Prep {
        let profile = (!self.profile.is_empty()).then_some(self.profile.mean);
        self.foreseen = self.shadow_demand().or(self.echoed).or(profile);
        match &self.foreseen {
            Some(demand) => {
                self.predictions.expect(Compact::of(demand, &self.capacity), &self.tasks);
                Prep::Score
            }
            None => Prep::Plan,
        }
    }

    fn make_plan<M: Machine>(&mut self, now_ns: u64, machine: &M) -> Prep {
        let Self { planner, plan, preparation, tasks, predictions, foreseen, capacity, .. } = self;
        if !preparation.planning {
            preparation.planning = true;
            planner.begin(
                preparation.rule,
                preparation.lease_ns,
                self.first_class_core,
                machine,
                tasks,
                plan,
            );
            let predicts = matches!(preparation.rule, Rule::Predicted(_));
            if let Some(demand) = foreseen.filter(|_| predicts) {
                let (demand, shares) = (Compact::of(&demand, capacity), machine.shares());
                // What holds at once and for long has time to move pages.
                let lead_ns = match preparation.not_before_ns {
                    0 => u64::MAX,
                    not_before_ns => not_before_ns.saturating_sub(now_ns),
                };
                preparation.ahead = recolouring(&demand, &machine.colouring(), shares, lead_ns);
                let colours = preparation.ahead.map(|recolour| recolour.step);
                if colours.is_some_and(|step| keeps_cache_apart(&step)) {
                    planner.expect_cache_apart();
                }
                // A plan that was just begun has room.
                for step in [colours, confinement(&demand, shares)].into_iter().flatten() {
                    let _ = plan.steps.push(step);
                }
            }
        }
        preparation.ready_ns = now_ns;
        match planner.step(machine, tasks, predictions, plan) {
            false => Prep::Plan,
            true if preparation.acts => Prep::Act,
            true => Prep::Idle,
        }
    }

    fn act(&mut self, now_ns: u64) -> Prep {
        if self.begin_lease(now_ns) {
            self.steering.owns_lease = false;
            self.stats.plans = self.stats.plans.saturating_add(1);
            let steps = u16::try_from(self.plan.steps.len()).unwrap_or(u16::MAX);
            self.events.put(now_ns, Event::Planned(steps));
            let waited_ns = now_ns.saturating_sub(self.preparation.ready_ns);
            self.preparation.begun_ns = self.preparation.begun_ns.saturating_add(waited_ns);
            self.preparation.ready_ns = now_ns;
            return Prep::Acting;
        }
        self.lease.undo();
        Prep::Act
    }

    /// The plan holds: what preparing and acting took tells how early to begin.
    pub(super) fn prepared(&mut self, held_at_ns: u64) {
        let preparation = &self.preparation;
        if preparation.state != Prep::Acting {
            return;
        }
        self.effort.acted(held_at_ns.saturating_sub(preparation.ready_ns));
        if preparation.foresees {
            self.effort.prepared(held_at_ns.saturating_sub(preparation.begun_ns));
        }
    }

    fn wants_echo(&self) -> bool {
        self.config.echo_requests > 0 && self.ration.is_due()
    }

    /// The requests an echo should be of: those that will really come.
    fn coming_requests(&self) -> (u64, u32) {
        let first_unit = self.waiting.as_ref().map_or(0, |waiting| waiting.burst.first_unit);
        (first_unit, self.config.echo_requests)
    }

    fn start_shadow<M: Machine>(&mut self, now_ns: u64, machine: &mut M) -> bool {
        let started = self.aside == Aside::None && machine.start_shadow(&self.shadow_plan).is_ok();
        if started {
            self.aside = Aside::Shadow { since_ns: now_ns };
            self.events.put(now_ns, Event::ShadowStarted);
        }
        started
    }

    fn start_echo<M: Machine>(&mut self, unit: u64, requests: u32, now_ns: u64, machine: &mut M) -> bool {
        let budget_cycles = self.clock.cycles(self.config.echo_budget_ns);
        let started = self.aside == Aside::None && machine.start_echo(unit, requests, budget_cycles).is_ok();
        if started {
            self.aside = Aside::Echo { since_ns: now_ns };
            self.events.put(now_ns, Event::EchoStarted(requests));
        }
        started
    }

    /// Takes in what the shadow core has done.
    pub(super) fn follow_aside<M: Machine>(&mut self, now_ns: u64, machine: &M) {
        let Some(since_ns) = self.aside.since_ns() else { return };
        let progress = if self.aside.is_shadow() { machine.shadow() } else { machine.echo() };
        if progress.done {
            match self.aside {
                Aside::Shadow { .. } => self.take_shadow(&progress, now_ns),
                _ => self.take_echo(&progress, now_ns),
            }
        }
        if progress.done || now_ns.saturating_sub(since_ns) >= LOST_ASIDE_NS {
            self.aside = Aside::None;
        }
    }

    fn take_shadow(&mut self, progress: &AsideProgress, now_ns: u64) {
        let (stats, plan) = (&mut self.stats, &self.shadow_plan);
        stats.shadow_cycles = stats.shadow_cycles.saturating_add(progress.counts.cycles);
        if progress.over_budget {
            stats.shadows_cut = stats.shadows_cut.saturating_add(1);
            return self.events.put(now_ns, Event::ShadowCut);
        }
        stats.shadows = stats.shadows.saturating_add(1);
        stats.shadow_instructions = stats.shadow_instructions.saturating_add(plan.cost_instructions);
        stats.mirrored_instructions = stats.mirrored_instructions.saturating_add(plan.mirrored_instructions);
        self.shadowed = shadow_demand(plan, &progress.counts, self.clock);
        self.events.put(now_ns, Event::ShadowDone(progress.counts.cycles));
    }

    /// An echo is ground truth: the shadow before it is corrected by it.
    fn take_echo(&mut self, progress: &AsideProgress, now_ns: u64) {
        let (requests, duration_ns) = self.burst_shape();
        self.stats.echoes = self.stats.echoes.saturating_add(1);
        self.stats.echo_cycles = self.stats.echo_cycles.saturating_add(progress.counts.cycles);
        self.echoed = echo_demand(&progress.counts, requests, duration_ns, self.clock);
        let Some(echo) = &self.echoed else {
            return self.events.put(now_ns, Event::EchoCut);
        };
        let error_permille = match &self.shadowed {
            Some(shadow) => {
                let error_permille = self.correction.apply(shadow).error_permille(echo);
                learn_correction(&mut self.correction, shadow, echo);
                self.stats.corrections = self.stats.corrections.saturating_add(1);
                error_permille
            }
            None => 1000,
        };
        self.ration.echoed(error_permille);
        self.events.put(now_ns, Event::EchoDone(error_permille));
    }

    /// Requests and length of the burst that an echo stands for.
    fn burst_shape(&self) -> (u32, u64) {
        match &self.waiting {
            _ if !self.profile.is_empty() => (self.profile.requests, self.profile.duration_ns),
            Some(waiting) => {
                let burst = &waiting.burst;
                (burst.requests, burst.mean_gap_ns.saturating_mul(u64::from(burst.requests)))
            }
            None => (0, 0),
        }
    }
}
