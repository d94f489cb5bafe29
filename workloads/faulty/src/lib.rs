//! Workloads that go wrong on purpose, to show that only they suffer.
//!
//! Each does honest units up to a chosen number and then commits its fault.
//! What only `unsafe` could do (a wild store, a bad instruction) is not here;
//! workloads loaded as ELF show that.
#![no_std]
#![forbid(unsafe_code)]

use core::hint::black_box;
use workload_api::{Class, Corpus, Memory, Meter, PrepareError, Random, Spec, Workload};

/// The workload's name and class.
pub const SPEC: Spec =
    Spec { name: "faulty", class: Class::Second, summary: "goes wrong on purpose after some good units" };

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Panics.
    Panic,
    /// Calls itself until the stack ends, 512 bytes or a little more a call: no
    /// step is long enough to leap over a guard page.
    Overflow,
    /// Divides by zero, which Rust turns into a panic.
    Divide,
    /// Never returns.
    Spin,
    /// Asks for more memory than it is given, in [`prepare`].
    Exhaust,
}

impl Fault {
    /// All of them, for whoever lists or tries them.
    pub const ALL: [Self; 5] = [Self::Panic, Self::Overflow, Self::Divide, Self::Spin, Self::Exhaust];

    /// The name used on the console.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Overflow => "overflow",
            Self::Divide => "divide",
            Self::Spin => "spin",
            Self::Exhaust => "exhaust",
        }
    }

    /// The fault of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }
}

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// What goes wrong.
    pub fault: Fault,
    /// Units with a lower index than this are good.
    pub good_units: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { fault: Fault::Panic, good_units: 100 }
    }
}

/// Words that a good unit reads.
const TABLE_WORDS: usize = 512;

/// Bytes that [`prepare`] takes, when it does not ask for too many.
#[must_use]
pub const fn memory_bytes(_corpus: Corpus<'_>, _config: Config) -> usize {
    TABLE_WORDS * 8
}

/// Fills a small table.
///
/// # Errors
/// [`PrepareError::OutOfMemory`] with less than [`memory_bytes`], and always
/// for [`Fault::Exhaust`].
pub fn prepare<'m>(
    _corpus: Corpus<'m>,
    mut memory: Memory<'m>,
    config: Config,
) -> Result<Faulty<'m>, PrepareError> {
    let table = memory.take_u64(TABLE_WORDS)?;
    if config.fault == Fault::Exhaust {
        let left_words = memory.left_bytes() / 8;
        memory.take_u64(left_words + 1)?;
    }
    let mut random = Random::new(0);
    table.fill_with(|| random.next());
    Ok(Faulty { table, config })
}

/// The prepared workload.
#[derive(Clone, Copy, Debug)]
pub struct Faulty<'m> {
    table: &'m [u64],
    config: Config,
}

/// Passes over the table in a good unit.
const PASSES: u64 = 64;

impl Workload for Faulty<'_> {
    fn scratch_words(&self) -> usize {
        0
    }

    fn working_set_bytes(&self) -> u64 {
        self.table.len() as u64 * 8
    }

    /// # Panics
    /// When it is time to, and the fault is to panic or to divide.
    fn unit(&self, index: u64, _scratch: &mut [u64], meter: &mut Meter) -> u64 {
        if index >= self.config.good_units {
            return commit(self.config.fault, index);
        }
        meter.read_sequential(PASSES * self.table.len() as u64 * 8);
        (0..PASSES).fold(index, |sum, pass| good_pass(self.table, sum ^ pass))
    }
}

fn good_pass(table: &[u64], start: u64) -> u64 {
    table.iter().fold(start, |sum, &word| sum.rotate_left(5) ^ word)
}

fn commit(fault: Fault, index: u64) -> u64 {
    match fault {
        Fault::Panic => panic!("faulty: panicking in unit {index}, as asked"),
        Fault::Overflow => descend(index),
        Fault::Divide => index / black_box(0),
        // Exhaust never gets here, for it is not prepared.
        Fault::Spin | Fault::Exhaust => spin(),
    }
}

/// Never comes back: whether to go on, the frame, and the result each pass
/// through [`black_box`], so that no call can become a jump.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if black_box(true) { descend(depth.wrapping_add(1)).wrapping_add(black_box(frame)[0]) } else { frame[0] }
}

fn spin() -> u64 {
    let mut turns = 0u64;
    while black_box(true) {
        turns = turns.wrapping_add(1);
        core::hint::spin_loop();
    }
    turns
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::panic::catch_unwind;
    use std::process::Command;
    use std::time::Duration;
    use std::{env, format, thread, vec};

    fn run(fault: Fault, good_units: u64, index: u64) -> u64 {
        let config = Config { fault, good_units };
        let mut region = vec![0; memory_bytes(Corpus::EMPTY, config) / 8];
        let faulty = prepare(Corpus::EMPTY, Memory::new(&mut region), config).expect("prepared");
        faulty.unit(index, &mut [], &mut Meter::default())
    }

    #[test]
    fn good_units_are_good() {
        for fault in [Fault::Panic, Fault::Overflow, Fault::Divide, Fault::Spin] {
            assert_eq!(run(fault, 3, 2), run(Fault::Panic, 9, 2));
        }
        assert_ne!(run(Fault::Panic, 3, 1), run(Fault::Panic, 3, 2));
    }

    #[test]
    fn panics_on_time() {
        for (fault, expected) in [(Fault::Panic, "as asked"), (Fault::Divide, "divide by zero")] {
            let payload = catch_unwind(|| run(fault, 3, 3)).expect_err("panics");
            let owned = payload.downcast_ref::<std::string::String>().map(|text| text.as_str());
            let text = owned.or_else(|| payload.downcast_ref::<&str>().copied()).expect("a text");
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn exhausts_whatever_it_is_given() {
        for words in [0, TABLE_WORDS, 4 * TABLE_WORDS] {
            let config = Config { fault: Fault::Exhaust, ..Config::default() };
            let error =
                prepare(Corpus::EMPTY, Memory::new(&mut vec![0; words]), config).expect_err("refused");
            assert!(matches!(error, PrepareError::OutOfMemory(_)));
        }
    }

    /// Runs this very test in a process of its own, where the fault is
    /// committed, because nothing else survives it.
    fn in_a_process(name: &str) -> Option<Command> {
        if env::var_os("FAULTY_COMMIT").is_some() {
            return None;
        }
        let mut command = Command::new(env::current_exe().expect("this test"));
        command.args(["--exact", &format!("tests::{name}"), "--nocapture"]).env("FAULTY_COMMIT", "1");
        Some(command)
    }

    #[test]
    fn overflows_the_stack() {
        let Some(mut command) = in_a_process("overflows_the_stack") else {
            run(Fault::Overflow, 0, 0);
            return;
        };
        let output = command.output().expect("ran");
        assert!(!output.status.success());
        let errors = std::string::String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(errors.contains("overflowed its stack"), "{errors}");
    }

    #[test]
    fn spins() {
        let Some(mut command) = in_a_process("spins") else {
            run(Fault::Spin, 0, 0);
            return;
        };
        let mut child = command.spawn().expect("started");
        thread::sleep(Duration::from_millis(200));
        assert_eq!(child.try_wait().expect("asked"), None, "still at it");
        child.kill().expect("ended");
        child.wait().expect("gone");
    }

    #[test]
    fn names_are_round() {
        assert!(Fault::ALL.into_iter().all(|fault| Fault::from_name(fault.name()) == Some(fault)));
        assert_eq!(Fault::from_name("none"), None);
    }
}
