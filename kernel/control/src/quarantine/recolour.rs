//! Keeping page colours from second-class tasks, ahead of a first-class demand.
//!
//! Ways are kept back at once and given back exactly; colours cost the copy of
//! every page that lies on the wrong side. So where the cache has ways to
//! divide, [`super::confinement`] does it, and colours only help where ways are
//! too coarse: a demand that needs all of them leaves second-class tasks one
//! way all over the cache, and colours keep that one way to a quarter of it.
//! There the first-class workload stays where it is. Without ways, it moves
//! into the colours that are kept for it: as many as its working set fills.
//!
//! Colours are planned only if the pages can be moved before they are needed:
//! pages times the measured time a page takes, against the lead.

use super::{Step, Subject};
use crate::demand::Compact;
use crate::fixed::ONE;
use crate::machine::{Action, Apart, Colouring, Shares};

/// Spare colours, and spare time, of what is needed: a hash spreads lines over
/// slices unevenly, and moves wait for cores.
const SPARE_PERMILLE: u64 = 250;
/// Second-class tasks keep at least one in four of the shared colours.
const LEFT_OF: u64 = 4;

/// A step that recolours, and how long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recolour {
    /// The step.
    pub step: Step,
    /// Nanoseconds from its start until it holds, spare time included.
    pub takes_ns: u64,
}

/// The step that sets colours apart for `demand`, unless ways can do it, no
/// colours need to be, the demand does not fit the colours there are, or
/// `lead_ns` is too short to move the pages.
#[must_use]
pub fn recolouring(
    demand: &Compact,
    colouring: &Colouring,
    shares: Shares,
    lead_ns: u64,
) -> Option<Recolour> {
    let shared = u64::from(colouring.shared);
    let most = shared - shared.div_ceil(LEFT_OF);
    if most == 0 || colouring.page_ns == 0 {
        return None;
    }
    let apart =
        if shares.ways >= 2 { beside_ways(demand, shares, most) } else { alone(demand, shared, most) }?;
    let kept = u64::from(apart.colours);
    let first = if apart.first_moves { u64::from(colouring.first_pages) * (shared - kept) } else { 0 };
    let moved = (first + u64::from(colouring.second_pages) * kept).div_ceil(shared);
    let takes_ns = with_spare(moved.saturating_mul(u64::from(colouring.page_ns)));
    (takes_ns <= lead_ns).then_some(Recolour { step: step(apart), takes_ns })
}

/// The demand's working set in colours of its own.
fn alone(demand: &Compact, shared: u64, most: u64) -> Option<Apart> {
    let filled = (u64::from(demand.cache.min(ONE)) * shared).div_ceil(u64::from(ONE));
    let needed = with_spare(filled);
    let colours = u8::try_from(needed).ok().filter(|_| (1..=most).contains(&needed))?;
    Some(Apart { colours, first_moves: true })
}

/// As much as can be kept, where the demand needs every way.
fn beside_ways(demand: &Compact, shares: Shares, most: u64) -> Option<Apart> {
    let ways = u64::from(shares.ways);
    let needed = (u64::from(demand.cache.min(ONE)) * ways).div_ceil(u64::from(ONE));
    let colours = u8::try_from(most).ok().filter(|_| needed >= ways)?;
    Some(Apart { colours, first_moves: false })
}

fn with_spare(value: u64) -> u64 {
    value.saturating_add(value.saturating_mul(SPARE_PERMILLE).div_ceil(1_000))
}

const fn step(apart: Apart) -> Step {
    Step {
        action: Action::Recolour(apart),
        undo: Action::Uncolour,
        subject: Subject::SecondClass,
        score_q16: 0,
        expected_q16: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COLOURING: Colouring =
        Colouring { shared: 28, first_pages: 2_800, second_pages: 1_400, page_ns: 8_000 };
    const NO_WAYS: Shares = Shares { ways: 0, least_percent: 0 };

    fn planned(cache: u32, colouring: &Colouring, shares: Shares, lead_ns: u64) -> Option<(u8, bool, u64)> {
        let demand = Compact { cache, ..Compact::UNSEEN };
        recolouring(&demand, colouring, shares, lead_ns).map(|recolour| match recolour.step.action {
            Action::Recolour(apart) => (apart.colours, apart.first_moves, recolour.takes_ns),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn colours_grow_and_shrink_with_the_demand() {
        // A quarter of 28 colours is 7, and 1.75 to spare are 2: 9. Of the
        // first-class pages 19 in 28 move, of the others 9 in 28: 2350 pages of
        // 8 us, and a quarter more.
        let (colours, first_moves, takes_ns) =
            planned(ONE / 4, &COLOURING, NO_WAYS, u64::MAX).expect("time enough");
        assert_eq!((colours, first_moves, takes_ns), (9, true, 2_350 * 10_000));
        let of = |cache| planned(cache, &COLOURING, NO_WAYS, u64::MAX).map(|(colours, ..)| colours);
        assert_eq!((of(ONE / 28), of(ONE / 2)), (Some(2), Some(18)));
        assert_eq!(of(0), None, "nothing is needed");
        assert_eq!(of(ONE / 10 * 7), None, "25 of 28 would leave second-class tasks fewer than 7");
    }

    #[test]
    fn what_comes_too_late_is_not_planned() {
        assert!(planned(ONE / 4, &COLOURING, NO_WAYS, 23_500_000).is_some());
        assert_eq!(planned(ONE / 4, &COLOURING, NO_WAYS, 23_499_999), None);
        let unmeasured = Colouring { page_ns: 0, ..COLOURING };
        assert_eq!(planned(ONE / 4, &unmeasured, NO_WAYS, u64::MAX), None);
        assert_eq!(planned(ONE / 4, &Colouring::default(), NO_WAYS, u64::MAX), None);
    }

    #[test]
    fn colours_help_ways_only_where_those_are_too_coarse() {
        let ways = Shares { ways: 11, least_percent: 10 };
        assert_eq!(planned(ONE / 2, &COLOURING, ways, u64::MAX), None, "six ways do it");
        // All 21 colours that may be kept, and only second-class pages move.
        assert_eq!(planned(ONE, &COLOURING, ways, u64::MAX), Some((21, false, 1_050 * 10_000)));
    }

    proptest! {
        #[test]
        fn second_class_keeps_a_quarter_and_time_suffices(
            cache: u32, shared: u8, first_pages: u32, second_pages: u32, page_ns: u32, ways in 0u8..20, lead_ns: u64,
        ) {
            let colouring = Colouring { shared, first_pages, second_pages, page_ns };
            let planned = planned(cache, &colouring, Shares { ways, least_percent: 0 }, lead_ns);
            if let Some((colours, first_moves, takes_ns)) = planned {
                prop_assert!(colours >= 1 && colours <= shared - shared.div_ceil(4));
                prop_assert!(takes_ns <= lead_ns);
                prop_assert_eq!(first_moves, ways < 2);
            }
        }
    }
}
