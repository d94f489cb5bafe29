//! Serving a series of bursts, one after the other.

use umbra_console::format::Ns;
use umbra_control::machine::Early;

use super::{POLL_NS, Step};
use crate::figures::misses_slo;
use crate::histogram::Histogram;
use crate::plan;
use crate::results::{Latencies, Results, Served, SloCount};
use crate::rig::{BurstOutcome, Reason, Rig};

/// Longest wait for a burst while the service time is not known, and the least
/// otherwise.
const PATIENCE_NS: u64 = 60_000_000_000;
/// A burst may take so many times as long as it should.
const PATIENCE: u64 = 50;

/// Notice of a burst to learn from, at most: enough for what is held to change.
const LEARNING_NOTICE_NS: u64 = 20_000_000;

/// A series under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Series {
    bursts: u32,
    warm_up: u32,
    /// Each burst is this one again: it is there to be learnt from.
    learns_from: Option<u32>,
    mean_gap_ns: u64,
    late_ns: u64,
    done: u32,
    awaited: Option<Awaited>,
    slo: SloCount,
    answered: u64,
    busy_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Awaited {
    number: u32,
    patience_ns: u64,
    deadline_ns: u64,
}

impl Series {
    /// No bursts.
    pub(super) const NONE: Self = Self {
        bursts: 0,
        warm_up: 0,
        learns_from: None,
        mean_gap_ns: 0,
        late_ns: u64::MAX,
        done: 0,
        awaited: None,
        slo: SloCount { missed_bursts: 0, late_requests: 0, requests_within: 0, early: Early::NONE },
        answered: 0,
        busy_ns: 0,
    };

    /// Bursts whose requests are all there at once, after one that does not
    /// count.
    pub(super) const fn back_to_back(bursts: u32) -> Self {
        Self { bursts: bursts.saturating_add(1), warm_up: 1, ..Self::NONE }
    }

    /// Bursts at the plan's load, against the SLO if its bound is known.
    pub(super) fn at_load(results: &Results, bursts: u32) -> Self {
        let mean_gap_ns = results.plan.mean_gap_ns(results.service_ns.unwrap_or(0));
        Self { bursts, mean_gap_ns, late_ns: results.slo_ns().unwrap_or(u64::MAX), ..Self::NONE }
    }

    /// Bursts at another load, against no bound.
    pub(super) fn at(results: &Results, bursts: u32, load_permille: u32) -> Self {
        let mean_gap_ns = plan::mean_gap_ns(results.service_ns.unwrap_or(0), load_permille);
        Self { bursts, mean_gap_ns, ..Self::NONE }
    }

    /// One burst of a step for a policy to learn from.
    pub(super) fn learning_from(results: &Results, index: u32) -> Self {
        Self { learns_from: Some(index), ..Self::at_load(results, 1) }
    }

    /// Bursts done, and all of them.
    pub(super) const fn progress(&self) -> (u32, u32) {
        (self.done, self.bursts)
    }

    /// The number of the burst that is under way.
    pub(super) fn awaited(&self) -> Option<u32> {
        self.awaited.map(|awaited| awaited.number)
    }

    /// Schedules the next burst or looks for the one under way. None when all
    /// are done.
    pub(super) fn step(
        &mut self,
        rig: &mut dyn Rig,
        results: &Results,
        latencies: &mut Histogram,
        number: &mut u32,
        now_ns: u64,
    ) -> Result<Option<Step>, Reason> {
        let Some(awaited) = self.awaited else {
            if self.done >= self.bursts {
                return Ok(None);
            }
            *number = number.wrapping_add(1).max(1);
            return self.schedule(rig, results, *number, now_ns).map(Some);
        };
        if let Some(outcome) = rig.take_burst(awaited.number, latencies) {
            self.awaited = None;
            self.count(&outcome, results.plan.requests)?;
            return Ok(Some(Step::Working));
        }
        if now_ns >= awaited.deadline_ns {
            let (burst, bursts, patience) = (self.done + 1, self.bursts, Ns(awaited.patience_ns));
            return Err(Reason::new(format_args!("burst {burst} of {bursts} did not end within {patience}")));
        }
        Ok(Some(Step::Wait { until_ns: now_ns.saturating_add(POLL_NS) }))
    }

    fn schedule(
        &mut self,
        rig: &mut dyn Rig,
        results: &Results,
        number: u32,
        now_ns: u64,
    ) -> Result<Step, Reason> {
        let plan = &results.plan;
        // The warm-up burst has the requests of the first that counts.
        let index = self.learns_from.unwrap_or(self.done.saturating_sub(self.warm_up));
        let burst = plan.burst(index, number, self.mean_gap_ns, self.late_ns);
        let learns = self.learns_from.is_some();
        let notice_ns = if learns { LEARNING_NOTICE_NS.min(plan.notice_ns) } else { plan.notice_ns };
        let release_ns = now_ns.saturating_add(notice_ns);
        rig.schedule_burst(&burst, release_ns)?;
        let request_ns = self.mean_gap_ns.max(results.service_ns.unwrap_or(0));
        let patience_ns =
            request_ns.saturating_mul(u64::from(plan.requests)).saturating_mul(PATIENCE).max(PATIENCE_NS);
        let deadline_ns = release_ns.saturating_add(patience_ns);
        self.awaited = Some(Awaited { number, patience_ns, deadline_ns });
        Ok(Step::Wait { until_ns: release_ns })
    }

    fn count(&mut self, outcome: &BurstOutcome, requests: u32) -> Result<(), Reason> {
        self.done += 1;
        let BurstOutcome { answered, late, released_ns, ended_ns, early } = *outcome;
        if answered != requests {
            let (burst, bursts) = (self.done, self.bursts);
            return Err(Reason::new(format_args!(
                "burst {burst} of {bursts} answered {answered} of {requests} requests"
            )));
        }
        if self.done > self.warm_up {
            self.answered += u64::from(answered);
            self.busy_ns = self.busy_ns.saturating_add(ended_ns.saturating_sub(released_ns));
        }
        self.slo.late_requests += u64::from(late);
        self.slo.early.add(&early);
        if misses_slo(late, answered) {
            self.slo.missed_bursts += 1;
        } else {
            self.slo.requests_within += u64::from(answered);
        }
        Ok(())
    }

    /// The mean time a request took, of bursts back to back.
    pub(super) fn service_ns(&self) -> Result<u64, Reason> {
        let service_ns = self.busy_ns.checked_div(self.answered).unwrap_or(0);
        if service_ns == 0 {
            return Err(Reason::new(format_args!("the requests took no time")));
        }
        Ok(service_ns)
    }

    /// What has been served, with the latencies that were merged on the way.
    pub(super) fn served(&self, latencies: &Histogram) -> Result<Served, Reason> {
        let (found, answered) = (latencies.count(), self.answered);
        if found != answered {
            return Err(Reason::new(format_args!("{found} latencies recorded for {answered} requests")));
        }
        let latencies =
            Latencies::of(latencies).ok_or_else(|| Reason::new(format_args!("no latencies recorded")))?;
        let slo = (self.late_ns < u64::MAX).then_some(self.slo);
        Ok(Served { latencies, bursts: self.done, slo })
    }
}
