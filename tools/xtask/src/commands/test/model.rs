//! Umbra on modelled machines: its own tests, runs that repeat exactly however
//! busy the host is, and writes that the manuals say fault.
//!
//! The model uses one host thread, so two machines run at a time. Where its
//! QEMU cannot be had the stage says so and is left out.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Counts;
use crate::console_session::Session;
use crate::image::{Builder, Configuration, Images, configuration::Mode};
use crate::qemu::libtest::Tally;
use crate::qemu::{Emulator, Firmware, Guest, Machine, Outcome, Outputs, plain};
use crate::{say, workspace};

/// How long one run may take.
const LIMIT: Duration = Duration::from_secs(900);
const MEMORY_MIB: u32 = 512;

/// The guest's tests: machine, processors, group.
const GROUPS: [(&str, u32, &str); 7] = [
    ("tiny", 2, "boot"),
    ("xeon4", 4, "tasks"),
    ("nordt", 4, "isolation"),
    ("xeon4", 4, "isolation"),
    ("xeon4", 4, "confine"),
    ("xeon4", 4, "budget"),
    ("nordt", 4, "budget"),
];
/// Runs that must not differ, the one that begins while the host is busy last.
const REPEATS: usize = 5;
/// A short main job: some of everything, and arrivals that the seed decides.
const SHORT_JOB: [(&str, &str); 4] =
    [("bursts", "1"), ("requests", "16"), ("policies", "concept"), ("second_class", "chase")];

/// One run of a modelled machine.
#[derive(Clone)]
struct Boot {
    name: String,
    machine: &'static str,
    cpus: u32,
    images: Images,
}

/// How it went.
struct Ran {
    outcome: Outcome,
    /// Every byte the guest sent.
    serial: Vec<u8>,
    /// The same as lines, with QEMU's messages among them.
    log: String,
}

/// All of it.
pub(super) fn tests(builder: &Builder) -> Counts {
    let emulator = match Emulator::find() {
        Ok(emulator) => emulator,
        Err(reason) => {
            println!("model: left out, its QEMU cannot be had: {reason:#}");
            return Counts::default();
        }
    };
    let boots = match boots(builder) {
        Ok(boots) => boots,
        Err(error) => return Counts::one("images for the modelled machines", Err(error)),
    };
    let mut counts = Counts::default();
    let mut ran = in_pairs(&boots, &emulator).into_iter();
    let mut next = || ran.next().unwrap_or_else(|| Err(anyhow::anyhow!("it did not run")));
    for (machine, cpus, group) in GROUPS {
        counts.add(group_result(machine, cpus, group, next()));
    }
    let name = "a write that faults ends the run and is named";
    counts.add(Counts::one(&format!("model: {name}"), next().and_then(|ran| expect_fault(&ran))));
    let alone = [next(), next()];
    counts.add(same("2 runs with 1 CPU are the same", alone.into_iter().collect()));
    let first = next();
    let other_seed = next();
    let differs = match (&first, &other_seed) {
        (Ok(first), Ok(other)) => expect_other(first, other),
        _ => Err(anyhow::anyhow!("one of the two did not run")),
    };
    let mut runs = vec![first];
    runs.extend((2..REPEATS).map(|_| next()));
    runs.push(beside_load(|| boots.last().context("nothing to run").and_then(|boot| run(boot, &emulator))));
    let runs: Result<Vec<Ran>> = runs.into_iter().collect();
    let name = format!("{REPEATS} runs with 4 CPUs are the same, one on a busy host");
    counts.add(same(&name, runs));
    counts.add(Counts::one("model: another seed gives other figures", differs));
    counts.add(Counts::one("model: the console sees the modelled machine", console(builder, &emulator)));
    counts
}

/// Everything that is booted, in the order in which it is judged.
fn boots(builder: &Builder) -> Result<Vec<Boot>> {
    let images =
        |name: &str, configuration: &Configuration| builder.images(&format!("model-{name}"), configuration);
    let case = |case: &str| Configuration { case: Some(case.to_owned()), ..Configuration::new(Mode::Test) };
    let job = |seed| Configuration {
        exit: true,
        seed,
        scenario: Some("quick".to_owned()),
        more: SHORT_JOB.map(|(key, value)| (key, value.to_owned())).to_vec(),
        ..Configuration::new(Mode::Main)
    };
    let boot = |name: String, machine, cpus, images| Boot { name, machine, cpus, images };
    let mut boots = Vec::new();
    for (machine, cpus, group) in GROUPS {
        boots.push(boot(format!("{machine}-{group}"), machine, cpus, images(group, &case(group))?));
    }
    boots.push(boot("forbidden".to_owned(), "xeon4", 4, images("forbidden", &case("forbidden"))?));
    let alone = images("alone", &case("boot"))?;
    boots.extend([1, 2].map(|run| boot(format!("alone-{run}"), "xeon4", 1, alone.clone())));
    let (job_1, job_2) = (images("job", &job(1))?, images("job-2", &job(2))?);
    boots.push(boot("job-1".to_owned(), "xeon4", 4, job_1.clone()));
    boots.push(boot("job-other-seed".to_owned(), "xeon4", 4, job_2));
    boots.extend((2..=REPEATS).map(|run| boot(format!("job-{run}"), "xeon4", 4, job_1.clone())));
    Ok(boots)
}

