//! What is left for second-class tasks beside a first-class demand.

use super::{Step, Subject};
use crate::demand::Compact;
use crate::fixed::ONE;
use crate::machine::{Action, Share, Shares};

/// The step that keeps from second-class tasks what `demand` needs, and no
/// more: the ways that its working set fills, rounded up, and its bandwidth.
/// One way and the least bandwidth always stay. None where the machine divides
/// nothing or the demand needs nothing.
#[must_use]
pub fn confinement(demand: &Compact, shares: Shares) -> Option<Step> {
    let ways = u64::from(shares.ways);
    let needed = (u64::from(demand.cache.min(ONE)) * ways).div_ceil(u64::from(ONE));
    let traffic = demand.read.saturating_add(demand.write).min(ONE);
    let needed_percent = (u64::from(traffic) * 100).div_ceil(u64::from(ONE));
    let left = match shares.ways {
        0 | 1 => 0,
        _ => u8::try_from(ways.saturating_sub(needed).max(1)).unwrap_or(1),
    };
    let percent = match shares.least_percent {
        0 => 100,
        least => u8::try_from(100u64.saturating_sub(needed_percent)).unwrap_or(100).max(least),
    };
    if (left == 0 || left == shares.ways) && percent == 100 {
        return None;
    }
    let action = Action::Confine(Share { ways: left, percent });
    Some(Step {
        action,
        undo: Action::Unconfine,
        subject: Subject::SecondClass,
        score_q16: 0,
        expected_q16: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share(cache: u32, read: u32, write: u32, shares: Shares) -> Option<(u8, u8)> {
        let demand = Compact { cache, read, write, ..Compact::UNSEEN };
        confinement(&demand, shares).map(|step| match step.action {
            Action::Confine(share) => (share.ways, share.percent),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn what_the_demand_needs_is_kept_back() {
        let both = Shares { ways: 11, least_percent: 10 };
        // Half of 11 ways is 5.5, so 6 are kept; 30 % are kept of the bandwidth.
        assert_eq!(share(ONE / 2, ONE / 5, ONE / 10, both), Some((5, 70)));
        assert_eq!(share(ONE, ONE, ONE, both), Some((1, 10)), "something always stays");
        assert_eq!(share(0, 0, 0, both), None);
        assert_eq!(share(ONE / 2, ONE / 2, 0, Shares { ways: 20, least_percent: 0 }), Some((10, 100)));
        let bandwidth = Shares { ways: 1, least_percent: 10 };
        assert_eq!(share(ONE, ONE / 4, 0, bandwidth), Some((0, 75)), "one way cannot be divided");
        assert_eq!(share(ONE, 0, 0, bandwidth), None);
        assert_eq!(share(ONE, ONE, 0, Shares::default()), None);
    }

    proptest! {
        #[test]
        fn the_share_is_one_that_the_machine_has(
            cache: u32, read: u32, write: u32, ways: u8, least_percent in 0u8..=100,
        ) {
            if let Some((left, percent)) = share(cache, read, write, Shares { ways, least_percent }) {
                let possible = if ways < 2 { 0..=0 } else { 1..=ways };
                prop_assert!(possible.contains(&left));
                prop_assert!((least_percent.max(1)..=100).contains(&percent));
            }
        }
    }
}
