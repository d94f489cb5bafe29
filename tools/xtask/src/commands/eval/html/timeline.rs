//! One burst from its notice to the undoing of its quarantine: the shadow, the
//! predictions, the quarantine and the release, each in a lane of its own.

use std::fmt::Write;

use serde_json::Value;

use super::super::cell::Cell;
use super::escaped;
use super::svg::{Anchor, Axis, Svg};

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 95.0;
const LANE: f64 = 30.0;
const LANES: [&str; 4] = ["shadow", "prediction", "quarantine", "burst"];
const INK: &str = "#222222";

/// The first cell's timelines that there are, the most telling policy's open.
pub(super) fn all(cells: &[Cell], policies: &[&str]) -> String {
    let Some(cell) = cells.iter().find(|cell| !cell.timelines.is_empty()) else {
        return "<p>No burst has been told of yet.</p>".to_owned();
    };
    let mut page = format!("<p>Search beside {}; times from the release.</p>", escaped(&cell.key.title()));
    for policy in policies {
        let Some(timeline) = cell.timelines.get(*policy) else { continue };
        let open = if *policy == "concept" { " open=\"open\"" } else { "" };
        let late = (timeline["late"].as_u64().unwrap_or(0), timeline["requests"].as_u64().unwrap_or(0));
        // Writing to a string does not fail.
        let _ = write!(
            page,
            "<details{open}><summary>{}: {} of {} requests late</summary>{}</details>",
            escaped(policy),
            late.0,
            late.1,
            draw(timeline)
        );
    }
    page
}

/// A stretch of time in a lane.
#[derive(Clone, Debug, PartialEq)]
struct Span {
    lane: usize,
    from_ns: f64,
    to_ns: f64,
    title: String,
}

fn draw(timeline: &Value) -> String {
    let at = |name: &str| timeline[name].as_f64().unwrap_or(0.0);
    let (notice_ns, released_ns, ended_ns) = (at("notice_ns"), at("released_ns"), at("ended_ns"));
    let empty = Vec::new();
    let events = timeline["events"].as_array().unwrap_or(&empty);
    let last_ns = events.iter().filter_map(|event| event["at_ns"].as_f64()).fold(ended_ns, f64::max);
    let x = Axis { values: (notice_ns, last_ns), pixels: (LEFT, WIDTH - 15.0) };
    let height = LANE * float(LANES.len()) + 35.0;
    let mut svg = Svg::new(WIDTH, height);
    for (lane, name) in LANES.iter().enumerate() {
        svg.text((LEFT - 8.0, LANE * float(lane) + 20.0), Anchor::End, INK, name);
    }
    for span in spans(events, released_ns, ended_ns, last_ns) {
        let fill = ["#56b4e9", "#e69f00", "#009e73", "#0072b2"].get(span.lane).copied().unwrap_or(INK);
        let (from, to) = (x.place(span.from_ns), x.place(span.to_ns));
        let title = format!(
            "{}: {:.3} to {:.3} ms",
            span.title,
            (span.from_ns - released_ns) / 1e6,
            (span.to_ns - released_ns) / 1e6
        );
        svg.area((from, LANE * float(span.lane) + 5.0), (to - from, LANE - 10.0), fill, &title);
    }
    let bottom = LANE * float(LANES.len()) + 5.0;
    for (ns, name) in [(notice_ns, "notice"), (released_ns, "release"), (ended_ns, "end")] {
        let place = x.place(ns);
        svg.line((place, 0.0), (place, bottom), "#cc0000");
        let text = format!("{name} {:+.2} ms", (ns - released_ns) / 1e6);
        let anchor = if ns == notice_ns { Anchor::Start } else { Anchor::Middle };
        svg.text((place, bottom + 14.0), anchor, "#cc0000", &text);
    }
    svg.finish()
}

/// What the events say of each lane. What has begun and was not seen to end
/// lasts to the last event.
fn spans(events: &[Value], released_ns: f64, ended_ns: f64, last_ns: f64) -> Vec<Span> {
    let mut spans = vec![Span { lane: 3, from_ns: released_ns, to_ns: ended_ns, title: "burst".to_owned() }];
    let (mut shadow, mut quarantine): (Option<f64>, Option<f64>) = (None, None);
    for event in events {
        let Some(at_ns) = event["at_ns"].as_f64() else { continue };
        match event["event"].as_str().unwrap_or_default() {
            "shadow_started" => shadow = Some(at_ns),
            name @ ("shadow_done" | "shadow_cut") => {
                let from_ns = shadow.take().unwrap_or(at_ns);
                spans.push(Span { lane: 0, from_ns, to_ns: at_ns, title: name.replace('_', " ") });
            }
            "scored" => {
                let (workload, score) = (&event["workload"], &event["score_permille"]);
                let title = format!("{} scores {score} permille", workload.as_str().unwrap_or("?"));
                spans.push(Span { lane: 1, from_ns: at_ns, to_ns: at_ns, title });
            }
            "suspect" => {
                let title = format!("suspects {}", event["workload"].as_str().unwrap_or("?"));
                spans.push(Span { lane: 1, from_ns: at_ns, to_ns: at_ns, title });
            }
            "started" => quarantine = quarantine.or(Some(at_ns)),
            "undone" => {
                let from_ns = quarantine.take().unwrap_or(at_ns);
                spans.push(Span { lane: 2, from_ns, to_ns: at_ns, title: "quarantine".to_owned() });
            }
            _ => {}
        }
    }
    let open = [(0, shadow, "shadow"), (2, quarantine, "quarantine")];
    spans.extend(open.into_iter().filter_map(|(lane, from_ns, title)| {
        Some(Span { lane, from_ns: from_ns?, to_ns: last_ns, title: title.to_owned() })
    }));
    spans
}

fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lanes_hold_what_happened() {
        let events = [
            json!({"at_ns": 10, "event": "shadow_started"}),
            json!({"at_ns": 30, "event": "shadow_done", "cycles": 5}),
            json!({"at_ns": 31, "event": "scored", "workload": "llc", "score_permille": 700}),
            json!({"at_ns": 32, "event": "started", "action": "pause"}),
            json!({"at_ns": 33, "event": "started", "action": "dedicate"}),
            json!({"at_ns": 90, "event": "undone"}),
            json!({"at_ns": 95, "event": "shadow_started"}),
        ];
        let spans = spans(&events, 40.0, 80.0, 95.0);
        let found: Vec<_> = spans.iter().map(|span| (span.lane, span.from_ns, span.to_ns)).collect();
        assert_eq!(
            found,
            [(3, 40.0, 80.0), (0, 10.0, 30.0), (1, 31.0, 31.0), (2, 32.0, 90.0), (0, 95.0, 95.0)]
        );
        assert_eq!(spans[2].title, "llc scores 700 permille");
    }
}
