//! A count for every outcome.

use crate::machine::{Action, WorkloadId};
use crate::policy::Policy;

/// Workloads whose last verdict is kept (those with the lowest ids).
pub const MAX_WORKLOADS: usize = 32;

/// The last prediction about a workload, as it stood before any action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Predictions that led to a plan; 0 means that there is none.
    pub made: u32,
    /// Of those, the ones above the threshold.
    pub interfering: u32,
    /// The last score, Q16.16.
    pub score_q16: u32,
    /// Whether it was above the threshold.
    pub interferes: bool,
}

/// Actions started, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// Tasks paused.
    pub paused: u32,
    /// Tasks resumed.
    pub resumed: u32,
    /// Tasks moved, there and back.
    pub migrated: u32,
    /// Cores dedicated.
    pub dedicated: u32,
    /// Cores shared again.
    pub shared: u32,
    /// Second-class tasks confined to a share of cache and bandwidth.
    pub confined: u32,
    /// Cache and bandwidth given back.
    pub unconfined: u32,
    /// First and second class set apart by colours.
    pub recoloured: u32,
    /// Colours given back.
    pub uncoloured: u32,
}

impl Actions {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.paused
            + self.resumed
            + self.migrated
            + self.dedicated
            + self.shared
            + self.confined
            + self.unconfined
            + self.recoloured
            + self.uncoloured
    }

    pub(super) const fn count(&mut self, action: Action) {
        match action {
            Action::Pause(_) => self.paused += 1,
            Action::Resume(_) => self.resumed += 1,
            Action::Migrate { .. } => self.migrated += 1,
            Action::Dedicate(_) => self.dedicated += 1,
            Action::Share(_) => self.shared += 1,
            Action::Confine(_) => self.confined += 1,
            Action::Unconfine => self.unconfined += 1,
            Action::Recolour(_) => self.recoloured += 1,
            Action::Uncolour => self.uncoloured += 1,
        }
    }
}

/// Last, mean and worst of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many there were; the others are 0 when there was none.
    pub count: u32,
    /// The last.
    pub last: i64,
    /// The smallest.
    pub least: i64,
    /// The largest.
    pub most: i64,
    sum: i64,
}

impl Spread {
    /// Nothing yet.
    pub const NONE: Self = Self { count: 0, last: 0, least: 0, most: 0, sum: 0 };

    /// Takes one in.
    pub fn add(&mut self, value: i64) {
        (self.least, self.most) = match self.count {
            0 => (value, value),
            _ => (self.least.min(value), self.most.max(value)),
        };
        self.last = value;
        self.sum = self.sum.saturating_add(value);
        self.count = self.count.saturating_add(1);
    }

    /// The mean, or none when there was none.
    #[must_use]
    pub const fn mean(&self) -> Option<i64> {
        if self.count == 0 { None } else { Some(self.sum / self.count as i64) }
    }
}

