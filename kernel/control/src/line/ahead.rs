//! Colours ahead of the rest of a plan: moving pages takes longer than anything
//! else, and what is paused early is lost. So pages begin to move early enough
//! to be there in time, and the other actions join the lease when theirs has
//! come.

use super::Line;
use super::prepare::Prep;
use crate::demand::Compact;
use crate::machine::{Action, Apart, Machine};
use crate::quarantine::{Phase, Step, recolouring};

/// A preparation begins at most so much sooner for the sake of colours.
const LONGEST_AHEAD_NS: u64 = 250_000_000;

impl Line {
    /// How much sooner than usual the preparation of the waiting burst has to
    /// begin for pages to be moved in time. Reckoned once for each burst.
    pub(super) fn ahead_ns<M: Machine>(&mut self, machine: &M) -> u64 {
        let Some(waiting) = self.waiting.as_ref().filter(|waiting| !waiting.asked) else { return 0 };
        match self.ahead_of {
            Some((release_ns, ahead_ns)) if release_ns == waiting.release_ns => ahead_ns,
            _ => {
                let ahead_ns = self.reckon_ahead_ns(machine);
                self.ahead_of = Some((waiting.release_ns, ahead_ns));
                ahead_ns
            }
        }
    }

    fn reckon_ahead_ns<M: Machine>(&self, machine: &M) -> u64 {
        if self.profile.is_empty() {
            return 0;
        }
        let demand = Compact::of(&self.profile.mean, &self.capacity);
        recolouring(&demand, &machine.colouring(), machine.shares(), LONGEST_AHEAD_NS)
            .map_or(0, |recolour| recolour.takes_ns)
    }

    /// Begins to move pages when it is time for that; the rest of the plan is
    /// not before its own time.
    pub(super) fn act_ahead(&mut self, now_ns: u64) -> Prep {
        let Some(recolour) = self.preparation.ahead.filter(|_| !self.preparation.is_ahead) else {
            return Prep::Act;
        };
        if now_ns.saturating_add(recolour.takes_ns) >= self.preparation.not_before_ns {
            match self.lease.phase() {
                Phase::Idle => {
                    let lease_ns = self.preparation.lease_ns;
                    self.preparation.is_ahead = self.lease.append(now_ns, recolour.step, lease_ns);
                }
                _ => self.lease.undo(),
            }
        }
        Prep::Act
    }

    /// Takes the plan into force; what was begun ahead stays.
    pub(super) fn begin_lease(&mut self, now_ns: u64) -> bool {
        let goes_on = matches!(self.lease.phase(), Phase::Applying | Phase::Active);
        if !(self.preparation.is_ahead && goes_on) {
            return self.lease.begin(now_ns, &self.plan);
        }
        let rest = self.plan.steps.iter().filter(|step| !matches!(step.action, Action::Recolour(_)));
        // A lease that is not being undone has room for a whole plan.
        rest.copied().all(|step| self.lease.append(now_ns, step, 0))
    }
}

/// Whether a step keeps the two classes from meeting anywhere in the cache.
pub(super) const fn keeps_cache_apart(step: &Step) -> bool {
    matches!(step.action, Action::Recolour(Apart { first_moves: true, .. }))
}
