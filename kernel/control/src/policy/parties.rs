//! `parties`: one unit of one resource at a time, tried and taken back if it
//! does not help, after *PARTIES: QoS-Aware Resource Partitioning for Multiple
//! Interactive Services* (Chen, Delimitrou, Martínez, ASPLOS 2019, section 4.2).
//!
//! Each period looks at the tail's slack. Below 5 % the latency-critical side
//! gets one unit of one resource; if that did not help by the next period, the
//! unit goes back and the next resource has its turn. Above 20 % one unit is
//! given away; if the slack falls below 5 % by that, it is taken back and
//! nothing is given away for 30 s. It begins with even halves.
//!
//! Differences: units are one second-class task that may run (for a core), one
//! way, and a tenth of the bandwidth where it can be divided, which the paper's
//! machines could not; frequency, disk and memory capacity are not controlled
//! here; periods are a 250th of the paper's, and a decision waits for some
//! answers.

use super::sight::{Slack, Tail};
use super::stack::Stack;
use super::{Hooks, Period, Sight, View};
use crate::machine::{Share, Shares};
use crate::quarantine::Holding;
use crate::sample::Watched;

/// How much shorter our periods are.
const SCALE: u64 = 250;
/// The paper decides every 500 ms.
const PAPER_NS: u64 = 500_000_000;
const PERIOD_NS: u64 = PAPER_NS / SCALE;
pub(super) const PERIOD: Period = Period { paper_ns: Some(PAPER_NS), ours_ns: PERIOD_NS };
/// Nothing is given away for so long after that went wrong: 30 s there.
const BACK_OFF_NS: u64 = 30_000_000_000 / SCALE;
/// Slack below which a unit is taken: 5 %.
const ACT_BELOW: Slack = Slack::UnderTenth;
/// Slack with which one is given away: 20 %.
const RELEASE_FROM: Slack = Slack::Ample;
/// A unit of bandwidth, in percent.
const PERCENT_UNIT: u8 = 10;

/// A resource, in the order of their turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Resource {
    #[default]
    Cores,
    Ways,
    Bandwidth,
}

impl Resource {
    const fn next(self) -> Self {
        match self {
            Self::Cores => Self::Ways,
            Self::Ways => Self::Bandwidth,
            Self::Bandwidth => Self::Cores,
        }
    }
}

/// What the last decision was, to be judged by the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trial {
    #[default]
    None,
    /// A unit was taken when the slack was so.
    Taken(Resource, Slack),
    /// A unit was given away.
    Given(Resource),
}

/// Trial and rollback.
#[derive(Debug, Default)]
pub(super) struct Parties {
    tail: Tail,
    begun: bool,
    turn: Resource,
    trial: Trial,
    /// Units the first-class side has been given.
    paused: Stack,
    ways_taken: u8,
    percent_taken: u8,
    due_ns: u64,
    keep_until_ns: u64,
    late_permille: u32,
}

/// What there is to take.
#[derive(Clone, Copy)]
struct Most<'t> {
    tasks: &'t [Watched],
    ways: u8,
    percent: u8,
}

impl<'t> Most<'t> {
    fn of(shares: Shares, tasks: &'t [Watched]) -> Self {
        let percent = match shares.least_percent {
            0 => 0,
            least => 100u8.saturating_sub(least) / PERCENT_UNIT * PERCENT_UNIT,
        };
        Self { tasks, ways: if shares.ways >= 2 { shares.ways - 1 } else { 0 }, percent }
    }
}

impl Parties {
    pub(super) const fn new() -> Self {
        Self {
            tail: Tail::NONE,
            begun: false,
            turn: Resource::Cores,
            trial: Trial::None,
            paused: Stack::new(),
            ways_taken: 0,
            percent_taken: 0,
            due_ns: 0,
            keep_until_ns: 0,
            late_permille: 0,
        }
    }

    /// One decision.
    fn decide(&mut self, now_ns: u64, slack: Slack, most: Most<'_>) {
        match core::mem::take(&mut self.trial) {
            Trial::Taken(resource, before) if slack < ACT_BELOW && slack <= before => {
                self.give(resource);
                self.turn = resource.next();
            }
            Trial::Given(resource) if slack < ACT_BELOW => {
                self.take(resource, most);
                self.turn = resource.next();
                self.keep_until_ns = now_ns.saturating_add(BACK_OFF_NS);
                return;
            }
            _ => {}
        }
        if slack < ACT_BELOW {
            if let Some(resource) = self.next_of(|this, resource| this.take(resource, most)) {
                self.trial = Trial::Taken(resource, slack);
            }
        } else if slack >= RELEASE_FROM
            && now_ns >= self.keep_until_ns
            && let Some(resource) = self.next_of(|this, resource| this.give(resource))
        {
            self.trial = Trial::Given(resource);
        }
    }

    /// The first resource from whose turn it is that `step` works on.
    fn next_of(&mut self, step: impl Fn(&mut Self, Resource) -> bool) -> Option<Resource> {
        let order = [self.turn, self.turn.next(), self.turn.next().next()];
        let found = order.into_iter().find(|resource| step(self, *resource))?;
        self.turn = found;
        Some(found)
    }

    fn take(&mut self, resource: Resource, most: Most<'_>) -> bool {
        match resource {
            Resource::Cores => self.paused.push_any(most.tasks),
            Resource::Ways => change(&mut self.ways_taken, |ways| ways.saturating_add(1).min(most.ways)),
            Resource::Bandwidth => change(&mut self.percent_taken, |percent| {
                percent.saturating_add(PERCENT_UNIT).min(most.percent)
            }),
        }
    }

    fn give(&mut self, resource: Resource) -> bool {
        match resource {
            Resource::Cores => self.paused.pop(),
            Resource::Ways => change(&mut self.ways_taken, |ways| ways.saturating_sub(1)),
            Resource::Bandwidth => {
                change(&mut self.percent_taken, |percent| percent.saturating_sub(PERCENT_UNIT))
            }
        }
    }

    fn share(&self, shares: Shares) -> Option<Share> {
        let divides = shares.ways >= 2 && (self.ways_taken > 0 || self.percent_taken > 0);
        let ways = shares.ways.saturating_sub(self.ways_taken).max(1);
        divides.then_some(Share { ways, percent: 100u8.saturating_sub(self.percent_taken) })
    }
}

/// Whether `how` changed the value.
fn change(value: &mut u8, how: impl FnOnce(u8) -> u8) -> bool {
    let before = *value;
    *value = how(before);
    *value != before
}

impl Hooks for Parties {
    fn after_run(&mut self, view: &View) {
        self.tail.end(view);
    }

    fn steers(&self) -> bool {
        true
    }

    fn steer(&mut self, sight: &Sight<'_>) -> Holding {
        if let Some(burst) = &sight.burst {
            self.tail.see(burst);
            self.late_permille = burst.late_permille;
        }
        let most = Most::of(sight.shares, sight.tasks);
        if !self.begun {
            self.begun = true;
            self.ways_taken = most.ways.div_ceil(2);
        }
        if sight.now_ns >= self.due_ns
            && let Some(slack) = self.tail.judge(self.late_permille)
        {
            self.due_ns = sight.now_ns + PERIOD_NS;
            self.decide(sight.now_ns, slack, most);
        }
        self.paused.keep_present(sight.tasks);
        let paused = self.paused.set();
        Holding { clear: sight.first_class_cores, paused, share: self.share(sight.shares), dedicate: false }
    }
}
