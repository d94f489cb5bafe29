//! The comparison as text: all policies in one table over all cells, then each
//! cell's tail by policy.

use std::fmt::Write;

use super::cell::{Cell, PolicyRun};

/// What a table shows for what was not measured.
const MISSING: &str = "-";

/// The names of all policies, in the order they were compared.
pub(crate) fn policies(cells: &[Cell]) -> Vec<&str> {
    let mut names = Vec::new();
    for run in cells.iter().flat_map(|cell| &cell.policies) {
        if !names.contains(&run.name.as_str()) {
            names.push(&run.name);
        }
    }
    names
}

/// Both tables and what their columns mean.
pub(crate) fn text(cells: &[Cell]) -> String {
    let mut out = format!("{}\n{}\n{DEFINITIONS}{}", summary(cells), tails(cells), asides(cells));
    for cell in cells {
        for note in &cell.notes {
            // Writing to a string does not fail.
            let _ = writeln!(out, "note: {}: {note}", cell.key.title());
        }
    }
    out
}

const DEFINITIONS: &str = "\
P50, P99, P99.9: multiples of running alone at the same load, geometric mean over the cells that measured them;
WORST: the highest P99 of a cell. V100US, V1MS, V: requests above the bound in the first 100 us and 1 ms of bursts,
and in all. MISSED: bursts with more than 1 % of requests above the bound. 2ND: second-class throughput as a share
of the mix alone; EMU: that and the first-class load served within the bound. LEAD: quarantine in force to release.
REACT: from the first sign to the effect. CONTROL: share of the control core. Means over cells; - not measured.
";

/// A period beside the paper's, as a factor that keeps its digits either way.
fn scaled(ours_ns: f64, paper_ns: f64) -> String {
    if ours_ns < paper_ns {
        format!("divided by {}", rounded(paper_ns / ours_ns))
    } else {
        format!("multiplied by {}", rounded(ours_ns / paper_ns))
    }
}

/// To a thousandth, without zeros that say nothing.
fn rounded(factor: f64) -> f64 {
    (factor * 1000.0).round() / 1000.0
}

/// How often policies decide, where they say so, and why some do nothing.
fn asides(cells: &[Cell]) -> String {
    let mut out = String::new();
    for name in policies(cells) {
        let runs = || cells.iter().filter_map(|cell| cell.policy(name));
        if let Some(ours_ns) = runs().find_map(|run| run.figure("period_ns")) {
            let paper = runs().find_map(|run| run.figure("period_paper_ns"));
            let ours = span(ours_ns);
            // Writing to a string does not fail.
            let _ = match paper.filter(|paper_ns| *paper_ns > 0.0) {
                Some(paper_ns) => writeln!(
                    out,
                    "{name} decides every {ours}; its paper every {}, which is {}",
                    span(paper_ns),
                    scaled(ours_ns, paper_ns)
                ),
                None => writeln!(out, "{name} decides every {ours}"),
            };
        }
        if let Some(why) = runs().find_map(|run| run.text("idle_because")) {
            let _ = writeln!(out, "{name} does nothing on this machine: {why}");
        }
    }
    out
}

/// Nanoseconds that came as a floating-point number.
fn span(ns: f64) -> String {
    match ns {
        _ if ns < 1e6 => format!("{} us", ns / 1e3),
        _ if ns < 1e9 => format!("{} ms", ns / 1e6),
        _ => format!("{} s", ns / 1e9),
    }
}

/// One row a policy, over all cells.
fn summary(cells: &[Cell]) -> String {
    let mut rows = vec![
        [
            "POLICY", "CELLS", "P50", "P99", "P99.9", "WORST", "V100US", "V1MS", "V", "MISSED", "2ND", "EMU",
            "LEAD", "REACT", "CONTROL",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for name in policies(cells) {
        let runs: Vec<&PolicyRun> = cells.iter().filter_map(|cell| cell.policy(name)).collect();
        let all = |figure: &str| runs.iter().filter_map(|run| run.figure(figure)).collect::<Vec<_>>();
        let sum =
            |figure: &str| Some(all(figure)).filter(|all| !all.is_empty()).map(|all| all.iter().sum::<f64>());
        let share = |figure: &str| shown(mean(&all(figure)), |permille| format!("{:.1} %", permille / 10.0));
        let missed = match (sum("missed_bursts"), sum("bursts")) {
            (Some(missed), Some(bursts)) => format!("{missed}/{bursts}"),
            _ => MISSING.to_owned(),
        };
        let measured = runs.iter().filter(|run| run.figure("p99_multiple_milli").is_some()).count();
        rows.push(vec![
            name.to_owned(),
            format!("{measured}/{}", cells.len()),
            shown(geometric_mean(&all("p50_multiple_milli")), multiple),
            shown(geometric_mean(&all("p99_multiple_milli")), multiple),
            shown(geometric_mean(&all("p999_multiple_milli")), multiple),
            shown(all("p99_multiple_milli").into_iter().reduce(f64::max), multiple),
            shown(sum("violations_first_100us"), |count| format!("{count}")),
            shown(sum("violations_first_1ms"), |count| format!("{count}")),
            shown(sum("violations").or_else(|| sum("late_requests")), |count| format!("{count}")),
            missed,
            share("second_class_share_permille"),
            share("emu_permille"),
            shown(mean(&all("lead_mean_ns")), |ns| format!("{:.2} ms", ns / 1e6)),
            shown(mean(&all("reaction_us")), |us| format!("{us:.0} us")),
            share("controller_permille"),
        ]);
    }
    aligned(&rows, 1)
}

/// One row a cell, one column a policy: p99 as a multiple of alone.
fn tails(cells: &[Cell]) -> String {
    let policies = policies(cells);
    let fixed = ["MIX", "LOAD", "SEED", "ALONE P99"].map(str::to_owned).into_iter();
    let mut rows = vec![fixed.chain(policies.iter().map(|name| name.to_uppercase())).collect::<Vec<_>>()];
    for cell in cells {
        let key = &cell.key;
        let mut row = vec![
            key.mix.name.clone(),
            format!("{} % of knee", key.knee_percent),
            key.seed.to_string(),
            shown(cell.alone_ns("p99_ns").map(|ns| Duration(ns).to_string()), |text| text),
        ];
        for name in &policies {
            let p99 = cell.policy(name).and_then(|run| run.figure("p99_multiple_milli"));
            row.push(shown(p99, multiple));
        }
        rows.push(row);
    }
    aligned(&rows, 2)
}

/// A span in the unit that suits it, with three digits at most.
pub(crate) struct Duration(pub(crate) u64);

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (unit, per_unit) = match self.0 {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("us", 1_000),
            1_000_000..1_000_000_000 => ("ms", 1_000_000),
            _ => ("s", 1_000_000_000),
        };
        let (whole, thousandths) = (self.0 / per_unit, self.0 % per_unit * 1000 / per_unit);
        match (whole, thousandths) {
            (_, 0) | (100.., _) => write!(f, "{whole} {unit}"),
            (10.., _) => write!(f, "{whole}.{} {unit}", thousandths / 100),
            _ => write!(f, "{whole}.{:02} {unit}", thousandths / 10),
        }
    }
}

