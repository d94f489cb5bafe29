//! What a run does about interference: one small file a policy, all behind
//! the same hooks, so that one run compares them side by side.
//!
//! A hook looks at a [`View`] and returns an [`Intent`]; it changes nothing
//! but its own memory. A policy that steers all the time looks at a [`Sight`]
//! each tick and returns a [`Holding`], what should be kept from second-class
//! tasks now; the line finds the steps to it. Adding a policy takes a file with
//! its hooks, a variant of [`Policy`] with its words, and a field of
//! [`Policies`].
//!
//! Those that are named after a paper do what it says with the actions there
//! are here, and say where they differ. Their periods are scaled to what a run
//! holds; [`Policy::period`] says by how much, and reports print it.

mod concept;
mod fixed_core;
mod heracles;
mod lfoc;
mod none;
mod oracle;
mod parties;
mod patent;
mod perfiso;
mod reactive;
mod sight;
mod stack;

pub use patent::{Ledger, MAX_PAIRS};
pub use sight::Sight;

use crate::machine::{Close, Shares, WorkloadId};
use crate::quarantine::{Holding, Rule};

/// The policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Nothing is done; the first-class workload is one more fair task.
    #[default]
    None,
    /// The first-class core is its own all the time.
    Static,
    /// Run together, detect, stop, remember the pair.
    Patent,
    /// A buffer of idle cores.
    PerfIso,
    /// Detect too much memory traffic, take from the worst.
    Reactive,
    /// A slack loop over sub-controllers.
    Heracles,
    /// One unit of one resource at a time, tried and taken back.
    Parties,
    /// Cache ways by class.
    Lfoc,
    /// The best static partition, found by trying them all.
    Oracle,
    /// The whole line, with the concept's score.
    Concept,
}

/// How often a policy decides, and how often its paper has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The paper's, in nanoseconds; none where it polls without a pause.
    pub paper_ns: Option<u64>,
    /// Ours, in nanoseconds.
    pub ours_ns: u64,
}

impl Policy {
    /// All of them, in the order they are compared. This is the one list of
    /// policies: the console, the boot configuration and the host's commands
    /// take their names from it.
    pub const ALL: [Self; 10] = [
        Self::None,
        Self::Static,
        Self::Patent,
        Self::PerfIso,
        Self::Reactive,
        Self::Heracles,
        Self::Parties,
        Self::Lfoc,
        Self::Oracle,
        Self::Concept,
    ];

    /// Those that the main job compares unless it is told otherwise.
    pub const USUAL: [Self; 4] = [Self::None, Self::Static, Self::Patent, Self::Concept];

    /// Its name on the console, and in one line what it does.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::None => ("none", "nothing is done"),
            Self::Static => ("static", "the first-class core is its own all the time"),
            Self::Patent => {
                ("patent", "run together, detect, stop the second-class workload, remember the pair")
            }
            Self::PerfIso => ("perfiso", "second-class tasks are kept off a buffer of idle cores"),
            Self::Reactive => ("reactive", "too much memory traffic takes a core from the worst (Caladan)"),
            Self::Heracles => ("heracles", "second-class tasks grow while the latency has slack"),
            Self::Parties => ("parties", "one unit of one resource at a time, tried and taken back"),
            Self::Lfoc => ("lfoc", "streaming tasks get few ways of the cache"),
            Self::Oracle => ("oracle", "every static partition is tried, then the best is held"),
            Self::Concept => ("concept", "shadow, predict, quarantine before the burst, give back after it"),
        }
    }

    /// Its name on the console.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.words().0
    }

    /// What it does, in one line.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        self.words().1
    }

    /// How often it decides, with ticks of `tick_ns`; none for those that have
    /// no paper or no period.
    #[must_use]
    pub const fn period(self, tick_ns: u64) -> Option<Period> {
        match self {
            Self::PerfIso => Some(Period { paper_ns: None, ours_ns: tick_ns }),
            Self::Reactive => Some(Period { paper_ns: Some(reactive::PAPER_NS), ours_ns: tick_ns }),
            Self::Heracles => Some(heracles::PERIOD),
            Self::Parties => Some(parties::PERIOD),
            Self::Lfoc => Some(lfoc::PERIOD),
            Self::None | Self::Static | Self::Patent | Self::Oracle | Self::Concept => None,
        }
    }

    /// Why it does nothing on a machine that can keep so much from second-class
    /// tasks; none where it does something.
    #[must_use]
    pub const fn is_idle_because(self, shares: Shares) -> Option<&'static str> {
        match self {
            Self::Lfoc if shares.ways < 2 => Some("this machine cannot divide its cache"),
            _ => None,
        }
    }

    /// Whether what it takes away answers harm that it has seen.
    #[must_use]
    pub(crate) const fn reacts(self) -> bool {
        !matches!(self, Self::None | Self::Static | Self::Oracle | Self::Concept)
    }

    /// The policy of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

