//! Where the first-class workload's tail begins to grow: the load, alone, up to
//! which its p99 stays within [`MULTIPLE`] of the p99 at the lightest load.

use anyhow::{Result, bail};
use serde_json::{Value, json};

/// Multiple of the unloaded p99 that the knee's p99 does not exceed.
pub(crate) const MULTIPLE: u64 = 3;

/// One load of the sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// Share of what the workload can serve alone.
    pub(crate) permille: u32,
    /// Its p99 there.
    pub(crate) p99_ns: u64,
}

/// The sweep and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Knee {
    /// The highest load of the sweep that is still within the multiple.
    pub(crate) permille: u32,
    /// All loads, lightest first.
    pub(crate) loads: Vec<Load>,
}

impl Knee {
    /// Finds the knee in the guest's report.
    ///
    /// # Errors
    /// If the report holds no sweep.
    pub(crate) fn of(report: &Value) -> Result<Self> {
        let load = |entry: &Value| {
            let permille = u32::try_from(entry.get("load_permille")?.as_u64()?).ok()?;
            Some(Load { permille, p99_ns: entry.get("p99_ns")?.as_u64()? })
        };
        let loads: Vec<Load> =
            report["loads_alone"].as_array().into_iter().flatten().filter_map(load).collect();
        let Some(lightest) = loads.first() else {
            bail!("the guest measured no load alone: {}", report["notes"]);
        };
        let bound_ns = lightest.p99_ns.saturating_mul(MULTIPLE);
        let within = loads.iter().take_while(|load| load.p99_ns <= bound_ns).last().unwrap_or(lightest);
        Ok(Self { permille: within.permille, loads: loads.clone() })
    }

    /// For the JSON file.
    pub(crate) fn to_json(&self) -> Value {
        let loads =
            self.loads.iter().map(|load| json!({"load_permille": load.permille, "p99_ns": load.p99_ns}));
        json!({
            "load_permille": self.permille,
            "p99_multiple": MULTIPLE,
            "loads_alone": loads.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_knee_is_the_last_load_before_the_first_above() {
        let report = json!({"loads_alone": [
            {"load_permille": 100, "p99_ns": 100}, {"load_permille": 500, "p99_ns": 300},
            {"load_permille": 700, "p99_ns": 301}, {"load_permille": 900, "p99_ns": 299},
        ]});
        let knee = Knee::of(&report).expect("a sweep");
        assert_eq!((knee.permille, knee.loads.len()), (500, 4));
        assert_eq!(knee.to_json()["loads_alone"][2]["p99_ns"], 301);
    }

    #[test]
    fn without_a_sweep_there_is_none() {
        assert!(Knee::of(&json!({"notes": ["prepare: see the log"]})).is_err());
        assert!(Knee::of(&json!({"loads_alone": [{"load_permille": 100, "p99_ns": null}]})).is_err());
    }
}
