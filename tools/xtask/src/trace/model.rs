//! The machine model's side: figures over the run, and writes that divide
//! caches or bandwidth.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::chrome::{Events, Row};
use super::guest::Clock;

/// The model.
const PROCESS: u32 = 2;
const WRITES: Row = Row { process: PROCESS, thread: 1 };
/// Figures of a row before those of the vCPUs: time, utilisation, latency.
const COMMON: usize = 3;
/// Figures of each vCPU: instructions, cycles, references, misses.
const EACH: usize = 4;

/// Adds the plugin's file. Without the guest's clock its times begin where the
/// modelled part does.
///
/// # Errors
/// If the file is not as the plugin writes it.
pub(super) fn add(model: &Value, clock: Option<Clock>, events: &mut Events) -> Result<()> {
    let machine = model["machine"].as_str().context("the model's trace names no machine")?;
    let mhz = figure(&model["clock_mhz"])?.max(1.0);
    let rows: Vec<Vec<f64>> = model["samples"]
        .as_array()
        .context("the model's trace has no samples")?
        .iter()
        .map(figures)
        .collect::<Result<_>>()?;
    let first = rows.first().and_then(|row| row.first()).copied().unwrap_or(0.0);
    let begin = clock.map_or(first, |clock| whole(clock.boot_tsc));
    let us = |cycles: f64| (cycles - begin) / mhz;
    events.name_process(PROCESS, &format!("machine model {machine}"));
    events.name_row(WRITES, "divisions");
    if let Some(clock) = clock {
        events.note("tsc_hz", clock.tsc_hz.into());
    }
    events.note("model writes left out", model["lost_writes"].clone());
    for pair in rows.windows(2) {
        let [from, to] = pair else { continue };
        add_row(from, to, us, events)?;
    }
    for write in model["writes"].as_array().context("the model's trace has no writes")? {
        add_write(write, us, events)?;
    }
    Ok(())
}

/// What went on between two rows, shown from the first one on.
fn add_row(from: &[f64], to: &[f64], us: impl Fn(f64) -> f64, events: &mut Events) -> Result<()> {
    let ([begin, before @ ..], [end, utilisation, latency, ..]) = (from, to) else {
        bail!("a row of the model's trace is too short")
    };
    let (at_us, took_us) = (us(*begin), us(*end) - us(*begin));
    // What the firmware did is before the guest's time.
    if at_us < 0.0 || took_us <= 0.0 || before.len() + 1 != to.len() {
        return Ok(());
    }
    let vcpus = from.get(COMMON..).unwrap_or_default().chunks_exact(EACH);
    let later = to.get(COMMON..).unwrap_or_default().chunks_exact(EACH);
    let (mut misses, mut running) = (Vec::new(), Vec::new());
    for (vcpu, (before, after)) in vcpus.zip(later).enumerate() {
        let ([_, cycles, _, missed], [_, cycles_after, _, missed_after]) = (before, after) else { continue };
        misses.push((format!("vcpu{vcpu}"), (missed_after - missed) / took_us));
        let share = (cycles_after - cycles) / (end - begin) * 100.0;
        running.push((format!("vcpu{vcpu}"), share.clamp(0.0, 100.0)));
    }
    let used = utilisation / 65_536.0 * 100.0;
    events.counter(PROCESS, "memory bandwidth in use, percent", at_us, vec![("used".to_owned(), used)]);
    events.counter(PROCESS, "memory latency, cycles", at_us, vec![("latency".to_owned(), *latency)]);
    events.counter(PROCESS, "shared cache misses per us", at_us, misses);
    events.counter(PROCESS, "running percent", at_us, running);
    Ok(())
}

fn add_write(write: &Value, us: impl Fn(f64) -> f64, events: &mut Events) -> Result<()> {
    let (what, class, value) = (write[2].as_str(), write[3].as_u64(), write[4].as_u64());
    let (Some(what), Some(class), Some(value)) = (what, class, value) else {
        bail!("a write of the model's trace is incomplete: {write}")
    };
    let value = if what == "mask" { format!("{value:#x}") } else { value.to_string() };
    let name = format!("{what} of class {class}: {value}");
    events.instant(WRITES, &name, us(figure(&write[0])?).max(0.0), json!({"vcpu": write[1]}));
    Ok(())
}

fn figures(row: &Value) -> Result<Vec<f64>> {
    row.as_array().context("a row of the model's trace is no list")?.iter().map(figure).collect()
}

fn figure(value: &Value) -> Result<f64> {
    value.as_f64().with_context(|| format!("expected a number in the model's trace, found {value}"))
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 cycles, which is 50 days")]
fn whole(number: u64) -> f64 {
    number as f64
}
