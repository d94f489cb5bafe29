//! What a run recorded, as one file that Perfetto opens: who ran on which core
//! and what the line did (the guest's `trace` records), and what the machine
//! model saw (the plugin's file).

mod chrome;
mod guest;
mod model;
mod schema;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::say;

/// A trace being gathered.
#[derive(Debug)]
pub(crate) struct Trace {
    file: PathBuf,
    model_file: PathBuf,
    /// The last dump's records.
    records: Vec<Value>,
}

impl Trace {
    /// Goes to `file` in the end; the model writes to `model_file` until then.
    ///
    /// # Errors
    /// If the file cannot be written, which is better known before the run.
    pub(crate) fn to(file: &Path, model_file: &Path) -> Result<Self> {
        std::fs::write(file, "").with_context(|| format!("cannot write {}", file.display()))?;
        // One of an earlier run must not be taken for this one's.
        let _ = std::fs::remove_file(model_file);
        Ok(Self { file: file.to_owned(), model_file: model_file.to_owned(), records: Vec::new() })
    }

    /// Where the model writes.
    pub(crate) fn model_file(&self) -> &Path {
        &self.model_file
    }

    /// Takes the guest's records; those of another kind are passed over, and a
    /// new dump takes the place of the one before.
    pub(crate) fn take(&mut self, records: &[Value]) {
        for record in records.iter().filter(|record| record["record"] == "trace") {
            if record["kind"] == "clock" {
                self.records.clear();
            }
            self.records.push(record.clone());
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// If the model's file is not what it should be, or the file cannot be
    /// written.
    pub(crate) fn write(&self) -> Result<()> {
        let model = match std::fs::read(&self.model_file) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes).context("the model's trace is not JSON")?),
            Err(_) => None,
        };
        let trace = merge(&self.records, model.as_ref())?;
        schema::check(&trace)?;
        let text = serde_json::to_string(&trace)?;
        std::fs::write(&self.file, text + "\n")
            .with_context(|| format!("cannot write {}", self.file.display()))?;
        let events = trace["traceEvents"].as_array().map_or(0, Vec::len);
        say::step(&format!("{events} events written to {}; ui.perfetto.dev opens it", self.file.display()));
        if self.records.is_empty() {
            say::step(
                "the guest sent nothing: it does so when the main job ends, or on `mode json; trace dump`",
            );
        }
        Ok(())
    }
}

/// One trace of both sides' records.
fn merge(records: &[Value], model: Option<&Value>) -> Result<Value> {
    let mut events = chrome::Events::default();
    let clock = guest::add(records, &mut events)?;
    if let Some(model) = model {
        model::add(model, clock, &mut events)?;
    }
    Ok(events.into_trace())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_sides_become_one_trace_on_one_time_line() {
        let records = [
            json!({"record": "trace", "kind": "clock", "boot_tsc": 20_000, "tsc_hz": 2_000_000_000u64,
                "since_ns": 0, "now_ns": 9_000, "cores": 2}),
            json!({"record": "trace", "kind": "switches", "core": 1, "lost": 3, "switches": [
                {"at_ns": 1_000, "task": 4, "name": "hash"}, {"at_ns": 3_000, "task": null, "name": "idle"},
                {"at_ns": 5_000, "task": 1, "name": "search"}]}),
            json!({"record": "trace", "kind": "event", "at_ns": 4_000, "event": "released", "burst": 7}),
            json!({"record": "trace", "kind": "event", "at_ns": 6_000, "event": "ended", "burst": 7, "late": 0}),
            json!({"record": "trace", "kind": "event", "at_ns": 6_500, "event": "changed"}),
        ];
        let model = json!({"machine": "xeon4", "clock_mhz": 2000, "vcpus": 1, "interval_cycles": 4000,
            "columns": ["cycles", "utilisation_q16", "latency_cycles"],
            "vcpu_columns": ["instructions", "cycles", "shared_references", "shared_misses"],
            "samples": [[20_000, 0, 138, 0, 0, 0, 0], [24_000, 32_768, 166, 900, 1_000, 50, 20]],
            "writes": [[22_000, 0, "mask", 2, 15]], "lost_writes": 0});
        let trace = merge(&records, Some(&model)).expect("merged");
        schema::check(&trace).expect("as the schema says");
        let events = trace["traceEvents"].as_array().expect("a list");
        let find = |name: &str| events.iter().find(|event| event["name"] == name).expect("there");
        assert_eq!((&find("hash")["ts"], &find("hash")["dur"]), (&json!(1.0), &json!(2.0)));
        // To the end of the recording.
        assert_eq!(find("search")["dur"], json!(4.0));
        assert!(events.iter().all(|event| event["name"] != "idle"));
        assert_eq!((&find("burst 7")["ts"], &find("burst 7")["dur"]), (&json!(4.0), &json!(2.0)));
        assert_eq!(find("changed")["ph"], "i");
        // Cycle 22000 is 1 us after the guest's boot at 2 GHz.
        assert_eq!(find("mask of class 2: 0xf")["ts"], json!(1.0));
        // 20 misses in 2 us; 1000 of 4000 cycles.
        assert_eq!(find("shared cache misses per us")["args"]["vcpu0"], json!(10.0));
        assert_eq!(find("running percent")["args"]["vcpu0"], json!(25.0));
        assert_eq!(find("memory bandwidth in use, percent")["args"]["used"], json!(50.0));
    }

    #[test]
    fn a_new_dump_takes_the_place_of_the_last() {
        let mut trace = Trace { file: "a".into(), model_file: "b".into(), records: Vec::new() };
        let clock = json!({"record": "trace", "kind": "clock"});
        let event = json!({"record": "trace", "kind": "event"});
        trace.take(&[clock.clone(), event.clone(), json!({"record": "report"}), clock, event]);
        assert_eq!(trace.records.len(), 2);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_known_at_once() {
        let error =
            Trace::to(Path::new("/nonexistent/a"), Path::new("/nonexistent/b")).expect_err("no folder");
        assert_eq!(error.to_string(), "cannot write /nonexistent/a");
    }

    #[test]
    fn an_empty_run_is_a_valid_trace() {
        schema::check(&merge(&[], None).expect("merged")).expect("as the schema says");
    }

    #[test]
    fn records_that_make_no_sense_are_refused_in_one_line() {
        for bad in [
            json!({"record": "trace", "kind": "switches", "core": "x", "switches": []}),
            json!({"record": "trace", "kind": "event", "event": "changed"}),
            json!({"record": "trace", "kind": "clock", "tsc_hz": 0}),
        ] {
            let error = merge(&[bad], None).expect_err("refused").to_string();
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        assert!(merge(&[], Some(&json!({"samples": 1}))).is_err());
    }
}
