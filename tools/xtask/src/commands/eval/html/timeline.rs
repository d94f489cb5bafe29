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
    let mut page = format!(
        "<p>Search beside {}; times from the release. Shadow: pale where it is an echo. Quarantine: pale while it is put \
         up or taken down.</p>",
        escaped(&cell.key.title())
    );
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

/// What happens in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Shadow,
    Echo,
    Prediction,
    /// The quarantine is being put up or taken down.
    Changing,
    /// It holds.
    InForce,
    Burst,
}

impl Kind {
    const fn lane(self) -> usize {
        match self {
            Self::Shadow | Self::Echo => 0,
            Self::Prediction => 1,
            Self::Changing | Self::InForce => 2,
            Self::Burst => 3,
        }
    }

    const fn fill(self) -> &'static str {
        match self {
            Self::Shadow => "#56b4e9",
            Self::Echo => "#a9d9f4",
            Self::Prediction => "#e69f00",
            Self::Changing => "#8fd3bd",
            Self::InForce => "#009e73",
            Self::Burst => "#0072b2",
        }
    }
}

/// A stretch of time.
#[derive(Clone, Debug, PartialEq)]
struct Span {
    kind: Kind,
    from_ns: f64,
    to_ns: f64,
    title: String,
}

fn draw(timeline: &Value) -> String {
    let at = |name: &str| timeline[name].as_f64().unwrap_or(0.0);
    let (notice_ns, released_ns, ended_ns) = (at("notice_ns"), at("released_ns"), at("ended_ns"));
    let events = timeline["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    let last_ns = events.iter().filter_map(|event| event["at_ns"].as_f64()).fold(ended_ns, f64::max);
    let x = Axis { values: (notice_ns, last_ns), pixels: (LEFT, WIDTH - 60.0) };
    let bottom = LANE * float(LANES.len()) + 5.0;
    let mut svg = Svg::new(WIDTH, bottom + 35.0);
    for (lane, name) in LANES.iter().enumerate() {
        svg.text((LEFT - 8.0, LANE * float(lane) + 20.0), Anchor::End, INK, name);
    }
    let burst = Span { kind: Kind::Burst, from_ns: released_ns, to_ns: ended_ns, title: "burst".to_owned() };
    for span in spans(events, last_ns).into_iter().chain([burst]) {
        let (from, to) = (x.place(span.from_ns), x.place(span.to_ns));
        let ms = |ns: f64| (ns - released_ns) / 1e6;
        let title = format!("{}: {:.3} to {:.3} ms", span.title, ms(span.from_ns), ms(span.to_ns));
        let corner = (from, LANE * float(span.kind.lane()) + 5.0);
        svg.area(corner, (to - from, LANE - 10.0), span.kind.fill(), &title);
    }
    for (ns, name, line) in
        [(notice_ns, "notice", 14.0), (released_ns, "release", 14.0), (ended_ns, "end", 28.0)]
    {
        let place = x.place(ns);
        svg.line((place, 0.0), (place, bottom), "#cc0000");
        let text = format!("{name} {:+.2} ms", (ns - released_ns) / 1e6);
        svg.text((place, bottom + line), Anchor::Start, "#cc0000", &text);
    }
    svg.finish()
}

/// What the events say. What has begun and was not seen to end lasts to the
/// last event.
fn spans(events: &[Value], last_ns: f64) -> Vec<Span> {
    let mut story = Story::default();
    for event in events {
        if let (Some(at_ns), Some(name)) = (event["at_ns"].as_f64(), event["event"].as_str()) {
            story.hear(event, at_ns, name);
        }
    }
    for kind in [Kind::Shadow, Kind::Echo, Kind::Changing, Kind::InForce] {
        story.end(kind, last_ns, "not seen to end");
    }
    story.spans
}

#[derive(Default)]
struct Story {
    spans: Vec<Span>,
    open: Vec<(Kind, f64)>,
}

impl Story {
    fn hear(&mut self, event: &Value, at_ns: f64, name: &str) {
        let workload = event["workload"].as_str().unwrap_or("?");
        match name {
            "shadow_started" => self.begin(Kind::Shadow, at_ns),
            "shadow_done" => self.end(Kind::Shadow, at_ns, "shadow"),
            "shadow_cut" => self.end(Kind::Shadow, at_ns, "shadow, cut short"),
            "echo_started" => self.begin(Kind::Echo, at_ns),
            "echo_done" => self.end(Kind::Echo, at_ns, "echo"),
            "echo_cut" => self.end(Kind::Echo, at_ns, "echo, cut short"),
            "scored" => {
                self.mark(at_ns, format!("{workload} scores {} permille", event["score_permille"]));
            }
            "suspect" => {
                self.mark(at_ns, format!("suspects {workload}"));
            }
            // The first step taken back ends what was in force.
            "started" => {
                self.end(Kind::InForce, at_ns, "quarantine in force");
                if !self.is_open(Kind::Changing) {
                    self.begin(Kind::Changing, at_ns);
                }
            }
            "holds" => {
                self.end(Kind::Changing, at_ns, "quarantine being put up");
                self.begin(Kind::InForce, at_ns);
            }
            "undone" => {
                self.end(Kind::InForce, at_ns, "quarantine in force");
                self.end(Kind::Changing, at_ns, "quarantine being undone");
            }
            _ => {}
        }
    }

    fn mark(&mut self, at_ns: f64, title: String) {
        self.spans.push(Span { kind: Kind::Prediction, from_ns: at_ns, to_ns: at_ns, title });
    }

    fn is_open(&self, kind: Kind) -> bool {
        self.open.iter().any(|(open, _)| *open == kind)
    }

    fn begin(&mut self, kind: Kind, at_ns: f64) {
        self.open.push((kind, at_ns));
    }

    /// Ends what has begun, if it has.
    fn end(&mut self, kind: Kind, to_ns: f64, title: &str) {
        let Some(place) = self.open.iter().position(|(open, _)| *open == kind) else { return };
        let (_, from_ns) = self.open.remove(place);
        self.spans.push(Span { kind, from_ns, to_ns, title: title.to_owned() });
    }
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
            json!({"at_ns": 35, "event": "holds"}),
            json!({"at_ns": 80, "event": "started", "action": "resume"}),
            json!({"at_ns": 90, "event": "undone"}),
            json!({"at_ns": 93, "event": "echo_started"}),
        ];
        let spans = spans(&events, 95.0);
        let found: Vec<_> = spans.iter().map(|span| (span.kind, span.from_ns, span.to_ns)).collect();
        let expected = [
            (Kind::Shadow, 10.0, 30.0),
            (Kind::Prediction, 31.0, 31.0),
            (Kind::Changing, 32.0, 35.0),
            (Kind::InForce, 35.0, 80.0),
            (Kind::Changing, 80.0, 90.0),
            (Kind::Echo, 93.0, 95.0),
        ];
        assert_eq!(found, expected);
        assert_eq!(spans[1].title, "llc scores 700 permille");
    }
}
