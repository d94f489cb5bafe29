//! What the main job tells of one burst under each policy: everything that
//! happened from its notice until its quarantine was undone, as a record.
//!
//! The first burst is told, since that is where a policy that learns from harm
//! does its learning.

use umbra_control::line::{Dated, Event};
use umbra_control::machine::BurstProgress;
use umbra_control::quarantine::LeaseEvent;

use crate::{events, records};

/// How long undoing may take and still be told.
const UNDOING_NS: u64 = 10_000_000;

/// Waits for the burst to be told.
pub(crate) struct Timeline {
    policy: &'static str,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    /// The next burst is the one.
    Wanted,
    /// It has been given notice of.
    Noticed { number: u32, notice_ns: u64 },
    /// It is over, its quarantine perhaps not yet.
    Over { burst: BurstProgress, notice_ns: u64 },
    /// Nothing is left to tell under this policy.
    Told,
}

impl Timeline {
    pub(crate) const fn new() -> Self {
        Self { policy: "", stage: Stage::Told }
    }

    /// Another policy is in force.
    pub(crate) fn begin(&mut self, policy: &'static str) {
        self.tell();
        *self = Self { policy, stage: Stage::Wanted };
    }

    /// Notice of a burst is given, beside second-class tasks or not.
    pub(crate) fn notice(&mut self, number: u32, now_ns: u64, has_company: bool) {
        if matches!(self.stage, Stage::Wanted) && has_company {
            self.stage = Stage::Noticed { number, notice_ns: now_ns };
        }
    }

    /// A burst is over.
    pub(crate) fn ended(&mut self, burst: BurstProgress) {
        match self.stage {
            Stage::Noticed { number, notice_ns } if number == burst.number => {
                self.stage = Stage::Over { burst, notice_ns };
            }
            _ => {}
        }
    }

    /// Tells of the burst when its time has come.
    pub(crate) fn look(&mut self, now_ns: u64) {
        if matches!(self.stage, Stage::Over { burst, .. } if now_ns >= burst.ended_ns.saturating_add(UNDOING_NS))
        {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let Stage::Over { burst, notice_ns } = self.stage else { return };
        self.stage = Stage::Told;
        let events = events::since(notice_ns);
        let mut undone = false;
        let belongs = |dated: &&Dated| belongs(dated, burst.ended_ns, &mut undone);
        records::send(|o| {
            o.text("record", "timeline")?;
            o.text("policy", self.policy)?;
            o.number("burst", burst.number)?;
            o.number("requests", burst.answered)?;
            o.number("late", burst.late)?;
            o.number("notice_ns", notice_ns)?;
            o.number("released_ns", burst.released_ns)?;
            o.number("ended_ns", burst.ended_ns)?;
            o.list("events", |l| {
                events.iter().filter(belongs).try_for_each(|dated| l.object(|o| events::write(dated, o)))
            })
        });
    }
}

/// Whether an event is the burst's own: once it has ended, the next one's
/// preparations may mingle with its undoing.
fn belongs(dated: &Dated, ended_ns: u64, undone: &mut bool) -> bool {
    if dated.at_ns < ended_ns {
        return true;
    }
    let own = !*undone && matches!(dated.event, Event::Lease(_) | Event::Ended(..));
    *undone |= matches!(dated.event, Event::Lease(LeaseEvent::Undone));
    own
}
