//! Sixth stage: learning from what happened.
//!
//! - [`ChangeDetector`]: has the first-class workload changed its ways?
//! - [`Ration`]: how much is an echo worth now?
//! - [`Effort`]: how much shadow, and how early?
//! - [`learn_correction`]: an echo is ground truth; the shadow's factors move
//!   towards it.
//!
//! The threshold of the concept model is not moved by feedback: a missed
//! interference buys more echoes and a full-size shadow instead, so that a
//! score means the same throughout.

mod change;
mod effort;
mod ration;

pub use change::ChangeDetector;
pub use effort::Effort;
pub use ration::Ration;

use crate::demand::Demand;
use crate::fixed::{ONE, ewma_u32, ratio};
use crate::shadow::Correction;

/// Smoothing of a correction: half of the way each echo.
const CORRECTION_SHIFT: u32 = 1;

/// A correction stays between an eighth and eight.
const LEAST: u32 = ONE / 8;
const MOST: u32 = 8 * ONE;

/// Moves the correction towards what makes `shadow` (uncorrected) equal to
/// `echo`. Entries of which either is 0 teach nothing.
pub fn learn_correction(correction: &mut Correction, shadow: &Demand, echo: &Demand) {
    let pairs = [
        (&mut correction.cycles_q16, shadow.cycles_per_s, echo.cycles_per_s),
        (&mut correction.read_q16, shadow.read_bytes_per_s, echo.read_bytes_per_s),
        (&mut correction.write_q16, shadow.write_bytes_per_s, echo.write_bytes_per_s),
        (&mut correction.working_set_q16, shadow.working_set_bytes, echo.working_set_bytes),
    ];
    for (factor_q16, shadow, echo) in pairs {
        if shadow > 0 && echo > 0 {
            let wanted = ratio(echo, shadow).clamp(LEAST, MOST);
            *factor_q16 = ewma_u32(*factor_q16, wanted, CORRECTION_SHIFT);
        }
    }
}

#[cfg(test)]
mod tests;
