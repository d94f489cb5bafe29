//! A step's latencies as the guest sends them: the highest latency of each
//! bucket, and how many fell into it.

use serde_json::Value;

/// Buckets in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Latencies {
    buckets: Vec<(u64, u64)>,
}

impl Latencies {
    /// From the record's list of pairs; none if it is no such list.
    pub(crate) fn of(list: &Value) -> Option<Self> {
        let pair = |pair: &Value| Some((pair.get(0)?.as_u64()?, pair.get(1)?.as_u64()?));
        let buckets: Vec<_> = list.as_array()?.iter().map(pair).collect::<Option<_>>()?;
        buckets.is_sorted_by(|left, right| left.0 < right.0).then_some(Self { buckets })
    }

    /// As the record has it.
    pub(crate) fn to_json(&self) -> Value {
        self.buckets.iter().map(|(highest_ns, count)| Value::from(vec![*highest_ns, *count])).collect()
    }

    /// Latencies in all.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// The latency that `ppm` parts in a million do not exceed (nearest rank);
    /// none where fewer than one lies above the rank.
    pub(crate) fn quantile_ns(&self, ppm: u64) -> Option<u64> {
        let count = self.count();
        if count == 0 || count.saturating_mul(1_000_000_u64.checked_sub(ppm)?) < 1_000_000 {
            return None;
        }
        let rank = count.saturating_mul(ppm).div_ceil(1_000_000).max(1);
        let mut seen = 0;
        let reached = self.buckets.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        reached.map(|(highest_ns, _)| *highest_ns)
    }

    /// For each bucket, its latency and the share of all that lie above it, in
    /// parts in a million; what a logarithmic axis can show, so without the
    /// last, above which there is nothing.
    pub(crate) fn above_ppm(&self) -> Vec<(u64, u64)> {
        let count = self.count();
        let mut left = count;
        let mut points = Vec::new();
        for (highest_ns, here) in &self.buckets {
            left -= here;
            if left > 0 {
                points.push((*highest_ns, left.saturating_mul(1_000_000) / count));
            }
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let latencies = Latencies::of(&json!([[10, 50], [20, 49], [1000, 1]])).expect("pairs");
        assert_eq!(latencies.count(), 100);
        assert_eq!(latencies.quantile_ns(500_000), Some(10));
        assert_eq!(latencies.quantile_ns(510_000), Some(20));
        assert_eq!(latencies.quantile_ns(990_000), Some(20));
        assert_eq!(latencies.quantile_ns(999_000), None, "a hundred have no 99.9 %");
        assert_eq!(latencies.above_ppm(), [(10, 500_000), (20, 10_000)]);
        assert_eq!(Latencies::default().quantile_ns(500_000), None);
    }

    #[test]
    fn what_is_no_list_of_ascending_pairs_is_refused() {
        for bad in [json!(null), json!([[1]]), json!([[1, -1]]), json!([[2, 1], [1, 1]]), json!([1, 2])] {
            assert_eq!(Latencies::of(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_quantile_is_that_of_the_sorted_list(
            counts in prop::collection::btree_map(1u64..1_000_000, 1u64..20, 1..50), ppm in 1u64..990_000,
        ) {
            let latencies = Latencies { buckets: counts.clone().into_iter().collect() };
            let all: Vec<u64> =
                counts.iter().flat_map(|(ns, count)| std::iter::repeat_n(*ns, usize::try_from(*count).expect("few"))).collect();
            let rank = usize::try_from((all.len() as u64 * ppm).div_ceil(1_000_000)).expect("few");
            if let Some(found) = latencies.quantile_ns(ppm) {
                prop_assert_eq!(found, all[rank - 1]);
            } else {
                prop_assert!(all.len() < 101);
            }
            prop_assert_eq!(Latencies::of(&latencies.to_json()), Some(latencies));
        }
    }
}
