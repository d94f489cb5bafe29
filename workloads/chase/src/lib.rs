//! A pointer chase: every load needs the one before it.
//!
//! A second-class workload (and a probe) that feels nothing but the latency of
//! memory: the lines of a buffer are linked in one random cycle, so neither a
//! prefetcher nor the out-of-order engine can help. One cycle, not merely a
//! random permutation, whose cycles could be short enough to stay in the first
//! cache; Sattolo's shuffle makes exactly that ("An algorithm to generate a
//! random cyclic permutation", 1986).
#![no_std]
#![forbid(unsafe_code)]

use workload_api::{Class, Corpus, Memory, Meter, PrepareError, Random, Spec, Workload};

/// The workload's name and class.
pub const SPEC: Spec =
    Spec { name: "chase", class: Class::Second, summary: "dependent loads all over a buffer, 4096 a unit" };

/// Bytes of a cache line, and between two links.
pub const LINE_BYTES: usize = 64;
const LINE_WORDS: usize = LINE_BYTES / 8;

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of the buffer, at least two lines; rounded down to whole lines.
    pub buffer_bytes: usize,
    /// Loads a unit.
    pub loads: u32,
    /// Which of the cycles.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { buffer_bytes: 4 << 20, loads: 4096, seed: 1 }
    }
}

/// Bytes that [`prepare`] takes.
#[must_use]
pub const fn memory_bytes(_corpus: Corpus<'_>, config: Config) -> usize {
    config.buffer_bytes / LINE_BYTES * LINE_BYTES
}

/// Links the lines.
///
/// # Errors
/// [`PrepareError::OutOfMemory`] with less than [`memory_bytes`];
/// [`PrepareError::BadInput`] for fewer than 2 or more than 2^32 - 1 lines.
pub fn prepare<'m>(
    _corpus: Corpus<'m>,
    mut memory: Memory<'m>,
    config: Config,
) -> Result<Chase<'m>, PrepareError> {
    let lines = config.buffer_bytes / LINE_BYTES;
    let lines = u32::try_from(lines).ok().filter(|&lines| lines >= 2);
    let Some(lines) = lines else {
        return Err(PrepareError::BadInput("impossible buffer: expected buffer_bytes from 128 to 2^38 - 64"));
    };
    let buffer = memory.take_u64(lines as usize * LINE_WORDS)?;
    link(buffer, lines, &mut Random::new(config.seed));
    Ok(Chase { buffer, lines, loads: config.loads })
}

/// The prepared workload.
#[derive(Clone, Copy, Debug)]
pub struct Chase<'m> {
    /// The first word of each line is the first word of the next one.
    buffer: &'m [u64],
    lines: u32,
    loads: u32,
}

/// Sattolo's shuffle: like Fisher and Yates', but no line may keep its place.
fn link(buffer: &mut [u64], lines: u32, random: &mut Random) {
    for (line, word) in buffer.iter_mut().step_by(LINE_WORDS).enumerate() {
        *word = (line * LINE_WORDS) as u64;
    }
    for line in (1..lines).rev() {
        let other = random.below(line);
        buffer.swap(line as usize * LINE_WORDS, other as usize * LINE_WORDS);
    }
}

impl Workload for Chase<'_> {
    fn scratch_words(&self) -> usize {
        0
    }

    fn working_set_bytes(&self) -> u64 {
        self.buffer.len() as u64 * 8
    }

    fn unit(&self, index: u64, _scratch: &mut [u64], meter: &mut Meter) -> u64 {
        let start = Random::new(index).below(self.lines) as usize * LINE_WORDS;
        let mut at = start as u64;
        let mut sum = 0u64;
        for _ in 0..self.loads {
            // Never out of range: only `link` wrote here.
            at = usize::try_from(at).ok().and_then(|at| self.buffer.get(at)).copied().unwrap_or(0);
            sum = sum.rotate_left(1) ^ at;
        }
        meter.read_random(u64::from(self.loads), 8 * u64::from(self.loads));
        sum
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    fn with<T>(config: Config, body: impl FnOnce(&Chase<'_>) -> T) -> T {
        let mut region = vec![0; memory_bytes(Corpus::EMPTY, config) / 8];
        body(&prepare(Corpus::EMPTY, Memory::new(&mut region), config).expect("the bound suffices"))
    }

    proptest! {
        #[test]
        fn one_cycle_through_every_line(buffer_bytes in 128usize..40_000, seed: u64) {
            with(Config { buffer_bytes, loads: 1, seed }, |chase| {
                let lines = buffer_bytes / LINE_BYTES;
                let mut seen = vec![false; lines];
                let mut line = 0;
                for _ in 0..lines {
                    assert!(!core::mem::replace(&mut seen[line], true), "came back too early");
                    let next = usize::try_from(chase.buffer[line * LINE_WORDS]).expect("fits");
                    assert_eq!(next % LINE_WORDS, 0);
                    line = next / LINE_WORDS;
                }
                assert_eq!(line, 0, "closes");
            });
        }
    }

    #[test]
    fn checksum_is_that_of_a_walk() {
        let config = Config { buffer_bytes: 64 * 1000, loads: 300, seed: 5 };
        with(config, |chase| {
            // The walk of each line, line by line.
            let next = |line: u32| u32::try_from(chase.buffer[line as usize * 8] / 8).expect("a line");
            for index in 0..50 {
                let mut line = Random::new(index).below(1000);
                let mut steps = vec![];
                while steps.len() < 300 {
                    line = next(line);
                    steps.push(u64::from(line) * 8);
                }
                // Rotations add up: step k is turned 299 - k times.
                let turned = steps.iter().rev().zip(0..).map(|(step, turns)| step.rotate_left(turns));
                let mut meter = Meter::default();
                assert_eq!(chase.unit(index, &mut [], &mut meter), turned.fold(0, |sum, step| sum ^ step));
                assert_eq!((meter.random_accesses, meter.read_bytes), (300, 2400));
            }
        });
    }

    #[test]
    fn refuses_bad_input() {
        let refusal = |buffer_bytes| {
            let config = Config { buffer_bytes, ..Config::default() };
            prepare(Corpus::EMPTY, Memory::new(&mut [0; 16]), config).err()
        };
        assert!(matches!(refusal(127), Some(PrepareError::BadInput(_))));
        assert!(matches!(refusal(usize::MAX), Some(PrepareError::BadInput(_))));
        assert!(matches!(refusal(192), Some(PrepareError::OutOfMemory(_))));
        assert_eq!(refusal(128), None);
    }
}
