//! The whole quarantine against registers that fault wherever the manuals say
//! that they fault: whatever the plan, no fault, no empty mask, no class that
//! is not there, and every register as before once it is undone.
//!
//! Page colours are no part of a plan: tasks keep theirs through a quarantine.

use proptest::prelude::*;
use umbra_control::demand::{Capacity, Compact, Tasks};
use umbra_control::fixed::Clock;
use umbra_control::machine::{Action, CoreId, Monitor, Share, TaskId, Topology, WorkloadId};
use umbra_control::predict::{Predictions, System};
use umbra_control::quarantine::{
    Lease, LeaseEvent, Phase, Plan, Planner, Rule, Step, Subject, WorkloadSet, confinement,
};
use umbra_control::sample::{Deltas, Sample, Visit};
use umbra_host_tests::registers::{Divided, Processor, processors};
use umbra_hw::bus::{Bus, StrictBus};
use umbra_hw::msr;
use umbra_hw::rdt::{Part, Rdt, Resource, Session};

const MS: u64 = 1_000_000;
const CORES: u8 = 4;
const FIRST: CoreId = CoreId(1);

fn processor() -> impl Strategy<Value = Processor> {
    let any = (
        (any::<bool>(), 0..=32u32, prop_oneof![Just(0), 1..=32u32]),
        (prop_oneof![Just(16), 1..=128u32], prop_oneof![Just(0), 1..=64u32]),
        (any::<[bool; 4]>(), 1..=100u32, prop_oneof![Just(0), 1..300u32]),
    );
    let any =
        any.prop_map(|((amd, ways, l2_ways), (classes, bandwidth_classes), (flags, most, max_rmid))| {
            // Level 2 masks have half as many registers as level 3 ones.
            let classes = if l2_ways > 0 { classes.min(64) } else { classes };
            let most = if amd { most.min(20) } else { most };
            Processor { amd, ways, l2_ways, classes, bandwidth_classes, flags, most, max_rmid }
        });
    prop_oneof![prop::sample::select(processors().to_vec()), any]
}

/// What somebody at the console may have set before.
type Setting = (u8, u32, u64, u32);

fn settings() -> impl Strategy<Value = Vec<Setting>> {
    let mask =
        prop_oneof![any::<u64>(), 0..0x1_0000u64, Just(0), (0..32u32).prop_map(|bits| (1 << bits) - 1)];
    prop::collection::vec((0..8u8, 0..20u32, mask, 0..120u32), 0..24)
}

fn carry_out(session: &mut Session<'_>, bus: &mut StrictBus, setting: Setting) {
    let (what, class, mask, amount) = setting;
    // Refusals are fine; faults are counted by the bus.
    let _ = match what {
        0 => session.set_mask(bus, Resource::L3, Part::Both, class, mask),
        1 => session.set_mask(bus, Resource::L2, Part::Both, class, mask),
        2 => session.set_mask(bus, Resource::L3, Part::Code, class, mask),
        3 => session.set_mask(bus, Resource::L2, Part::Data, class, mask),
        4 => session.set_bandwidth_percent(bus, class, amount).map(|_| ()),
        5 => session.set_bandwidth_limit(bus, Resource::AmdBandwidth, class, amount),
        6 => session.set_cdp(bus, Resource::L3, amount & 1 == 1),
        _ => session.set_cdp(bus, Resource::L2, amount & 1 == 1),
    };
}

/// Registers that hold something.
fn contents(bus: &StrictBus) -> Vec<(u32, u64)> {
    let mut all: Vec<_> =
        bus.registers().filter(|(register, value)| *value != 0 && *register != msr::PQR_ASSOC).collect();
    all.sort_unstable();
    all
}

/// The classes that the manuals give a machine, register by register.
fn is_sound(rdt: &Rdt, register: u32, value: u64) -> bool {
    let count = |resource| rdt.classes(resource, false);
    let below = |first: u32, classes: u32| (first..first + classes).contains(&register);
    let mask = (msr::L3_MASK..msr::L3_MASK + 128).contains(&register)
        || (msr::L2_MASK..msr::L2_MASK + 64).contains(&register);
    let known = below(msr::L3_MASK, count(Resource::L3))
        || below(msr::L2_MASK, count(Resource::L2))
        || below(msr::MBA_THROTTLE, count(Resource::Bandwidth))
        || below(msr::AMD_BANDWIDTH, count(Resource::AmdBandwidth))
        || [msr::PQR_ASSOC, msr::L3_QOS_CFG, msr::L2_QOS_CFG].contains(&register);
    known && !(mask && value == 0)
}