/// What a hook may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The first-class workload.
    pub first_class: WorkloadId,
    /// The threshold of the predictor, Q16.16.
    pub threshold_q16: u32,
    /// The horizon the line has found to suffice for a whole preparation.
    pub horizon_ns: u64,
    /// Share of late requests that is still within the SLO, in thousandths.
    pub late_permille: u32,
    /// Requests of the burst that runs.
    pub requests: u32,
    /// Of those answered.
    pub answered: u32,
    /// Of those late.
    pub late: u32,
    /// Of those answered, the ones that came close to it.
    pub close: Close,
}

/// What a policy wants done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Nothing.
    Nothing,
    /// Look ahead (shadow, demand, scores), then plan by the rule and act.
    Foresee(Rule),
    /// Plan by the rule and act, without looking ahead.
    Apply(Rule),
    /// Pause the second-class task that uses most, for the rest of the burst.
    StopSuspect,
}

/// When a policy is asked. Each hook looks at each task a bounded number of
/// times at most.
pub trait Hooks {
    /// A rule to hold all the time, between bursts too.
    fn at_rest(&self) -> Option<Rule> {
        None
    }

    /// How long before a release [`Hooks::before_release`] is asked.
    fn horizon_ns(&self, _view: &View) -> u64 {
        0
    }

    /// Once a burst, when its horizon is reached.
    fn before_release(&mut self, _view: &View) -> Intent {
        Intent::Nothing
    }

    /// Each tick while a burst runs.
    fn during_run(&mut self, _view: &View) -> Intent {
        Intent::Nothing
    }

    /// Once when a burst has ended and its quarantine is about to be undone.
    fn after_run(&mut self, _view: &View) {}

    /// The suspect was paused.
    fn stopped(&mut self, _view: &View, _workload: WorkloadId) {}

    /// Whether [`Hooks::steer`] is asked.
    fn steers(&self) -> bool {
        false
    }

    /// Each tick, between bursts too: what should be kept from second-class
    /// tasks from now on.
    fn steer(&mut self, _sight: &Sight<'_>) -> Holding {
        Holding::NOTHING
    }

    /// The burst of a series (from 0) that it wants to see next before it is at
    /// its best; none when it has seen enough.
    fn wants_burst(&self) -> Option<u32> {
        None
    }
}

/// All policies with what they remember.
#[derive(Debug, Default)]
pub struct Policies {
    current: Policy,
    none: none::None,
    fixed_core: fixed_core::Static,
    patent: patent::Patent,
    perfiso: perfiso::PerfIso,
    reactive: reactive::Reactive,
    heracles: heracles::Heracles,
    parties: parties::Parties,
    lfoc: lfoc::Lfoc,
    oracle: oracle::Oracle,
    concept: concept::Concept,
}

impl Policies {
    /// Nothing remembered, [`Policy::None`] in force.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            current: Policy::None,
            none: none::None,
            fixed_core: fixed_core::Static,
            patent: patent::Patent::new(),
            perfiso: perfiso::PerfIso::new(),
            reactive: reactive::Reactive::new(),
            heracles: heracles::Heracles::new(),
            parties: parties::Parties::new(),
            lfoc: lfoc::Lfoc::new(),
            oracle: oracle::Oracle::new(),
            concept: concept::Concept,
        }
    }

    /// The policy in force.
    #[must_use]
    pub const fn current(&self) -> Policy {
        self.current
    }

    /// Puts a policy in force. A policy that steers begins anew; what is
    /// remembered of pairs stays.
    pub fn set(&mut self, policy: Policy) {
        self.current = policy;
        match policy {
            Policy::PerfIso => self.perfiso = perfiso::PerfIso::new(),
            Policy::Reactive => self.reactive = reactive::Reactive::new(),
            Policy::Heracles => self.heracles = heracles::Heracles::new(),
            Policy::Parties => self.parties = parties::Parties::new(),
            Policy::Lfoc => self.lfoc = lfoc::Lfoc::new(),
            Policy::Oracle => self.oracle = oracle::Oracle::new(),
            Policy::None | Policy::Static | Policy::Patent | Policy::Concept => {}
        }
    }

    /// The hooks of the policy in force.
    pub fn hooks(&mut self) -> &mut dyn Hooks {
        match self.current {
            Policy::None => &mut self.none,
            Policy::Static => &mut self.fixed_core,
            Policy::Patent => &mut self.patent,
            Policy::PerfIso => &mut self.perfiso,
            Policy::Reactive => &mut self.reactive,
            Policy::Heracles => &mut self.heracles,
            Policy::Parties => &mut self.parties,
            Policy::Lfoc => &mut self.lfoc,
            Policy::Oracle => &mut self.oracle,
            Policy::Concept => &mut self.concept,
        }
    }

    /// The pairs the patent's policy remembers.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        self.patent.ledger()
    }

    /// Forgets those pairs.
    pub fn forget_pairs(&mut self) {
        self.patent = patent::Patent::new();
    }
}

#[cfg(test)]
mod steering_tests;
#[cfg(test)]
mod tests;
