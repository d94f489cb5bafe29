//! What one boot measured. Figures are the guest's own, by its own names; one
//! that it does not send is none, here and in every table.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::latencies::Latencies;
use super::matrix::Key;

/// Figures that the JSON file has for every policy, `null` where the guest
/// sends none.
const FIGURES: [&str; 18] = [
    "requests",
    "p50_ns",
    "p99_ns",
    "p999_ns",
    "max_ns",
    "p50_multiple_milli",
    "p99_multiple_milli",
    "p999_multiple_milli",
    "violations_first_100us",
    "violations_first_1ms",
    "violations",
    "bursts",
    "missed_bursts",
    "second_class_share_permille",
    "emu_permille",
    "lead_mean_ns",
    "reaction_us",
    "controller_permille",
];

/// What the guest sent in one boot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    /// The report, if it came.
    pub(crate) report: Option<Value>,
    /// Latencies of each step, by its title.
    pub(crate) latencies: BTreeMap<String, Latencies>,
    /// One burst under each policy, as it happened.
    pub(crate) timelines: BTreeMap<String, Value>,
}

impl Sent {
    /// Sorts records by what they are. Of timelines with the same policy the
    /// last counts: earlier ones are those of the baseline beside less.
    pub(crate) fn of(records: Vec<Value>) -> Self {
        let mut sent = Self::default();
        for mut record in records {
            match record["record"].as_str() {
                Some("report") => sent.report = Some(record),
                Some("latencies") => {
                    let step = record["step"].as_str().unwrap_or_default().to_owned();
                    if let Some(latencies) = Latencies::of(&record["buckets"]) {
                        sent.latencies.insert(step, latencies);
                    }
                }
                Some("timeline") => {
                    if let Some(fields) = record.as_object_mut() {
                        fields.shift_remove("record");
                    }
                    let policy = record["policy"].as_str().unwrap_or_default().to_owned();
                    sent.timelines.insert(policy, record);
                }
                _ => {}
            }
        }
        sent
    }
}

/// One policy in one cell.
#[derive(Clone, Debug)]
pub(crate) struct PolicyRun {
    /// The policy.
    pub(crate) name: String,
    figures: Map<String, Value>,
    /// All latencies.
    pub(crate) latencies: Option<Latencies>,
}

impl PolicyRun {
    /// A figure, if it was measured.
    pub(crate) fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(name)?.as_f64()
    }

    /// A reason or a name, if there is one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.figures.get(name)?.as_str()
    }
}

/// One boot of the matrix, done.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// Which.
    pub(crate) key: Key,
    /// The first-class workload's latencies alone.
    pub(crate) alone: Option<Latencies>,
    /// Policies, in order.
    pub(crate) policies: Vec<PolicyRun>,
    /// A burst under each policy that told of one.
    pub(crate) timelines: BTreeMap<String, Value>,
    /// What the guest had to note, or why the cell failed.
    pub(crate) notes: Vec<String>,
    /// Time on the host.
    pub(crate) host_seconds: u64,
    report: Value,
}

impl Cell {
    /// What the guest sent for `key`; `failure` says why the boot did not
    /// succeed.
    pub(crate) fn new(key: Key, sent: Sent, failure: Option<String>, host_seconds: u64) -> Self {
        let mut latencies = sent.latencies;
        let report = sent.report.unwrap_or_default();
        let mut policies = Vec::new();
        for entry in report["policies"].as_array().into_iter().flatten() {
            let (Some(name), Some(figures)) = (entry["policy"].as_str(), entry.as_object()) else { continue };
            let latencies = latencies.remove(&format!("policy {name}"));
            policies.push(PolicyRun { name: name.to_owned(), figures: figures.clone(), latencies });
        }
        let noted = report["notes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let notes = failure.into_iter().chain(noted.map(str::to_owned)).collect();
        let alone = latencies.remove("alone");
        Self { key, alone, policies, timelines: sent.timelines, notes, host_seconds, report }
    }

    /// A policy's run.
    pub(crate) fn policy(&self, name: &str) -> Option<&PolicyRun> {
        self.policies.iter().find(|run| run.name == name)
    }

    /// A figure of the workload alone, in nanoseconds.
    pub(crate) fn alone_ns(&self, name: &str) -> Option<u64> {
        self.report["alone"][name].as_u64()
    }

    /// For the JSON file.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "first_class": "search",
            "mix": self.key.mix.name,
            "second_class": self.key.mix.workloads,
            "knee_percent": self.key.knee_percent,
            "load_permille": self.key.load_permille,
            "seed": self.key.seed,
            "service_ns": self.report["service_ns"],
            "slo_ns": self.report["slo_ns"],
            "alone": self.report["alone"],
            "alone_latencies": self.alone.as_ref().map(Latencies::to_json),
            "policies": self.policies.iter().map(PolicyRun::to_json).collect::<Vec<_>>(),
            "timelines": self.timelines.values().collect::<Vec<_>>(),
            "notes": self.notes,
            "host_seconds": self.host_seconds,
        })
    }
}

