//! What the main job is to do: how long, how loaded, against which bound,
//! under which policies and beside whom. A value; the kernel takes one of the
//! two below and lets the boot configuration change its fields.

use core::fmt;

use umbra_control::machine::{Burst, Share};
use workload_api::Random;

use crate::rig::SECOND_MAX;

/// Most policies in one comparison.
pub const POLICIES_MAX: usize = 12;
/// Most loads in one sweep.
pub const LOADS_MAX: usize = 10;
/// Most divisions of cache and bandwidth in one run.
pub const DIVISIONS_MAX: usize = 4;
/// The policy under which divisions are compared: the first-class core is its
/// own, so that only what all cores share is left to interfere.
pub const DIVIDED_UNDER: &str = "static";
/// The policy that does nothing, under which workloads run alone and in pairs.
pub const BASELINE: &str = "none";

/// The parameters of a run of the main job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Printed in the report.
    pub name: &'static str,
    /// The first-class workload's name.
    pub first_class: &'static str,
    /// The second-class workloads' names, at most [`SECOND_MAX`]; one that is
    /// there several times is started as often.
    pub second_class: heapless::Vec<&'static str, SECOND_MAX>,
    /// The policies to compare, in order, distinct, at most [`POLICIES_MAX`].
    pub policies: heapless::Vec<&'static str, POLICIES_MAX>,
    /// Seeds the arrivals. Burst `i` of every step has the same requests with
    /// the same gaps, so that steps differ in their company alone.
    pub seed: u64,
    /// Bursts of each step that is compared, 1 to 100 000.
    pub bursts: u32,
    /// Requests of each burst, 1 to 100 000.
    pub requests: u32,
    /// Bursts, back to back, that the mean service time is taken from, 1 to
    /// 1000; one more is run before them and not counted.
    pub calibration_bursts: u32,
    /// Bursts that the profile is recorded from, 1 to 1000.
    pub profile_bursts: u32,
    /// Whether the first-class workload is measured beside each second-class
    /// one by itself.
    pub pairs: bool,
    /// More loads, as [`Plan::load_permille`], at which the first-class
    /// workload is measured alone.
    pub loads_permille: heapless::Vec<u32, LOADS_MAX>,
    /// Shares that second-class workloads are kept to, one after another, with
    /// the first-class workload beside all of them under [`DIVIDED_UNDER`].
    pub divisions: heapless::Vec<Share, DIVISIONS_MAX>,
    /// Offered load inside a burst, as a share of what the first-class workload
    /// can serve alone, 1 to 1000.
    pub load_permille: u32,
    /// From the notice of a burst to its release, and so the pause between two
    /// bursts; at most 10 s. What a policy prepares, it prepares in this time.
    pub notice_ns: u64,
    /// From starting second-class workloads to measuring; at most 10 s.
    pub settle_ns: u64,
    /// How long the second-class mix is measured alone; 1 ns to 100 s.
    pub second_class_alone_ns: u64,
    /// The SLO: a burst may have 1 % of requests slower than this multiple of
    /// the p99 alone, in thousandths; 1000 to 1 000 000.
    pub slo_permille: u32,
    /// A second-class workload interferes when, beside it alone, the p99 is
    /// above this multiple of the p99 alone, in thousandths; 1000 to 1 000 000.
    pub interference_permille: u32,
    /// The times are those of an emulator, and the report has to say so.
    pub emulated: bool,
}

/// A parameter out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// Which.
    pub parameter: &'static str,
    /// What would do.
    pub expected: &'static str,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scenario: {} is out of range, expected {}", self.parameter, self.expected)
    }
}

impl core::error::Error for PlanError {}

