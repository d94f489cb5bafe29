//! What follows from the measurements, in one place, so that the table and the
//! machine record cannot disagree. A figure is none as soon as anything that it
//! rests on is.
//!
//! - **Multiple**: a latency divided by the same percentile alone, in Q16.16.
//! - **SLO bound**: the plan's multiple of the p99 alone. A burst misses the SLO
//!   when more than 1 % of its requests take longer, so it is judged by its own
//!   p99.
//! - **Second-class share**: units per time under a policy, divided by the same
//!   workload's units per time in the mix alone; the mean over all workloads,
//!   each weighing the same, since their units cannot be added.
//! - **First-class share**: requests answered in bursts that met the SLO, per
//!   time, divided by the greatest rate alone (one over the mean service time
//!   back to back). Load that misses its SLO counts for nothing.
//! - **EMU**, effective machine utilisation: the sum of both shares, over the
//!   same window. PARTIES (ASPLOS 2019, section 5.2.2) defines it as the
//!   aggregate load of all co-located applications that meet their QoS, each as
//!   a share of its greatest load alone, and searches for the greatest; here the
//!   offered load is fixed, so that policies are compared at the same work, and
//!   the pauses between bursts count. It can exceed 100 %.

use crate::results::{Latencies, PolicyRun, Results, Throughput};
use crate::rig::{Actions, SECOND_MAX, ShadowCost};

/// Latencies as multiples of running alone, in Q16.16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Multiples {
    /// Of the median.
    pub p50_q16: Option<u64>,
    /// Of the 99th percentile.
    pub p99_q16: Option<u64>,
    /// Of the 99.9th percentile.
    pub p999_q16: Option<u64>,
    /// Of the maximum.
    pub max_q16: Option<u64>,
}

/// Predictions against what the pairs have shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Predictions made.
    pub made: u64,
    /// Those whose pair was measured.
    pub judged: u64,
    /// Of these, the right ones.
    pub right: u64,
}

/// A policy's derived figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyFigures {
    /// Latencies against running alone.
    pub multiples: Multiples,
    /// First-class share, in thousandths.
    pub first_share_permille: Option<u32>,
    /// Each second-class workload's share.
    pub second_shares_permille: [Option<u32>; SECOND_MAX],
    /// Their mean.
    pub second_share_permille: Option<u32>,
    /// The sum of first- and second-class share.
    pub emu_permille: Option<u32>,
    /// Shadow cost over what it mirrored, by instructions where they are
    /// counted, by cycles otherwise; none without a shadow.
    pub shadow_cost_permille: Option<u32>,
    /// Time in the line's ticks, as a share of one core, in thousandths.
    pub controller_permille: Option<u32>,
    /// Predictions, all workloads.
    pub predictions: Judged,
    /// Actions that took effect, of every kind.
    pub actions: u64,
}

impl Results {
    /// The bound of the SLO; none until the p99 alone is known.
    #[must_use]
    pub fn slo_ns(&self) -> Option<u64> {
        scaled(self.alone?.latencies.p99_ns?, self.plan.slo_permille)
    }

    /// Whether a second-class workload, by itself under the baseline policy,
    /// lifts the p99 above the plan's bound.
    #[must_use]
    pub fn interferes(&self, second: usize) -> Option<bool> {
        let alone_ns = self.alone?.latencies.p99_ns?;
        let beside_ns = (*self.pairs.get(second)?)?.latencies.p99_ns?;
        Some(beside_ns > scaled(alone_ns, self.plan.interference_permille)?)
    }

    /// Latencies as multiples of running alone.
    #[must_use]
    pub fn multiples(&self, latencies: &Latencies) -> Multiples {
        let Some(alone) = self.alone.map(|served| served.latencies) else {
            return Multiples::default();
        };
        let percentile = |of: fn(&Latencies) -> Option<u64>| multiple_q16(of(latencies)?, of(&alone)?);
        Multiples {
            p50_q16: percentile(|latencies| latencies.p50_ns),
            p99_q16: percentile(|latencies| latencies.p99_ns),
            p999_q16: percentile(|latencies| latencies.p999_ns),
            max_q16: percentile(|latencies| Some(latencies.max_ns)),
        }
    }

