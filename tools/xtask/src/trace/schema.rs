//! What a trace must look like for viewers to open it, written down as a
//! check: "Trace Event Format", sections "JSON Object Format", "Duration",
//! "Complete", "Instant", "Counter" and "Metadata Events". Every trace is
//! checked before it is written.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// Checks a whole trace.
///
/// # Errors
/// The first event that is not as it must be, and what is wrong with it.
pub(super) fn check(trace: &Value) -> Result<()> {
    let members = trace.as_object().context("a trace is an object")?;
    if !matches!(members.get("displayTimeUnit").and_then(Value::as_str), Some("ns" | "ms")) {
        bail!("displayTimeUnit must be ns or ms");
    }
    let events = members.get("traceEvents").and_then(Value::as_array).context("traceEvents is a list")?;
    let mut named = Vec::new();
    for event in events {
        let members = event.as_object().with_context(|| format!("an event is an object: {event}"))?;
        check_event(members).with_context(|| format!("event {event}"))?;
        if members["name"] == "process_name" {
            named.push(members["pid"].clone());
        }
    }
    match events.iter().find(|event| !named.contains(&event["pid"])) {
        Some(event) => bail!("process {} has no name", event["pid"]),
        None => Ok(()),
    }
}

fn check_event(event: &Map<String, Value>) -> Result<()> {
    let name = event.get("name").and_then(Value::as_str).context("name is a text")?;
    for key in ["pid", "tid"] {
        event.get(key).and_then(Value::as_u64).with_context(|| format!("{key} is a whole number"))?;
    }
    let arguments = event.get("args").and_then(Value::as_object).context("args is an object")?;
    match event.get("ph").and_then(Value::as_str) {
        Some("M") => match name {
            "process_name" | "thread_name" if arguments.get("name").is_some_and(Value::is_string) => Ok(()),
            "thread_sort_index" if arguments.get("sort_index").is_some_and(Value::is_u64) => Ok(()),
            _ => bail!("metadata is a name or a sort index"),
        },
        Some("X") => time(event, "ts").and_then(|()| time(event, "dur")),
        Some("i") => {
            if !matches!(event.get("s").and_then(Value::as_str), Some("t" | "p" | "g")) {
                bail!("an instant's scope is t, p or g");
            }
            time(event, "ts")
        }
        Some("C") => {
            if arguments.is_empty() || !arguments.values().all(Value::is_number) {
                bail!("a counter's arguments are numbers, at least one");
            }
            time(event, "ts")
        }
        _ => bail!("ph is M, X, i or C"),
    }
}

/// Microseconds that are not negative; JSON has no infinities.
fn time(event: &Map<String, Value>, key: &str) -> Result<()> {
    match event.get(key).and_then(Value::as_f64) {
        Some(us) if us >= 0.0 => Ok(()),
        _ => bail!("{key} is a time in microseconds, 0 or more"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(event: Value) -> Result<()> {
        let process = json!({"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "p"}});
        check(&json!({"displayTimeUnit": "ns", "traceEvents": [process, event]}))
    }

    #[test]
    fn good_events_pass_and_bad_ones_are_named() {
        let good = json!({"ph": "X", "name": "a", "pid": 1, "tid": 2, "ts": 1.5, "dur": 0, "args": {}});
        assert!(checked(good.clone()).is_ok());
        let changed = |key: &str, value: Value| {
            let mut event = good.clone();
            event[key] = value;
            checked(event).map_err(|error| format!("{error:#}"))
        };
        for (key, value, expected) in [
            ("ph", json!("B"), "ph is"),
            ("ts", json!(-1), "ts is a time"),
            ("dur", json!("1"), "dur is a time"),
            ("pid", json!(3), "process 3 has no name"),
            ("tid", json!(1.5), "tid is a whole number"),
            ("name", json!(7), "name is a text"),
            ("args", json!([]), "args is an object"),
            ("ph", json!("C"), "at least one"),
            ("ph", json!("i"), "scope"),
            ("ph", json!("M"), "metadata"),
        ] {
            let error = changed(key, value).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
        assert!(check(&json!([])).is_err() && check(&json!({"displayTimeUnit": "ns"})).is_err());
    }
}
