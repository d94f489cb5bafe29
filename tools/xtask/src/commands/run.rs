//! `cargo xtask run`: the main job in QEMU, then the console.

mod choice;
mod progress;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use umbra_control::policy::Policy;

use crate::image::{Builder, Configuration, configuration::Mode};
use crate::qemu::firmware_text::FirmwareText;
use crate::qemu::{Firmware, Guest, Machine, Outcome, Outputs, Received, Serial, Terminal};
use crate::report::{Host, Report};
use crate::trace::Trace;
use crate::{say, setup, workspace};
use choice::Wish;
use progress::Progress;

/// Build Umbra and run its main job in QEMU, then leave you at its console.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// End after the main job instead of staying at the console
    #[arg(long)]
    exit: bool,
    /// Write the main job's figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Number of virtual CPUs [default: 4, or what a machine that is named has
    /// if that is less]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=255))]
    smp: Option<u32>,
    /// Memory of the machine, as 512M or 1G
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = memory)]
    memory: String,
    /// Run on a modelled machine of `qemu/machines.toml` (xeon4, xeon8smt,
    /// epyc8, nordt, tiny): its caches, memory and counters behave, and runs
    /// repeat exactly. `none` is plain emulation, quicker and without caches
    /// [default: xeon4 where the QEMU it needs can be had, else none]
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
    /// Firmware that starts the machine
    #[arg(long, value_enum, default_value_t = Firmware::Bios)]
    firmware: Firmware,
    /// Length of the main job [default: quick on a modelled machine, else
    /// standard]
    #[arg(long, value_enum)]
    scenario: Option<Scenario>,
    /// Record who ran where, what the line did and what the model saw, and
    /// write it to this file for ui.perfetto.dev or chrome://tracing
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Policies to compare, in this order, with commas between, or `all`;
    /// `policy` on the console lists them
    #[arg(long, value_name = "NAMES", value_parser = policies)]
    policies: Option<String>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// With --exit: give up after this many minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// More arguments for QEMU
    #[arg(last = true, value_name = "QEMU ARGUMENTS")]
    qemu: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scenario {
    Standard,
    Quick,
}

impl Scenario {
    const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Quick => "quick",
        }
    }
}

/// Runs the main job.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let toolchain = setup::prepare(setup::Needs { emulator: true, lints: false })?;
    let model_trace = workspace::target("model-trace.json");
    let mut trace = arguments.trace.as_ref().map(|file| Trace::to(file, &model_trace)).transpose()?;
    let outputs = Outputs { report: None, trace: trace.as_ref().map(|trace| trace.model_file().to_owned()) };
    let cpus = arguments.smp.unwrap_or_else(|| choice::usual_cpus(arguments.machine.as_deref()));
    let wish = Wish {
        machine: arguments.machine.as_deref(),
        cpus,
        memory_mib: mebibytes(&arguments.memory),
        own_qemu: std::env::var_os("QEMU").is_some(),
    };
    let model = choice::choose(wish, outputs)?;
    let scenario = arguments.scenario.unwrap_or(match model {
        Some(_) => Scenario::Quick,
        None => Scenario::Standard,
    });
    let images = Builder::new(&toolchain)?.images("main", &configuration(arguments, scenario))?;
    let mut machine = Machine::new(&images, arguments.firmware, cpus)?;
    machine.memory.clone_from(&arguments.memory);
    machine.extra.clone_from(&arguments.qemu);
    machine.model = model;
    if !arguments.exit {
        machine.serial = Serial::Terminal;
        machine.may_reboot = true;
    }
    let host = Host {
        toolchain: toolchain.describe(),
        command_line: machine.command_line(),
        firmware: arguments.firmware.name(),
        model: machine.model.as_ref().map(|model| (model.name.clone(), model.program.clone())),
    };
    eprintln!("$ {}", host.command_line);
    if !arguments.exit {
        say::step("the console takes over this terminal; `poweroff` ends it, and Ctrl-A X ends QEMU");
    }
    let mut report = Report::new(host, arguments.json.clone());
    let name = machine.model.as_ref().map_or("plain emulation", |model| &model.name);
    let progress = Progress::begin(&format!("{name}, scenario {}", scenario.name()));
    let outcome = watch(&machine, arguments, progress, &mut report, trace.as_mut())?;
    if let Some(trace) = &trace {
        trace.write()?;
    }
    judge(outcome, arguments.exit, &report)
}

