//! `cargo xtask test`: everything that is checked, in stages.
//!
//! A stage that fails does not stop the others. The last line is
//! `N passed, N failed`.

mod accuracy;
mod guest;
mod host;
mod lints;
mod model;
mod processors;
mod tally;

use std::time::Instant;

use anyhow::{Result, bail};
use clap::ValueEnum;

use self::tally::Counts;
use crate::image::Builder;
use crate::setup::{self, Toolchain};

/// Check formatting and lints, and run the host and guest tests.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only the tests whose name contains this (host), or this one (guest)
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Run only these stages
    #[arg(long, value_enum, value_name = "STAGE", value_delimiter = ',')]
    only: Vec<Stage>,
}

/// A part of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Formatting of all packages
    Fmt,
    /// Lints of all packages, warnings denied
    Clippy,
    /// Unit and property tests, and the simulation
    Host,
    /// The guest's own tests, booted in QEMU
    Guest,
    /// Workloads that misbehave, booted in QEMU
    Faults,
    /// One console session, driven from the host
    Console,
    /// A short flood of the console
    Soak,
    /// What the console says of several processors
    Processors,
    /// On modelled machines: the guest's tests, that runs repeat exactly, and
    /// that what faults on the real machine is noticed
    Model,
    /// Whether what was counted is what the machine model counted
    Accuracy,
}

const LINTS: &[Stage] = &[Stage::Fmt, Stage::Clippy];
const GUEST: &[Stage] = &[
    Stage::Guest,
    Stage::Faults,
    Stage::Console,
    Stage::Soak,
    Stage::Processors,
    Stage::Model,
    Stage::Accuracy,
];

/// Runs the chosen stages and reports.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    let stages = stages(arguments);
    let any_of = |group: &[Stage]| stages.iter().any(|stage| group.contains(stage));
    let toolchain = setup::prepare(setup::Needs { emulator: any_of(GUEST), lints: any_of(LINTS) })?;
    let mut builder = None;
    let mut total = Counts::default();
    for stage in &stages {
        let counts = run_stage(*stage, arguments, &toolchain, &mut builder);
        println!("{}: {} passed, {} failed", name(*stage), counts.passed, counts.failed);
        total.add(counts);
    }
    println!("took {} s", start.elapsed().as_secs());
    for failure in &total.failures {
        println!("failed: {failure}");
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed > 0 {
        bail!("{} of {} checks failed", total.failed, total.passed + total.failed);
    }
    Ok(())
}

/// The stages asked for, or all; with a filter, only those that it applies to.
fn stages(arguments: &Arguments) -> Vec<Stage> {
    let filtered = [Stage::Host, Stage::Guest];
    let all = Stage::value_variants().iter().copied();
    if !arguments.only.is_empty() {
        all.filter(|stage| arguments.only.contains(stage)).collect()
    } else if arguments.filter.is_some() {
        filtered.to_vec()
    } else {
        all.collect()
    }
}

fn run_stage(
    stage: Stage,
    arguments: &Arguments,
    toolchain: &Toolchain,
    builder: &mut Option<Builder>,
) -> Counts {
    println!("== {}", name(stage));
    let filter = arguments.filter.as_deref();
    match stage {
        Stage::Fmt => lints::formatting(),
        Stage::Clippy => lints::clippy(toolchain),
        Stage::Host => host::tests(filter),
        Stage::Guest
        | Stage::Faults
        | Stage::Console
        | Stage::Soak
        | Stage::Processors
        | Stage::Model
        | Stage::Accuracy => match built(toolchain, builder) {
            Ok(builder) => booted(stage, builder, filter),
            Err(error) => Counts::one("building the images", Err(error)),
        },
    }
}

/// Builds the images on first use.
fn built<'a>(toolchain: &Toolchain, builder: &'a mut Option<Builder>) -> Result<&'a Builder> {
    let ready = match builder.take() {
        Some(ready) => ready,
        None => Builder::new(toolchain)?,
    };
    Ok(builder.insert(ready))
}

fn booted(stage: Stage, builder: &Builder, filter: Option<&str>) -> Counts {
    match stage {
        Stage::Faults => guest::faults(builder),
        Stage::Console => guest::console(builder),
        Stage::Soak => guest::short_soak(builder),
        Stage::Processors => processors::tests(builder),
        Stage::Model => model::tests(builder),
        Stage::Accuracy => accuracy::tests(builder),
        _ => {
            let mut counts = guest::tests(builder, filter);
            if filter.is_none() {
                counts.add(guest::nodes(builder));
            }
            counts
        }
    }
}

fn name(stage: Stage) -> String {
    stage.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_keep_their_order() {
        let chosen = |filter: Option<&str>, only: &[Stage]| {
            stages(&Arguments { filter: filter.map(str::to_owned), only: only.to_vec() })
        };
        assert_eq!(chosen(None, &[]).len(), 10);
        assert_eq!(chosen(None, &[Stage::Guest, Stage::Fmt]), [Stage::Fmt, Stage::Guest]);
        assert_eq!(chosen(Some("ring"), &[]), [Stage::Host, Stage::Guest]);
    }
}
