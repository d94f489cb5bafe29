use super::*;
use crate::fake::{Fault, check_snapshot, plan, run, text};
use crate::plan::Plan;
use serde_json::Value;
use std::collections::BTreeSet;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

fn both(plan: &Plan, faults: &[Fault]) -> (String, Value) {
    let (job, _) = run(plan, faults);
    let json = text(|out| write_json(job.results(), out));
    assert!(!json.contains(char::is_control), "one line");
    (text(|out| write_text(job.results(), out)), serde_json::from_str(&json).expect("valid JSON"))
}

fn numbers(value: &Value, into: &mut Vec<(String, Value)>, key: &str) {
    match value {
        Value::Number(_) => into.push((key.to_string(), value.clone())),
        Value::Array(list) => list.iter().for_each(|value| numbers(value, into, key)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| numbers(value, into, key)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Every way in which the record's numbers may be printed.
fn printed(record: &Value) -> BTreeSet<String> {
    let mut found = Vec::new();
    numbers(record, &mut found, "");
    let forms = found.into_iter().map(|(key, value)| {
        let number = value.as_i64().expect("fits");
        let magnitude = number.unsigned_abs();
        if key.ends_with("_ns") {
            format!("{}", SignedNs(number))
        } else if key.ends_with("_permille") {
            format!("{}.{} %", magnitude / 10, magnitude % 10)
        } else if key.ends_with("_milli") {
            let exact = magnitude as f64 / 1000.0;
            let decimals = if exact < 9.995 { 2 } else { usize::from(exact < 99.95) };
            // Halves up, as the table has it.
            format!("{:.decimals$}x", exact + 1e-9)
        } else {
            format!("{number}")
        }
    });
    forms.collect()
}

/// The numbers of the text with their units, but for the definitions' own and
/// those in notes, which the record has word by word.
fn shown(text: &str) -> Vec<String> {
    let figures: String = text.split_inclusive('\n').filter(|line| !line.starts_with("note: ")).collect();
    let text = figures.replace("at most 1 % of", "").replace("P99.9", "");
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || ",;:()".contains(c)).collect();
    let mut found = Vec::new();
    for pair in words.windows(2) {
        let word = pair[0].trim_end_matches('.');
        let is_number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-') && word != "-";
        if !is_number || ["1ST", "2ND"].contains(&word) {
            continue;
        }
        match pair[1] {
            unit @ ("ns" | "us" | "ms" | "s" | "%") => found.push(format!("{word} {unit}")),
            _ => found.extend(word.split('/').map(str::to_string)),
        }
    }
    found
}

#[test]
fn the_table_reads_so() {
    let (table, _) = both(&plan(), &[]);
    check_snapshot("report.txt", &table);
}

#[test]
fn a_table_with_gaps_reads_so() {
    let faults = [
        Fault::StartRefused { second: 2 },
        Fault::PolicyRefused("static"),
        Fault::BurstHangs { number: 5 + 4 + 16 + 4 * 16 + 16 + 5 },
    ];
    let (table, record) = both(&Plan { emulated: false, ..plan() }, &faults);
    check_snapshot("report_with_gaps.txt", &table);
    assert_eq!(record["policies"][1]["measured"], false);
    assert!(record["policies"][1].get("p99_ns").is_none());
    assert_eq!(record["pairs"][2]["measured"], false);
    assert!(record["pairs"][2]["interferes"].is_null() && record["pairs"][2]["p99_ns"].is_null());
    assert_eq!(record["notes"].as_array().map(Vec::len), Some(5));
}

#[test]
fn the_table_fits_and_is_honest() {
    for (plan, faults) in [
        (plan(), [].as_slice()),
        (Plan { bursts: 3, requests: 20, load_permille: 1000, ..plan() }, &[]),
        (plan(), &[Fault::PreparationFails]),
        (plan(), &[Fault::BurstHangs { number: 7 }]),
        (plan(), &[Fault::NothingRecorded { number: 10 }]),
    ] {
        let (table, record) = both(&plan, faults);
        assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
        assert!(table.contains("indicative only"));
        let printed = printed(&record);
        let shown = shown(&table);
        assert!(shown.len() > 6, "{shown:?}");
        for number in shown {
            assert!(
                printed.contains(&number),
                "`{number}` is in the table, not in the record\n{table}\n{printed:?}"
            );
        }
    }
}

#[test]
fn the_record_says_what_was_asked_and_measured() {
    let (_, record) = both(&plan(), &[]);
    assert_eq!(record["record"], "report");
    assert_eq!((&record["scenario"], &record["seed"]), (&"standard".into(), &1.into()));
    assert_eq!(record["plan"]["bursts"], 16);
    assert_eq!(record["alone"]["requests"], 16 * 96);
    assert_eq!(record["alone"]["p99_multiple_milli"], 1000);
    assert!(record["alone"]["missed_bursts"].is_null());
    assert_eq!(record["policies"][3]["policy"], "concept");
    assert_eq!(record["policies"][3]["predictions_right"], 64);
    assert_eq!(record["policies"][3]["lead_worst_ns"], -1_250_000);
    assert_eq!(record["policies"][3]["actions_by_kind"]["pause"], 32);
    assert_eq!(record["pairs"][0]["interferes"], true);
    let emu = |i: usize| record["policies"][i]["emu_permille"].as_u64().expect("measured");
    let share = |i: usize, class| {
        record["policies"][i][format!("{class}_class_share_permille")].as_u64().expect("measured")
    };
    (0..4).for_each(|i| assert_eq!(emu(i), share(i, "first") + share(i, "second")));
}

#[test]
fn multiples_have_three_digits() {
    for (thousandths, shown) in [
        (0, "0.00x"),
        (1234, "1.23x"),
        (1235, "1.24x"),
        (9994, "9.99x"),
        (9995, "10.0x"),
        (99_949, "99.9x"),
        (99_950, "100x"),
        (123_456, "123x"),
        (u64::MAX, "18446744073709551x"),
    ] {
        assert_eq!(format!("{}", Multiple(thousandths)), shown);
    }
    assert_eq!((milli(3 << 15), milli(1), milli(u64::MAX)), (1500, 0, 281_474_976_710_656_000));
    assert_eq!(format!("{} {}", SignedNs(-1_250_000), SignedNs(i64::MIN)), "-1.25 ms -9223372037 s");
}