impl Plan {
    /// The full comparison: 1536 requests a step, enough for a p99.9. About a
    /// minute where a request takes half a millisecond.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            name: "standard",
            first_class: "search",
            second_class: heapless::Vec::new(),
            policies: heapless::Vec::new(),
            seed: 1,
            bursts: 16,
            requests: 96,
            calibration_bursts: 4,
            profile_bursts: 4,
            pairs: true,
            loads_permille: heapless::Vec::new(),
            divisions: heapless::Vec::new(),
            load_permille: 400,
            notice_ns: 50_000_000,
            settle_ns: 200_000_000,
            second_class_alone_ns: 4_000_000_000,
            slo_permille: 3000,
            interference_permille: 1500,
            emulated: true,
        }
    }

    /// The same steps with 256 requests each, in a quarter of the time; too few
    /// for a p99.9, which is then not given.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            name: "quick",
            bursts: 4,
            requests: 64,
            calibration_bursts: 2,
            profile_bursts: 2,
            settle_ns: 100_000_000,
            second_class_alone_ns: 600_000_000,
            ..Self::standard()
        }
    }

    /// One cell of an evaluation: 1024 requests a step, so that there is a
    /// p99.9, no pairs, and waits as short as policies can do with. Beside one
    /// workload, a policy takes about half a second.
    #[must_use]
    pub fn eval() -> Self {
        Self {
            name: "eval",
            bursts: 8,
            requests: 128,
            calibration_bursts: 2,
            profile_bursts: 2,
            pairs: false,
            notice_ns: 20_000_000,
            settle_ns: 20_000_000,
            second_class_alone_ns: 300_000_000,
            ..Self::standard()
        }
    }

    /// The first-class workload alone at ten loads, to find where its tail
    /// begins to grow. Bursts are long: a short one ends before its queue has
    /// grown.
    #[must_use]
    pub fn knee() -> Self {
        let mut plan = Self { name: "knee", bursts: 2, requests: 512, notice_ns: 2_000_000, ..Self::eval() };
        // As many as there is room for.
        plan.loads_permille.extend([100, 200, 300, 400, 500, 600, 700, 800, 900, 950]);
        plan
    }

    /// Checks every range.
    ///
    /// # Errors
    /// The first parameter that is out of it.
    pub fn check(&self) -> Result<(), PlanError> {
        let count = |value: u32, most| (1..=most).contains(&value);
        let multiple = |value: u32| (1000..=1_000_000).contains(&value);
        let checks = [
            (count(self.bursts, 100_000), "bursts", "1 to 100000"),
            (count(self.requests, 100_000), "requests", "1 to 100000"),
            (count(self.calibration_bursts, 1000), "calibration_bursts", "1 to 1000"),
            (count(self.profile_bursts, 1000), "profile_bursts", "1 to 1000"),
            (count(self.load_permille, 1000), "load_permille", "1 to 1000"),
            (self.notice_ns <= 10_000_000_000, "notice_ns", "at most 10 s"),
            (self.settle_ns <= 10_000_000_000, "settle_ns", "at most 10 s"),
            (
                (1..=100_000_000_000).contains(&self.second_class_alone_ns),
                "second_class_alone_ns",
                "1 ns to 100 s",
            ),
            (multiple(self.slo_permille), "slo_permille", "1000 to 1000000"),
            (multiple(self.interference_permille), "interference_permille", "1000 to 1000000"),
            (!self.policies.is_empty(), "policies", "at least one name"),
            (distinct(&self.policies), "policies", "each name once"),
            (self.loads_permille.iter().all(|load| count(*load, 1000)), "loads_permille", "1 to 1000"),
        ];
        match checks.iter().find(|(good, ..)| !good) {
            Some((_, parameter, expected)) => Err(PlanError { parameter, expected }),
            None => Ok(()),
        }
    }

    /// The mean gap between arrivals at the plan's load, when a request takes
    /// `service_ns` alone. The plan must have passed [`Plan::check`].
    #[must_use]
    pub fn mean_gap_ns(&self, service_ns: u64) -> u64 {
        mean_gap_ns(service_ns, self.load_permille)
    }

    /// Burst `index` of a step, counted from 0; `number` is its number in the
    /// whole job.
    #[must_use]
    pub fn burst(&self, index: u32, number: u32, mean_gap_ns: u64, late_ns: u64) -> Burst {
        Burst {
            number,
            first_unit: u64::from(index) * u64::from(self.requests),
            requests: self.requests,
            mean_gap_ns,
            seed: Random::new(self.seed).next().wrapping_add(u64::from(index)),
            late_ns,
        }
    }

    /// How long the steps that are compared take if nothing disturbs anything.
    #[must_use]
    pub fn least_ns(&self, service_ns: u64) -> u64 {
        let burst_ns = self.mean_gap_ns(service_ns).saturating_mul(u64::from(self.requests));
        let step_ns = burst_ns.saturating_add(self.notice_ns).saturating_mul(u64::from(self.bursts));
        let pairs = if self.pairs { self.second_class.len() } else { 0 };
        let steps = 1 + pairs + self.policies.len() + self.loads_permille.len() + self.divisions.len();
        let settling_ns = self.settle_ns.saturating_mul(steps as u64);
        step_ns
            .saturating_mul(steps as u64)
            .saturating_add(settling_ns)
            .saturating_add(self.second_class_alone_ns)
    }
}

