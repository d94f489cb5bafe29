//! The tests that boot Umbra in QEMU.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Counts;
use crate::commands::soak;
use crate::console_session::Session;
use crate::console_session::script::SESSION;
use crate::image::{Builder, Configuration, configuration::Mode};
use crate::qemu::libtest::Tally;
use crate::qemu::{Firmware, Guest, Machine, Outcome, plain};
use crate::workspace;

/// Machines that the guest's tests run on.
const MACHINES: &[(Firmware, u32)] = &[
    (Firmware::Bios, 1),
    (Firmware::Bios, 2),
    (Firmware::Bios, 3),
    (Firmware::Bios, 4),
    (Firmware::Bios, 8),
    (Firmware::Uefi, 1),
    (Firmware::Uefi, 4),
];

/// Two memory nodes of two processors each.
const TWO_NODES: &[&str] = &[
    "-object",
    "memory-backend-ram,id=near,size=512M",
    "-object",
    "memory-backend-ram,id=far,size=512M",
    "-numa",
    "node,nodeid=0,memdev=near,cpus=0-1",
    "-numa",
    "node,nodeid=1,memdev=far,cpus=2-3",
];

/// How long one boot and its tests may take. A busy machine of two cores
/// emulates eight virtual ones slowly.
const LIMIT: Duration = Duration::from_secs(600);

/// Lines of a guest's log that are shown when it fails.
const SHOWN_LINES: usize = 60;

/// The guest's own tests on every machine.
pub(super) fn tests(builder: &Builder, case: Option<&str>) -> Counts {
    let configuration = Configuration { case: case.map(str::to_owned), ..Configuration::new(Mode::Test) };
    let mut counts = Counts::default();
    for &(firmware, cpus) in MACHINES {
        counts.add(boot(builder, "test", &configuration, firmware, cpus));
    }
    counts
}

/// The cases of memory on a machine of two nodes.
pub(super) fn nodes(builder: &Builder) -> Counts {
    let configuration = Configuration { case: Some("memory".to_owned()), ..Configuration::new(Mode::Test) };
    let log = log("nodes");
    let two_nodes = |mut machine: Machine| {
        machine.extra = TWO_NODES.iter().map(Into::into).collect();
        machine
    };
    let result = machine(builder, "nodes", &configuration, Firmware::Bios, 4).map(two_nodes);
    match result.and_then(|machine| run_machine(&machine, &log)) {
        Ok((tally, result)) => {
            println!("nodes: {} passed, {} failed, {} ignored", tally.passed, tally.failed, tally.ignored);
            let failures = tally.failures.iter().map(|failure| format!("nodes: {failure}")).collect();
            let counts = Counts { passed: tally.passed, failed: tally.failed, failures };
            match result {
                Ok(()) => counts,
                Err(error) => failed("nodes", &log, error),
            }
        }
        Err(error) => failed("nodes", &log, error),
    }
}

/// The cases in which a workload misbehaves.
pub(super) fn faults(builder: &Builder) -> Counts {
    let configuration = Configuration { case: Some("faults".to_owned()), ..Configuration::new(Mode::Test) };
    boot(builder, "faults", &configuration, Firmware::Bios, 4)
}

/// The scripted console session.
pub(super) fn console(builder: &Builder) -> Counts {
    let log = log("console");
    let mut counts = Counts::default();
    let session = machine(builder, "console", &Configuration::new(Mode::Console), Firmware::Bios, 4)
        .and_then(|machine| Session::start(&machine, &log));
    let mut session = match session {
        Ok(session) => session,
        Err(error) => return failed("console", &log, error),
    };
    for step in SESSION {
        let result = step.run(&mut session);
        let ended = result.as_ref().is_err_and(|error| error.to_string().contains("ended"));
        counts.add(Counts::one(&format!("console: {}", step.name), result));
        if ended {
            break;
        }
    }
    let result = session.last_command("poweroff").and_then(expect_success);
    counts.add(Counts::one("console: poweroff ends the machine", result));
    if counts.failed > 0 {
        show_end_of(&log);
    }
    counts
}

/// A flood of some seconds, and some starts and stops.
pub(super) fn short_soak(builder: &Builder) -> Counts {
    let plan = soak::Plan { flood: Duration::from_secs(12), cycles: 20, seed: 1 };
    let log = log("soak");
    match soak::soak(builder, &plan, &log) {
        Ok(()) => Counts::one("soak", Ok(())),
        Err(error) => failed("soak", &log, error),
    }
}