    /// Everything that follows from one policy's step.
    #[must_use]
    pub fn figures(&self, run: &PolicyRun) -> PolicyFigures {
        let second_shares_permille = self.second_shares(run);
        let second_share_permille = self.mean_share(&second_shares_permille);
        let first_share_permille = self.first_share(run);
        PolicyFigures {
            multiples: self.multiples(&run.served.latencies),
            first_share_permille,
            second_shares_permille,
            second_share_permille,
            emu_permille: first_share_permille.zip(second_share_permille).map(|(a, b)| a.saturating_add(b)),
            shadow_cost_permille: shadow_cost(&run.line.shadow),
            controller_permille: run
                .line
                .controller
                .and_then(|cost| permille(u128::from(cost.spent_ns), u128::from(cost.window_ns))),
            predictions: self.judge(run),
            actions: total(&run.line.actions),
        }
    }

    fn first_share(&self, run: &PolicyRun) -> Option<u32> {
        let busy_ns = u128::from(run.served.slo?.requests_within) * u128::from(self.service_ns?);
        permille(busy_ns, u128::from(run.window_ns))
    }

    fn second_shares(&self, run: &PolicyRun) -> [Option<u32>; SECOND_MAX] {
        let mut shares = [None; SECOND_MAX];
        for ((share, beside), alone) in shares.iter_mut().zip(&run.second).zip(&self.second_alone) {
            *share = beside.zip(*alone).and_then(|(beside, alone)| rate_share(beside, alone));
        }
        shares
    }

    /// The mean over the workloads that have a reference; all must have a share.
    fn mean_share(&self, shares: &[Option<u32>; SECOND_MAX]) -> Option<u32> {
        let (mut sum, mut count) = (0u64, 0u64);
        for (share, alone) in shares.iter().zip(&self.second_alone).take(self.plan.second_class.len()) {
            if alone.is_some() {
                sum += u64::from((*share)?);
                count += 1;
            }
        }
        u32::try_from((sum + count / 2).checked_div(count)?).ok()
    }

    fn judge(&self, run: &PolicyRun) -> Judged {
        let mut sum = Judged::default();
        for (second, predictions) in run.line.predictions.iter().enumerate() {
            let (interferes, harmless) = (u64::from(predictions.interferes), u64::from(predictions.harmless));
            sum.made += interferes + harmless;
            if let Some(truth) = self.interferes(second) {
                sum.judged += interferes + harmless;
                sum.right += if truth { interferes } else { harmless };
            }
        }
        sum
    }
}

/// Whether a burst of `answered` requests missed the SLO with `late` of them
/// late.
#[must_use]
pub fn misses_slo(late: u32, answered: u32) -> bool {
    u64::from(late) * 100 > u64::from(answered)
}

fn scaled(value_ns: u64, permille: u32) -> Option<u64> {
    u64::try_from(u128::from(value_ns) * u128::from(permille) / 1000).ok()
}

/// `value / unit` in Q16.16, to the nearest; none when `unit` is 0.
fn multiple_q16(value: u64, unit: u64) -> Option<u64> {
    let (value, unit) = (u128::from(value), u128::from(unit));
    u64::try_from(((value << 16) + unit / 2).checked_div(unit)?).ok()
}

/// `part / whole` in thousandths, to the nearest; none when `whole` is 0.
fn permille(part: u128, whole: u128) -> Option<u32> {
    u32::try_from(part.checked_mul(1000)?.checked_add(whole / 2)?.checked_div(whole)?).ok()
}

fn rate_share(beside: Throughput, alone: Throughput) -> Option<u32> {
    let part = u128::from(beside.units) * u128::from(alone.window_ns);
    let whole = u128::from(alone.units) * u128::from(beside.window_ns);
    permille(part, whole)
}

fn shadow_cost(cost: &ShadowCost) -> Option<u32> {
    let counted =
        cost.shadow_instructions.zip(cost.mirrored_instructions).filter(|(_, mirrored)| *mirrored > 0);
    let (shadow, mirrored) = counted.unwrap_or((cost.shadow_cycles, cost.mirrored_cycles));
    permille(u128::from(shadow), u128::from(mirrored))
}

fn total(actions: &Actions) -> u64 {
    let Actions { pause, resume, migrate, dedicate, share, confine, unconfine, refused: _ } = *actions;
    [pause, resume, migrate, dedicate, share, confine, unconfine].into_iter().map(u64::from).sum()
}

#[cfg(test)]
mod tests;