/// Runs all but the last, which is to run on a busy host, two at a time.
fn in_pairs(boots: &[Boot], emulator: &Emulator) -> Vec<Result<Ran>> {
    let boots = boots.get(..boots.len().saturating_sub(1)).unwrap_or_default();
    let results: Mutex<Vec<Option<Result<Ran>>>> = Mutex::new(boots.iter().map(|_| None).collect());
    let queue = Mutex::new(boots.iter().enumerate());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((at, boot)) = next() {
                    let ran = run(boot, emulator);
                    if let Ok(mut results) = results.lock()
                        && let Some(place) = results.get_mut(at)
                    {
                        *place = Some(ran);
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_default().into_iter().flatten().collect()
}

fn run(boot: &Boot, emulator: &Emulator) -> Result<Ran> {
    let start = Instant::now();
    let mut machine = Machine::new(&boot.images, Firmware::Bios, boot.cpus)?;
    machine.model = Some(emulator.model(boot.machine, boot.cpus, MEMORY_MIB, Outputs::default())?);
    // Several machines boot from one image.
    machine.extra = vec!["-snapshot".into()];
    let file = |ending: &str| workspace::target("logs").join(format!("model-{}.{ending}", boot.name));
    let (log, serial) = (file("log"), file("serial"));
    machine.serial_copy = Some(serial.clone());
    let guest = Guest::start(&machine, Some(&log))?;
    let (outcome, _) = guest.run_to_end(LIMIT, |_| Ok(()))?;
    say::step(&format!("model: {} ran {} s", boot.name, start.elapsed().as_secs()));
    let read =
        |file: &PathBuf| std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    Ok(Ran { outcome, serial: read(&serial)?, log: plain(&read(&log)?) })
}

/// Lines typed on a modelled machine, and what must be in the reply.
const TYPED: [(&str, &[&str]); 4] = [
    ("hw", &["Umbra machine model xeon4"]),
    ("cat show", &["7ff"]),
    ("trace on; trace", &["ok:", "recording", "yes"]),
    ("trace dump", &["core 0", "control"]),
];

fn console(builder: &Builder, emulator: &Emulator) -> Result<()> {
    let images = builder.images("model-console", &Configuration::new(Mode::Console))?;
    let mut machine = Machine::new(&images, Firmware::Bios, 2)?;
    machine.model = Some(emulator.model("xeon4", 2, MEMORY_MIB, Outputs::default())?);
    let mut session = Session::start(&machine, &workspace::target("logs/model-console.log"))?;
    for (line, expected) in TYPED {
        let reply = session.command(line)?;
        if let Some(missing) = expected.iter().find(|text| !reply.contains(**text)) {
            bail!("expected `{missing}` in the reply to `{line}`, which was `{}`", reply.trim());
        }
    }
    match session.last_command("poweroff")? {
        Outcome::Success => Ok(()),
        outcome => bail!("{outcome}"),
    }
}

/// Runs `body` while every processor of the host is kept busy.
fn beside_load<R>(body: impl FnOnce() -> R) -> R {
    let over = AtomicBool::new(false);
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let result = body();
        over.store(true, Ordering::Relaxed);
        result
    })
}

fn group_result(machine: &str, cpus: u32, group: &str, ran: Result<Ran>) -> Counts {
    let label = format!("model: {group} on {machine} with {cpus} CPUs");
    let ran = match ran {
        Ok(ran) => ran,
        Err(error) => return Counts::one(&label, Err(error)),
    };
    let tally = Tally::of(&ran.log);
    println!("{label}: {} passed, {} failed, {} ignored", tally.passed, tally.failed, tally.ignored);
    tally.failures.iter().for_each(|failure| println!("   failed: {failure}"));
    let complete = tally.results == 1 && tally.announced > 0 && ran.outcome == Outcome::Success;
    if !complete {
        println!("{label}: {}; {}", ran.outcome, end_of(&ran.log));
    }
    let failures = tally.failures.iter().map(|failure| format!("{label}: {failure}")).collect();
    Counts { passed: tally.passed, failed: tally.failed.max(usize::from(!complete)), failures }
}