fn boot(
    builder: &Builder,
    name: &str,
    configuration: &Configuration,
    firmware: Firmware,
    cpus: u32,
) -> Counts {
    let label = format!("{name} on {} with {cpus} CPU{}", firmware.name(), if cpus == 1 { "" } else { "s" });
    let log = log(&format!("{name}-{}-{cpus}", firmware.name()));
    let start = Instant::now();
    match run(builder, name, configuration, firmware, cpus, &log) {
        Ok((tally, result)) => {
            let failures = tally.failures.iter().map(|failure| format!("{label}: {failure}")).collect();
            let mut counts = Counts { passed: tally.passed, failed: tally.failed, failures };
            let ignored =
                if tally.ignored > 0 { format!(", {} ignored", tally.ignored) } else { String::new() };
            let (passed, failed, took) = (tally.passed, tally.failed, start.elapsed().as_secs());
            println!("{label}: {passed} passed, {failed} failed{ignored} in {took} s");
            for failure in &tally.failures {
                println!("   failed: {failure}");
            }
            if let Err(error) = result {
                counts.failed = counts.failed.max(1);
                println!("{label}: {error:#}");
            }
            if counts.failed > 0 {
                show_end_of(&log);
            }
            counts
        }
        Err(error) => failed(&label, &log, error),
    }
}

/// Boots once; the second part of the result is whether the guest did all it
/// announced and said so.
fn run(
    builder: &Builder,
    name: &str,
    configuration: &Configuration,
    firmware: Firmware,
    cpus: u32,
    log: &Path,
) -> Result<(Tally, Result<()>)> {
    run_machine(&machine(builder, name, configuration, firmware, cpus)?, log)
}

fn run_machine(machine: &Machine, log: &Path) -> Result<(Tally, Result<()>)> {
    let mut text = Vec::new();
    let (outcome, _) = Guest::start(machine, Some(log))?.run_to_end(LIMIT, |bytes| {
        text.extend_from_slice(bytes);
        Ok(())
    })?;
    let tally = Tally::of(&plain(&text));
    let result = expect_success(outcome).and_then(|()| expect_all(&tally));
    Ok((tally, result))
}

fn machine(
    builder: &Builder,
    name: &str,
    configuration: &Configuration,
    firmware: Firmware,
    cpus: u32,
) -> Result<Machine> {
    Machine::new(&builder.images(name, configuration)?, firmware, cpus)
}

fn expect_success(outcome: Outcome) -> Result<()> {
    if outcome == Outcome::Success { Ok(()) } else { bail!("{outcome}") }
}

fn expect_all(tally: &Tally) -> Result<()> {
    let seen = tally.passed + tally.failed + tally.ignored;
    if tally.results == 0 || tally.announced != seen {
        bail!("the guest announced {} tests and reported {seen}", tally.announced);
    }
    if tally.announced == 0 {
        bail!("the guest ran no tests");
    }
    if tally.failed > 0 {
        bail!("the guest reported success and a failed test");
    }
    Ok(())
}

fn failed(name: &str, log: &Path, error: anyhow::Error) -> Counts {
    let counts = Counts::one(name, Err(error));
    show_end_of(log);
    counts
}

fn show_end_of(log: &Path) {
    let text = plain(&std::fs::read(log).unwrap_or_default());
    let lines: Vec<_> = text.lines().collect();
    println!("-- end of {}", workspace::shown(log));
    for line in lines.iter().skip(lines.len().saturating_sub(SHOWN_LINES)) {
        println!("   {line}");
    }
}

fn log(name: &str) -> PathBuf {
    workspace::target("logs").join(format!("{name}.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_must_report_what_it_announced() {
        let result = |text| expect_all(&Tally::of(text));
        assert!(
            result("running 1 test\ntest a ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored").is_ok()
        );
        assert!(
            result("running 2 tests\ntest a ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored").is_err()
        );
        assert!(result("running 1 test\ntest a ... ok\n").is_err());
        assert!(result("running 0 tests\ntest result: ok. 0 passed; 0 failed; 0 ignored").is_err());
    }
}
