//! Change points by cumulative sums (Page, "Continuous inspection schemes",
//! Biometrika 41, 1954), two-sided, in fixed point.
//!
//! Watched per request, because that is what the workload itself decides:
//! bytes moved, random accesses and the working set. Time per request was
//! refused: it changes with the neighbours, and a noisy neighbour is not a
//! new behaviour.

use crate::fixed::{ONE, ewma, ratio};
use crate::sample::Deltas;

/// A deviation below an eighth of the mean is let pass.
const SLACK: i64 = ONE as i64 / 8;

/// Deviations beyond the slack that add up to one half are a change.
const DECISION: i64 = ONE as i64 / 2;

/// A single run counts as one whole mean off at most.
const LARGEST: i64 = ONE as i64;

/// Runs before the first judgement.
const WARM_UP: u32 = 3;

/// Smoothing of the means: a quarter of the way each run.
const SMOOTHING_SHIFT: u32 = 2;

/// Per-request figures are kept with ten bits after the point.
const FRACTION_BITS: u32 = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    mean: u64,
    above: i64,
    below: i64,
}

/// Watches the first-class workload from run to run.
#[derive(Clone, Copy, Debug)]
pub struct ChangeDetector {
    watched: [Watched; 3],
    runs: u32,
}

impl Default for ChangeDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl ChangeDetector {
    /// A detector that has seen no run.
    #[must_use]
    pub const fn new() -> Self {
        Self { watched: [Watched { mean: 0, above: 0, below: 0 }; 3], runs: 0 }
    }

    /// Takes in a whole run; true when the workload has changed. The detector
    /// then starts over from this run.
    pub fn see(&mut self, run: &Deltas) -> bool {
        let moved = run.read_bytes.saturating_add(run.written_bytes);
        let requests = run.units.max(1);
        let each = |total: u64| (total << FRACTION_BITS.min(total.leading_zeros())) / requests;
        let figures = [each(moved), each(run.random_accesses), run.working_set_bytes];
        let judging = self.runs >= WARM_UP;
        let mut changed = false;
        for (watched, figure) in self.watched.iter_mut().zip(figures) {
            changed |= watched.see(figure, self.runs == 0) && judging;
        }
        if changed {
            *self = Self::new();
            self.watched.iter_mut().zip(figures).for_each(|(watched, figure)| watched.mean = figure);
        }
        self.runs = self.runs.saturating_add(1);
        changed
    }
}

impl Watched {
    fn see(&mut self, figure: u64, first: bool) -> bool {
        if first {
            *self = Self { mean: figure, above: 0, below: 0 };
            return false;
        }
        let off = i64::from(ratio(figure, self.mean.max(1))).saturating_sub(i64::from(ONE));
        let off = if self.mean == figure { 0 } else { off.clamp(-LARGEST, LARGEST) };
        self.above = (self.above + off - SLACK).max(0);
        self.below = (self.below - off - SLACK).max(0);
        self.mean = ewma(self.mean, figure, SMOOTHING_SHIFT);
        self.above.max(self.below) > DECISION
    }
}
