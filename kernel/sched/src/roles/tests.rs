use super::*;
use proptest::prelude::*;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

const SHARED: Roles = Roles::FIRST_CLASS.with(Roles::SECOND_CLASS);

/// Carries out steps as a core would: one task is evicted at a time.
fn carry_out(core: &mut CoreRoles, holds: &mut Occupancy) -> Vec<Step> {
    let mut steps = Vec::new();
    while let Some(step) = core.next_step(*holds) {
        assert!(steps.len() < 100, "never ends: {steps:?}");
        match step {
            Step::EvictSecondClass => holds.second -= 1,
            Step::AwaitShadow => holds.shadow -= 1,
            Step::AwaitFirstClass => holds.first -= 1,
            Step::StopTick | Step::StartTick | Step::Confirm(_) => {}
        }
        core.done(step);
        steps.push(step);
    }
    steps
}

#[test]
fn roles_at_boot_by_number_of_cores() {
    let table = |count: u8| (0..count).map(|core| initial_roles(core, count).to_string()).collect::<Vec<_>>();
    assert_eq!(table(1), ["control+first-class+shadow+second-class"]);
    assert_eq!(table(2), ["control+shadow+second-class", "first-class+second-class"]);
    assert_eq!(table(3), ["control+shadow", "first-class+second-class", "second-class"]);
    assert_eq!(table(5)[2..], ["second-class"; 3]);
    assert_eq!(Roles::default().to_string(), "none");
}

#[test]
fn a_core_is_emptied_then_silenced_then_confirmed_and_back() {
    let mut core = CoreRoles::new(SHARED);
    let mut holds = Occupancy { first: 1, shadow: 0, second: 2 };
    assert_eq!(core.next_step(holds), None);
    core.request(Roles::FIRST_CLASS).expect("legal");
    assert!(!core.accepts(Roles::SECOND_CLASS) && core.accepts(Roles::FIRST_CLASS));
    assert_eq!(core.confirmed(), SHARED, "not before it is true");
    let steps = carry_out(&mut core, &mut holds);
    assert_eq!(
        steps,
        [Step::EvictSecondClass, Step::EvictSecondClass, Step::StopTick, Step::Confirm(Roles::FIRST_CLASS)]
    );
    assert!(!core.is_ticking());
    core.request(SHARED).expect("legal");
    assert!(!core.accepts(Roles::SECOND_CLASS), "not before its tick runs");
    assert_eq!(carry_out(&mut core, &mut holds), [Step::StartTick, Step::Confirm(SHARED)]);
    assert!(core.accepts(Roles::SECOND_CLASS));
}

#[test]
fn a_change_may_be_reversed_half_way_and_latecomers_are_evicted() {
    let mut core = CoreRoles::new(SHARED);
    core.request(Roles::FIRST_CLASS).expect("legal");
    core.done(Step::StopTick);
    core.request(SHARED).expect("legal");
    assert_eq!(core.next_step(Occupancy { second: 3, ..Occupancy::default() }), Some(Step::StartTick));
    core.done(Step::StartTick);
    assert_eq!(core.next_step(Occupancy::default()), None, "as if nothing had been");

    core.request(Roles::FIRST_CLASS).expect("legal");
    carry_out(&mut core, &mut Occupancy::default());
    let late = Occupancy { second: 1, ..Occupancy::default() };
    assert_eq!(core.next_step(late), Some(Step::EvictSecondClass));
}

#[test]
fn what_may_not_be_is_refused() {
    let mut core = CoreRoles::new(initial_roles(0, 4));
    for roles in [Roles(16), Roles(0x21)] {
        assert_eq!(core.request(roles), Err(Refused::NoRole(roles.0)));
    }
    assert_eq!(core.request(Roles::SHADOW), Err(Refused::ControlStays));
    assert_eq!(CoreRoles::new(SHARED).request(SHARED.with(Roles::CONTROL)), Err(Refused::ControlStays));
    assert_eq!(core.desired(), initial_roles(0, 4));
    let two = [initial_roles(0, 2), initial_roles(1, 2)];
    assert_eq!(
        (may_dedicate(1, &two), may_dedicate(1, &two[1..])),
        (Ok(()), Ok(())),
        "core 0 of one is another"
    );
    assert_eq!(may_dedicate(0, &[initial_roles(0, 1)]), Err(Refused::LastCore));
    assert_eq!(may_dedicate(1, &[Roles::CONTROL, SHARED]), Err(Refused::LastCore));
}

#[test]
fn a_core_may_have_no_role_for_a_while() {
    let mut core = CoreRoles::new(Roles::SECOND_CLASS);
    let mut holds = Occupancy { first: 0, shadow: 0, second: 1 };
    core.request(Roles::default()).expect("legal");
    assert!(!core.accepts(Roles::SECOND_CLASS));
    assert_eq!(carry_out(&mut core, &mut holds), [Step::EvictSecondClass, Step::Confirm(Roles::default())]);
    core.request(Roles::SECOND_CLASS).expect("legal");
    assert_eq!(carry_out(&mut core, &mut holds), [Step::Confirm(Roles::SECOND_CLASS)]);
}

proptest! {
    #[test]
    fn every_request_is_reached_in_order(
        requests in prop::collection::vec((1u8..16, 0u16..3, 0u16..2, 0u16..4, 0usize..6), 1..12),
    ) {
        let mut core = CoreRoles::new(SHARED);
        for (roles, first, shadow, second, cut) in requests {
            let wanted = Roles(roles).without(Roles::CONTROL);
            if core.request(wanted).is_err() {
                continue;
            }
            let mut holds = Occupancy { first, shadow, second };
            // Some steps of this change are made, then it is overtaken or finished.
            let mut made = vec![];
            for _ in 0..cut {
                if let Some(step) = core.next_step(holds) {
                    made.push(step);
                    match step {
                        Step::EvictSecondClass => holds.second -= 1,
                        Step::AwaitShadow => holds.shadow -= 1,
                        Step::AwaitFirstClass => holds.first -= 1,
                        _ => {}
                    }
                    core.done(step);
                }
            }
            if cut > 2 {
                carry_out(&mut core, &mut holds);
                prop_assert_eq!(core.confirmed(), wanted);
                prop_assert_eq!(core.is_ticking(), wanted != Roles::FIRST_CLASS);
                prop_assert!(wanted.has(Roles::SECOND_CLASS) || holds.second == 0);
            }
            if let Some(at) = made.iter().position(|step| matches!(step, Step::Confirm(_))) {
                prop_assert_eq!(at, made.len() - 1, "confirming comes last");
            }
        }
    }
}