fn configuration(arguments: &Arguments, scenario: Scenario) -> Configuration {
    let trace = arguments.trace.as_ref().map(|_| ("trace", "yes".to_owned()));
    let policies = arguments.policies.clone().map(|names| ("policies", names));
    Configuration {
        exit: arguments.exit,
        seed: arguments.seed,
        scenario: Some(scenario.name().to_owned()),
        more: trace.into_iter().chain(policies).collect(),
        ..Configuration::new(Mode::Main)
    }
}

/// Shows what the guest prints and takes its records until it ends.
fn watch(
    machine: &Machine,
    arguments: &Arguments,
    mut progress: Progress,
    report: &mut Report,
    mut trace: Option<&mut Trace>,
) -> Result<Outcome> {
    let _terminal = Terminal::remember();
    let mut guest = Guest::start(machine, None)?;
    let mut firmware = FirmwareText::new(arguments.firmware == Firmware::Uefi);
    // A person at the console may stay as long as they like.
    let limit =
        arguments.exit.then(|| Instant::now() + Duration::from_secs(arguments.limit.saturating_mul(60)));
    loop {
        let until = progress.next_look();
        match guest.receive(limit.map_or(until, |limit| limit.min(until)))? {
            Received::Text(text) => {
                progress.hear();
                show(&firmware.without(&text))?;
            }
            Received::Nothing if limit.is_some_and(|limit| Instant::now() >= limit) => {
                return Ok(Outcome::TimedOut);
            }
            Received::Nothing => progress.look(),
            Received::End => break,
        }
        let records = guest.take_records();
        if let Some(trace) = &mut trace {
            trace.take(&records);
        }
        report.take(records)?;
        if report.is_complete() {
            progress.end();
        }
    }
    show(&firmware.held())?;
    guest.wait()
}

fn show(text: &[u8]) -> Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(text).and_then(|()| output.flush()).context("cannot write to standard output")
}

fn judge(outcome: Outcome, exit: bool, report: &Report) -> Result<()> {
    match outcome {
        Outcome::Success if exit && !report.is_complete() => {
            bail!("the guest reported success but sent no report of its main job")
        }
        Outcome::Success => Ok(()),
        // Without -no-reboot only the user, through QEMU's monitor, makes QEMU exit 0.
        Outcome::Reset if !exit => Ok(()),
        other => bail!("{other}"),
    }
}

/// The names, each that of a policy and given once.
fn policies(text: &str) -> Result<String, String> {
    let all = Policy::ALL.map(Policy::name);
    if text == "all" {
        return Ok(all.join(","));
    }
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        return Err(format!("no policy is called `{unknown}`, expected some of {}, or all", all.join(",")));
    }
    let again = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name));
    match again {
        Some((_, name)) => Err(format!("`{name}` is given twice")),
        None => Ok(names.join(",")),
    }
}

fn memory(text: &str) -> Result<String, String> {
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).unwrap_or_default();
    let valid = matches!(unit, "M" | "G") && number.parse::<u32>().is_ok_and(|number| number > 0);
    if valid { Ok(text.to_owned()) } else { Err("expected a number and M or G".to_owned()) }
}

/// The size that [`memory`] let pass, in MiB.
fn mebibytes(size: &str) -> u32 {
    let (number, unit) = size.split_at(size.len().saturating_sub(1));
    let number: u32 = number.parse().unwrap_or(0);
    if unit == "G" { number.saturating_mul(1024) } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_sizes_have_a_unit() {
        assert_eq!((mebibytes("512M"), mebibytes("2G")), (512, 2048));
        assert_eq!(memory("512M"), Ok("512M".to_owned()));
        for bad in ["", "G", "1", "0G", "1T", "-1G", "1Gé"] {
            assert!(memory(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn policies_are_those_that_the_kernel_has() {
        assert_eq!(policies("none, heracles"), Ok("none,heracles".to_owned()));
        let all = policies("all").expect("a list");
        assert!(all.starts_with("none,static,patent,perfiso,") && all.ends_with(",oracle,concept"), "{all}");
        assert_eq!(policies(&all), Ok(all.clone()));
        for (bad, why) in [("none,umbrella", "`umbrella`"), ("", "``"), ("none,none", "given twice")] {
            assert!(policies(bad).expect_err(bad).contains(why), "{bad}");
        }
    }

    #[test]
    fn success_is_only_what_was_agreed() {
        let report = Report::new(Host::default(), None);
        assert!(judge(Outcome::Success, false, &report).is_ok());
        assert!(judge(Outcome::Success, true, &report).is_err(), "no report came");
        assert!(judge(Outcome::Reset, false, &report).is_ok());
        for outcome in
            [Outcome::Reset, Outcome::Failure, Outcome::Panic, Outcome::TimedOut, Outcome::Other(Some(1))]
        {
            assert!(judge(outcome, true, &report).is_err());
        }
    }
}
