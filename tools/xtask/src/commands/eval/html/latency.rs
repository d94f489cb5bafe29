//! A cell's latencies: for each policy the share of requests above a latency,
//! both axes logarithmic, so that a tail is as visible as the median.

use super::super::cell::Cell;
use super::super::latencies::Latencies;
use super::super::table::{Duration, shown};
use super::colour;
use super::svg::{Anchor, Axis, Svg};

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 60.0;
const BOTTOM: f64 = 265.0;
const GREY: &str = "#aaaaaa";
const PALE: &str = "#e4e4e4";

/// The plot.
pub(super) fn plot(cell: &Cell, policies: &[&str]) -> String {
    let mut lines: Vec<(&str, &str, &Latencies)> = Vec::new();
    lines.extend(cell.alone.iter().map(|alone| ("alone", GREY, alone)));
    for (place, name) in policies.iter().enumerate() {
        let latencies = cell.policy(name).and_then(|run| run.latencies.as_ref());
        lines.extend(latencies.map(|latencies| (*name, colour(place), latencies)));
    }
    let mut svg = Svg::new(WIDTH, HEIGHT);
    let Some(decades) = decades(lines.iter().map(|(_, _, latencies)| *latencies)) else {
        svg.text((WIDTH / 2.0, HEIGHT / 2.0), Anchor::Middle, "#222222", "not measured");
        return svg.finish();
    };
    let x = Axis { values: (f64::from(decades.0), f64::from(decades.1)), pixels: (LEFT, WIDTH - 15.0) };
    // From one in 10000 at the bottom to all at the top.
    let y = Axis { values: (-4.0, 0.0), pixels: (BOTTOM, 10.0) };
    frame(&mut svg, x, y, decades);
    if let Some(slo_ns) = cell.to_json()["slo_ns"].as_f64() {
        let at = x.place_log(slo_ns);
        svg.line((at, y.pixels.0), (at, y.pixels.1), "#cc0000");
        svg.text((at + 3.0, 20.0), Anchor::Start, "#cc0000", "bound");
    }
    for (name, stroke, latencies) in lines {
        let mut points = vec![(x.pixels.0, y.place(0.0))];
        for (highest_ns, above_ppm) in latencies.above_ppm() {
            let at = x.place_log(float(highest_ns));
            points.push((at, points.last().map_or(0.0, |last| last.1)));
            points.push((at, y.place_log(float(above_ppm) / 1e6)));
        }
        let quantile = |ppm| shown(latencies.quantile_ns(ppm), |ns| Duration(ns).to_string());
        let title = format!(
            "{name}: p50 {}, p99 {}, p99.9 {}",
            quantile(500_000),
            quantile(990_000),
            quantile(999_000)
        );
        svg.path(&points, stroke, &title);
    }
    svg.finish()
}

/// The powers of ten around all latencies.
fn decades<'l>(all: impl Iterator<Item = &'l Latencies>) -> Option<(u32, u32)> {
    let mut ends: Option<(u64, u64)> = None;
    for latencies in all {
        for (highest_ns, _) in latencies.above_ppm() {
            let (low, high) = ends.unwrap_or((highest_ns, highest_ns));
            ends = Some((low.min(highest_ns), high.max(highest_ns)));
        }
    }
    let (low, high) = ends?;
    Some((low.max(1).ilog10(), high.max(1).ilog10() + 1))
}

fn frame(svg: &mut Svg, x: Axis, y: Axis, decades: (u32, u32)) {
    for decade in decades.0..=decades.1 {
        let at = x.place(f64::from(decade));
        svg.line((at, y.pixels.0), (at, y.pixels.1), PALE);
        let label = Duration(10u64.saturating_pow(decade)).to_string();
        svg.text((at, BOTTOM + 15.0), Anchor::Middle, "#222222", &label);
    }
    for (power, label) in [(0, "all"), (-1, "10 %"), (-2, "1 %"), (-3, "0.1 %"), (-4, "0.01 %")] {
        let at = y.place(f64::from(power));
        svg.line((x.pixels.0, at), (x.pixels.1, at), PALE);
        svg.text((LEFT - 5.0, at + 4.0), Anchor::End, "#222222", label);
    }
    svg.text((WIDTH / 2.0, HEIGHT - 4.0), Anchor::Middle, "#222222", "requests slower than");
}

/// Plots need no more than 53 bits.
#[expect(clippy::cast_precision_loss, reason = "a pixel is far coarser")]
fn float(value: u64) -> f64 {
    value as f64
}
