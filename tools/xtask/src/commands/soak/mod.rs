//! `cargo xtask soak`: random input for a long time, then many starts and
//! stops. Afterwards the console must answer and no frame may be missing.

mod flood;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::flood::Flood;
use crate::console_session::Session;
use crate::image::{Builder, Configuration, configuration::Mode};
use crate::qemu::{Firmware, Machine};
use crate::{say, setup, workspace};

/// Flood the console with random bytes, then start and stop workloads.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long to send random bytes
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0, value_parser = minutes)]
    minutes: f64,
    /// How often to start and stop a workload
    #[arg(long, value_name = "N", default_value_t = 1000)]
    cycles: u32,
    /// Seed of the random bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// What one soak does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How long to send random bytes.
    pub(crate) flood: Duration,
    /// How often to start and stop a workload.
    pub(crate) cycles: u32,
    /// Seed of the random bytes.
    pub(crate) seed: u64,
}

/// Workloads that are started and stopped in turn.
const WORKLOADS: &[&str] = &["compress", "hash", "stream", "chase", "matrix"];

/// Bytes sent between two looks at what came back.
const BURST_BYTES: usize = 64;

/// How often progress is reported.
const REPORTED_EVERY: Duration = Duration::from_secs(10);

/// Soaks as the arguments say.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let toolchain = setup::prepare(setup::Needs { emulator: true, lints: false })?;
    let builder = Builder::new(&toolchain)?;
    let flood = Duration::from_secs_f64(arguments.minutes * 60.0);
    let plan = Plan { flood, cycles: arguments.cycles, seed: arguments.seed };
    let log = workspace::target("logs/soak.log");
    soak(&builder, &plan, &log)
        .with_context(|| format!("seed {}; the log is {}", plan.seed, workspace::shown(&log)))?;
    println!(
        "soak passed: {} s of random bytes, {} starts and stops, no frame lost",
        flood.as_secs(),
        plan.cycles
    );
    Ok(())
}

/// Boots a machine and soaks it.
///
/// # Errors
/// If the guest ends, stops answering, refuses a start or a stop, or loses a
/// frame.
pub(crate) fn soak(builder: &Builder, plan: &Plan, log: &Path) -> Result<()> {
    let images = builder.images("soak", &Configuration::new(Mode::Soak))?;
    let machine = Machine::new(&images, Firmware::Bios, 4)?;
    let mut session = Session::start(&machine, log)?;
    let before = warm_up(&mut session)?;
    flood(&mut session, plan)?;
    recover(&mut session).context("after the random bytes")?;
    expect_same(before, free_frames(&mut session)?).context("after the random bytes")?;
    cycles(&mut session, plan.cycles)?;
    recover(&mut session).context("after the starts and stops")?;
    expect_same(before, free_frames(&mut session)?).context("after the starts and stops")
}

/// Between two looks at the free frames, and looks at most.
const SETTLING: Duration = Duration::from_secs(1);
const SETTLING_LOOKS: u32 = 30;

/// Starts and stops every workload once, so that whatever is set up on first
/// use is, and returns the free frames then.
fn warm_up(session: &mut Session) -> Result<u64> {
    cycles(session, u32::try_from(WORKLOADS.len()).unwrap_or(u32::MAX))?;
    recover(session)?;
    free_frames(session)
}

fn flood(session: &mut Session, plan: &Plan) -> Result<()> {
    let mut flood = Flood::new(plan.seed);
    let start = Instant::now();
    let mut reported = start;
    let mut sent_bytes = 0;
    while start.elapsed() < plan.flood {
        let bytes = flood.next(BURST_BYTES);
        session.flood(&bytes).with_context(|| format!("after {sent_bytes} random bytes"))?;
        sent_bytes += bytes.len();
        if reported.elapsed() >= REPORTED_EVERY {
            reported = Instant::now();
            let (now, all) = (start.elapsed().as_secs(), plan.flood.as_secs());
            say::step(&format!(
                "random bytes: {now} of {all} s, {sent_bytes} sent, {} received",
                session.received_bytes()
            ));
        }
    }
    Ok(())
}

/// Brings the console back to a known state: Ctrl-C ends what is running or
/// being typed, then whatever the random commands started is stopped.
fn recover(session: &mut Session) -> Result<()> {
    session.press(b"\x03")?;
    session.press(b"\x03")?;
    for line in ["mode text", "quarantine undo", "stop all"] {
        session.command(line)?;
    }
    Ok(())
}

fn cycles(session: &mut Session, cycles: u32) -> Result<()> {
    let mut reported = Instant::now();
    for (cycle, workload) in (0..cycles).zip(WORKLOADS.iter().cycle()) {
        for verb in ["run", "stop"] {
            let line = format!("{verb} {workload}");
            let reply = session.command(&line).with_context(|| format!("in cycle {cycle}"))?;
            if reply.contains("error:") {
                bail!("cycle {cycle}: `{line}` was refused: {}", reply.trim());
            }
        }
        if reported.elapsed() >= REPORTED_EVERY {
            reported = Instant::now();
            say::step(&format!("starts and stops: {cycle} of {cycles}"));
        }
    }
    Ok(())
}

/// Free frames once they have settled: tasks end, and their page tables come
/// back, some time after they were told to.
fn free_frames(session: &mut Session) -> Result<u64> {
    let mut last = None;
    for _ in 0..SETTLING_LOOKS {
        let reply = session.command("mem")?;
        let free = number_of_free_frames(&reply)
            .with_context(|| format!("`mem` shows no free frames: {}", reply.trim()))?;
        if last == Some(free) {
            return Ok(free);
        }
        last = Some(free);
        std::thread::sleep(SETTLING);
    }
    bail!("the number of free frames does not settle")
}

/// The first number on the first line that speaks of free frames.
fn number_of_free_frames(reply: &str) -> Option<u64> {
    let line = reply.lines().find(|line| line.contains("free") && line.contains("frames"))?;
    let digits = line.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?;
    digits.parse().ok()
}

fn expect_same(before: u64, after: u64) -> Result<()> {
    if before == after { Ok(()) } else { bail!("{before} frames were free before, {after} are now") }
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse().ok().filter(|minutes| (0.0..=100_000.0).contains(minutes));
    minutes.ok_or_else(|| "expected minutes from 0 to 100000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_free_frames() {
        assert_eq!(number_of_free_frames("frames: 10 total\nfree frames  4096 of 8192\n"), Some(4096));
        assert_eq!(number_of_free_frames("77 frames free\n"), Some(77));
        assert_eq!(number_of_free_frames("free: lots\n"), None);
    }

    #[test]
    fn minutes_are_bounded() {
        assert_eq!(minutes("0.2"), Ok(0.2));
        for bad in ["-1", "NaN", "inf", "x", "1e9"] {
            assert!(minutes(bad).is_err(), "{bad}");
        }
    }
}
