//! What the main job needs of the machine. The kernel implements [`Rig`] over
//! its tasks and its line; a strict fake with virtual time implements it for
//! the tests. Every call is short and none blocks: what takes time is started
//! here and asked for at a later step.

use core::fmt;

use umbra_control::machine::{Burst, Early, Share};
use umbra_control::policy::Period;

use crate::histogram::Histogram;

/// Most second-class workloads in one run.
pub const SECOND_MAX: usize = 8;

/// One line that says what went wrong; what does not fit is cut off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason(heapless::String<112>);

impl Reason {
    /// The reason that `text` prints.
    #[must_use]
    pub fn new(text: fmt::Arguments<'_>) -> Self {
        let mut reason = Self::default();
        // Cutting off is the only way it fails, and is meant.
        let _ = fmt::write(&mut reason, text);
        reason
    }

    /// The line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Write for Reason {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| self.0.push(character).map_err(|_| fmt::Error))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far the first-class workload's preparation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// Under way.
    Pending,
    /// It can serve.
    Ready,
    /// It never will.
    Failed(Reason),
}

/// A second-class workload as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondClass {
    /// No task runs it.
    Absent,
    /// A task runs it, paused or not, and has finished so many units.
    Running {
        /// Units since the task started.
        units: u64,
    },
    /// Its task ended on its own (a fault, say) and holds nothing any more;
    /// stays so until it is stopped.
    Ended(Reason),
}

/// A burst that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BurstOutcome {
    /// Requests answered.
    pub answered: u32,
    /// Of those, the ones slower than the burst's `late_ns`.
    pub late: u32,
    /// When it was released, in nanoseconds since boot.
    pub released_ns: u64,
    /// When its last request was answered.
    pub ended_ns: u64,
    /// Its first requests.
    pub early: Early,
}

/// How early quarantines stood. Negative: after the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// From the last action's taking effect to the release, in the mean, in
    /// nanoseconds.
    pub mean_ns: i64,
    /// The least of them.
    pub worst_ns: i64,
}

/// How long policies took from harm seen to something taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// Reactions.
    pub count: u32,
    /// In the mean, in nanoseconds.
    pub mean_ns: i64,
    /// The longest.
    pub worst_ns: i64,
}

/// What the line's ticks cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerCost {
    /// Time in ticks, in nanoseconds of one core.
    pub spent_ns: u64,
    /// Of so much time, in nanoseconds, never 0.
    pub window_ns: u64,
}

/// What shadows cost beside what they mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShadowCost {
    /// TSC cycles of all shadows.
    pub shadow_cycles: u64,
    /// TSC cycles of the bursts they stood for; 0 when there was no shadow.
    pub mirrored_cycles: u64,
    /// Instructions of all shadows, where they are counted.
    pub shadow_instructions: Option<u64>,
    /// Instructions of the bursts they stood for, where they are counted.
    pub mirrored_instructions: Option<u64>,
}

/// What was foretold of one second-class workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Predictions {
    /// Times it was said to interfere.
    pub interferes: u32,
    /// Times it was said not to.
    pub harmless: u32,
}

/// Actions that took effect, and those that were refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// Second-class tasks taken off their queue.
    pub pause: u32,
    /// Tasks put back.
    pub resume: u32,
    /// Tasks moved to another core.
    pub migrate: u32,
    /// Cores made first-class alone.
    pub dedicate: u32,
    /// Cores given back.
    pub share: u32,
    /// Second-class tasks confined to a share of cache and bandwidth.
    pub confine: u32,
    /// Shares given back.
    pub unconfine: u32,
    /// Actions that the machine would not take.
    pub refused: u32,
}

