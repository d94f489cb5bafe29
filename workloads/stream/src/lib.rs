//! Reads, writes and copies in address order, after STREAM (McCalpin, "Memory
//! Bandwidth and Machine Balance in Current High Performance Computers", 1995).
//!
//! The second-class workload that takes memory bandwidth and flushes shared
//! caches. What is read is prepared memory; what is written is the executor's
//! scratch, because a prepared workload never changes. Every pass sums what it
//! moves, so that it can be checked, and so that no compiler can turn it into
//! `memcpy` with a different number of instructions.
#![no_std]
#![forbid(unsafe_code)]

use workload_api::{Class, Corpus, Memory, Meter, PrepareError, Random, Spec, Workload};

/// The workload's name and class.
pub const SPEC: Spec = Spec {
    name: "stream",
    class: Class::Second,
    summary: "sequential reads, writes and copies, one piece of the buffer a unit",
};

/// What a unit does with its piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Reads the source.
    Read,
    /// Writes the destination.
    Write,
    /// Reads the source and writes the destination.
    Copy,
    /// One after the other: read, write, copy.
    #[default]
    Mixed,
}

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes that are touched in all. Reading has all of them as source,
    /// writing has all as destination, and the others have half and half.
    pub buffer_bytes: usize,
    /// Bytes a unit reads or writes; copying does both with so many. At least
    /// 8, at most what the source or destination has; whole words.
    pub piece_bytes: usize,
    /// Which of the three.
    pub mode: Mode,
}

impl Default for Config {
    fn default() -> Self {
        Self { buffer_bytes: 8 << 20, piece_bytes: 256 << 10, mode: Mode::default() }
    }
}

impl Config {
    const fn source_words(self) -> usize {
        match self.mode {
            Mode::Read => self.buffer_bytes / 8,
            Mode::Write => 0,
            Mode::Copy | Mode::Mixed => self.buffer_bytes / 16,
        }
    }

    const fn destination_words(self) -> usize {
        match self.mode {
            Mode::Write => self.buffer_bytes / 8,
            Mode::Read => 0,
            Mode::Copy | Mode::Mixed => self.buffer_bytes / 16,
        }
    }
}

/// Bytes that [`prepare`] takes: the source.
#[must_use]
pub const fn memory_bytes(_corpus: Corpus<'_>, config: Config) -> usize {
    config.source_words() * 8
}

/// Fills the source.
///
/// # Errors
/// [`PrepareError::OutOfMemory`] with less than [`memory_bytes`];
/// [`PrepareError::BadInput`] when a piece is no word or does not fit.
pub fn prepare<'m>(
    _corpus: Corpus<'m>,
    mut memory: Memory<'m>,
    config: Config,
) -> Result<Stream<'m>, PrepareError> {
    let piece_words = config.piece_bytes / 8;
    let whole_words = config.source_words().max(config.destination_words());
    if piece_words == 0 || piece_words > whole_words {
        return Err(PrepareError::BadInput(
            "impossible piece: expected 8 bytes to the size of the buffer, or half",
        ));
    }
    let source = memory.take_u64(config.source_words())?;
    let mut random = Random::new(SOURCE_SEED);
    source.fill_with(|| random.next());
    Ok(Stream { source, config, piece_words, pieces: whole_words / piece_words })
}

/// The source can be made again by whoever wants to check a sum.
const SOURCE_SEED: u64 = 0x57E4;

/// The prepared workload.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'m> {
    source: &'m [u64],
    config: Config,
    piece_words: usize,
    pieces: usize,
}

impl Stream<'_> {
    /// What unit `index` does, and where its piece starts.
    fn plan(&self, index: u64) -> (Mode, usize) {
        let (mode, pass) = match self.config.mode {
            Mode::Mixed => ([Mode::Read, Mode::Write, Mode::Copy][(index % 3) as usize], index / 3),
            mode => (mode, index),
        };
        let piece = usize::try_from(pass % self.pieces.max(1) as u64).unwrap_or(0);
        (mode, piece * self.piece_words)
    }
}

impl Workload for Stream<'_> {
    fn scratch_words(&self) -> usize {
        self.config.destination_words()
    }

    fn working_set_bytes(&self) -> u64 {
        (self.source.len() + self.scratch_words()) as u64 * 8
    }

    fn unit(&self, index: u64, scratch: &mut [u64], meter: &mut Meter) -> u64 {
        let (mode, start) = self.plan(index);
        let range = start..start + self.piece_words;
        let bytes = self.piece_words as u64 * 8;
        let source = self.source.get(range.clone()).unwrap_or(&[]);
        let destination = scratch.get_mut(range).unwrap_or(&mut []);
        match mode {
            Mode::Read => {
                meter.read_sequential(bytes);
                read(source)
            }
            Mode::Write => {
                meter.write_sequential(bytes);
                write(destination, index)
            }
            Mode::Copy | Mode::Mixed => {
                meter.read_sequential(bytes);
                meter.write_sequential(bytes);
                copy(source, destination)
            }
        }
    }
}

