//! `none`: the first-class workload is one more fair task.

use super::{Hooks, Intent, View};

/// Does nothing.
#[derive(Debug, Default)]
pub(super) struct None;

impl Hooks for None {
    fn horizon_ns(&self, _: &View) -> u64 {
        0
    }

    fn before_release(&mut self, _: &View) -> Intent {
        Intent::Nothing
    }

    fn during_run(&mut self, _: &View) -> Intent {
        Intent::Nothing
    }

    fn after_run(&mut self, _: &View) {}
}