/// The line's own account since the policy was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineStats {
    /// None when no quarantine was put up for a burst.
    pub lead: Option<Lead>,
    /// None when nothing was taken away during a burst.
    pub reaction: Option<Reaction>,
    /// None when it was not measured.
    pub controller: Option<ControllerCost>,
    /// How often the policy decides; none when it has no period.
    pub period: Option<Period>,
    /// Why the policy does nothing on this machine, if so.
    pub idle_because: Option<&'static str>,
    /// Zeros when the policy has no shadow.
    pub shadow: ShadowCost,
    /// One entry for each second-class workload, in the plan's order.
    pub predictions: [Predictions; SECOND_MAX],
    /// Counts by kind.
    pub actions: Actions,
}

/// The machine as the main job sees it. `second` is a place in the plan's list
/// of second-class workloads, `policy` a name of the plan's or
/// [`BASELINE`](crate::plan::BASELINE).
pub trait Rig {
    /// Nanoseconds since boot; never falls.
    fn now_ns(&self) -> u64;

    /// Shows one line to the user. Called every few seconds, not more.
    fn progress(&mut self, line: fmt::Arguments<'_>);

    /// Starts preparing the first-class workload; fine when it is prepared.
    ///
    /// # Errors
    /// Why it cannot be.
    fn prepare(&mut self) -> Result<(), Reason>;

    /// How far that is.
    fn preparation(&self) -> Preparation;

    /// Starts a second-class workload that is absent. Where it is placed may
    /// depend on `second` and the policy, but not on what else runs: beside the
    /// first-class workload alone it must stand as it does in the mix.
    ///
    /// # Errors
    /// Why it cannot be started.
    fn start_second(&mut self, second: usize) -> Result<(), Reason>;

    /// Starts ending all second-class workloads: each becomes absent.
    fn stop_second(&mut self);

    /// A second-class workload as it stands.
    fn second(&self, second: usize) -> SecondClass;

    /// Sets the policy and lets [`Rig::line_stats`] begin again. What policies
    /// have learnt may stay.
    ///
    /// # Errors
    /// Why it cannot be set.
    fn set_policy(&mut self, policy: &'static str) -> Result<(), Reason>;

    /// Keeps second-class workloads to a share of cache and bandwidth, until
    /// another is given; none gives both back. Policies that divide them
    /// themselves do so all the same.
    ///
    /// # Errors
    /// Why they cannot be kept to it.
    fn confine(&mut self, share: Option<Share>) -> Result<(), Reason> {
        match share {
            None => Ok(()),
            Some(_) => Err(Reason::new(format_args!("this machine divides nothing"))),
        }
    }

    /// Takes note of the latencies that a step has measured; `step` is what its
    /// notes begin with.
    fn latencies(&mut self, _step: fmt::Arguments<'_>, _latencies: &Histogram) {}

    /// Which burst of a step (from 0) the policy wants to see next before it is
    /// measured; none when it has seen enough. Asked once second-class workloads
    /// run, and again after each such burst.
    fn wants_burst(&self) -> Option<u32>;

    /// Begins the line's account anew, the policy staying as it is.
    fn restart_account(&mut self);

    /// Whether the bursts from now on are to be recorded as the first-class
    /// workload's profile.
    fn record_profile(&mut self, on: bool);

    /// Gives notice of a burst, to be released at `release_ns`. One at a time.
    ///
    /// # Errors
    /// Why it will not be released.
    fn schedule_burst(&mut self, burst: &Burst, release_ns: u64) -> Result<(), Reason>;

    /// Burst `number`, if it is over: merges its latencies into `latencies`,
    /// once, and drops what else was left over. Later calls give none.
    fn take_burst(&mut self, number: u32, latencies: &mut Histogram) -> Option<BurstOutcome>;

    /// The line's account since the policy was set.
    fn line_stats(&self) -> LineStats;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let reason = Reason::new(format_args!("{}é{}", "x".repeat(111), "y"));
        assert_eq!(reason.as_str(), "x".repeat(111));
        assert_eq!(Reason::new(format_args!("{} of {}", 1, 2)).as_str(), "1 of 2");
    }
}