/// The sum of the words.
fn read(source: &[u64]) -> u64 {
    source.iter().fold(0, |sum, &word| sum.wrapping_add(word))
}

/// Writes an arithmetic series that starts at `index`; its sum.
fn write(destination: &mut [u64], index: u64) -> u64 {
    let mut word = index;
    let mut sum = 0u64;
    for place in destination {
        *place = word;
        sum = sum.wrapping_add(word);
        word = word.wrapping_add(WRITE_STEP);
    }
    sum
}

/// Odd, so that no two of a piece's words are equal.
const WRITE_STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The sum of the words copied.
fn copy(source: &[u64], destination: &mut [u64]) -> u64 {
    let mut sum = 0u64;
    for (place, &word) in destination.iter_mut().zip(source) {
        *place = word;
        sum = sum.wrapping_add(word);
    }
    sum
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn with<T>(config: Config, body: impl FnOnce(&Stream<'_>, Vec<u64>) -> T) -> T {
        let mut region = vec![0; memory_bytes(Corpus::EMPTY, config) / 8];
        let stream = prepare(Corpus::EMPTY, Memory::new(&mut region), config).expect("the bound suffices");
        let scratch = vec![u64::MAX; stream.scratch_words()];
        body(&stream, scratch)
    }

    /// The source, drawn again.
    fn source(words: usize) -> Vec<u64> {
        let mut random = Random::new(SOURCE_SEED);
        (0..words).map(|_| random.next()).collect()
    }

    fn sum(words: &[u64]) -> u64 {
        let total: u128 = words.iter().map(|&word| u128::from(word)).sum();
        u64::try_from(total % (1 << 64)).expect("reduced")
    }

    proptest! {
        #[test]
        fn mixed_units_move_their_piece_and_sum_it(index in 0u64..10_000, piece_words in 1usize..40) {
            let config = Config { buffer_bytes: 100 * 16, piece_bytes: piece_words * 8, mode: Mode::Mixed };
            with(config, |stream, mut scratch| {
                let mut meter = Meter::default();
                let got = stream.unit(index, &mut scratch, &mut meter);
                let start = (index / 3) as usize % (100 / piece_words) * piece_words;
                let piece = start..start + piece_words;
                let source = &source(100)[piece.clone()];
                let n = piece_words as u64;
                let bytes = match index % 3 {
                    0 => (n * 8, 0),
                    1 => (0, n * 8),
                    _ => (n * 8, n * 8),
                };
                assert_eq!((meter.read_bytes, meter.written_bytes), bytes);
                assert_eq!(meter.sequential_bytes, bytes.0 + bytes.1);
                match index % 3 {
                    0 => assert_eq!(got, sum(source)),
                    1 => {
                        // n terms of an arithmetic series, in closed form.
                        let closed = n.wrapping_mul(index).wrapping_add((n * (n - 1) / 2).wrapping_mul(WRITE_STEP));
                        assert_eq!((got, sum(&scratch[piece.clone()])), (closed, closed));
                    }
                    _ => {
                        assert_eq!(&scratch[piece.clone()], source);
                        assert_eq!(got, sum(source));
                    }
                }
                let untouched = scratch.iter().enumerate().filter(|(at, _)| !piece.contains(at));
                assert!(untouched.into_iter().all(|(_, &word)| word == u64::MAX));
            });
        }
    }

    #[test]
    fn fixed_modes_use_the_whole_buffer() {
        for (mode, source_bytes, scratch_bytes) in
            [(Mode::Read, 1600, 0), (Mode::Write, 0, 1600), (Mode::Copy, 800, 800), (Mode::Mixed, 800, 800)]
        {
            let config = Config { buffer_bytes: 1600, piece_bytes: 80, mode };
            assert_eq!(memory_bytes(Corpus::EMPTY, config), source_bytes);
            with(config, |stream, mut scratch| {
                assert_eq!((scratch.len() * 8, stream.working_set_bytes()), (scratch_bytes, 1600));
                let mut run = |index| stream.unit(index, &mut scratch, &mut Meter::default());
                if mode == Mode::Read {
                    assert_eq!((0..20).map(&mut run).fold(0, u64::wrapping_add), sum(&source(200)));
                    assert_eq!(run(3), run(23), "twenty pieces");
                } else if mode == Mode::Write {
                    (0..20).for_each(|index| _ = run(index));
                    assert!(scratch.iter().all(|&word| word != u64::MAX));
                }
            });
        }
    }

    #[test]
    fn refuses_bad_input() {
        let refusal = |piece_bytes| {
            let config = Config { buffer_bytes: 1600, piece_bytes, mode: Mode::Copy };
            prepare(Corpus::EMPTY, Memory::new(&mut [0; 99]), config).err()
        };
        assert!(matches!(refusal(7), Some(PrepareError::BadInput(_))));
        assert!(matches!(refusal(808), Some(PrepareError::BadInput(_))));
        assert!(matches!(refusal(800), Some(PrepareError::OutOfMemory(_))));
    }
}
