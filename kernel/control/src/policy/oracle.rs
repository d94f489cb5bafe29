//! `oracle`: the best static partition, found by trying them all.
//!
//! Not a policy one could have: it sees the bursts before it is measured. In
//! training, the first burst is run under one partition after the other. The
//! best is the one that left second-class tasks most work of those under which
//! the burst met its SLO, else the one with the fewest late requests. It must
//! also meet the SLO in the first [`CHECKS`] bursts; one that does not is put
//! aside, at most [`MAX_PUT_ASIDE`] of them. What is found is held from then on.
//! The first-class core is its own in all partitions.
//!
//! A partition is which of the heaviest [`MAX_TASKS`] tasks are paused, and what
//! the others may take of ways and bandwidth. All 2^5 sets of paused tasks are
//! tried with an undivided cache; with every other share (half of the ways or
//! two, all of the bandwidth or half of it, each where it can be divided) only
//! the sets of at most one task, since pausing is what shares should spare. So
//! the search is bounded by [`MAX_TRIALS`] bursts and as many checks as that
//! may take, 98 in all; with more tasks the lightest
//! are never paused.

use super::{Hooks, Sight, View};
use crate::fixed::permille;
use crate::machine::{Share, Shares};
use crate::quarantine::{Holding, TaskSet};
use crate::sample::{Watched, value};
use heapless::Vec;

/// Tasks that may be paused.
const MAX_TASKS: usize = 5;
/// Ways left to second-class tasks in trials, besides half of them.
const FEW_WAYS: u8 = 2;
/// Bandwidth left to them in trials, besides all of it.
const HALF_PERCENT: u8 = 50;
/// Shares tried, the undivided cache among them.
const MAX_SHARES: usize = 6;
/// Trials at most: all sets with one share, small sets with the others.
pub(super) const MAX_TRIALS: usize = (1 << MAX_TASKS) + (1 + MAX_TASKS) * (MAX_SHARES - 1);

/// Bursts that the best has to meet the SLO in before it is held.
const CHECKS: u32 = 4;
/// Partitions that may fail to.
const MAX_PUT_ASIDE: u32 = 8;

/// A partition to try: a bit for each task paused, and a share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Candidate {
    paused: u8,
    share: Option<Share>,
}

/// How a partition did, the better the greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    met: bool,
    /// Late requests, 0 where the SLO was met.
    late: core::cmp::Reverse<u32>,
    /// Work of all tasks as shares of the undivided machine's, in thousandths.
    work_permille: u32,
}

/// Where the search stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// No burst has been seen.
    #[default]
    Begin,
    /// What held for the last trial is given back first, so that each starts
    /// from the same.
    Between,
    /// The next burst is a trial.
    Try,
    /// The best is held, and has met the SLO so many times.
    Check(u32),
    /// The best is held.
    Done,
}

/// The search and what it found.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    stage: Stage,
    /// All tasks there were when the trials were listed.
    of: TaskSet,
    /// The tasks that may be paused, heaviest first.
    tasks: Vec<crate::machine::TaskId, MAX_TASKS>,
    trials: Vec<(Candidate, Score), MAX_TRIALS>,
    next: usize,
    put_aside: u32,
    /// Work of each task in this trial, and how long it has been going.
    work: [u64; MAX_TASKS],
    ran_ns: u64,
    seen_ns: u64,
    /// Work a second of each task in the first trial, under which all run.
    undivided: [u64; MAX_TASKS],
}

impl Oracle {
    pub(super) const fn new() -> Self {
        Self {
            stage: Stage::Begin,
            of: TaskSet::NONE,
            tasks: Vec::new(),
            trials: Vec::new(),
            next: 0,
            put_aside: 0,
            work: [0; MAX_TASKS],
            ran_ns: 0,
            seen_ns: 0,
            undivided: [0; MAX_TASKS],
        }
    }

    fn plan_for(&mut self, sight: &Sight<'_>) {
        let mut present = TaskSet::NONE;
        sight.tasks.iter().for_each(|task| present.insert(task.id));
        if present != self.of {
            self.of = present;
            self.plan(sight.tasks, sight.shares);
        }
    }

    /// Lists the trials; the first pauses nobody and divides nothing.
    fn plan(&mut self, tasks: &[Watched], shares: Shares) {
        self.tasks.clear();
        while let Some(task) = heaviest(tasks, &self.tasks) {
            if self.tasks.push(task.id).is_err() {
                break;
            }
        }
        let sets = 1u8 << self.tasks.len().min(MAX_TASKS);
        self.trials.clear();
        for share in shares_to_try(shares) {
            for paused in (0..sets).filter(|set| share.is_none() || set.count_ones() <= 1) {
                let _ = self.trials.push((Candidate { paused, share }, Score::default()));
            }
        }
        self.stage = Stage::Between;
    }

    /// The one that is tried, then the best; of equals the first.
    fn candidate(&self) -> Candidate {
        let best = || self.trials.iter().rev().max_by_key(|(_, score)| *score);
        let chosen = match self.stage {
            Stage::Check(_) | Stage::Done => best(),
            Stage::Begin | Stage::Between | Stage::Try => self.trials.get(self.next),
        };
        chosen.map(|(candidate, _)| *candidate).unwrap_or_default()
    }