/// Thousandths as a multiple with three digits.
pub(crate) fn multiple(milli: f64) -> String {
    // Halves go up, as they do in the guest's own table.
    let milli = milli.round();
    let digit = if milli < 9_995.0 { 10.0 } else { 100.0 };
    let times = (milli / digit).round() * digit / 1000.0;
    match times {
        _ if times < 9.995 => format!("{times:.2}x"),
        _ if times < 99.95 => format!("{times:.1}x"),
        _ => format!("{times:.0}x"),
    }
}

/// A value, or a sign that there is none.
pub(crate) fn shown<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| MISSING.to_owned(), show)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / count(values))
}

fn geometric_mean(values: &[f64]) -> Option<f64> {
    let logarithms: Vec<f64> = values.iter().filter(|value| **value > 0.0).map(|value| value.ln()).collect();
    mean(&logarithms).map(f64::exp)
}

fn count(values: &[f64]) -> f64 {
    u32::try_from(values.len()).map_or(f64::MAX, f64::from)
}

/// Columns as wide as their widest cell, the first `left` ones to the left.
pub(crate) fn aligned(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if column < left {
                write!(line, "{cell:<width$}  ")
            } else {
                write!(line, "{cell:>width$}  ")
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::cell::tests::cell;
    use super::*;

    #[test]
    fn all_policies_are_in_one_table() {
        let cells = [
            cell("llc", 10, &[("none", Some(2_000)), ("static", Some(1_000))]),
            cell("read", 10, &[("none", Some(8_000)), ("concept", None)]),
        ];
        assert_eq!(policies(&cells), ["none", "static", "concept"]);
        let text = text(&cells);
        let lines: Vec<&str> = text.lines().collect();
        // The geometric mean of 2 and 8 is 4.
        let none: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(none[..6], ["none", "2/2", "-", "4.00x", "-", "8.00x"]);
        assert!(lines[3].starts_with("concept    0/2"), "{}", lines[3]);
        assert!(lines[6].starts_with("llc   10 % of knee"), "{}", lines[6]);
        assert!(lines[6].ends_with("2 us  2.00x   1.00x        -"), "{}", lines[6]);
        assert!(text.ends_with("note: llc at 10 % of the knee, seed 1: a <note>\nnote: read at 10 % of the knee, seed 1: a <note>\n"));
    }

    #[test]
    fn periods_say_how_they_are_scaled() {
        let key = cell("llc", 10, &[]).key;
        let policies = serde_json::json!([
            {"policy": "reactive", "period_ns": 1_000_000, "period_paper_ns": 10_000},
            {"policy": "heracles", "period_ns": 7_500_000, "period_paper_ns": 15_000_000_000u64},
            {"policy": "lfoc", "idle_because": "no cache can be divided"},
        ]);
        let report = serde_json::json!({"policies": policies});
        let sent = super::super::cell::Sent { report: Some(report), ..Default::default() };
        let text = text(&[Cell::new(key, sent, None, 1)]);
        for line in [
            "\nreactive decides every 1 ms; its paper every 10 us, which is multiplied by 100\n",
            "\nheracles decides every 7.5 ms; its paper every 15 s, which is divided by 2000\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(text.contains("\nlfoc does nothing on this machine: no cache can be divided\n"), "{text}");
    }

    #[test]
    fn spans_have_three_digits_at_most() {
        let spans = [7, 999, 1_000, 1_239, 45_678, 348_159, 1_000_000, 12_345_678, 2_500_000_000];
        let shown = ["7 ns", "999 ns", "1 us", "1.23 us", "45.6 us", "348 us", "1 ms", "12.3 ms", "2.50 s"];
        assert_eq!(spans.map(|ns| Duration(ns).to_string()), shown);
    }

    #[test]
    fn multiples_have_three_digits() {
        assert_eq!(
            [1_234.0, 1_305.0, 1_304.999_9, 9_994.0, 9_996.0, 99_960.0].map(multiple),
            ["1.23x", "1.31x", "1.31x", "9.99x", "10.0x", "100x"]
        );
    }

    #[test]
    fn without_cells_there_is_a_heading() {
        assert!(text(&[]).starts_with("POLICY  CELLS"));
    }
}