fn expect_fault(ran: &Ran) -> Result<()> {
    if ran.outcome != Outcome::Forbidden {
        bail!("expected exit code 75, but {}; {}", ran.outcome, end_of(&ran.log));
    }
    let said = ran.log.lines().find(|line| line.contains("raises #GP")).context("the model said nothing")?;
    let address = said.split("at RIP 0x").nth(1).and_then(|rest| rest.split(' ').next());
    let address = address.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    // The boot loader maps the kernel above 512 GiB.
    if !said.contains("WRMSR 0xc90 of 0x505") || address.is_none_or(|address| address < 1 << 39) {
        bail!("expected the register, the value and an address in the kernel, found `{said}`");
    }
    Ok(())
}

fn same(name: &str, runs: Result<Vec<Ran>>) -> Counts {
    Counts::one(&format!("model: {name}"), runs.and_then(|runs| expect_same(&runs)))
}

fn expect_same(runs: &[Ran]) -> Result<()> {
    let Some((first, others)) = runs.split_first() else { bail!("nothing ran") };
    if first.outcome != Outcome::Success {
        bail!("{}; {}", first.outcome, end_of(&first.log));
    }
    for (at, other) in others.iter().enumerate() {
        if other.serial != first.serial {
            bail!(
                "run {} sent other bytes than run 1: {}",
                at + 2,
                first_difference(&first.serial, &other.serial)
            );
        }
    }
    println!("   {} bytes each", first.serial.len());
    Ok(())
}

/// What is printed of the seed itself does not count.
fn expect_other(first: &Ran, other: &Ran) -> Result<()> {
    let figures = |ran: &Ran| {
        let text = String::from_utf8_lossy(&ran.serial).replace("seed 2", "seed 1");
        text.replace("\"seed\":2", "\"seed\":1")
    };
    if other.outcome != Outcome::Success {
        bail!("{}; {}", other.outcome, end_of(&other.log));
    }
    if figures(first) == figures(other) { bail!("seeds 1 and 2 gave the same figures") } else { Ok(()) }
}

fn first_difference(first: &[u8], other: &[u8]) -> String {
    let at = first.iter().zip(other).take_while(|(a, b)| a == b).count();
    let near = |bytes: &[u8]| {
        let from = at.saturating_sub(40);
        String::from_utf8_lossy(bytes.get(from..bytes.len().min(at + 40)).unwrap_or_default()).into_owned()
    };
    format!("at byte {at}, {:?} and {:?}", near(first), near(other))
}

fn end_of(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    format!(
        "the end of its log:\n   {}",
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n   ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(serial: &str) -> Ran {
        Ran { outcome: Outcome::Success, serial: serial.into(), log: serial.into() }
    }

    #[test]
    fn a_single_byte_makes_runs_differ() {
        assert!(expect_same(&[ran("a\nb"), ran("a\nb")]).is_ok());
        let error = expect_same(&[ran("a\nb"), ran("a\nb"), ran("a\nc")]).expect_err("differs").to_string();
        assert!(error.starts_with("run 3 sent other bytes than run 1: at byte 2"), "{error}");
        assert!(expect_same(&[ran("a"), ran("ab")]).is_err());
        assert!(expect_same(&[Ran { outcome: Outcome::Failure, ..ran("") }]).is_err());
    }

    #[test]
    fn the_seeds_own_number_is_no_difference() {
        assert!(expect_other(&ran("seed 1: 30 us"), &ran("seed 2: 30 us")).is_err());
        assert!(expect_other(&ran("seed 1: 30 us"), &ran("seed 2: 31 us")).is_ok());
    }

    #[test]
    fn a_fault_must_be_named() {
        let told = |line: &str| Ran { outcome: Outcome::Forbidden, ..ran(line) };
        let line = "umbra model: WRMSR 0xc90 of 0x505 on vCPU 0 at RIP 0xffff800000012345 raises #GP: why";
        assert!(expect_fault(&told(line)).is_ok());
        assert!(expect_fault(&ran(line)).is_err(), "another exit code");
        assert!(expect_fault(&told(&line.replace("0xffff800000012345", "0x7c00"))).is_err());
        assert!(expect_fault(&told("")).is_err());
    }
}
