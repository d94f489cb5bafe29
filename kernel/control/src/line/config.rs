//! The tunables, with their units.

use crate::machine::WorkloadId;
use crate::predict::DEFAULT_THRESHOLD;

/// What can be set about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The first-class workload.
    pub first_class: WorkloadId,
    /// A score above this predicts interference, Q16.16.
    pub threshold_q16: u32,
    /// Share of late requests that is still within the SLO, in thousandths:
    /// 10 for a bound on the 99th percentile.
    pub late_permille: u32,
    /// Nanoseconds between ticks.
    pub tick_ns: u64,
    /// Memory the shadow core has for a shadow.
    pub shadow_memory_bytes: u64,
    /// Longest a paced shadow may take, in nanoseconds.
    pub shadow_window_ns: u64,
    /// Requests in an echo before a burst.
    pub echo_requests: u32,
    /// Longest an echo may run, in nanoseconds.
    pub echo_budget_ns: u64,
    /// A plan outlives the release by four times the burst it was made for and
    /// by this much, in nanoseconds; while requests are being answered it is
    /// renewed by the same.
    pub lease_grace_ns: u64,
}

impl Config {
    /// The values to start from.
    pub const DEFAULT: Self = Self {
        first_class: WorkloadId(0),
        threshold_q16: DEFAULT_THRESHOLD,
        late_permille: 10,
        tick_ns: 1_000_000,
        shadow_memory_bytes: 4 << 20,
        shadow_window_ns: 20_000_000,
        echo_requests: 4,
        echo_budget_ns: 20_000_000,
        lease_grace_ns: 1_000_000_000,
    };
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}