fn check(rdt: &Rdt, bus: &StrictBus) -> Result<(), TestCaseError> {
    prop_assert_eq!(bus.faults(), 0);
    for (register, value) in bus.log() {
        prop_assert!(is_sound(rdt, *register, *value), "{:#x} <- {:#x}", register, value);
    }
    Ok(())
}

/// What the planner would make of these tasks, or any other steps.
fn plan_of(machine: &Divided<'_>, rule: u8, demand: &Compact, shares: &[(u8, u8)]) -> Plan {
    let (tasks, predictions) = seen(machine, demand);
    let mut plan = Plan::new();
    if let Some(step) = confinement(demand, machine.shares()) {
        plan.steps.push(step).expect("the first");
    }
    let confine = |(ways, percent): &(u8, u8)| Step {
        action: Action::Confine(Share { ways: *ways, percent: *percent }),
        undo: Action::Unconfine,
        subject: Subject::SecondClass,
        score_q16: 0,
        expected_q16: 0,
    };
    let first = plan.steps.first().copied();
    let rule = match rule {
        0 => Rule::ClearCore,
        1 => Rule::Predicted(0),
        2 => Rule::Predicted(1 << 14),
        _ => {
            let mut set = WorkloadSet::default();
            set.insert(WorkloadId(rule));
            Rule::Pause(set)
        }
    };
    let mut planner = Planner::new();
    planner.begin(rule, 1000 * MS, FIRST, machine, &tasks, &mut plan);
    while !planner.step(machine, &tasks, &predictions, &mut plan) {}
    // The line puts the confinement first.
    let mut steps: Vec<Step> = first.into_iter().chain(shares.iter().map(confine)).collect();
    steps.extend(plan.steps.iter().copied());
    plan.steps.clear();
    plan.steps.extend(steps.into_iter().take(100));
    plan
}

