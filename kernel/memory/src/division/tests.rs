use super::*;
use crate::colour::Geometry;
use proptest::prelude::*;

fn colours(sets: u32) -> Colours {
    Geometry { sets, ways: 16, line_bytes: 64, slices: 1 }.colours().expect("a usual cache")
}

#[test]
fn the_usual_division_keeps_shadow_and_kernel_apart() {
    let division = Division::usual(colours(2048));
    assert_eq!(division.all().count(), 32);
    assert_eq!(division.of(Class::Shadow), ColourSet(0b11));
    assert_eq!(division.of(Class::Kernel), ColourSet(0b1100));
    assert_eq!(division.of(Class::First), division.of(Class::Second));
    for (one, other) in
        [(Class::Shadow, Class::Kernel), (Class::Shadow, Class::First), (Class::Kernel, Class::Second)]
    {
        assert!(division.shared(one, other).is_empty(), "{one:?} and {other:?}");
    }
    let few = Division::usual(colours(256));
    assert!(Class::ALL.iter().all(|class| few.of(*class) == few.all()), "four colours are shared");
}

#[test]
fn refusals_say_what_was_expected() {
    let mut holdings = Holdings::new(Division::usual(colours(2048)));
    holdings.admit(7, Class::Second);
    let refused = holdings.change(7, ColourSet(0b10001)).expect_err("a colour of the shadow");
    assert_eq!(std::format!("{refused}"), "colours: 0 are not second-class, expected some of 4-31");
    assert_eq!(holdings.change(7, ColourSet::EMPTY), Err(Refusal::Empty));
    assert_eq!(holdings.change(8, ColourSet(1)), Err(Refusal::NoTask(8)));
    assert_eq!(holdings.change(u16::MAX, ColourSet(1)), Err(Refusal::NoTask(u16::MAX)));
    assert_eq!(holdings.of(7).map(|held| held.pending), Some(false), "nothing changed");
    let division = *holdings.division();
    let far = ColourSet(1 << 40);
    assert_eq!(division.with(Class::First, far), Err(Refusal::NoSuchColours(far)));
}

#[test]
fn a_new_division_moves_those_it_concerns() {
    let mut holdings = Holdings::new(Division::usual(colours(2048)));
    holdings.admit(1, Class::First);
    holdings.admit(4, Class::Second);
    holdings.admit(5, Class::Second);
    holdings.change(5, ColourSet(0xF0)).expect("its class has them");
    holdings.settle(5, ColourSet(0xF0));
    let apart = holdings.division().with(Class::First, ColourSet(0x00FF_0000)).expect("known colours");
    let apart = apart.with(Class::Second, ColourSet(0x0000_FFF0)).expect("known colours");
    assert!(apart.shared(Class::First, Class::Second).is_empty());
    assert_eq!(holdings.divide(apart), 2);
    assert_eq!(holdings.of(5).map(|held| (held.colours, held.pending)), Some((ColourSet(0xF0), false)));
    assert_eq!((holdings.next_pending(), holdings.next_pending()), (Some(1), Some(4)));
    holdings.settle(1, ColourSet(0x00FF_0000));
    holdings.settle(4, ColourSet(1));
    assert_eq!(holdings.next_pending(), Some(4), "moved to other colours than the last ones asked for");
}

#[test]
fn being_set_apart_is_undone_exactly() {
    let mut holdings = Holdings::new(Division::usual(colours(2048)));
    holdings.admit(1, Class::First);
    holdings.admit(2, Class::Shadow);
    for slot in 4..8 {
        holdings.admit(slot, Class::Second);
    }
    holdings.change(5, ColourSet(0xF0)).expect("its class has them");
    holdings.change(6, ColourSet(0xF800_0000)).expect("its class has them");
    let usual = *holdings.division();
    let sets = |holdings: &Holdings| {
        holdings.iter().map(|(slot, held)| (slot, held.colours)).collect::<std::vec::Vec<_>>()
    };
    let before = sets(&holdings);
    assert_eq!(holdings.set_apart(28, true), Err(Refusal::Empty), "nothing is left for the second class");
    assert_eq!(holdings.set_apart(0, false), Err(Refusal::Empty));
    assert_eq!((sets(&holdings), holdings.apart()), (before.clone(), None), "refusals change nothing");

    assert_eq!(holdings.set_apart(10, true), Ok(4), "the first class, 4, 6 and 7 move");
    let kept = ColourSet(0xFFC0_0000);
    assert_eq!(holdings.division().of(Class::First), kept);
    assert_eq!(holdings.division().of(Class::Second), ColourSet(0x003F_FFF0));
    assert_eq!(
        holdings.of(6).map(|held| held.colours),
        Some(ColourSet(0x003F_FFF0)),
        "none of its own is left"
    );
    assert!(!holdings.is_apart(), "pages are on their way");
    for (slot, held) in sets(&holdings) {
        holdings.settle(slot, held);
    }
    assert!(holdings.is_apart());
    // Larger, then taken back: as it was at first.
    assert!(holdings.set_apart(12, true).is_ok());
    assert_eq!(holdings.apart(), Some((12, true)));
    holdings.admit(9, Class::Second);
    holdings.change(7, ColourSet(0x10)).expect("its class has them");
    holdings.reunite();
    let mut expected = before;
    expected.retain(|(slot, _)| *slot != 7);
    expected.extend([(7, ColourSet(0x10)), (9, usual.of(Class::Second))]);
    assert_eq!((sets(&holdings), *holdings.division(), holdings.apart()), (expected, usual, None));
    assert_eq!(holdings.reunite(), 0, "once");
}

#[test]
fn beside_ways_the_first_class_stays() {
    let mut holdings = Holdings::new(Division::usual(colours(2048)));
    holdings.admit(1, Class::First);
    assert_eq!(holdings.set_apart(21, false), Ok(0));
    assert_eq!(holdings.division().of(Class::First).count(), 28);
    assert_eq!(holdings.division().of(Class::Second).count(), 7);
    assert!(holdings.is_apart(), "nobody has to move");
    assert_eq!(holdings.shared_usually().count(), 28);
}

proptest! {
    #[test]
    fn a_task_is_always_inside_its_class(steps in prop::collection::vec(
        (0u16..140, any::<u64>(), 0usize..4, 0u8..6), 1..60)
    ) {
        let mut holdings = Holdings::new(Division::usual(colours(2048)));
        for (slot, bits, class, what) in steps {
            let class = Class::ALL[class];
            match what {
                0 => { holdings.admit(slot, class); }
                1 => holdings.forget(slot),
                2 => { let _ = holdings.change(slot, ColourSet(bits)); }
                3 => { let _ = holdings.set_apart(u32::from(slot) % 40, bits % 2 == 0); }
                4 => { holdings.reunite(); }
                _ => if let Ok(division) = holdings.division().with(class, ColourSet(bits & 0xFFFF_FFFF)) {
                    holdings.divide(division);
                }
            }
            for (_, held) in holdings.iter() {
                prop_assert!(!held.colours.is_empty());
                prop_assert!(held.colours.without(holdings.division().of(held.class)).is_empty());
            }
        }
    }
}
