//! What happened, for the log and for tests.

use crate::machine::{TaskId, WorkloadId};
use crate::policy::Policy;
use crate::quarantine::LeaseEvent;
use heapless::Deque;

/// Events kept until they are taken; the oldest goes first.
pub const MAX_EVENTS: usize = 64;

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Another policy is in force.
    Policy(Policy),
    /// A shadow was started.
    ShadowStarted,
    /// A shadow ended, after this many cycles.
    ShadowDone(u64),
    /// A shadow did not end in time, or went over budget.
    ShadowCut,
    /// An echo of that many requests was started.
    EchoStarted(u32),
    /// An echo ended; the demand foreseen is off by that many thousandths.
    EchoDone(u32),
    /// An echo did not end in time, or answered nothing.
    EchoCut,
    /// A task's score was made for a plan, Q16.16.
    Scored(TaskId, WorkloadId, u32),
    /// A plan with that many steps was put into force.
    Planned(u16),
    /// Something about the plan in force.
    Lease(LeaseEvent),
    /// A burst was released.
    Released(u32),
    /// A burst ended, with that many late requests.
    Ended(u32, u32),
    /// The task that uses most was paused during the burst.
    Suspect(TaskId, WorkloadId),
    /// The first-class workload has changed its ways.
    Changed,
    /// The profile was brought up to date; its version.
    Profiled(u32),
}

/// An event and when it was seen, in nanoseconds since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dated {
    /// When.
    pub at_ns: u64,
    /// What.
    pub event: Event,
}

/// The last events.
#[derive(Debug, Default)]
pub(super) struct Events {
    kept: Deque<Dated, MAX_EVENTS>,
    lost: u32,
}

impl Events {
    pub(super) const fn new() -> Self {
        Self { kept: Deque::new(), lost: 0 }
    }

    pub(super) fn put(&mut self, at_ns: u64, event: Event) {
        if self.kept.is_full() {
            self.kept.pop_front();
            self.lost = self.lost.saturating_add(1);
        }
        let _ = self.kept.push_back(Dated { at_ns, event });
    }

    pub(super) fn take(&mut self) -> Option<Dated> {
        self.kept.pop_front()
    }

    pub(super) const fn lost(&self) -> u32 {
        self.lost
    }
}
