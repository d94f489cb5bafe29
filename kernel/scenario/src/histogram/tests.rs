use super::*;
use proptest::prelude::*;
use std::vec::Vec;

fn of(values: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    values.iter().for_each(|value| histogram.record(*value));
    histogram
}

#[test]
fn buckets_are_contiguous_and_end_where_stated() {
    let mut expected_low = 0;
    for bucket in 0..BUCKETS {
        assert_eq!(bucket_of(expected_low), bucket, "lowest of {bucket}");
        let high = highest_in(bucket);
        assert_eq!(bucket_of(high), bucket, "highest of {bucket}");
        assert!(high == expected_low || (high - expected_low + 1) * 64 <= expected_low, "width of {bucket}");
        expected_low = high + 1;
    }
    assert_eq!(expected_low, 1 << 37);
    assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
}

#[test]
fn says_nothing_of_nothing() {
    let empty = Histogram::new();
    assert_eq!((empty.min_ns(), empty.max_ns(), empty.mean_ns()), (None, None, None));
    assert_eq!(empty.percentile_ns(P50), None);
}

#[test]
fn a_percentile_needs_enough_latencies() {
    let hundred = of(&(1..=100).collect::<Vec<_>>());
    assert_eq!(hundred.percentile_ns(P50), Some(50));
    assert_eq!(hundred.percentile_ns(P99), Some(99));
    assert_eq!(hundred.percentile_ns(P999), None);
    assert_eq!(of(&[5; 99]).percentile_ns(P99), None);
    assert_eq!(of(&[5; 1000]).percentile_ns(P999), Some(5));
    assert_eq!(hundred.percentile_ns(0), Some(1));
    assert_eq!(hundred.percentile_ns(u32::MAX), None);
}

#[test]
fn saturates_and_keeps_the_extremes() {
    let mut histogram = of(&[u64::MAX, u64::MAX, 3, 0]);
    assert_eq!((histogram.min_ns(), histogram.max_ns()), (Some(0), Some(u64::MAX)));
    assert_eq!(histogram.mean_ns(), Some(u64::MAX / 4));
    histogram.buckets[3] = u32::MAX;
    histogram.record(3);
    histogram.merge(&of(&[3, 3]));
    assert_eq!(histogram.buckets[3], u32::MAX);
    assert_eq!(histogram.count(), 7);
    histogram.clear();
    assert_eq!(histogram, Histogram::new());
}

/// Latencies of every magnitude, some beyond the range.
fn latencies() -> impl Strategy<Value = Vec<u64>> {
    let one = (any::<u64>(), 20..64u32).prop_map(|(value, shift)| value >> shift);
    prop::collection::vec(one, 1..600)
}

proptest! {
    #[test]
    fn agrees_with_a_sorted_vector(mut values in latencies(), ppm in 0..=1_000_000u32) {
        let histogram = of(&values);
        values.sort_unstable();
        let count = values.len() as u128;
        prop_assert_eq!(histogram.count() as u128, count);
        prop_assert_eq!(histogram.min_ns(), values.first().copied());
        prop_assert_eq!(histogram.max_ns(), values.last().copied());
        let sum: u128 = values.iter().map(|value| u128::from(*value)).sum();
        prop_assert_eq!(histogram.mean_ns().map(u128::from), Some(sum / count));
        let above = (1.0 - f64::from(ppm) / 1e6) * count as f64;
        match histogram.percentile_ns(ppm) {
            None => prop_assert!(above < 1.0 + 1e-9),
            Some(found) => {
                prop_assert!(above > 1.0 - 1e-9);
                let rank = (u128::from(ppm) * count).div_ceil(1_000_000).max(1) as usize;
                let exact = values[rank - 1];
                prop_assert!(exact > Histogram::HIGHEST_NS || (exact <= found && found <= exact + exact / 64), "{exact} {found}");
                prop_assert!(exact >= 128 || found == exact);
            }
        }
    }

    #[test]
    fn filled_buckets_hold_everything(values in latencies()) {
        let histogram = of(&values);
        let filled: Vec<(u64, u32)> = histogram.filled().collect();
        prop_assert!(filled.is_sorted_by(|left, right| left.0 < right.0));
        prop_assert_eq!(filled.iter().map(|(_, count)| u64::from(*count)).sum::<u64>(), histogram.count());
        for (highest_ns, _) in filled {
            let upto = values.iter().filter(|value| (**value).min(Histogram::HIGHEST_NS) <= highest_ns).count();
            let counted: u64 =
                histogram.filled().filter(|(other, _)| *other <= highest_ns).map(|(_, count)| u64::from(count)).sum();
            prop_assert_eq!(upto as u64, counted);
        }
    }

    #[test]
    fn merging_is_recording_both(left in latencies(), right in latencies()) {
        let mut merged = of(&left);
        merged.merge(&of(&right));
        prop_assert_eq!(merged, of(&[left, right].concat()));
    }

    #[test]
    fn agrees_with_the_reference_implementation(values in prop::collection::vec(1..100_000_000_000u64, 1000..1200)) {
        let mut reference = hdrhistogram::Histogram::<u64>::new_with_bounds(1, Histogram::HIGHEST_NS, 3).expect("bounds");
        values.iter().for_each(|value| reference.record(*value).expect("in range"));
        let histogram = of(&values);
        for (ppm, quantile) in [(P50, 0.5), (P99, 0.99), (P999, 0.999)] {
            let (ours, theirs) = (histogram.percentile_ns(ppm).expect("enough"), reference.value_at_quantile(quantile));
            // Theirs lies at most 1/1000 above the exact value, ours at most 1/64.
            prop_assert!(ours + ours / 1000 >= theirs && ours <= theirs + theirs / 64, "{ours} {theirs}");
        }
    }
}
