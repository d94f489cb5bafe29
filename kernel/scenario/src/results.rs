//! What the main job measured, raw. A figure that could not be measured is
//! none, and a note says why; [`figures`](crate::figures) derives the rest.

use umbra_control::machine::Early;

use crate::histogram::{Histogram, P50, P99, P999};
use crate::plan::{DIVISIONS_MAX, LOADS_MAX, POLICIES_MAX, Plan};
use crate::rig::{LineStats, Reason, SECOND_MAX};

/// Most notes kept; later ones are counted.
pub const NOTES_MAX: usize = 16;

/// Latencies of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latencies {
    /// Requests.
    pub count: u64,
    /// Mean, exact.
    pub mean_ns: u64,
    /// Median; at most 1/64 too high, as the percentiles below.
    pub p50_ns: Option<u64>,
    /// None with fewer than 100 requests.
    pub p99_ns: Option<u64>,
    /// None with fewer than 1000 requests.
    pub p999_ns: Option<u64>,
    /// Maximum, exact.
    pub max_ns: u64,
}

impl Latencies {
    /// The latencies in `histogram`; none when it is empty.
    #[must_use]
    pub fn of(histogram: &Histogram) -> Option<Self> {
        Some(Self {
            count: histogram.count(),
            mean_ns: histogram.mean_ns()?,
            p50_ns: histogram.percentile_ns(P50),
            p99_ns: histogram.percentile_ns(P99),
            p999_ns: histogram.percentile_ns(P999),
            max_ns: histogram.max_ns()?,
        })
    }
}

/// A step's bursts, all of them served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// Latencies of all requests.
    pub latencies: Latencies,
    /// Bursts.
    pub bursts: u32,
    /// How they did against the SLO; none when it was not known yet.
    pub slo: Option<SloCount>,
}

/// Bursts against the SLO. A burst misses it when more than 1 % of its requests
/// are late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SloCount {
    /// Bursts that missed it.
    pub missed_bursts: u32,
    /// Late requests of all bursts.
    pub late_requests: u64,
    /// Requests of the bursts that met it, late ones among them.
    pub requests_within: u64,
    /// Requests that arrived soon after a release, of all bursts.
    pub early: Early,
}

/// Work that a second-class workload did in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throughput {
    /// Units finished.
    pub units: u64,
    /// In so much time, in nanoseconds, never 0.
    pub window_ns: u64,
}

/// One policy's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyRun {
    /// First-class.
    pub served: Served,
    /// From the notice of the first burst to the end of the last, in
    /// nanoseconds, never 0.
    pub window_ns: u64,
    /// Second-class, in the plan's order, in that window.
    pub second: [Option<Throughput>; SECOND_MAX],
    /// The line's account.
    pub line: LineStats,
    /// Bursts the policy was trained on before.
    pub training_bursts: u32,
}

/// Everything measured. Lists are in the plan's order.
#[derive(Clone, Debug)]
pub struct Results {
    /// What was asked for.
    pub plan: Plan,
    /// How long preparing took; about 0 when it was prepared before.
    pub prepare_ns: Option<u64>,
    /// Mean time to serve a request, alone and back to back.
    pub service_ns: Option<u64>,
    /// The first-class workload alone.
    pub alone: Option<Served>,
    /// The first-class workload alone at the plan's other loads.
    pub loads: [Option<Served>; LOADS_MAX],
    /// Each second-class workload in the mix of all, without the first-class
    /// one. What has no figure here is left out of all later steps.
    pub second_alone: [Option<Throughput>; SECOND_MAX],
    /// The first-class workload beside each second-class one by itself, under
    /// the baseline policy.
    pub pairs: [Option<Served>; SECOND_MAX],
    /// Beside all of them, under each policy.
    pub policies: [Option<PolicyRun>; POLICIES_MAX],
    /// Beside all of them, kept to each share.
    pub divided: [Option<Served>; DIVISIONS_MAX],
    /// Why figures are missing.
    pub notes: heapless::Vec<Reason, NOTES_MAX>,
    /// Notes that found no room.
    pub lost_notes: u32,
}

impl Results {
    /// No figures for `plan`.
    #[must_use]
    pub const fn new(plan: Plan) -> Self {
        Self {
            plan,
            prepare_ns: None,
            service_ns: None,
            alone: None,
            loads: [None; LOADS_MAX],
            second_alone: [None; SECOND_MAX],
            pairs: [None; SECOND_MAX],
            policies: [None; POLICIES_MAX],
            divided: [None; DIVISIONS_MAX],
            notes: heapless::Vec::new(),
            lost_notes: 0,
        }
    }

    /// Keeps a note.
    pub fn note(&mut self, note: Reason) {
        if self.notes.push(note).is_err() {
            self.lost_notes = self.lost_notes.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_what_was_recorded() {
        let mut histogram = Histogram::new();
        assert_eq!(Latencies::of(&histogram), None);
        (1..=100).for_each(|latency_ns| histogram.record(latency_ns));
        let expected = Latencies {
            count: 100,
            mean_ns: 50,
            p50_ns: Some(50),
            p99_ns: Some(99),
            p999_ns: None,
            max_ns: 100,
        };
        assert_eq!(Latencies::of(&histogram), Some(expected));
    }

    #[test]
    fn notes_beyond_the_room_are_counted() {
        let mut results = Results::new(Plan::standard());
        (0..20).for_each(|i| results.note(Reason::new(format_args!("{i}"))));
        assert_eq!((results.notes.len(), results.lost_notes), (16, 4));
        assert_eq!(results.notes[15].as_str(), "15");
    }
}
