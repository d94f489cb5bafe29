//! `heracles`: a slack loop over sub-controllers, after *Heracles: Improving
//! Resource Efficiency at Scale* (Lo et al., ISCA 2015, section 4.3, algorithms
//! 1 and 2).
//!
//! The top level polls latency and load: without slack, or above 85 % load,
//! best-effort work is disabled, after a violation for a cool-down; below 80 %
//! it is enabled; with less than 10 % slack it may not grow, with less than 5 %
//! it keeps two cores. The sub-controller for cores and memory takes cores back
//! when the memory bandwidth passes 90 %, and otherwise grows the best-effort
//! share by gradient: a way, then a core, then a way. Best-effort work begins
//! with one core and a tenth of the cache.
//!
//! Differences: a "core" of best-effort work is one second-class task that may
//! run; the network and power sub-controllers have nothing to control here; the
//! bandwidth of the latency-critical side is measured, not modelled offline, so
//! growth is refused once the total would pass the limit by the mean of those
//! that run; all periods are a 2000th of the paper's, so that each burst holds
//! one, and a decision about latency waits for some answers.

use super::sight::{Slack, Tail};
use super::{Hooks, Period, Sight, View};
use crate::machine::{Share, Shares};
use crate::quarantine::{Holding, TaskSet};
use crate::sample::Watched;

/// How much shorter our periods are.
const SCALE: u64 = 2000;
/// The paper's top-level loop: 15 s.
const PAPER_NS: u64 = 15_000_000_000;
const PERIOD_NS: u64 = PAPER_NS / SCALE;
pub(super) const PERIOD: Period = Period { paper_ns: Some(PAPER_NS), ours_ns: PERIOD_NS };
/// Sub-controllers: 2 s in the paper.
const SUB_PERIOD_NS: u64 = 2_000_000_000 / SCALE;
/// How long best-effort work stays disabled after a violation: 5 min there.
const COOL_DOWN_NS: u64 = 300_000_000_000 / SCALE;
/// Load above which best-effort work is disabled, and below which it is enabled.
const LOAD_TOO_HIGH_PERMILLE: u32 = 850;
/// See [`LOAD_TOO_HIGH_PERMILLE`].
const LOAD_LOW_PERMILLE: u32 = 800;
/// Slack with which it may grow: 10 % at least.
const SLACK_TO_GROW: Slack = Slack::UnderFifth;
/// Slack below which it keeps [`CORES_KEPT`]: 5 %.
const SLACK_TO_KEEP: Slack = Slack::UnderTenth;
/// Cores it keeps then.
const CORES_KEPT: u32 = 2;
/// Memory bandwidth that must not be passed.
const DRAM_LIMIT_PERMILLE: u32 = 900;
/// It begins with one way of so many: a tenth of the cache.
const BEGINS_WITH_ONE_OF: u8 = 10;

/// What grows next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Growth {
    #[default]
    Ways,
    Cores,
}

/// The slack loop.
#[derive(Debug, Default)]
pub(super) struct Heracles {
    tail: Tail,
    begun: bool,
    enabled: bool,
    may_grow: bool,
    growth: Growth,
    /// Second-class tasks that may run, and the ways they have.
    cores: u32,
    ways: u8,
    /// The ways it begins with.
    first_ways: u8,
    disabled_until_ns: u64,
    top_due_ns: u64,
    sub_due_ns: u64,
    late_permille: u32,
    load_permille: Option<u32>,
}

impl Heracles {
    pub(super) const fn new() -> Self {
        Self {
            tail: Tail::NONE,
            begun: false,
            enabled: true,
            may_grow: false,
            growth: Growth::Ways,
            cores: 1,
            ways: 1,
            first_ways: 1,
            disabled_until_ns: 0,
            top_due_ns: 0,
            sub_due_ns: 0,
            late_permille: 0,
            load_permille: None,
        }
    }

    fn begin(&mut self, now_ns: u64, shares: Shares) {
        self.begun = true;
        self.first_ways = (shares.ways / BEGINS_WITH_ONE_OF).max(1);
        self.ways = self.first_ways;
        (self.top_due_ns, self.sub_due_ns) = (now_ns + PERIOD_NS, now_ns + SUB_PERIOD_NS);
    }

