//! Antagonists: each presses on one thing that cores share, and changes
//! nothing but memory of its own. `stream` and `chase` press on bandwidth and
//! on the capacity of the shared cache; here are the three that need more than
//! an address order, after iBench (Delimitrou and Kozyrakis, "iBench:
//! Quantifying Interference for Datacenter Applications", IISWC 2013).
//!
//! All memory is the executor's scratch, since all of it is written. Every
//! place is written before it is read in the same unit, so that a unit's sum
//! depends on its index alone.
#![no_std]
#![forbid(unsafe_code)]

use workload_api::{Corpus, Memory, Meter, PrepareError, Workload};

/// Bytes of a cache line, and between two stores of [`Kind::Writeback`].
pub const LINE_BYTES: usize = 64;
const LINE_WORDS: usize = LINE_BYTES / 8;

/// What is pressed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// The buffers of lines on their way to memory: one store to every line of
    /// a buffer larger than any cache, so that every miss pushes a dirty line
    /// out. Dividing the cache alone does not stop it.
    #[default]
    Writeback,
    /// Arithmetic for a few milliseconds, then a sweep through memory for a few,
    /// and so on: Caladan's case for reacting within microseconds (Fried et
    /// al., "Caladan: Mitigating Interference at Microsecond Timescales", OSDI
    /// 2020, section 2).
    Phases,
    /// The core's own first and second level, for whoever shares a core with
    /// it: sweeps over a buffer of about the second level's size.
    Sibling,
}

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// What is pressed on.
    pub kind: Kind,
    /// Bytes that are swept, at least one line; rounded down to whole lines.
    pub buffer_bytes: usize,
    /// Lines a unit sweeps, at least 1; the last sweep of the buffer is cut
    /// short where it ends.
    pub unit_lines: usize,
    /// With [`Kind::Phases`]: units of each phase, at least 1.
    pub phase_units: u32,
    /// With [`Kind::Phases`]: steps of arithmetic in a unit that does no sweep.
    pub steps: u32,
}

impl Config {
    /// Stores to 8 MiB, a line each.
    pub const WRITEBACK: Self =
        Self { kind: Kind::Writeback, buffer_bytes: 8 << 20, unit_lines: 4096, phase_units: 1, steps: 0 };
    /// Phases of twelve units of about 0.25 ms each on a core of 2 GHz.
    pub const PHASES: Self = Self {
        kind: Kind::Phases,
        buffer_bytes: 8 << 20,
        unit_lines: 16_384,
        phase_units: 12,
        steps: 100_000,
    };
    /// Sweeps of 192 KiB, three quarters of a second level of 256 KiB.
    pub const SIBLING: Self =
        Self { kind: Kind::Sibling, buffer_bytes: 192 << 10, unit_lines: 3072, phase_units: 1, steps: 0 };

    const fn words(self) -> usize {
        self.buffer_bytes / LINE_BYTES * LINE_WORDS
    }
}

/// Bytes that [`prepare`] takes: none, everything is scratch.
#[must_use]
pub const fn memory_bytes(_corpus: Corpus<'_>, _config: Config) -> usize {
    0
}

/// Checks the configuration.
///
/// # Errors
/// [`PrepareError::BadInput`] for an empty buffer, unit or phase.
pub const fn prepare<'m>(
    _corpus: Corpus<'m>,
    _memory: Memory<'m>,
    config: Config,
) -> Result<Pressure, PrepareError> {
    if config.words() == 0 || config.unit_lines == 0 || config.phase_units == 0 {
        return Err(PrepareError::BadInput(
            "impossible sweep: expected a buffer, a unit and a phase that are not empty",
        ));
    }
    Ok(Pressure { config })
}

/// The prepared workload.
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    config: Config,
}

impl Pressure {
    /// Whether unit `index` sweeps; if not, it calculates.
    const fn sweeps(&self, index: u64) -> bool {
        match self.config.kind {
            Kind::Writeback | Kind::Sibling => true,
            Kind::Phases => (index / self.config.phase_units as u64) % 2 == 1,
        }
    }

    /// The words that unit `index` sweeps: pieces of the buffer in turn.
    fn piece<'s>(&self, index: u64, scratch: &'s mut [u64]) -> &'s mut [u64] {
        let words = self.config.unit_lines.saturating_mul(LINE_WORDS).min(self.config.words());
        let pieces = self.config.words().div_ceil(words.max(1)).max(1);
        let start = usize::try_from(index % pieces as u64).unwrap_or(0) * words;
        let end = (start + words).min(self.config.words());
        scratch.get_mut(start..end).unwrap_or_default()
    }
}

impl Workload for Pressure {
    fn scratch_words(&self) -> usize {
        self.config.words()
    }

    fn working_set_bytes(&self) -> u64 {
        self.config.words() as u64 * 8
    }

