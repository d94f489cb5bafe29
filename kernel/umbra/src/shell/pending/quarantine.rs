//! A plan that was asked for, alone or to be put into force, or taken back.

use umbra_console::format::Ns;
use umbra_control::line::Prep;
use umbra_control::quarantine::{Phase, StepState};

use crate::control::with_line;
use crate::log_line;

/// Longest it is waited for.
const PATIENCE_NS: u64 = 10_000_000_000;

/// Which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Plan,
    Apply,
    Undo,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A plan is there to be shown.
    Planned,
    /// The log says how.
    Told,
}

/// Waiting for the line to be through with it.
pub(crate) struct Preparing {
    what: What,
    since_ns: u64,
    /// The tick at which the line was first seen with nothing to prepare. The
    /// tick after takes the wish up; a whole preparation takes several more.
    idle_at: Option<u64>,
}

/// What is looked at, all of one moment.
struct Seen {
    tick: u64,
    preparation: Prep,
    phase: Phase,
    expires_ns: u64,
    held: usize,
    steps: usize,
}

impl Preparing {
    pub(crate) const fn new(what: What, since_ns: u64) -> Self {
        Self { what, since_ns, idle_at: None }
    }

    pub(super) fn advance(&mut self, now_ns: u64) -> Option<End> {
        let seen = Seen::now()?;
        if now_ns.saturating_sub(self.since_ns) >= PATIENCE_NS {
            log_line!(Warn, "quarantine: the line has not come to an end with it in {}", Ns(PATIENCE_NS));
            return Some(End::Told);
        }
        if self.what == What::Undo {
            return (seen.phase == Phase::Idle).then(|| {
                log_line!(Info, "quarantine: everything is given back");
                End::Told
            });
        }
        if !self.is_through(&seen) {
            return None;
        }
        if self.what == What::Plan {
            return Some(End::Planned);
        }
        match seen.phase {
            Phase::Applying => return None,
            Phase::Active => log_line!(
                Info,
                "quarantine: {} of {} steps hold, for {} unless undone",
                seen.held,
                seen.steps,
                Ns(seen.expires_ns.saturating_sub(now_ns))
            ),
            Phase::Idle | Phase::Undoing => log_line!(Info, "quarantine: there was nothing to do"),
        }
        Some(End::Told)
    }

    fn is_through(&mut self, seen: &Seen) -> bool {
        if seen.preparation != Prep::Idle {
            self.idle_at = None;
            return false;
        }
        let since = *self.idle_at.get_or_insert(seen.tick);
        seen.tick.wrapping_sub(since) >= 2
    }
}

impl Seen {
    fn now() -> Option<Self> {
        with_line(|line, _| {
            let (lease, steps) = (line.lease(), line.lease().steps());
            Self {
                tick: line.stats().generation,
                preparation: line.preparation(),
                phase: lease.phase(),
                expires_ns: lease.expires_ns(),
                held: steps.iter().filter(|(_, state)| *state == StepState::Held).count(),
                steps: steps.len(),
            }
        })
    }
}