impl PolicyRun {
    fn to_json(&self) -> Value {
        let mut all = Map::new();
        all.insert("policy".to_owned(), Value::from(self.name.as_str()));
        for name in FIGURES {
            all.insert(name.to_owned(), self.figures.get(name).cloned().unwrap_or_default());
        }
        for (name, value) in &self.figures {
            all.entry(name.as_str()).or_insert_with(|| value.clone());
        }
        all.insert("latencies".to_owned(), self.latencies.as_ref().map(Latencies::to_json).into());
        Value::Object(all)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::matrix::Mix;
    use super::*;

    /// A cell as a guest would make it.
    pub(crate) fn cell(mix: &str, knee_percent: u32, policies: &[(&str, Option<u64>)]) -> Cell {
        let runs: Vec<Value> = policies
            .iter()
            .map(|(name, p99)| json!({"policy": name, "measured": p99.is_some(), "p99_multiple_milli": p99}))
            .collect();
        let mut records = vec![json!({"record": "progress"})];
        for (name, p99) in policies {
            let buckets = json!([[1000, 900], [p99.unwrap_or(5000), 124]]);
            records
                .push(json!({"record": "latencies", "step": format!("policy {name}"), "buckets": buckets}));
            records.push(json!({
                "record": "timeline", "policy": name, "burst": 3, "requests": 8, "late": 1,
                "notice_ns": 1000, "released_ns": 20_001_000u64, "ended_ns": 25_001_000u64,
                "events": [
                    {"at_ns": 2000, "event": "shadow_started"}, {"at_ns": 2_002_000, "event": "shadow_done", "cycles": 9},
                    {"at_ns": 3_000_000, "event": "scored", "task": 4, "workload": "llc", "score_permille": 700},
                    {"at_ns": 4_000_000, "event": "started", "action": "pause", "task": 4},
                    {"at_ns": 5_000_000, "event": "holds"}, {"at_ns": 26_000_000, "event": "undone"},
                ],
            }));
        }
        records.push(json!({"record": "latencies", "step": "alone", "buckets": [[900, 1000], [2000, 24]]}));
        records.push(json!({
            "record": "report", "policies": runs, "notes": ["a <note>"], "alone": {"p99_ns": 2000}, "slo_ns": 6000,
        }));
        let key = Key {
            mix: Mix::named(mix, 3).expect("known"),
            knee_percent,
            load_permille: knee_percent * 8,
            seed: 1,
        };
        Cell::new(key, Sent::of(records), None, 7)
    }

    #[test]
    fn figures_are_the_guests_and_missing_ones_are_null() {
        let cell = cell("llc", 50, &[("none", Some(31_000)), ("static", None)]);
        let json = cell.to_json();
        assert_eq!(json["policies"][0]["p99_multiple_milli"], 31_000);
        assert_eq!(json["policies"][0]["latencies"][1][0], 31_000);
        for missing in ["violations_first_100us", "reaction_us", "controller_permille", "emu_permille"] {
            assert!(
                json["policies"][0].as_object().is_some_and(|run| run.contains_key(missing)),
                "{missing}"
            );
            assert!(json["policies"][0][missing].is_null());
        }
        assert_eq!(cell.policy("static").and_then(|run| run.figure("p99_multiple_milli")), None);
        assert_eq!(cell.alone.as_ref().map(Latencies::count), Some(1024));
        assert_eq!(json["timelines"].as_array().map(Vec::len), Some(2));
        assert_eq!(json["notes"][0], "a <note>");
    }

    #[test]
    fn a_cell_without_report_says_why() {
        let key =
            Key { mix: Mix::named("llc", 3).expect("known"), knee_percent: 10, load_permille: 80, seed: 1 };
        let cell = Cell::new(key, Sent::default(), Some("the guest's kernel panicked".to_owned()), 3);
        assert!(cell.policies.is_empty());
        assert_eq!(cell.to_json()["notes"][0], "the guest's kernel panicked");
        assert!(cell.to_json()["alone"].is_null());
    }
}