    fn unit(&self, index: u64, scratch: &mut [u64], meter: &mut Meter) -> u64 {
        if !self.sweeps(index) {
            return calculate(index, self.config.steps);
        }
        let piece = self.piece(index, scratch);
        let bytes = piece.len() as u64 * 8;
        match self.config.kind {
            Kind::Writeback => {
                // A word a line, but whole lines travel.
                meter.write_sequential(bytes);
                dirty(piece, index)
            }
            Kind::Phases | Kind::Sibling => {
                meter.write_sequential(bytes);
                meter.read_sequential(bytes);
                fill_and_sum(piece, index)
            }
        }
    }
}

/// Writes `index` and on, one word to each line; the sum of what was written.
fn dirty(piece: &mut [u64], index: u64) -> u64 {
    let mut word = index;
    let mut sum = 0u64;
    for place in piece.iter_mut().step_by(LINE_WORDS) {
        *place = word;
        sum = sum.wrapping_add(word);
        word = word.wrapping_add(1);
    }
    sum
}

/// Writes one word to each line, then reads them back in address order.
fn fill_and_sum(piece: &mut [u64], index: u64) -> u64 {
    dirty(piece, index);
    piece.iter().step_by(LINE_WORDS).fold(0, |sum, word| sum.wrapping_add(*word))
}

/// Arithmetic in registers alone: rounds of xorshift64 (Marsaglia, "Xorshift
/// RNGs", 2003).
fn calculate(index: u64, steps: u32) -> u64 {
    let mut state = index | 1;
    for _ in 0..steps {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    state
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    fn pressure(config: Config) -> Pressure {
        prepare(Corpus::EMPTY, Memory::new(&mut []), config).expect("a sweep")
    }

    proptest! {
        #[test]
        fn a_sweep_writes_one_word_a_line_of_its_piece(
            index in 0u64..100_000, lines in 1usize..200, unit_lines in 1usize..300,
        ) {
            let config = Config { buffer_bytes: lines * LINE_BYTES, unit_lines, ..Config::WRITEBACK };
            let (pressure, mut meter) = (pressure(config), Meter::default());
            let mut scratch = vec![u64::MAX; pressure.scratch_words()];
            let sum = pressure.unit(index, &mut scratch, &mut meter);
            let unit = unit_lines.min(lines);
            let pieces = lines.div_ceil(unit);
            let start = usize::try_from(index).expect("small") % pieces * unit;
            let end = (start + unit).min(lines);
            let n = (end - start) as u64;
            prop_assert_eq!(sum, n * index + n * (n - 1) / 2);
            prop_assert_eq!((meter.written_bytes, meter.read_bytes), (n * 64, 0));
            for (at, word) in scratch.iter().enumerate() {
                let (line, first) = (at / 8, at % 8 == 0);
                let written = first && (start..end).contains(&line);
                prop_assert_eq!(*word, if written { index + (line - start) as u64 } else { u64::MAX });
            }
        }

        #[test]
        fn a_sum_depends_on_the_index_alone(index: u64, filler: u64, kind in 0usize..3) {
            let base = [Config::WRITEBACK, Config::PHASES, Config::SIBLING][kind];
            let config = Config { buffer_bytes: 6400, unit_lines: 33, steps: 50, ..base };
            let pressure = pressure(config);
            let run = |filler| {
                pressure.unit(index, &mut vec![filler; pressure.scratch_words()], &mut Meter::default())
            };
            prop_assert_eq!(run(filler), run(0));
        }
    }

    #[test]
    fn phases_take_turns() {
        let pressure = pressure(Config { buffer_bytes: 640, phase_units: 3, steps: 4, ..Config::PHASES });
        let written = |index| {
            let mut meter = Meter::default();
            pressure.unit(index, &mut [0; 80], &mut meter);
            meter.written_bytes > 0
        };
        let turns = [false, false, false, true, true, true, false, false, false, true];
        assert!((0..).zip(turns).all(|(index, swept)| written(index) == swept));
    }

    #[test]
    fn arithmetic_is_that_of_the_paper() {
        // Two rounds from 1: 1 -> 1 ^ 1<<13 = 0x2001; ^ >>7 = 0x2041; ^ <<17.
        let one = 0x2041u64 ^ 0x2041 << 17;
        assert_eq!(calculate(0, 1), one);
        assert_eq!(calculate(0, 0), 1);
        assert_ne!(calculate(0, 2), one);
    }

    #[test]
    fn refuses_what_is_empty() {
        let refused = |config| prepare(Corpus::EMPTY, Memory::new(&mut []), config).is_err();
        assert!(refused(Config { buffer_bytes: 63, ..Config::WRITEBACK }));
        assert!(refused(Config { unit_lines: 0, ..Config::SIBLING }));
        assert!(refused(Config { phase_units: 0, ..Config::PHASES }));
        assert!(!refused(Config::PHASES));
    }
}