/// Everything the line has counted since it was started or last reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Changes with every tick: equal generations mean equal figures.
    pub generation: u64,
    /// The policy in force.
    pub policy: Policy,
    /// Bursts that ended.
    pub bursts: u32,
    /// Of those, the ones with more late requests than the SLO allows.
    pub late_bursts: u32,
    /// Nanoseconds between the last action that held and the release; negative
    /// when it held too late. Its worst is [`Spread::least`].
    pub lead_ns: Spread,
    /// Nanoseconds from harm to something taken away, once each time a policy
    /// took something during a burst: from the answer to the burst's first late
    /// request where there was one, else from the beginning of the tick whose
    /// figures crossed the policy's threshold, to the last action's taking
    /// effect.
    pub reaction_ns: Spread,
    /// Nanoseconds the releases came after their times.
    pub release_delay_ns: Spread,
    /// Bursts that ended before all of their plan held.
    pub plans_too_late: u32,
    /// Releases the machine put off because the burst before still ran.
    pub releases_put_off: u32,
    /// Shadows that ran to their end.
    pub shadows: u32,
    /// Shadows that did not end in time or went over budget.
    pub shadows_cut: u32,
    /// TSC cycles spent on shadows.
    pub shadow_cycles: u64,
    /// TSC cycles of the bursts those shadows mirrored.
    pub mirrored_cycles: u64,
    /// Instructions the shadows' plans were expected to take.
    pub shadow_instructions: u64,
    /// Instructions those plans mirrored (cycles where instructions are not
    /// counted).
    pub mirrored_instructions: u64,
    /// Error of the demand foreseen against the demand of the burst, in
    /// thousandths.
    pub demand_error_permille: Spread,
    /// Pairs scored.
    pub predictions: u64,
    /// The last verdict by workload.
    pub verdicts: [Verdict; MAX_WORKLOADS],
    /// Plans that were put into force.
    pub plans: u32,
    /// Leases taken back completely.
    pub undone: u32,
    /// Leases that ran out.
    pub expired: u32,
    /// Actions started, by kind.
    pub actions: Actions,
    /// Actions the machine refused.
    pub refusals: u32,
    /// Actions that did not take effect in time.
    pub timeouts: u32,
    /// Actions that could not be taken back because a core was gone.
    pub left_behind: u32,
    /// Samples dropped because a slot had changed hands.
    pub stale_samples: u32,
    /// Echoes that ended.
    pub echoes: u32,
    /// TSC cycles spent on echoes.
    pub echo_cycles: u64,
    /// Corrections learnt from echoes.
    pub corrections: u32,
    /// Changes of behaviour detected.
    pub change_points: u32,
    /// Suspects stopped during a burst.
    pub suspects: u32,
    /// Bursts that were late though nothing was predicted to interfere.
    pub missed: u32,
}

impl Default for Stats {
    fn default() -> Self {
        Self::new()
    }
}

impl Stats {
    /// Nothing counted.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            generation: 0,
            policy: Policy::None,
            bursts: 0,
            late_bursts: 0,
            lead_ns: Spread::NONE,
            reaction_ns: Spread::NONE,
            release_delay_ns: Spread::NONE,
            plans_too_late: 0,
            releases_put_off: 0,
            shadows: 0,
            shadows_cut: 0,
            shadow_cycles: 0,
            mirrored_cycles: 0,
            shadow_instructions: 0,
            mirrored_instructions: 0,
            demand_error_permille: Spread::NONE,
            predictions: 0,
            verdicts: [Verdict { made: 0, interfering: 0, score_q16: 0, interferes: false }; MAX_WORKLOADS],
            plans: 0,
            undone: 0,
            expired: 0,
            actions: Actions {
                paused: 0,
                resumed: 0,
                migrated: 0,
                dedicated: 0,
                shared: 0,
                confined: 0,
                unconfined: 0,
                recoloured: 0,
                uncoloured: 0,
            },
            refusals: 0,
            timeouts: 0,
            left_behind: 0,
            stale_samples: 0,
            echoes: 0,
            echo_cycles: 0,
            corrections: 0,
            change_points: 0,
            suspects: 0,
            missed: 0,
        }
    }

    /// The last verdict about a workload, if there is one.
    #[must_use]
    pub fn verdict(&self, workload: WorkloadId) -> Option<&Verdict> {
        self.verdicts.get(usize::from(workload.0)).filter(|verdict| verdict.made > 0)
    }

    pub(super) fn judge(&mut self, workload: WorkloadId, score_q16: u32, threshold_q16: u32) {
        if let Some(verdict) = self.verdicts.get_mut(usize::from(workload.0)) {
            verdict.made = verdict.made.saturating_add(1);
            verdict.score_q16 = score_q16;
            verdict.interferes = score_q16 > threshold_q16;
            verdict.interfering = verdict.interfering.saturating_add(u32::from(verdict.interferes));
        }
    }
}
