//! `static`: the first-class core is its own all the time, whether a burst
//! runs or not. What the rest of the machine does is not looked at.

use super::Hooks;
use crate::quarantine::Rule;

/// Keeps the first-class core clear.
#[derive(Debug, Default)]
pub(super) struct Static;

impl Hooks for Static {
    fn at_rest(&self) -> Option<Rule> {
        Some(Rule::ClearCore)
    }
}