    /// Algorithm 1, once a period has had answers enough.
    fn top(&mut self, now_ns: u64, late_permille: u32, load_permille: Option<u32>) {
        let Some(slack) = self.tail.judge(late_permille) else { return };
        self.top_due_ns = now_ns + PERIOD_NS;
        let load_permille = load_permille.unwrap_or(0);
        if slack == Slack::Violated {
            self.enabled = false;
            self.disabled_until_ns = now_ns.saturating_add(COOL_DOWN_NS);
        } else if load_permille > LOAD_TOO_HIGH_PERMILLE {
            self.enabled = false;
        } else if load_permille < LOAD_LOW_PERMILLE && now_ns >= self.disabled_until_ns && !self.enabled {
            (self.enabled, self.cores, self.ways, self.growth) = (true, 1, self.first_ways, Growth::Ways);
        }
        self.may_grow = slack >= SLACK_TO_GROW;
        if slack < SLACK_TO_KEEP {
            self.cores = self.cores.min(CORES_KEPT);
        }
    }

    /// Algorithm 2.
    fn cores_and_memory(&mut self, traffic_permille: Option<u32>, shares: Shares, tasks: u32) {
        let of_one = traffic_permille.and_then(|traffic| traffic.checked_div(self.cores.min(tasks)));
        let (traffic, of_one) = (traffic_permille.unwrap_or(0), of_one.unwrap_or(0));
        if let Some(overage) = traffic.checked_sub(DRAM_LIMIT_PERMILLE + 1) {
            let excess = (overage + 1).div_ceil(of_one.max(1));
            self.cores = self.cores.saturating_sub(excess).max(1);
            return;
        }
        if !self.enabled || !self.may_grow {
            return;
        }
        let more_cores = self.cores < tasks && traffic.saturating_add(of_one) <= DRAM_LIMIT_PERMILLE;
        // The first-class side keeps a way of its own.
        let more_ways = self.ways.saturating_add(1) < shares.ways;
        match self.growth {
            Growth::Ways if more_ways => (self.ways, self.growth) = (self.ways + 1, Growth::Cores),
            Growth::Cores if more_cores => (self.cores, self.growth) = (self.cores + 1, Growth::Ways),
            Growth::Ways => self.growth = Growth::Cores,
            Growth::Cores => self.growth = Growth::Ways,
        }
    }

    /// All tasks but the first `cores` are paused, and all when disabled.
    fn paused(&self, tasks: &[Watched]) -> TaskSet {
        let mut paused = TaskSet::NONE;
        let run = if self.enabled { usize::try_from(self.cores).unwrap_or(usize::MAX) } else { 0 };
        tasks.iter().skip(run).for_each(|task| paused.insert(task.id));
        paused
    }
}

impl Hooks for Heracles {
    fn after_run(&mut self, view: &View) {
        self.tail.end(view);
    }

    fn steers(&self) -> bool {
        true
    }

    fn steer(&mut self, sight: &Sight<'_>) -> Holding {
        if let Some(burst) = &sight.burst {
            self.tail.see(burst);
            (self.late_permille, self.load_permille) = (burst.late_permille, sight.load_permille);
        }
        if !self.begun {
            self.begin(sight.now_ns, sight.shares);
        }
        if sight.now_ns >= self.top_due_ns {
            self.top(sight.now_ns, self.late_permille, self.load_permille);
        }
        if sight.now_ns >= self.sub_due_ns {
            self.sub_due_ns = sight.now_ns + SUB_PERIOD_NS;
            let tasks = u32::try_from(sight.tasks.len()).unwrap_or(u32::MAX);
            self.cores_and_memory(sight.traffic_permille, sight.shares, tasks);
        }
        let divides = sight.shares.ways >= 2;
        let share = divides.then_some(Share { ways: self.ways.min(sight.shares.ways), percent: 100 });
        let paused = self.paused(sight.tasks);
        Holding { clear: sight.first_class_cores, paused, share, dedicate: false }
    }
}
