//! LZ4 compression of the corpus, block by block.
//!
//! A second-class workload with a mixed appetite: it reads the text in order,
//! looks earlier places up in a small table, and writes about a third of what
//! it reads. Blocks stand alone, so a unit is one block. Written here because
//! the crates that compress LZ4 take their table from a heap.
#![no_std]
#![forbid(unsafe_code)]

mod lz4;

pub use lz4::{TABLE_ENTRIES, compress, compressed_bytes_max};
use workload_api::{Class, Corpus, Memory, Meter, PrepareError, Spec, Workload};

/// The workload's name and class.
pub const SPEC: Spec = Spec {
    name: "compress",
    class: Class::Second,
    summary: "LZ4 compression of the corpus, one block a unit",
};

/// Largest block: positions in it are kept in 16 bits.
pub const BLOCK_BYTES_MAX: usize = 65_536;

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes a block, 1 to [`BLOCK_BYTES_MAX`]. Source text takes about 16
    /// instructions a byte.
    pub block_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { block_bytes: 16_384 }
    }
}

/// Bytes that [`prepare`] takes: none, the corpus is read where it lies.
#[must_use]
pub const fn memory_bytes(_corpus: Corpus<'_>, _config: Config) -> usize {
    0
}

/// Checks the input.
///
/// # Errors
/// [`PrepareError::BadInput`] for an empty corpus or an impossible block.
pub fn prepare<'m>(
    corpus: Corpus<'m>,
    _memory: Memory<'m>,
    config: Config,
) -> Result<Compress<'m>, PrepareError> {
    if corpus.text().is_empty() {
        return Err(PrepareError::BadInput("no text in the corpus: expected something to compress"));
    }
    if !(1..=BLOCK_BYTES_MAX).contains(&config.block_bytes) {
        return Err(PrepareError::BadInput("impossible block: expected block_bytes from 1 to 65536"));
    }
    Ok(Compress { corpus, block_bytes: config.block_bytes })
}

/// The prepared workload.
#[derive(Clone, Copy, Debug)]
pub struct Compress<'m> {
    corpus: Corpus<'m>,
    block_bytes: usize,
}

/// Words of scratch the table takes; the output lies behind it.
const TABLE_WORDS: usize = TABLE_ENTRIES / 4;

impl Workload for Compress<'_> {
    fn scratch_words(&self) -> usize {
        TABLE_WORDS + compressed_bytes_max(self.block_bytes).div_ceil(8)
    }

    fn working_set_bytes(&self) -> u64 {
        u64::try_from(self.corpus.text().len() + self.scratch_words() * 8).unwrap_or(u64::MAX)
    }

    fn unit(&self, index: u64, scratch: &mut [u64], meter: &mut Meter) -> u64 {
        let block = self.corpus.block(self.block_bytes, index);
        let Some((table, output)) = scratch.split_at_mut_checked(TABLE_WORDS) else { return 0 };
        let output: &mut [u8] = bytemuck::cast_slice_mut(output);
        let Some(done) = compress(block, bytemuck::cast_slice_mut(table), output) else { return 0 };
        meter.read_sequential(block.len() as u64);
        meter.write_sequential(done.bytes as u64);
        // Each look into the table reads and writes two bytes of it, and four
        // of the earlier place.
        meter.read_random(u64::from(done.lookups), 6 * u64::from(done.lookups));
        meter.write_random(u64::from(done.lookups), 2 * u64::from(done.lookups));
        checksum(output.get(..done.bytes).unwrap_or(&[]))
    }
}

/// FNV-1a over eight bytes at a time (the last ones one by one).
fn checksum(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, value: u64| (sum ^ value).wrapping_mul(0x0000_0100_0000_01B3);
    let (eights, rest) = bytes.as_chunks::<8>();
    let sum = eights.iter().fold(bytes.len() as u64, |sum, &eight| mix(sum, u64::from_le_bytes(eight)));
    rest.iter().fold(sum, |sum, &byte| mix(sum, u64::from(byte)))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{format, vec};

    #[test]
    fn unit_compresses_its_block_whatever_the_scratch_held() {
        let text = include_bytes!("lib.rs");
        let index = format!("0 {} lib.rs\n", text.len());
        let corpus = Corpus::new(text, &index).expect("valid");
        let config = Config { block_bytes: 1000 };
        let workload = prepare(corpus, Memory::new(&mut []), config).expect("prepared");
        let mut scratch = vec![0x5555_AAAA_1234_FFFF; workload.scratch_words()];
        let mut meter = Meter::default();
        let blocks = text.len().div_ceil(1000);
        let sums: vec::Vec<u64> =
            (0..blocks).map(|index| workload.unit(index as u64, &mut scratch, &mut meter)).collect();
        assert_eq!(meter.read_bytes - 6 * (meter.random_accesses / 2), text.len() as u64);
        for index in (0..blocks).rev() {
            assert_eq!(workload.unit((index + 3 * blocks) as u64, &mut scratch, &mut meter), sums[index]);
            let block = &text[index * 1000..text.len().min(index * 1000 + 1000)];
            let output: &[u8] = bytemuck::cast_slice(&scratch[TABLE_WORDS..]);
            let bytes = (1..=output.len()).find(|&bytes| checksum(&output[..bytes]) == sums[index]);
            let packed = &output[..bytes.expect("the checksum is of the output")];
            let unpacked = lz4_flex::block::decompress(packed, block.len()).expect("valid LZ4");
            assert_eq!(unpacked, block);
        }
    }

    #[test]
    fn refuses_bad_input() {
        let refuse = |corpus, block_bytes| {
            matches!(
                prepare(corpus, Memory::new(&mut []), Config { block_bytes }),
                Err(PrepareError::BadInput(_))
            )
        };
        assert!(refuse(Corpus::EMPTY, 64));
        let corpus = Corpus::new(b"text", "").expect("valid");
        assert!(refuse(corpus, 0) && refuse(corpus, 65_537) && !refuse(corpus, 65_536));
        assert_eq!(memory_bytes(corpus, Config::default()), 0);
    }
}
