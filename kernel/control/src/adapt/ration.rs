//! Echoes are real work: they are rationed by how uncertain the line is.

use crate::fixed::{ONE, ewma_u32, from_permille};

/// Errors below 10 % are good enough.
const CERTAIN_PERMILLE: u32 = 100;

/// Longest pause between echoes, in bursts: 2^5.
const LONGEST_SHIFT: u32 = 5;

/// Smoothing of the uncertainty: half of the way each time.
const SMOOTHING_SHIFT: u32 = 1;

/// Decides before which bursts an echo runs.
#[derive(Clone, Copy, Debug)]
pub struct Ration {
    uncertainty_q16: u32,
    pause_shift: u32,
    bursts_since: u32,
}

impl Default for Ration {
    fn default() -> Self {
        Self::new()
    }
}

impl Ration {
    /// Fully uncertain: the next burst gets an echo.
    #[must_use]
    pub const fn new() -> Self {
        Self { uncertainty_q16: ONE, pause_shift: 0, bursts_since: u32::MAX }
    }

    /// How uncertain the line is, Q16.16 between 0 and 1.
    #[must_use]
    pub const fn uncertainty_q16(&self) -> u32 {
        self.uncertainty_q16
    }

    /// Whether the coming burst is worth an echo.
    #[must_use]
    pub const fn is_due(&self) -> bool {
        self.bursts_since >> self.pause_shift > 0
    }

    /// An echo was done, and the shadow's demand was off by `error_permille`
    /// of it. Each good echo doubles the pause to the next, a bad one ends it.
    pub fn echoed(&mut self, error_permille: u32) {
        self.bursts_since = 0;
        let error_q16 = from_permille(error_permille.min(1000));
        self.uncertainty_q16 = ewma_u32(self.uncertainty_q16, error_q16, SMOOTHING_SHIFT);
        self.pause_shift =
            if error_permille <= CERTAIN_PERMILLE { (self.pause_shift + 1).min(LONGEST_SHIFT) } else { 0 };
    }

    /// A burst ended.
    pub fn burst(&mut self) {
        self.bursts_since = self.bursts_since.saturating_add(1);
    }

    /// Something turned out wrong (a change of behaviour, a burst late though
    /// no interference was predicted): the next burst gets an echo.
    pub fn doubt(&mut self) {
        *self = Self::new();
    }
}