fn seen(machine: &Divided<'_>, demand: &Compact) -> (Tasks, Predictions) {
    let (capacity, clock) = (Capacity::of(machine), Clock::new(1_000_000_000));
    let (mut tasks, mut predictions) = (Tasks::new(), Predictions::new());
    for view in &machine.tasks {
        let generation = machine.counts(view.id).expect("a task").generation;
        let working_set_bytes = u64::from(view.id.0) << 20;
        let deltas = Deltas { cycles: 10, working_set_bytes, ..Deltas::default() };
        tasks.see(&Visit::Task(*view, generation, None), clock, &capacity);
        let sample = Sample { task: view.id, interval_cycles: 10, deltas };
        tasks.see(&Visit::Task(*view, generation, Some(sample)), clock, &capacity);
    }
    predictions.expect(*demand, &tasks);
    while !predictions.is_settled() {
        predictions.tick(&tasks, FIRST, &System { load: 0 }, |_, _| {});
    }
    (tasks, predictions)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn whatever_the_plan_nothing_faults_and_nothing_is_left(
        processor in processor(),
        before in settings(),
        tasks in prop::collection::vec(0..CORES, 0..24),
        rule in 0..8u8,
        [cache, read, write] in any::<[u32; 3]>(),
        shares in prop::collection::vec(any::<(u8, u8)>(), 0..4),
        turns in prop::collection::vec(any::<u8>(), 60),
        busy in prop::collection::vec(prop::bool::weighted(0.1), 0..40),
        switches in prop::collection::vec((0..3usize, 0..140u32, 0..310u32), 0..40),
        undo_after in 0..40u64,
    ) {
        let rdt = processor.rdt();
        let mut machine = Divided::new(&rdt, CORES, 3);
        tasks.iter().for_each(|core| machine.put(*core));
        let mut sessions: Vec<Session<'_>> = (0..3).map(|_| Session::new(&rdt)).collect();
        for (setting, at) in before.iter().zip((0..3).cycle()) {
            // Code and data stay together: classes would mean other registers.
            if setting.0 < 6 {
                carry_out(&mut sessions[at], &mut machine.caches[at].bus, *setting);
            }
        }
        let first: Vec<_> = machine.caches.iter().map(|cache| contents(&cache.bus)).collect();
        let demand = Compact { cache, read, write, ..Compact::UNSEEN };
        let plan = plan_of(&machine, rule, &demand, &shares);
        machine.busy = busy;

        let mut lease = Lease::new();
        prop_assert!(lease.begin(0, &plan));
        let mut undone = false;
        let mut turns = turns.into_iter().chain(std::iter::repeat(u8::MAX));
        let mut switches = switches.into_iter();
        for tick in 1..3000u64 {
            // Else it runs out by itself.
            if tick == undo_after {
                lease.undo();
            }
            lease.tick(tick * MS, &mut machine, |event| undone |= event == LeaseEvent::Undone);
            machine.follow(turns.next().unwrap_or(0));
            if let Some((cache, class, rmid)) = switches.next() {
                machine.switch(cache, class, rmid);
            }
            if undone {
                break;
            }
        }
        // Messages that were under way arrive after the last look.
        machine.follow(u8::MAX);
        prop_assert_eq!(lease.phase(), Phase::Idle);
        for (cache, first) in machine.caches.iter().zip(&first) {
            check(&rdt, &cache.bus)?;
            prop_assert_eq!(&contents(&cache.bus), first);
        }
    }

    #[test]
    fn whatever_is_set_at_the_console_nothing_faults_and_undo_is_exact(
        processor in processor(),
        settings in settings(),
    ) {
        let rdt = processor.rdt();
        let mut machine = Divided::new(&rdt, CORES, 1);
        let bus = &mut machine.caches[0].bus;
        let first = contents(bus);
        let mut session = Session::new(&rdt);
        for setting in settings {
            carry_out(&mut session, bus, setting);
        }
        session.undo(bus).expect("every register takes its old value");
        check(&rdt, bus)?;
        prop_assert_eq!(contents(bus), first);
    }
}

#[test]
fn sixteen_classes_never_reach_the_register_after_them() {
    for processor in processors().iter().filter(|processor| processor.classes == 16 && processor.ways > 0) {
        let rdt = processor.rdt();
        let mut machine = Divided::new(&rdt, CORES, 1);
        let bus = &mut machine.caches[0].bus;
        let mut session = Session::new(&rdt);
        for class in 0..200 {
            let taken = session.set_mask(bus, Resource::L3, Part::Both, class, 1);
            assert_eq!(taken.is_ok(), class < 16, "class {class}");
        }
        if rdt.l3.is_some_and(|l3| l3.cdp) {
            session.set_cdp(bus, Resource::L3, true).expect("announced");
            for class in 0..200 {
                for part in [Part::Code, Part::Data] {
                    let taken = session.set_mask(bus, Resource::L3, part, class, 1);
                    assert_eq!(taken.is_ok(), class < 8, "{part:?} of class {class}");
                }
            }
        }
        assert!(bus.log().iter().all(|(register, _)| *register != msr::L3_MASK + 16));
        assert_eq!(bus.faults(), 0);
        assert!(bus.read(msr::L3_MASK + 16).is_err(), "it is another register, or none");
    }
}

#[test]
fn the_kinds_differ_as_their_manuals_say() {
    let kinds = processors().map(|processor| processor.rdt());
    let gaps = kinds.map(|rdt| rdt.l3.map(|l3| l3.rules.non_contiguous));
    assert_eq!(
        gaps,
        [Some(false), Some(true), Some(false), None, Some(true), Some(true), Some(true), Some(true)]
    );
    assert_eq!(kinds[3].l2.map(|l2| (l2.rules.length, l2.classes)), Some((8, 4)));
    assert_eq!(kinds[4].mba.map(|mba| mba.linear), Some(false));
    assert_eq!(kinds[5].bandwidth.map(|limit| (limit.bits, limit.classes)), Some((11, 16)));
    let machine = Divided::new(&kinds[7], CORES, 1);
    assert_eq!(machine.shares().ways, 0, "one class cannot be kept from another");
    assert_eq!(machine.task(TaskId(0)), None);
}
