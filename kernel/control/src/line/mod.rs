//! The line: owns every stage and calls them in order, once a tick.
//!
//! ```text
//! tick: release -> sample -> demand -> burst and asides -> policy
//!       -> predict -> prepare (shadow, echo, score, plan, act) -> lease -> learn
//! ```
//!
//! A tick does a bounded amount of work, whatever the number of tasks: at most
//! 2 samples, 4 pairs, 8 planned tasks, 8 actions started, 2 bins of a profile
//! or 2 phases of a shadow. Some things are rarer and larger, each at most
//! once or twice a burst: summing the pages that colours would move (128 slots),
//! taking up a finished burst (no loop), merging the bins of a
//! recording that outgrew them (32 additions), and choosing a suspect (128
//! comparisons).
//!
//! While a policy is in force that steers all the time, every task is read and
//! every step of the lease looked at each tick as well (at most 128 and 130).
//!
//! `Line::new` is `const`: the line is about 110 KiB and belongs in a static.

mod ahead;
mod burst;
mod config;
mod event;
mod prepare;
mod stats;
mod steer;
mod tick;

pub use config::Config;
pub use event::{Dated, Event, MAX_EVENTS};
pub use prepare::Prep;
pub use stats::{Actions, MAX_WORKLOADS, Spread, Stats, Verdict};
pub use tick::TickReport;

use crate::adapt::{ChangeDetector, Effort, Ration};
use crate::demand::{Capacity, Compact, Demand, Profile, Recording, Task, Tasks, Update};
use crate::fixed::Clock;
use crate::machine::{Burst, CoreId, TaskId};
use crate::policy::{Ledger, Policies, Policy};
use crate::predict::{Explanation, Predictions, Relation, Score, System};
use crate::quarantine::{Lease, Plan, Planner};
use crate::sample::{LoadMeter, Reading, Sampler, Watch};
use crate::shadow::{Correction, Generator, ShadowPlan};
use burst::{Running, Waiting};
use event::Events;
use prepare::{Aside, Preparation};
use steer::Steering;

/// Another burst is waiting already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyWaiting;

impl core::fmt::Display for AlreadyWaiting {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a burst is waiting for its release already")
    }
}

/// All stages and what passes between them.
#[derive(Debug)]
pub struct Line {
    config: Config,
    clock: Clock,
    capacity: Capacity,
    first_class_core: CoreId,

    sampler: Sampler,
    load: LoadMeter,
    watch: Watch,

    tasks: Tasks,
    reading: Reading,
    recording: Recording,
    profile: Profile,
    /// It was learnt from bursts that were late.
    profile_is_disturbed: bool,
    update: Option<Update>,

    shadow_plan: ShadowPlan,
    generator: Option<Generator>,
    plan_is_stale: bool,
    correction: Correction,

    predictions: Predictions,

    planner: Planner,
    plan: Plan,
    lease: Lease,
    /// The lease outlives bursts (a policy holds it all the time).
    standing: bool,
    steering: Steering,

    detector: ChangeDetector,
    ration: Ration,
    effort: Effort,

    policies: Policies,
    preparation: Preparation,
    /// How much sooner the burst of this release is prepared for, for the sake
    /// of colours.
    ahead_of: Option<(u64, u64)>,
    aside: Aside,
    /// The shadow's demand as it came, and the echo's, of this preparation.
    shadowed: Option<Demand>,
    echoed: Option<Demand>,
    /// What scores are made for.
    foreseen: Option<Demand>,
    wishes: Wishes,
    waiting: Option<Waiting>,
    running: Option<Running>,
    stats: Stats,
    events: Events,
}

/// What the console has asked for.
#[derive(Clone, Copy, Debug, Default)]
struct Wishes {
    shadow: bool,
    echo: Option<(u64, u32)>,
    /// Nanoseconds to hold the plan; 0 means to plan only.
    quarantine: Option<u64>,
}

