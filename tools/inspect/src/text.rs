//! Prints a tree of values for people: sections with aligned names, lists of
//! alike things as tables.

use std::fmt::Write;

use serde_json::{Map, Value};

/// The text of a report.
pub(crate) fn render(report: &Value) -> String {
    let mut out = String::new();
    for (name, section) in report.as_object().into_iter().flatten() {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{}", words(name));
        value(&mut out, section, 2);
        out.push('\n');
    }
    out
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn value(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) => object(out, fields, indent),
        Value::Array(items) if items.is_empty() => line(out, indent, "none"),
        Value::Array(items) if items.iter().all(Value::is_object) => table(out, items, indent),
        Value::Array(items) => items.iter().for_each(|item| line(out, indent, &scalar(item))),
        other => line(out, indent, &scalar(other)),
    }
}

fn object(out: &mut String, fields: &Map<String, Value>, indent: usize) {
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    for (name, field) in fields {
        let nested = match field {
            Value::Object(_) => true,
            Value::Array(items) => items.iter().any(|item| item.is_object() || item.is_array()),
            _ => false,
        };
        if nested {
            line(out, indent, &words(name));
            value(out, field, indent + 2);
        } else {
            line(out, indent, &format!("{:width$}  {}", words(name), scalar(field)));
        }
    }
}

fn table(out: &mut String, items: &[Value], indent: usize) {
    let rows: Vec<&Map<String, Value>> = items.iter().filter_map(Value::as_object).collect();
    let Some(names) = rows.first().map(|row| row.keys().collect::<Vec<_>>()) else { return };
    let cell = |row: &Map<String, Value>, name: &String| row.get(name).map(scalar).unwrap_or_default();
    let width = |name: &String| {
        let cells = rows.iter().map(|row| cell(row, name).chars().count());
        cells.chain([name.len()]).max().unwrap_or(0).min(MAX_CELL)
    };
    let widths: Vec<usize> = names.iter().map(|name| width(name)).collect();
    let columns = |cells: Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ")
    };
    line(out, indent, &columns(names.iter().map(|name| words(name)).collect()));
    for row in &rows {
        line(out, indent, &columns(names.iter().map(|name| cell(row, name)).collect()));
    }
}

/// Wider cells stand out to the right.
const MAX_CELL: usize = 40;

fn line(out: &mut String, indent: usize, text: &str) {
    let _ = writeln!(out, "{:indent$}{}", "", text.trim_end());
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".into(),
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
