//! SHA-256 of the corpus, block by block.
//!
//! A second-class workload that computes far more than it reads: the one that
//! ought to be harmless beside a memory-hungry neighbour.
#![no_std]
#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};
use workload_api::{Class, Corpus, Memory, Meter, PrepareError, Spec, Workload};

/// The workload's name and class.
pub const SPEC: Spec =
    Spec { name: "hash", class: Class::Second, summary: "SHA-256 of the corpus, one block a unit" };

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes a block, at least 1. About 54 instructions each.
    pub block_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { block_bytes: 4096 }
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
/// [`PrepareError::BadInput`] for an empty corpus or block.
pub fn prepare<'m>(
    corpus: Corpus<'m>,
    _memory: Memory<'m>,
    config: Config,
) -> Result<Hash<'m>, PrepareError> {
    if corpus.text().is_empty() {
        return Err(PrepareError::BadInput("no text in the corpus: expected something to hash"));
    }
    if config.block_bytes == 0 {
        return Err(PrepareError::BadInput("empty block: expected block_bytes of at least 1"));
    }
    Ok(Hash { corpus, block_bytes: config.block_bytes })
}

/// The prepared workload.
#[derive(Clone, Copy, Debug)]
pub struct Hash<'m> {
    corpus: Corpus<'m>,
    block_bytes: usize,
}

impl Workload for Hash<'_> {
    fn scratch_words(&self) -> usize {
        0
    }

    fn working_set_bytes(&self) -> u64 {
        self.corpus.text().len() as u64
    }

    fn unit(&self, index: u64, _scratch: &mut [u64], meter: &mut Meter) -> u64 {
        let block = self.corpus.block(self.block_bytes, index);
        meter.read_sequential(block.len() as u64);
        checksum(&Sha256::digest(block).into())
    }
}

/// The digest's four words, exclusive or: none of its bits is dropped.
fn checksum(digest: &[u8; 32]) -> u64 {
    digest.as_chunks::<8>().0.iter().fold(0, |sum, &eight| sum ^ u64::from_be_bytes(eight))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4 example values (NIST, "SHA256.pdf": one block and two).
    const ABC: [u64; 4] =
        [0xBA78_16BF_8F01_CFEA, 0x4141_40DE_5DAE_2223, 0xB003_61A3_9617_7A9C, 0xB410_FF61_F200_15AD];
    const ABC_TO_Q: [u64; 4] =
        [0x248D_6A61_D206_38B8, 0xE5C0_2693_0C3E_6039, 0xA33C_E459_64FF_2167, 0xF6EC_EDD4_19DB_06C1];

    fn unit(text: &[u8], block_bytes: usize, index: u64) -> u64 {
        let corpus = Corpus::new(text, "").expect("valid");
        let hash = prepare(corpus, Memory::new(&mut []), Config { block_bytes }).expect("prepared");
        hash.unit(index, &mut [], &mut Meter::default())
    }

    fn folded(words: [u64; 4]) -> u64 {
        words.iter().fold(0, |sum, word| sum ^ word)
    }

    #[test]
    fn agrees_with_the_published_vectors() {
        let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(unit(b"abc", 64, 0), folded(ABC));
        assert_eq!(unit(long, 64, 7), folded(ABC_TO_Q), "one block: every index is the first");
    }

    #[test]
    fn takes_the_blocks_in_turn() {
        let text = b"abcabcxy";
        assert_eq!(unit(text, 3, 0), folded(ABC));
        assert_eq!(unit(text, 3, 4), folded(ABC), "three blocks: the fifth is the second");
        assert_eq!(unit(text, 3, 2), unit(b"xy", 3, 0), "the last is shorter");
        assert_ne!(unit(text, 3, 2), folded(ABC));
    }

    #[test]
    fn refuses_bad_input() {
        let refuse =
            |corpus, block_bytes| prepare(corpus, Memory::new(&mut []), Config { block_bytes }).is_err();
        assert!(refuse(Corpus::EMPTY, 64));
        assert!(refuse(Corpus::new(b"text", "").expect("valid"), 0));
    }
}