impl Line {
    /// A line that knows nothing, with [`Policy::None`] in force.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            clock: Clock::UNSET,
            capacity: Capacity::NONE,
            first_class_core: CoreId(0),
            sampler: Sampler::new(),
            load: LoadMeter::new(),
            watch: Watch::new(),
            tasks: Tasks::new(),
            reading: Reading::NONE,
            recording: Recording::new(),
            profile: Profile::new(),
            profile_is_disturbed: false,
            update: None,
            shadow_plan: ShadowPlan::new(),
            generator: None,
            plan_is_stale: false,
            correction: Correction::NONE,
            predictions: Predictions::new(),
            planner: Planner::new(),
            plan: Plan::new(),
            lease: Lease::new(),
            standing: false,
            steering: Steering::IDLE,
            detector: ChangeDetector::new(),
            ration: Ration::new(),
            effort: Effort::new(20_000_000),
            policies: Policies::new(),
            preparation: Preparation::IDLE,
            ahead_of: None,
            aside: Aside::None,
            shadowed: None,
            echoed: None,
            foreseen: None,
            wishes: Wishes { shadow: false, echo: None, quarantine: None },
            waiting: None,
            running: None,
            stats: Stats::new(),
            events: Events::new(),
        }
    }

    /// Announces a burst to be released at `release_ns` since boot. It should
    /// come [`Line::horizon_ns`] before that at least, for the policy to have
    /// its time; a release that has passed is made at the next tick.
    ///
    /// # Errors
    /// [`AlreadyWaiting`] while another waits; one may wait while one runs.
    pub fn schedule(&mut self, burst: Burst, release_ns: u64) -> Result<(), AlreadyWaiting> {
        if self.waiting.is_some() {
            return Err(AlreadyWaiting);
        }
        self.waiting = Some(Waiting { burst, release_ns, asked: false });
        Ok(())
    }

    /// Puts a policy in force; what the one before holds is given back first.
    pub fn set_policy(&mut self, policy: Policy, now_ns: u64) {
        self.policies.set(policy);
        self.stats.policy = policy;
        self.events.put(now_ns, Event::Policy(policy));
        self.lease.undo();
        self.standing = false;
        self.steering = Steering::IDLE;
        self.preparation = Preparation::IDLE;
        if let Some(waiting) = &mut self.waiting {
            waiting.asked = false;
        }
    }

    /// The policy in force.
    #[must_use]
    pub const fn policy(&self) -> Policy {
        self.policies.current()
    }

    /// Asks for a shadow as soon as none is running.
    pub const fn request_shadow(&mut self) {
        self.wishes.shadow = true;
    }

    /// Asks for an echo of `requests` requests from `first_unit` on.
    pub const fn request_echo(&mut self, first_unit: u64, requests: u32) {
        self.wishes.echo = Some((first_unit, requests));
    }

    /// Asks for a plan by the predictor: scored, planned, and held for
    /// `hold_ns`, or only shown ([`Line::plan`]) when that is 0.
    pub const fn request_quarantine(&mut self, hold_ns: u64) {
        self.wishes.quarantine = Some(hold_ns);
    }

    /// Gives back what is in force now.
    pub fn request_undo(&mut self) {
        self.lease.undo();
    }

    /// The profile of the first-class workload.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Replaces the profile (by one that was kept, or by an empty one to
    /// forget it).
    pub fn set_profile(&mut self, profile: Profile) {
        self.profile = profile;
        self.profile_is_disturbed = false;
        self.update = None;
        self.plan_is_stale = true;
        self.detector = ChangeDetector::new();
    }

    /// The shadow that the profile gives.
    #[must_use]
    pub const fn shadow_plan(&self) -> &ShadowPlan {
        &self.shadow_plan
    }

    /// The factors echoes have found the shadow to be off by.
    #[must_use]
    pub const fn correction(&self) -> &Correction {
        &self.correction
    }

    /// The demand of the shadow that ran last, corrected.
    #[must_use]
    pub fn shadow_demand(&self) -> Option<Demand> {
        self.shadowed.as_ref().map(|demand| self.correction.apply(demand))
    }

    /// The demand that scores are made for.
    #[must_use]
    pub const fn foreseen(&self) -> Option<&Demand> {
        self.foreseen.as_ref()
    }

    /// The plan that was made last.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is in force.
    #[must_use]
    pub const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Where the preparation of the next burst stands.
    #[must_use]
    pub const fn preparation(&self) -> Prep {
        self.preparation.state
    }

    /// Demand and shares of a second-class task, as last sampled.
    #[must_use]
    pub fn task(&self, task: TaskId) -> Option<&Task> {
        self.tasks.get(task)
    }

    /// The last score of a task.
    #[must_use]
    pub fn score(&self, task: TaskId) -> Option<&Score> {
        self.predictions.get(task)
    }

    /// Scores a task now, with all that the score is made of. None without a
    /// first-class demand or without such a task.
    #[must_use]
    pub fn explain(&self, task: TaskId) -> Option<Explanation> {
        let seen = self.tasks.get(task)?;
        let first = match self.predictions.expected() {
            Some(first) => *first,
            None if self.profile.is_empty() => return None,
            None => Compact::of(&self.profile.mean, &self.capacity),
        };
        let relation = Relation::usual(seen.view.core == self.first_class_core);
        let system = self.system();
        Some(Explanation {
            task,
            workload: seen.view.workload,
            samples: seen.samples,
            first,
            second: seen.compact,
            relation,
            system,
            score: crate::predict::score(&first, &seen.compact, relation, &system),
            threshold: self.config.threshold_q16,
        })
    }

    /// Mean busy share of all cores, Q16.16.
    #[must_use]
    pub const fn load_q16(&self) -> u32 {
        self.load.load_q16()
    }

    const fn system(&self) -> System {
        System { load: self.load.load_q16() }
    }

    /// How long before a release the preparation starts.
    #[must_use]
    pub const fn horizon_ns(&self) -> u64 {
        self.effort.horizon_ns(self.load.load_q16())
    }

    /// The burst of a series (from 0) that the policy in force wants to see next
    /// before it is at its best; none when it has seen enough.
    #[must_use]
    pub fn wants_burst(&mut self) -> Option<u32> {
        self.policies.hooks().wants_burst()
    }

    /// The pairs that the patent's policy remembers.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        self.policies.ledger()
    }

    /// Makes the patent's policy forget them.
    pub fn forget_pairs(&mut self) {
        self.policies.forget_pairs();
    }

    /// What was counted.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Counts from 0 on; the policy stays.
    pub fn reset_stats(&mut self) {
        let (generation, policy) = (self.stats.generation, self.stats.policy);
        self.stats = Stats { generation: generation + 1, policy, ..Stats::new() };
    }

    /// The oldest event that was not taken yet.
    pub fn take_event(&mut self) -> Option<Dated> {
        self.events.take()
    }

    /// Events that were lost because nobody took them.
    #[must_use]
    pub const fn lost_events(&self) -> u32 {
        self.events.lost()
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }
}