    fn holding(&self, sight: &Sight<'_>) -> Holding {
        let Candidate { paused: bits, share } = self.candidate();
        let mut paused = TaskSet::NONE;
        let chosen = self.tasks.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
        chosen.for_each(|(_, id)| paused.insert(*id));
        Holding { clear: sight.first_class_cores, dedicate: true, paused, share }
    }

    fn observe(&mut self, sight: &Sight<'_>) {
        let elapsed_ns = sight.now_ns.saturating_sub(core::mem::replace(&mut self.seen_ns, sight.now_ns));
        if sight.burst.is_none() {
            return;
        }
        self.ran_ns = self.ran_ns.saturating_add(elapsed_ns);
        for (sum, id) in self.work.iter_mut().zip(&self.tasks) {
            let work = sight.tasks.iter().find(|task| task.id == *id).map_or(0, |task| task.work);
            *sum = sum.saturating_add(work);
        }
    }

    /// Work a second of each task in the trial that has ended.
    fn rates(&self) -> [u64; MAX_TASKS] {
        self.work.map(|work| work.saturating_mul(1_000_000).checked_div(self.ran_ns / 1000).unwrap_or(0))
    }

    fn judge(&mut self, view: &View) {
        let rates = self.rates();
        if self.next == 0 {
            self.undivided = rates;
        }
        let shares = rates.iter().zip(&self.undivided).map(|(rate, whole)| permille(*rate, *whole).min(1000));
        let met = meets_slo(view);
        let late = core::cmp::Reverse(if met { 0 } else { view.late });
        if let Some((_, score)) = self.trials.get_mut(self.next) {
            *score = Score { met, late, work_permille: shares.sum() };
        }
        self.next += 1;
        self.stage = if self.next < self.trials.len() { Stage::Between } else { Stage::Check(0) };
    }

    /// The best has had another burst.
    fn check(&mut self, met_before: u32, view: &View) {
        let best = self.candidate();
        self.stage = match meets_slo(view) {
            true if met_before + 1 < CHECKS => Stage::Check(met_before + 1),
            false if self.put_aside < MAX_PUT_ASIDE => {
                let failed = self.trials.iter_mut().find(|(candidate, _)| *candidate == best);
                let late = core::cmp::Reverse(view.late);
                failed.into_iter().for_each(|(_, score)| *score = Score { met: false, late, ..*score });
                self.put_aside += 1;
                Stage::Check(0)
            }
            _ => Stage::Done,
        };
    }
}

fn meets_slo(view: &View) -> bool {
    u64::from(view.late) * 1000 <= u64::from(view.requests) * u64::from(view.late_permille)
}

/// The task that moves most of those not chosen yet. At most 128 are compared.
fn heaviest<'t>(tasks: &'t [Watched], chosen: &[crate::machine::TaskId]) -> Option<&'t Watched> {
    let left = tasks.iter().filter(|task| !chosen.contains(&task.id));
    left.max_by_key(|task| (value(task.traffic).unwrap_or(0), core::cmp::Reverse(task.id)))
}

/// No division first, then what the machine can do.
fn shares_to_try(shares: Shares) -> Vec<Option<Share>, MAX_SHARES> {
    let mut list = Vec::new();
    let _ = list.push(None);
    if shares.ways < 2 {
        return list;
    }
    let mut ways = Vec::<u8, 3>::new();
    for count in [shares.ways, shares.ways / 2, FEW_WAYS.min(shares.ways - 1)] {
        if !ways.contains(&count) {
            let _ = ways.push(count);
        }
    }
    let halves = shares.least_percent > 0 && shares.least_percent <= HALF_PERCENT;
    for percent in [100, HALF_PERCENT].into_iter().filter(|percent| *percent == 100 || halves) {
        for count in &ways {
            if (*count, percent) != (shares.ways, 100) {
                let _ = list.push(Some(Share { ways: *count, percent }));
            }
        }
    }
    list
}

impl Hooks for Oracle {
    fn after_run(&mut self, view: &View) {
        match self.stage {
            // What held only from some time on in the burst was not tried.
            Stage::Try if self.ran_ns > 0 => self.judge(view),
            Stage::Check(met) if self.ran_ns > 0 => self.check(met, view),
            _ => {}
        }
        (self.work, self.ran_ns) = ([0; MAX_TASKS], 0);
    }

    fn steers(&self) -> bool {
        true
    }

    fn steer(&mut self, sight: &Sight<'_>) -> Holding {
        // Tasks are started one by one: until a trial was judged, one more of
        // them means other trials.
        if self.next == 0 && sight.burst.is_none() {
            self.plan_for(sight);
        }
        self.observe(sight);
        match self.stage {
            Stage::Begin => return Holding { clear: sight.first_class_cores, ..Holding::NOTHING },
            Stage::Between if sight.holds || sight.burst.is_some() => return Holding::NOTHING,
            Stage::Between => self.stage = Stage::Try,
            Stage::Try | Stage::Check(_) | Stage::Done => {}
        }
        self.holding(sight)
    }

    fn wants_burst(&self) -> Option<u32> {
        match self.stage {
            Stage::Begin | Stage::Between | Stage::Try => Some(0),
            Stage::Check(met) => Some(met),
            Stage::Done => None,
        }
    }
}
