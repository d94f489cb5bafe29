//! `product = left * right`, wrapping, with memory read in address order.
//!
//! Four elements of a left-hand row at a time: each element of the product is
//! loaded and stored once for four multiplications, and everything runs along
//! rows. Tiles of columns keep the product's part in the first cache when the
//! order is large.

/// Left-hand elements a pass.
pub(crate) const STEP: usize = 4;
/// Columns a tile: 4 KiB of each row, five rows at work.
const TILE: usize = 1024;

/// Multiplies rows of `order` elements by a square matrix.
pub(crate) fn multiply(left: &[u32], right: &[u32], product: &mut [u32], order: usize) {
    product.fill(0);
    for from in (0..order).step_by(TILE) {
        let columns = from..order.min(from + TILE);
        for (row, sums) in left.chunks_exact(order).zip(product.chunks_exact_mut(order)) {
            let sums = &mut sums[columns.clone()];
            for (four, rows) in row.chunks(STEP).zip(right.chunks(STEP * order)) {
                match four.as_array() {
                    Some(four) => add_four(sums, four, rows, order, from),
                    None => add_rest(sums, four, rows, order, from),
                }
            }
        }
    }
}

fn add_four(sums: &mut [u32], four: &[u32; STEP], rows: &[u32], order: usize, from: usize) {
    let [a, b, c, d] = core::array::from_fn(|i| &rows[i * order + from..][..sums.len()]);
    for ((((sum, &a), &b), &c), &d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        let ab = four[0].wrapping_mul(a).wrapping_add(four[1].wrapping_mul(b));
        let cd = four[2].wrapping_mul(c).wrapping_add(four[3].wrapping_mul(d));
        *sum = sum.wrapping_add(ab).wrapping_add(cd);
    }
}

fn add_rest(sums: &mut [u32], rest: &[u32], rows: &[u32], order: usize, from: usize) {
    for (&factor, row) in rest.iter().zip(rows.chunks_exact(order)) {
        for (sum, &element) in sums.iter_mut().zip(&row[from..]) {
            *sum = sum.wrapping_add(factor.wrapping_mul(element));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;
    use workload_api::Random;

    /// By the definition, in 128 bits, reduced at the end.
    pub(crate) fn naive(left: &[u32], right: &[u32], order: usize) -> Vec<u32> {
        let rows = left.len() / order;
        let element = |row: usize, column: usize| {
            let terms =
                (0..order).map(|k| u128::from(left[row * order + k]) * u128::from(right[k * order + column]));
            u32::try_from(terms.sum::<u128>() % (1 << 32)).expect("reduced")
        };
        (0..rows * order).map(|at| element(at / order, at % order)).collect()
    }

    fn drawn(count: usize, seed: u64) -> Vec<u32> {
        let mut random = Random::new(seed);
        (0..count).map(|_| random.below(u32::MAX)).collect()
    }

    /// `matrix * vector`, wrapping.
    fn times(matrix: &[u32], vector: &[u32]) -> Vec<u32> {
        let dot = |row: &[u32]| {
            row.iter().zip(vector).fold(0u32, |sum, (&a, &b)| sum.wrapping_add(a.wrapping_mul(b)))
        };
        matrix.chunks(vector.len()).map(dot).collect()
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(order in 1usize..24, rows in 1usize..10, seed: u64) {
            let (left, right) = (drawn(rows * order, seed), drawn(order * order, !seed));
            let mut product = vec![u32::MAX; rows * order];
            multiply(&left, &right, &mut product, order);
            prop_assert_eq!(product, naive(&left, &right, order));
        }
    }

    /// Freivalds ("Probabilistic machines can use less running time", 1977):
    /// a wrong product passes one random vector at most every second time.
    #[test]
    fn large_products_pass_freivalds() {
        for (order, rows) in [(TILE + 3, 3), (301, 301)] {
            let (left, right) = (drawn(rows * order, 1), drawn(order * order, 2));
            let mut product = vec![0; rows * order];
            multiply(&left, &right, &mut product, order);
            for seed in 0..20 {
                let vector: Vec<u32> = drawn(order, 100 + seed).iter().map(|n| n & 1).collect();
                assert_eq!(times(&product, &vector), times(&left, &times(&right, &vector)));
            }
        }
    }
}
