//! The tests of all portable crates, under cargo's own harness.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result};

use super::Counts;
use crate::qemu::libtest::Tally;
use crate::setup::host_cargo;

/// Runs `cargo test`, showing its output and counting its tests.
pub(super) fn tests(filter: Option<&str>) -> Counts {
    match run(filter) {
        Ok((tally, true)) => Counts { passed: tally.passed, failed: tally.failed, failures: tally.failures },
        // What does not compile, or dies, reports no failed test.
        Ok((tally, false)) => {
            Counts { passed: tally.passed, failed: tally.failed.max(1), failures: tally.failures }
        }
        Err(error) => Counts::one("cargo test", Err(error)),
    }
}

fn run(filter: Option<&str>) -> Result<(Tally, bool)> {
    let mut cargo = host_cargo("test");
    cargo.arg("--no-fail-fast").args(filter).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = cargo.spawn().context("cannot start cargo")?;
    let mut tally = Tally::default();
    let output = child.stdout.take().context("cargo has no output")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cannot read cargo's output")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.line(&line);
    }
    Ok((tally, child.wait()?.success()))
}
