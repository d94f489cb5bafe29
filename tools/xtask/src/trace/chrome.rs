//! Events in the Trace Event Format ("Trace Event Format", Google, the JSON
//! object form): times in microseconds, processes and threads as numbers with
//! names.

use serde_json::{Map, Value, json};

/// A row of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) process: u32,
    pub(super) thread: u32,
}

/// The events of one trace.
#[derive(Debug, Default)]
pub(super) struct Events {
    events: Vec<Value>,
    notes: Map<String, Value>,
}

impl Events {
    /// Names a process.
    pub(super) fn name_process(&mut self, process: u32, name: &str) {
        self.events.push(json!({"ph": "M", "name": "process_name", "pid": process, "tid": 0,
            "args": {"name": name}}));
    }

    /// Names a row and gives it its place.
    pub(super) fn name_row(&mut self, row: Row, name: &str) {
        let Row { process, thread } = row;
        self.events.push(json!({"ph": "M", "name": "thread_name", "pid": process, "tid": thread,
            "args": {"name": name}}));
        self.events.push(json!({"ph": "M", "name": "thread_sort_index", "pid": process, "tid": thread,
            "args": {"sort_index": thread}}));
    }

    /// Something that lasted.
    pub(super) fn span(&mut self, row: Row, name: &str, begin_us: f64, end_us: f64, arguments: Value) {
        self.events.push(json!({"ph": "X", "name": name, "pid": row.process, "tid": row.thread,
            "ts": rounded(begin_us), "dur": rounded((end_us - begin_us).max(0.0)), "args": arguments}));
    }

    /// Something that happened.
    pub(super) fn instant(&mut self, row: Row, name: &str, at_us: f64, arguments: Value) {
        self.events.push(json!({"ph": "i", "s": "t", "name": name, "pid": row.process, "tid": row.thread,
            "ts": rounded(at_us), "args": arguments}));
    }

    /// Figures from now on.
    pub(super) fn counter(&mut self, process: u32, name: &str, at_us: f64, figures: Vec<(String, f64)>) {
        let figures: Map<String, Value> =
            figures.into_iter().map(|(name, figure)| (name, rounded(figure).into())).collect();
        self.events.push(json!({"ph": "C", "name": name, "pid": process, "tid": 0,
            "ts": rounded(at_us), "args": figures}));
    }

    /// Something to know about the whole.
    pub(super) fn note(&mut self, key: &str, value: Value) {
        self.notes.insert(key.to_owned(), value);
    }

    /// The whole.
    pub(super) fn into_trace(self) -> Value {
        json!({"displayTimeUnit": "ns", "otherData": self.notes, "traceEvents": self.events})
    }
}

/// To the nanosecond.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
