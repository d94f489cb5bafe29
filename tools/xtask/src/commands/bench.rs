//! `cargo xtask bench`: instruction counts that repeat exactly.
//!
//! Under `-icount shift=0` QEMU's virtual clock advances one nanosecond for
//! each guest instruction, so the guest can count instructions by its clock
//! and two runs of the same image give the same figures.

mod model;
mod parsers;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::image::{Builder, Configuration, Images, configuration::Mode};
use crate::qemu::{Emulator, Firmware, Guest, Machine, Outcome, Outputs};
use crate::report::{self, Host};
use crate::{say, setup, workspace};

/// Measure instruction counts, sizes, memory at rest and the model's speed.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Instead: put so many random inputs (a million unless said) to every
    /// parser of tables, on the host
    #[arg(long, value_name = "CASES", num_args = 0..=1, default_missing_value = "1000000")]
    parsers: Option<u32>,
}

const LIMIT: Duration = Duration::from_secs(900);
/// The modelled machine that has counters and classes.
const MODELLED: &str = "xeon4";
const MEBIBYTE: u64 = 1 << 20;

/// Figures that have an aim: they must be reported and lie below it.
const AIMS: &[(&str, u64)] = &[
    ("tick_8", 2_000),
    ("context_switch", 100),
    ("prediction", 150),
    ("kernel_elf", MEBIBYTE),
    ("memory_at_rest", 8 * MEBIBYTE),
];

/// Figures whose aim lies above: the more the better. They depend on the host
/// and may be absent.
const LEAST: &[(&str, u64)] = &[("model_4_cpus", 100)];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Figure {
    name: String,
    value: u64,
    unit: String,
}

/// Measures, prints the table, and fails if a figure is missing.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(cases) = arguments.parsers {
        return parsers::run(cases);
    }
    let toolchain = setup::prepare(setup::Needs { emulator: true, lints: false })?;
    let builder = Builder::new(&toolchain)?;
    let images = builder.images("bench", &Configuration::new(Mode::Bench))?;
    let mut machine = Machine::new(&images, Firmware::Bios, 1)?;
    machine.counted = true;
    let command_line = machine.command_line();
    eprintln!("$ {command_line}");
    let mut figures = measure(&machine, "logs/bench.log")?;
    // Only what needs a QEMU that cannot be had is left out; what fails, fails.
    let emulator = Emulator::find();
    if let Ok(emulator) = &emulator {
        figures.extend(hardware(&builder, emulator)?);
    }
    figures.extend(sizes(&builder, &images)?);
    match &emulator {
        Ok(emulator) => figures.extend(model::measure(&builder, emulator)?),
        Err(reason) => say::step(&format!(
            "what counting and dividing cost, and the model's speed, are left out: its QEMU cannot be had: {reason:#}"
        )),
    }
    print!("{}", table(&figures));
    let host =
        Host { toolchain: toolchain.describe(), command_line, firmware: Firmware::Bios.name(), model: None };
    if let Some(file) = &arguments.json {
        write(file, &figures, &host)?;
    }
    let missing: Vec<_> = AIMS.iter().map(|(name, _)| *name).filter(|name| !has(&figures, name)).collect();
    if !missing.is_empty() {
        bail!("the guest did not report {}", say::list(&missing));
    }
    Ok(())
}

/// What counting and dividing cost, on the machine model: plain emulation has
/// neither counters nor classes.
fn hardware(builder: &Builder, emulator: &Emulator) -> Result<Vec<Figure>> {
    let configuration =
        Configuration { case: Some("hardware".to_owned()), ..Configuration::new(Mode::Bench) };
    let images = builder.images("bench-hardware", &configuration)?;
    let mut machine = Machine::new(&images, Firmware::Bios, 2)?;
    machine.model = Some(emulator.model(MODELLED, 2, 1024, Outputs::default())?);
    eprintln!("$ {}", machine.command_line());
    measure(&machine, "logs/bench-hardware.log")
}

