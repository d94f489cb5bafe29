//! Whether the interference is there, and what stops it: search on a core of
//! its own, alone, beside each antagonist, and beside it while its share of the
//! cache, of the bandwidth, or of both is small. One boot an antagonist.

use std::fmt::Write;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::boot::{Booted, Booter, Order, configuration};
use super::matrix::{ANTAGONISTS, Mix};
use super::table::{Duration, aligned, multiple, shown};
use super::{Arguments, Plan, QUICK_SIZE, size, write};
use crate::qemu::described;
use crate::report::{self, Host};
use crate::say;

/// Load of search, as a share of what it can serve alone.
const LOAD_PERMILLE: u32 = 400;
/// Ways left to antagonists where the cache is divided.
const WAYS: usize = 2;

/// Shares in the order of the columns: cache, bandwidth, both. Each is ways
/// and percent.
fn shares(machine: &str) -> Result<[(usize, u32); 3]> {
    let description = described(machine)?;
    let all_ways = description.shared_level.ways;
    let Some(allocation) = &description.allocation else {
        bail!("{machine} divides neither cache nor bandwidth: expected a machine with allocation classes");
    };
    // Where bandwidth is limited in absolute terms, a tenth is among its steps.
    let least = match allocation.throttle_max {
        0 => 10,
        most => 100u32.saturating_sub(most).max(1),
    };
    Ok([(WAYS, 100), (all_ways, least), (WAYS, least)])
}

/// One antagonist's row.
#[derive(Debug)]
struct Row {
    mix: Mix,
    report: Value,
    failure: Option<String>,
}

impl Row {
    /// The figures of all columns: beside it, then with each share.
    fn columns(&self) -> Vec<&Value> {
        let divided = self.report["divided"].as_array().into_iter().flatten();
        std::iter::once(&self.report["policies"][0]).chain(divided).collect()
    }

    fn to_json(&self) -> Value {
        json!({
            "mix": self.mix.name,
            "second_class": self.mix.workloads,
            "alone": self.report["alone"],
            "beside": self.report["policies"][0],
            "divided": self.report["divided"],
            "notes": self.report["notes"],
            "failure": self.failure,
        })
    }
}

/// Measures, prints the table and writes the file.
pub(super) fn run(booter: &Booter<'_>, arguments: &Arguments, plan: &Plan, host: &Host) -> Result<()> {
    let shares = shares(&arguments.machine)?;
    let mut rows: Vec<Row> = Vec::new();
    booter.all(orders(plan, shares, arguments.quick), arguments.jobs(), |done| {
        let Booted { of: mix, sent, failure, .. } = done;
        say::step(&format!("{} of {} antagonists done", rows.len() + 1, plan.mixes.len()));
        rows.push(Row { mix, report: sent.report.unwrap_or_default(), failure });
        rows.sort_by_key(|row| plan.mixes.iter().position(|mix| *mix == row.mix));
        let Some(file) = &arguments.json else { return Ok(()) };
        let all = json!({
            "host": report::describe(host),
            "machine": arguments.machine,
            "load_permille": LOAD_PERMILLE,
            "left_out": plan.left_out,
            "rows": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
        });
        write(file, &format!("{all:#}\n"))
    })?;
    print!("{}", text(&rows, shares, &plan.left_out));
    if let Some(row) = rows.iter().find(|row| row.failure.is_some()) {
        bail!("{}: {}", row.mix.name, row.failure.as_deref().unwrap_or_default());
    }
    Ok(())
}

fn orders(plan: &Plan, shares: [(usize, u32); 3], quick: bool) -> Vec<Order<Mix>> {
    let confine = shares.map(|(ways, percent)| format!("{ways}:{percent}")).join(",");
    let order = |mix: &Mix| {
        let mut more = vec![
            ("policies", "static".to_owned()),
            ("second_class", mix.workloads.join(",")),
            ("load_permille", LOAD_PERMILLE.to_string()),
            ("confine", confine.clone()),
        ];
        more.extend(size(quick, QUICK_SIZE));
        Order { title: mix.name.clone(), configuration: configuration("eval", 1, more), of: mix.clone() }
    };
    plan.mixes.iter().map(order).collect()
}

fn text(rows: &[Row], shares: [(usize, u32); 3], left_out: &[String]) -> String {
    let headings =
        ["BESIDE", "PRESSES ON", "", "ALONE", "PLAIN", "CAT", "MBA", "BOTH"].map(str::to_owned).to_vec();
    let mut table = vec![headings];
    for row in rows {
        let about = ANTAGONISTS.iter().find(|(name, _)| *name == row.mix.name);
        let mut name = row.mix.name.as_str();
        let mut about = about.map_or("several", |(_, about)| *about);
        for (label, alone, figure) in
            [("p50", "p50_ns", "p50_multiple_milli"), ("p99", "p99_ns", "p99_multiple_milli")]
        {
            let alone = shown(row.report["alone"][alone].as_u64(), |ns| Duration(ns).to_string());
            let mut cells = vec![name.to_owned(), about.to_owned(), label.to_owned(), alone];
            cells.extend(row.columns().iter().map(|column| shown(column[figure].as_f64(), multiple)));
            table.push(cells);
            (name, about) = ("", "");
        }
    }
    let mut out = aligned(&table, 3);
    let [(ways, _), (_, percent), _] = shares;
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "Search on a core of its own at {} % load, alone and in multiples of that beside one antagonist on every other\n\
         core that takes any. CAT: they may fill {ways} ways; MBA: they have {percent} % of the bandwidth; BOTH: both.",
        LOAD_PERMILLE / 10
    );
    for reason in left_out {
        let _ = writeln!(out, "{reason}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_what_the_machine_can_give() {
        assert_eq!(shares("xeon4").expect("divides"), [(2, 100), (11, 10), (2, 10)]);
        assert_eq!(shares("epyc8").expect("divides"), [(2, 100), (16, 10), (2, 10)]);
        let error = shares("nordt").expect_err("divides nothing").to_string();
        assert!(error.starts_with("nordt divides neither cache nor bandwidth"), "{error}");
    }

    #[test]
    fn every_column_is_shown_and_missing_ones_say_so() {
        let figures = |p99: u64| json!({"p50_multiple_milli": 1_000, "p99_multiple_milli": p99});
        let report = json!({
            "alone": {"p50_ns": 40_000, "p99_ns": 336_000}, "policies": [figures(4_000)],
            "divided": [figures(1_500), {"p50_multiple_milli": null}, figures(1_100)],
        });
        let mix = Mix::named("llc", 3).expect("known");
        let rows = [Row { mix, report, failure: None }];
        let text = text(&rows, [(2, 100), (11, 10), (2, 10)], &["sibling: not applicable".to_owned()]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[2].split_whitespace().eq(["p99", "336", "us", "4.00x", "1.50x", "-", "1.10x"]),
            "{}",
            lines[2]
        );
        assert!(lines[1].starts_with("llc     capacity of the shared cache  p50"), "{}", lines[1]);
        assert!(
            text.contains("2 ways; MBA: they have 10 % of the bandwidth")
                && text.ends_with("not applicable\n")
        );
    }
}
