//! `none`: the first-class workload is one more fair task.

use super::Hooks;

/// Does nothing.
#[derive(Debug, Default)]
pub(super) struct None;

impl Hooks for None {}
