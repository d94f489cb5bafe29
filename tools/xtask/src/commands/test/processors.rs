//! What `hw` says on processors of several makers and generations.
//!
//! An emulated processor has the names and caches of the real one, and neither
//! its counters nor its registers for dividing caches: it repeats other data
//! in those leaves. Umbra must boot on each, say what is absent, and touch none
//! of it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::Counts;
use crate::console_session::Session;
use crate::image::{Builder, Configuration, configuration::Mode};
use crate::qemu::{self, Emulator, Firmware, Machine, Model, Outcome, plain};
use crate::workspace;

/// A processor as QEMU names it, and what `hw` must say of it.
struct Processor {
    name: &'static str,
    /// The brand, and the events that are known of the model.
    expected: [&'static str; 2],
}

const fn processor(name: &'static str, brand: &'static str, events: &'static str) -> Processor {
    Processor { name, expected: [brand, events] }
}

/// Those that the system's QEMU does not know run in the newer one that the
/// machine model needs, where it can be had; else they are left out.
const PROCESSORS: [Processor; 7] = [
    processor("qemu64", "QEMU Virtual CPU", "events of Other"),
    processor("max", "QEMU TCG CPU", "events of Other"),
    processor("Skylake-Server", "Intel Xeon Processor (Skylake", "events of SkylakeServer"),
    // QEMU gives it model 86H, which is Tremont's, not 6AH; our tables go by CPUID.
    processor("Icelake-Server", "Intel Xeon Processor (Icelake", "events of Other"),
    processor("SapphireRapids", "Intel Xeon Processor (SapphireRapids", "events of SapphireRapids"),
    processor("EPYC-Rome", "AMD EPYC-Rome Processor", "events of Zen2"),
    processor("EPYC-Genoa", "AMD EPYC-Genoa Processor", "events of Zen4"),
];

/// What every one of them lacks when it is emulated.
const ABSENT: [&str; 5] = [
    "level 3 ways (CAT)         absent",
    "level 2 ways (CAT)         absent",
    "bandwidth throttle (MBA)   absent",
    "monitoring (CMT, MBM)      absent",
    "page colours, no ways",
];

/// What takes the place of each instrument, command by command.
const REFUSALS: [(&str, &str); 4] = [
    ("pmu stat cycles", "error: "),
    ("cat show", "page colours divide the cache instead"),
    ("mba show", "lacks a bandwidth throttle or limit"),
    ("mon", "has what tasks report themselves"),
];

/// Boots on each and looks at `hw`, `topo` and what is refused.
pub(super) fn tests(builder: &Builder) -> Counts {
    let known = known(Command::new(qemu::program()));
    let mut newer = None;
    let mut counts = Counts::default();
    for processor in PROCESSORS {
        let other = if knows(&known, processor.name) {
            None
        } else {
            let newer = newer.get_or_insert_with(|| {
                Emulator::find().map(|qemu| qemu.without_model(1, "1G")).map_err(|error| format!("{error:#}"))
            });
            match newer {
                Ok(newer) if knows(&known_by(newer), processor.name) => Some(newer.clone()),
                Ok(_) => {
                    println!("processor {}: left out, no QEMU here has it", processor.name);
                    continue;
                }
                Err(why) => {
                    println!("processor {}: left out, this QEMU does not have it; {why}", processor.name);
                    continue;
                }
            }
        };
        let result = boot(builder, &processor, other);
        counts.add(Counts::one(&format!("processor {}", processor.name), result));
    }
    counts
}

/// What `-cpu help` lists.
fn known(mut command: Command) -> String {
    let output = command.args(["-cpu", "help"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn known_by(qemu: &Model) -> String {
    let mut command = Command::new(&qemu.program);
    command.envs(qemu.environment.iter().map(|(key, value)| (key, value)));
    known(command)
}

fn knows(listing: &str, name: &str) -> bool {
    listing.split_whitespace().any(|word| word == name)
}

fn boot(builder: &Builder, processor: &Processor, other: Option<Model>) -> Result<()> {
    let images = builder.images("processors", &Configuration::new(Mode::Console))?;
    let mut machine = Machine::new(&images, Firmware::Bios, 1)?;
    machine.model = other;
    // The last one counts.
    machine.extra = vec!["-cpu".into(), processor.name.into()];
    let log = workspace::target("logs").join(format!("processor-{}.log", processor.name));
    let result = look(&machine, processor, &log);
    if result.is_err() {
        println!("{}", end_of(&log));
    }
    result
}

fn look(machine: &Machine, processor: &Processor, log: &Path) -> Result<()> {
    let mut session = Session::start(machine, log)?;
    let reply = session.command("hw")?;
    for expected in processor.expected.iter().chain(&ABSENT) {
        expect(&reply, "hw", expected)?;
    }
    expect(&session.command("topo")?, "topo", "1 core runs")?;
    for (command, expected) in REFUSALS {
        expect(&session.command(command)?, command, expected)?;
    }
    match session.last_command("poweroff")? {
        Outcome::Success => Ok(()),
        outcome => bail!("{outcome}"),
    }
}

fn expect(reply: &str, command: &str, expected: &str) -> Result<()> {
    if reply.contains(expected) {
        return Ok(());
    }
    bail!("expected `{expected}` in the reply to `{command}`, which was `{}`", reply.trim())
}

fn end_of(log: &Path) -> String {
    let text = plain(&std::fs::read(log).unwrap_or_default());
    let lines: Vec<_> = text.lines().collect();
    lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_count() {
        let listing = "x86 EPYC-Rome             (alias)\nx86 Icelake-Server-v1  Intel Xeon";
        assert!(knows(listing, "EPYC-Rome"));
        assert!(!knows(listing, "EPYC") && !knows(listing, "Icelake-Server"));
    }
}
