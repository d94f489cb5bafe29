//! Integer matrix multiplication, a few rows at a time.
//!
//! A second-class workload that reuses a block of the cache: the right-hand
//! matrix (64 KiB by default) is read again for every row of the left-hand one.
//! A unit is [`Config::rows`] rows drawn from its index, times the prepared
//! matrix: a whole product of 128 x 128 is eight million instructions, too
//! long for something that has to be paused quickly. With as many rows as
//! columns a unit is a whole product. Numbers are `u32`, wrapping: soft-float
//! would measure the emulation of floats.
#![no_std]
#![forbid(unsafe_code)]

mod multiply;

use multiply::multiply;
use workload_api::{Class, Corpus, Memory, Meter, PrepareError, Random, Spec, Workload};

/// The workload's name and class.
pub const SPEC: Spec =
    Spec { name: "matrix", class: Class::Second, summary: "integer matrix product, a few rows a unit" };

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Rows and columns of the right-hand matrix, 1 to 8192.
    pub order: usize,
    /// Rows of the left-hand matrix, 1 to 8192.
    pub rows: usize,
    /// Which right-hand matrix.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { order: 128, rows: 4, seed: 1 }
    }
}

/// Largest order and number of rows.
pub const ORDER_MAX: usize = 8192;

/// Bytes that [`prepare`] takes: the right-hand matrix.
#[must_use]
pub const fn memory_bytes(_corpus: Corpus<'_>, config: Config) -> usize {
    config.order.saturating_mul(config.order).div_ceil(2).saturating_mul(8)
}

/// Draws the right-hand matrix.
///
/// # Errors
/// [`PrepareError::OutOfMemory`] with less than [`memory_bytes`];
/// [`PrepareError::BadInput`] for an impossible size.
pub fn prepare<'m>(
    _corpus: Corpus<'m>,
    mut memory: Memory<'m>,
    config: Config,
) -> Result<Matrix<'m>, PrepareError> {
    let possible = 1..=ORDER_MAX;
    if !possible.contains(&config.order) || !possible.contains(&config.rows) {
        return Err(PrepareError::BadInput("impossible matrix: expected order and rows from 1 to 8192"));
    }
    let right = memory.take_u32(config.order * config.order)?;
    draw(right, config.seed);
    Ok(Matrix { right, config })
}

/// The prepared workload.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'m> {
    right: &'m [u32],
    config: Config,
}

impl Matrix<'_> {
    /// Words of one panel: the left-hand rows, or those of the product.
    const fn panel_words(&self) -> usize {
        (self.config.rows * self.config.order).div_ceil(2)
    }
}

impl Workload for Matrix<'_> {
    fn scratch_words(&self) -> usize {
        2 * self.panel_words()
    }

    fn working_set_bytes(&self) -> u64 {
        (self.right.len() * 4 + self.scratch_words() * 8) as u64
    }

    fn unit(&self, index: u64, scratch: &mut [u64], meter: &mut Meter) -> u64 {
        let Config { order, rows, .. } = self.config;
        let Some((left, product)) = scratch.split_at_mut_checked(self.panel_words()) else { return 0 };
        let left: &mut [u32] = bytemuck::cast_slice_mut(left);
        let product: &mut [u32] = bytemuck::cast_slice_mut(product);
        let Some(left) = left.get_mut(..rows * order) else { return 0 };
        let Some(product) = product.get_mut(..rows * order) else { return 0 };
        draw(left, index);
        multiply(left, self.right, product, order);
        count(meter, order as u64, rows as u64);
        checksum(product)
    }
}

/// For every four of a row's elements, as many rows of the right-hand matrix
/// and one of the product pass by.
fn count(meter: &mut Meter, order: u64, rows: u64) {
    let passes = rows * order.div_ceil(multiply::STEP as u64);
    meter.read_sequential(4 * (rows * order + rows * order * order + passes * order));
    meter.write_sequential(4 * (2 * rows * order + passes * order));
}

fn draw(numbers: &mut [u32], seed: u64) {
    let mut random = Random::new(seed);
    numbers.fill_with(|| random.below(u32::MAX));
}

/// FNV-1a over the product's elements.
fn checksum(product: &[u32]) -> u64 {
    let mix = |sum: u64, &element: &u32| (sum ^ u64::from(element)).wrapping_mul(0x0000_0100_0000_01B3);
    product.iter().fold(0, mix)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    #[test]
    fn unit_is_the_product_of_drawn_rows() {
        for (order, rows) in [(128, 4), (7, 7), (5, 1)] {
            let config = Config { order, rows, seed: 3 };
            let mut region = vec![0; memory_bytes(Corpus::EMPTY, config) / 8];
            let matrix =
                prepare(Corpus::EMPTY, Memory::new(&mut region), config).expect("the bound suffices");
            let mut scratch = vec![u64::MAX; matrix.scratch_words()];
            for index in [0, 1, 9, 0] {
                let mut left = vec![0; rows * order];
                let mut right = vec![0; order * order];
                draw(&mut left, index);
                draw(&mut right, 3);
                let expected = multiply::tests::naive(&left, &right, order);
                let mut meter = Meter::default();
                assert_eq!(matrix.unit(index, &mut scratch, &mut meter), checksum(&expected));
                assert!(meter.read_bytes >= 4 * (rows * order * order) as u64);
            }
        }
    }

    #[test]
    fn refuses_bad_input() {
        let refusal = |order, rows| {
            let config = Config { order, rows, seed: 0 };
            prepare(Corpus::EMPTY, Memory::new(&mut [0; 8]), config).err()
        };
        assert!(matches!(refusal(0, 1), Some(PrepareError::BadInput(_))));
        assert!(matches!(refusal(1, 8193), Some(PrepareError::BadInput(_))));
        assert!(matches!(refusal(5, 1), Some(PrepareError::OutOfMemory(_))));
        assert_eq!(refusal(4, 8), None);
    }
}