/// The mean gap between arrivals at a load, when a request takes `service_ns`
/// alone.
#[must_use]
pub fn mean_gap_ns(service_ns: u64, load_permille: u32) -> u64 {
    service_ns.saturating_mul(1000) / u64::from(load_permille.max(1))
}

fn distinct(names: &[&str]) -> bool {
    names.iter().enumerate().all(|(i, name)| !names.iter().take(i).any(|other| other == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(mut plan: Plan) -> Plan {
        plan.policies.extend(["none", "static"]);
        plan.second_class.extend(["a", "b"]);
        plan
    }

    #[test]
    fn all_plans_are_in_range() {
        assert_eq!(named(Plan::standard()).check(), Ok(()));
        assert_eq!(named(Plan::quick()).check(), Ok(()));
        assert_eq!(named(Plan::eval()).check(), Ok(()));
        assert_eq!(named(Plan::knee()).check(), Ok(()));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let fault = |change: fn(&mut Plan)| {
            let mut plan = named(Plan::quick());
            change(&mut plan);
            plan.check().expect_err("out of range").parameter
        };
        assert_eq!(fault(|plan| plan.bursts = 0), "bursts");
        assert_eq!(fault(|plan| plan.requests = 100_001), "requests");
        assert_eq!(fault(|plan| plan.load_permille = 1001), "load_permille");
        assert_eq!(fault(|plan| plan.slo_permille = 999), "slo_permille");
        assert_eq!(fault(|plan| plan.notice_ns = u64::MAX), "notice_ns");
        assert_eq!(fault(|plan| plan.second_class_alone_ns = 0), "second_class_alone_ns");
        assert_eq!(fault(|plan| plan.policies.clear()), "policies");
        assert_eq!(fault(|plan| plan.policies.extend(["none"])), "policies");
        assert_eq!(fault(|plan| plan.loads_permille.extend([1001])), "loads_permille");
        let error = PlanError { parameter: "bursts", expected: "1 to 100000" };
        assert_eq!(std::format!("{error}"), "scenario: bursts is out of range, expected 1 to 100000");
    }

    #[test]
    fn bursts_follow_each_other_and_repeat() {
        let plan = named(Plan::standard());
        let burst = |index, number| plan.burst(index, number, 10, 20);
        assert_eq!((burst(0, 7).first_unit, burst(3, 7).first_unit), (0, 288));
        assert_eq!(burst(3, 7), Burst { number: 7, ..burst(3, 9) });
        assert_ne!(burst(3, 7).seed, burst(4, 7).seed);
        let other = Plan { seed: 2, ..plan.clone() };
        assert_ne!(other.burst(0, 1, 10, 20).seed, burst(1, 1).seed, "a shifted seed is no shifted burst");
    }

    #[test]
    fn the_load_sets_the_gap_and_the_length() {
        let plan = named(Plan::standard());
        assert_eq!(plan.mean_gap_ns(400_000), 1_000_000);
        // 16 x (96 ms + 50 ms) + 200 ms, for 5 steps, and 4 s.
        assert_eq!(plan.least_ns(400_000), 5 * 2_536_000_000 + 4_000_000_000);
        assert_eq!(plan.least_ns(u64::MAX), u64::MAX);
    }
}