fn measure(machine: &Machine, log: &str) -> Result<Vec<Figure>> {
    say::step("measuring; this takes about a minute");
    let log = workspace::target(log);
    let (outcome, records) = Guest::start(machine, Some(&log))?.run_to_end(LIMIT, |_| Ok(()))?;
    if outcome != Outcome::Success {
        bail!("{outcome}; its log is {}", workspace::shown(&log));
    }
    records.iter().filter(|record| record["record"] == "bench").map(figure).collect()
}

fn figure(record: &Value) -> Result<Figure> {
    let read = || {
        let name = record["name"].as_str()?.to_owned();
        Some(Figure { name, value: record["value"].as_u64()?, unit: record["unit"].as_str()?.to_owned() })
    };
    read().with_context(|| format!("the guest sent a figure without name, value or unit: {record}"))
}

fn sizes(builder: &Builder, images: &Images) -> Result<Vec<Figure>> {
    let files =
        [("kernel_elf", builder.kernel()), ("bios_image", &images.bios), ("uefi_image", &images.uefi)];
    files
        .into_iter()
        .map(|(name, path)| {
            let value = path.metadata().with_context(|| format!("cannot read {}", path.display()))?.len();
            Ok(Figure { name: name.to_owned(), value, unit: "bytes".to_owned() })
        })
        .collect()
}

fn table(figures: &[Figure]) -> String {
    let mut text = format!("{:<30} {:>12} {:<14} {:>12}\n", "figure", "measured", "unit", "aim");
    for Figure { name, value, unit } in figures {
        let (aim, missed) = aim(name, *value);
        let note = if missed { "  missed" } else { "" };
        let line = format!("{name:<30} {value:>12} {unit:<14} {aim:>12}{note}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A figure's aim, and whether it was missed.
fn aim(name: &str, value: u64) -> (String, bool) {
    let of = |aims: &[(&str, u64)]| aims.iter().find(|(one, _)| *one == name).map(|(_, aim)| *aim);
    match (of(AIMS), of(LEAST)) {
        (Some(aim), _) => (format!("< {aim}"), value >= aim),
        (None, Some(aim)) => (format!(">= {aim}"), value < aim),
        (None, None) => (String::new(), false),
    }
}

fn write(file: &std::path::Path, figures: &[Figure], host: &Host) -> Result<()> {
    let figures: Vec<_> = figures
        .iter()
        .map(|figure| json!({"name": figure.name, "value": figure.value, "unit": figure.unit}))
        .collect();
    let text = format!("{:#}\n", json!({"host": report::describe(host), "figures": figures}));
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn has(figures: &[Figure], name: &str) -> bool {
    figures.iter().any(|figure| figure.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_need_all_their_parts() {
        let record = json!({"record": "bench", "name": "tick_8", "value": 1200, "unit": "instructions"});
        let figure = figure(&record).expect("complete");
        assert_eq!(figure, Figure { name: "tick_8".into(), value: 1200, unit: "instructions".into() });
        assert!(
            super::figure(&json!({"record": "bench", "name": "tick_8", "value": -1, "unit": "x"})).is_err()
        );
    }

    #[test]
    fn the_table_marks_a_missed_aim() {
        let figure = |name: &str, value| Figure { name: name.into(), value, unit: "instructions".into() };
        let text =
            table(&[figure("tick_8", 1999), figure("context_switch", 100), figure("ring_transfer", 9)]);
        let lines: Vec<_> =
            text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
        assert_eq!(lines[0], ["tick_8", "1999", "instructions", "<", "2000"]);
        assert_eq!(lines[1], ["context_switch", "100", "instructions", "<", "100", "missed"]);
        assert_eq!(lines[2], ["ring_transfer", "9", "instructions"]);
        assert_eq!(aim("model_4_cpus", 99), (">= 100".to_owned(), true));
        assert_eq!(aim("model_4_cpus", 100), (">= 100".to_owned(), false));
    }
}
