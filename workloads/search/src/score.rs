//! Okapi BM25 in fixed point (Robertson and Zaragoza, "The Probabilistic
//! Relevance Framework: BM25 and Beyond", 2009), with k1 = 1.2 and b = 0.75.

/// `k1 * (1 - b)`, `k1 * b` and `k1 + 1` in Q8.
const FLAT_Q8: u32 = 77;
const LENGTH_Q8: u32 = 230;
const CEILING_Q8: u64 = 563;

/// What a document of `words` words adds to the denominator, Q8, when the mean
/// document has `mean_words`.
pub(crate) fn norm_q8(words: u32, mean_words: u32) -> u32 {
    let share_q8 = u64::from(LENGTH_Q8) * u64::from(words) / u64::from(mean_words.max(1));
    FLAT_Q8.saturating_add(u32::try_from(share_q8).unwrap_or(u32::MAX))
}

/// How telling a term is that `with` of `documents` documents have: log2 of
/// `(documents + 1) / (with + 0.5)`, Q8, never below 0.
pub(crate) fn rarity_q8(documents: u32, with: u32) -> u32 {
    log2_q8(2 * u64::from(documents) + 2).saturating_sub(log2_q8(2 * u64::from(with) + 1))
}

/// A term's share of a document's score, Q8.
pub(crate) fn score_q8(rarity_q8: u32, occurrences: u32, norm_q8: u32) -> u32 {
    let count_q8 = u64::from(occurrences) << 8;
    let saturated_q8 = count_q8 * CEILING_Q8 / (count_q8 + u64::from(norm_q8)).max(1);
    u32::try_from((u64::from(rarity_q8) * saturated_q8) >> 8).unwrap_or(u32::MAX)
}

/// log2 in Q8, rounded down; 0 for 0. Eight squarings, one a bit.
fn log2_q8(value: u64) -> u32 {
    let Some(whole) = value.checked_ilog2() else { return 0 };
    // The mantissa in Q31, in [1, 2).
    let mut mantissa = if whole <= 31 { value << (31 - whole) } else { value >> (whole - 31) };
    let mut bits = whole;
    for _ in 0..8 {
        mantissa = (mantissa * mantissa) >> 31;
        let bit = u32::from(mantissa >= 1 << 32);
        mantissa >>= bit;
        bits = bits << 1 | bit;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn logarithm_is_within_a_step(value in 1u64..) {
            let exact = (value as f64).log2() * 256.0;
            prop_assert!((f64::from(log2_q8(value)) - exact.floor()).abs() <= 1.0);
        }

        #[test]
        fn score_follows_bm25(
            documents in 1u32..100_000, share in 0u32..1000, occurrences in 1u32..100_000,
            words in 1u32..1_000_000, mean in 1u32..100_000,
        ) {
            let with = 1 + (documents - 1) / 1000 * share;
            let idf = ((f64::from(documents) + 1.0) / (f64::from(with) + 0.5)).log2();
            let tf = f64::from(occurrences);
            let k = 1.2 * (0.25 + 0.75 * f64::from(words) / f64::from(mean));
            let exact = idf * tf * 2.2 / (tf + k);
            let got = f64::from(score_q8(rarity_q8(documents, with), occurrences, norm_q8(words, mean))) / 256.0;
            prop_assert!((got - exact).abs() <= 0.03 + exact * 0.01, "{got} for {exact}");
        }
    }

    #[test]
    fn edges_do_not_overflow() {
        assert_eq!(log2_q8(0), 0);
        assert_eq!(log2_q8(1 << 63), 63 * 256);
        assert_eq!(rarity_q8(0, u32::MAX), 0);
        assert_eq!(norm_q8(u32::MAX, 0), u32::MAX);
        let _ = score_q8(u32::MAX, u32::MAX, 0);
    }
}
