//! What a policy that steers all the time looks at each tick, and the tail of
//! the latencies in one of its periods. All of it was measured; what was not is
//! none.

use super::View;
use crate::machine::{Close, CoreSet, Shares};
use crate::sample::Watched;

/// The machine and the burst as they were in the last tick.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// Now, in nanoseconds since boot.
    pub now_ns: u64,
    /// The burst that runs.
    pub burst: Option<View>,
    /// Time on requests since the release, as a share of the core, in
    /// thousandths.
    pub load_permille: Option<u32>,
    /// The first-class core and the threads beside it.
    pub first_class_cores: CoreSet,
    /// Cores that second-class tasks may use, those above included.
    pub second_class_cores: CoreSet,
    /// How many cores run.
    pub cores: u32,
    /// Cores that were idle in the last tick; none when that is not known yet.
    pub idle: Option<CoreSet>,
    /// Memory traffic of all, as a share of the machine's bandwidth, in
    /// thousandths; none when it is not known of any task.
    pub traffic_permille: Option<u32>,
    /// That bandwidth, in bytes a second.
    pub bandwidth: u64,
    /// Bytes of last-level cache.
    pub llc_bytes: u64,
    /// What can be kept from second-class tasks.
    pub shares: Shares,
    /// Whether anything is kept from them, or still being given back.
    pub holds: bool,
    /// Whole ticks in which no action was under way: with none, the figures
    /// above are from before the last one took effect.
    pub steady_ticks: u32,
    /// All second-class tasks, by slot, at most 128.
    pub tasks: &'a [Watched],
}

/// How much of the bound the tail of the latencies has left, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slack {
    /// Nothing: the bound is violated.
    Violated,
    /// Less than 5 %.
    UnderTwentieth,
    /// Less than 10 %.
    UnderTenth,
    /// Less than 20 %.
    UnderFifth,
    /// At least that.
    Ample,
}

/// Answers that a judgement of the tail takes at least.
const ANSWERS: u32 = 8;

/// What was answered since the last judgement. The tail is what the SLO is
/// about: the share of requests that may be late.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail {
    answered: u32,
    late: u32,
    close: Close,
    /// The burst's counts when last looked at.
    before: (u32, u32, Close),
}

impl Tail {
    pub(super) const NONE: Self =
        Self { answered: 0, late: 0, close: Close::NONE, before: (0, 0, Close::NONE) };

    /// Takes in a burst as it stands.
    pub(super) const fn see(&mut self, burst: &View) {
        let (answered, late, close) = self.before;
        self.answered += burst.answered.saturating_sub(answered);
        self.late += burst.late.saturating_sub(late);
        self.close.fifth += burst.close.fifth.saturating_sub(close.fifth);
        self.close.tenth += burst.close.tenth.saturating_sub(close.tenth);
        self.close.twentieth += burst.close.twentieth.saturating_sub(close.twentieth);
        self.before = (burst.answered, burst.late, burst.close);
    }

    /// Takes in a burst that has ended.
    pub(super) const fn end(&mut self, burst: &View) {
        self.see(burst);
        self.before = (0, 0, Close::NONE);
    }

    /// Judges what was answered since it last did; none, and it goes on, while
    /// that is too little. A violation needs no more answers to be one.
    pub(super) fn judge(&mut self, late_permille: u32) -> Option<Slack> {
        let Self { answered, late, close, before } = *self;
        let many = |count: u32| u64::from(count) * 1000 > u64::from(late_permille) * u64::from(answered);
        if answered < ANSWERS && !many(late) {
            return None;
        }
        *self = Self { before, ..Self::NONE };
        Some(match () {
            () if many(late) => Slack::Violated,
            () if many(close.twentieth) => Slack::UnderTwentieth,
            () if many(close.tenth) => Slack::UnderTenth,
            () if many(close.fifth) => Slack::UnderFifth,
            () => Slack::Ample,
        })
    }
}
