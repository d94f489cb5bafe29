//! Which machine a run is on: a modelled one where it can be, else plain
//! emulation, and then one sentence says why.

use anyhow::Result;

use crate::qemu::{Emulator, Model, Outputs};
use crate::say;

/// The machine when none is named.
const USUAL: &str = "xeon4";
/// What names plain emulation.
const PLAIN: &str = "none";

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    /// `--machine`.
    pub(super) machine: Option<&'a str>,
    /// Virtual CPUs.
    pub(super) cpus: u32,
    /// Memory in MiB.
    pub(super) memory_mib: u32,
    /// Whether the user chose a QEMU of their own.
    pub(super) own_qemu: bool,
}

/// What it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice<'a> {
    /// This machine or an error.
    Named(&'a str),
    /// The usual machine, if its QEMU can be had.
    Usual,
    /// Plain emulation.
    Plain(Option<String>),
}

/// Virtual CPUs when no number is asked for: four, if the machine has them.
pub(super) fn usual_cpus(machine: Option<&str>) -> u32 {
    const CPUS: u32 = 4;
    let threads = machine.and_then(|machine| umbra_qemu::threads_of(machine).ok());
    threads.and_then(|threads| u32::try_from(threads).ok()).map_or(CPUS, |threads| threads.min(CPUS))
}

/// The model to run on, or none.
///
/// # Errors
/// If a machine was named that there is not, or not with so many processors,
/// or its QEMU cannot be had; or if the model does not build.
pub(super) fn choose(wish: Wish<'_>, outputs: Outputs) -> Result<Option<Model>> {
    match decide(wish)? {
        Choice::Named(machine) => {
            Emulator::find()?.model(machine, wish.cpus, wish.memory_mib, outputs).map(Some)
        }
        Choice::Usual => match Emulator::find() {
            Ok(emulator) => emulator.model(USUAL, wish.cpus, wish.memory_mib, outputs).map(Some),
            Err(reason) => Ok(plain(&format!("the machine model's QEMU cannot be had ({reason:#})"))),
        },
        Choice::Plain(Some(reason)) => Ok(plain(&reason)),
        Choice::Plain(None) => Ok(None),
    }
}

fn decide(wish: Wish<'_>) -> Result<Choice<'_>> {
    let plain = |reason: String| Ok(Choice::Plain(Some(reason)));
    match wish.machine {
        Some(PLAIN) => Ok(Choice::Plain(None)),
        Some(machine) => Ok(Choice::Named(machine)),
        None if wish.own_qemu => plain("QEMU is set, and the machine model needs its own".to_owned()),
        None => {
            let threads = umbra_qemu::threads_of(USUAL).map_err(anyhow::Error::msg)?;
            if usize::try_from(wish.cpus).is_ok_and(|cpus| cpus <= threads) {
                return Ok(Choice::Usual);
            }
            plain(format!("{} virtual CPUs are more than the {threads} of {USUAL}", wish.cpus))
        }
    }
}

fn plain(reason: &str) -> Option<Model> {
    say::step(&format!(
        "{reason}: plain emulation, which has no caches; its figures are indicative only (see --machine)"
    ));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(machine: Option<&str>) -> Wish<'_> {
        Wish { machine, cpus: 4, memory_mib: 1024, own_qemu: false }
    }

    #[test]
    fn the_usual_machine_is_modelled_and_none_is_plain() {
        let decided = |wish| decide(wish).expect("decided");
        assert_eq!(decided(wish(None)), Choice::Usual);
        assert_eq!(decided(wish(Some("none"))), Choice::Plain(None));
        assert_eq!(decided(wish(Some("epyc8"))), Choice::Named("epyc8"));
        let own = Wish { own_qemu: true, ..wish(None) };
        assert!(matches!(decided(own), Choice::Plain(Some(_))));
        let many = Wish { cpus: 5, ..wish(None) };
        let reason = "5 virtual CPUs are more than the 4 of xeon4".to_owned();
        assert_eq!(decided(many), Choice::Plain(Some(reason)));
    }

    #[test]
    fn a_small_machine_has_all_its_processors_in_use() {
        assert_eq!([None, Some("tiny"), Some("epyc8"), Some("none")].map(usual_cpus), [4, 2, 4, 4]);
    }

    #[test]
    fn a_machine_that_is_named_wins_over_what_is_set() {
        let own = Wish { own_qemu: true, ..wish(Some("tiny")) };
        assert_eq!(decide(own).expect("decided"), Choice::Named("tiny"));
    }
}
