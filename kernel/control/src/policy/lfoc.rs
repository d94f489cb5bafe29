//! `lfoc`: cache ways by class and nothing else, after *LFOC: A Lightweight
//! Fairness-Oriented Cache Clustering Policy for Commodity Multicores*
//! (García-García et al., ICPP 2019, sections 3 and 4).
//!
//! Workloads are told apart by their misses per thousand cycles: *streaming*
//! ones miss a lot and would with any number of ways, *light* ones hardly miss,
//! the others are *sensitive*. Streaming ones are packed into one or two ways,
//! one for each five of them; the sensitive ones share what is left; light ones
//! go where there is room.
//!
//! Differences: the paper samples each workload at several way counts to tell
//! streaming from sensitive; here all second-class tasks have one division of
//! the cache, so a task counts as streaming when it misses a lot and touches
//! more than the whole cache. If some of them are sensitive, they get their even
//! part of the rest beside the first-class workload, and the streaming ones with
//! them. The period is a 250th of the paper's. Where the cache cannot be divided
//! or misses are not counted, nothing is done.

use super::{Hooks, Period, Sight};
use crate::machine::{Share, Shares};
use crate::quarantine::Holding;
use crate::sample::Watched;

/// How much shorter our period is.
const SCALE: u64 = 250;
/// The paper partitions anew every 500 ms.
const PAPER_NS: u64 = 500_000_000;
const PERIOD_NS: u64 = PAPER_NS / SCALE;
pub(super) const PERIOD: Period = Period { paper_ns: Some(PAPER_NS), ours_ns: PERIOD_NS };
/// Misses per thousand cycles from which a workload is streaming (its table 1).
const STREAMING_FROM: u32 = 10;
/// Below this it is light.
const LIGHT_BELOW: u32 = 3;
/// Streaming workloads that share a way.
const STREAMING_PER_WAY: u32 = 5;
/// Ways they get at most.
const STREAMING_WAYS: u32 = 2;

/// What a workload is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Streaming,
    Sensitive,
    Light,
}

/// Divides the ways.
#[derive(Debug, Default)]
pub(super) struct Lfoc {
    due_ns: u64,
    share: Option<Share>,
}

impl Lfoc {
    pub(super) const fn new() -> Self {
        Self { due_ns: 0, share: None }
    }
}

/// The class of a task; none while its misses are unknown.
fn class_of(task: &Watched, llc_bytes: u64) -> Option<Class> {
    Some(match task.misses_per_kilocycle? {
        misses if misses < LIGHT_BELOW => Class::Light,
        misses if misses >= STREAMING_FROM && task.working_set_bytes > llc_bytes => Class::Streaming,
        _ => Class::Sensitive,
    })
}

/// The ways for second-class tasks; none where nobody streams. The first-class
/// workload counts as sensitive.
fn ways(streaming: u32, sensitive: u32, all: u8) -> Option<u8> {
    if streaming == 0 || all < 2 {
        return None;
    }
    let all = u32::from(all);
    let packed = streaming.div_ceil(STREAMING_PER_WAY).min(STREAMING_WAYS).min(all - 1);
    let even_part = (all - packed) * sensitive / (sensitive + 1);
    u8::try_from((packed + even_part).min(all - 1)).ok()
}

fn divide(tasks: &[Watched], llc_bytes: u64, shares: Shares) -> Option<Share> {
    let mut counts = (0u32, 0u32);
    for task in tasks {
        match class_of(task, llc_bytes) {
            Some(Class::Streaming) => counts.0 += 1,
            Some(Class::Sensitive) => counts.1 += 1,
            Some(Class::Light) | None => {}
        }
    }
    ways(counts.0, counts.1, shares.ways).map(|ways| Share { ways, percent: 100 })
}

impl Hooks for Lfoc {
    fn steers(&self) -> bool {
        true
    }

    fn steer(&mut self, sight: &Sight<'_>) -> Holding {
        if sight.now_ns >= self.due_ns {
            self.due_ns = sight.now_ns + PERIOD_NS;
            self.share = divide(sight.tasks, sight.llc_bytes, sight.shares);
        }
        Holding { share: self.share, ..Holding::NOTHING }
    }
}
