//! `concept`: look ahead with a shadow, score every pair, quarantine before
//! the release.

use super::{Hooks, Intent, View};
use crate::quarantine::Rule;

/// The whole line.
#[derive(Debug, Default)]
pub(super) struct Concept;

impl Hooks for Concept {
    fn horizon_ns(&self, view: &View) -> u64 {
        view.horizon_ns
    }

    fn before_release(&mut self, view: &View) -> Intent {
        Intent::Foresee(Rule::Predicted(view.threshold_q16))
    }

    fn during_run(&mut self, _: &View) -> Intent {
        Intent::Nothing
    }

    fn after_run(&mut self, _: &View) {}
}
