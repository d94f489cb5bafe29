use serde_json::{Value, json};
use umbra_hw::{
    cpuid::{Inventory, Reader},
    pmu::Pmu,
    rdt::{AbsoluteLimit, Allocation, Mba, Monitoring, Rdt, max_interval_ms},
};

use super::Builder;
use crate::dump::Dump;

impl Builder {
    /// Cache and bandwidth allocation and monitoring.
    pub(super) fn sharing(&mut self, dump: &Dump, reader: &Reader<'_, Dump>, inventory: &Inventory) {
        let identity = &inventory.identity;
        let mut problems = Vec::new();
        let limits = reader.get(0x8000_0020, 0).is_some_and(|leaf| leaf.ebx >> 1 & 1 == 1);
        let incomplete = limits && identity.vendor.is_amd_like() && !dump.has(0x8000_0020, 1);
        let rdt = Rdt::read(reader, identity.vendor, inventory.features, &mut |problem| {
            problems.push(problem.to_string());
        });
        if incomplete {
            problems =
                vec!["the dump has no subleaf 1 of leaf 0x80000020: bandwidth limits are not known".into()];
        }
        self.problems.extend(problems);
        let has_counters = Pmu::read(reader, identity.vendor, identity.family, inventory.features).is_some();
        self.section(
            "sharing",
            json!({
                "classes": rdt.common_classes(false),
                "classes_with_cdp": rdt.common_classes(true),
                "level_3": rdt.l3.map(allocation),
                "level_2": rdt.l2.map(allocation),
                "bandwidth_throttle": rdt.mba.map(throttle),
                "bandwidth_limit": rdt.bandwidth.map(limit),
                "slow_bandwidth_limit": rdt.slow_bandwidth.map(limit),
                "monitoring": rdt.monitoring.map(|monitoring| monitored(&monitoring)),
                "bandwidth_can_be_held_by": held_by(&rdt, has_counters),
            }),
        );
        self.missing(&rdt);
    }

    fn missing(&mut self, rdt: &Rdt) {
        if rdt.l3.is_none() && rdt.l2.is_none() {
            self.fallback("no cache allocation: only page colours can divide the cache");
        }
        if rdt.mba.is_none() && rdt.bandwidth.is_none() {
            self.fallback("no bandwidth allocation: only counted misses can limit bandwidth");
        }
        if rdt.monitoring.is_none() {
            self.fallback("no occupancy and bandwidth monitoring: only counters can tell");
        }
    }
}

/// The best means the hardware offers.
fn held_by(rdt: &Rdt, has_counters: bool) -> &'static str {
    let measured = rdt.monitoring.is_some_and(|monitoring| monitoring.total || monitoring.local);
    match (rdt.mba.is_some(), rdt.bandwidth.is_some(), measured, has_counters) {
        (true, _, true, _) => "throttle, corrected by monitoring",
        (true, _, false, _) => "throttle, by a calibration table",
        (false, true, _, _) => "absolute limit",
        (false, false, _, true) => "budget of misses per period",
        (false, false, _, false) => "nothing",
    }
}

fn allocation(cache: Allocation) -> Value {
    json!({
        "ways": cache.rules.length,
        "full_mask": format!("{:#x}", cache.rules.full()),
        "classes": cache.classes,
        "code_and_data": cache.cdp,
        "gaps_allowed": cache.rules.non_contiguous,
        "shared_with_devices": format!("{:#x}", cache.shareable),
    })
}

fn throttle(mba: Mba) -> Value {
    json!({
        "linear": mba.linear,
        "max_throttle": mba.max_throttle,
        "step_percent": mba.step_percent(),
        "least_percent": mba.least_percent(),
        "classes": mba.classes,
        "per_thread": mba.per_thread,
    })
}

fn limit(limit: AbsoluteLimit) -> Value {
    json!({ "bits": limit.bits, "unit": "1/8 GB/s", "unlimited": limit.unlimited(), "classes": limit.classes })
}

/// At 100 GB/s, more than a socket of today has for one RMID.
const FAST: u64 = 100_000_000_000;

fn monitored(monitoring: &Monitoring) -> Value {
    json!({
        "max_rmid": monitoring.max_rmid,
        "bytes_per_unit": monitoring.upscale,
        "counter_bits": monitoring.counter_bits,
        "overflow_flag": monitoring.has_overflow_flag,
        "occupancy": monitoring.occupancy,
        "total_bandwidth": monitoring.total,
        "local_bandwidth": monitoring.local,
        "assignable_counters": monitoring.assignable_counters,
        "read_at_least_every_ms_at_100_gb_s": max_interval_ms(monitoring.counter_bits, monitoring.upscale, FAST),
    })
}
