//! The policies that steer all the time, each over the simulated machine.

use proptest::prelude::*;
use std::fmt::Write;
use umbra_control::line::{Config, Line};
use umbra_control::machine::{CoreId, Shares, TaskState};
use umbra_control::policy::Policy;
use umbra_control::quarantine::Phase;
use umbra_host_tests::drive::{Drive, MS, SEARCH, SECOND_CLASS};
use umbra_host_tests::sim::Sim;
use umbra_host_tests::snapshot::assert_snapshot;

const STEERING: [Policy; 6] =
    [Policy::PerfIso, Policy::Reactive, Policy::Heracles, Policy::Parties, Policy::Lfoc, Policy::Oracle];

const DIVIDES: Shares = Shares { ways: 11, least_percent: 10 };

/// A crowded machine of four cores that has had three bursts alone.
fn crowded(policy: Policy, shares: Shares) -> Drive {
    let mut sim = Sim::new(4, SEARCH);
    (sim.shares, sim.counts_misses) = (shares, true);
    Drive::crowded(sim, policy)
}

/// Everything is as before there was a policy.
fn is_left_alone(drive: &Drive) -> bool {
    let at_home = drive
        .sim
        .tasks
        .iter()
        .flatten()
        .zip(0u8..)
        .all(|(task, number)| task.state == TaskState::Runnable && task.core == CoreId(number % 4));
    at_home && drive.sim.first_class_core_is_shared() && drive.sim.confined().is_none()
}

fn set_aside(drive: &mut Drive) {
    drive.line.set_policy(Policy::None, drive.sim.now_ns());
    drive.run_until(drive.sim.now_ns() + 60 * MS);
    assert_eq!(drive.line.lease().phase(), Phase::Idle);
}

/// Bursts for a policy that wants to learn; how many it took.
fn teach(drive: &mut Drive) -> u32 {
    let mut taught = 0;
    while let Some(index) = drive.line.wants_burst() {
        assert!(taught < 128, "it does not learn");
        drive.burst(100 + index, 20 * MS);
        taught += 1;
    }
    taught
}

/// The first bursts under each of them, event by event.
#[test]
fn each_policy_step_by_step() {
    for policy in STEERING.into_iter().filter(|policy| *policy != Policy::Oracle) {
        let mut drive = crowded(policy, DIVIDES);
        for number in 4..=6 {
            drive.burst(number, 60 * MS);
        }
        assert_snapshot(&format!("{}-bursts", policy.name()), &drive.log);
        set_aside(&mut drive);
        assert!(is_left_alone(&drive), "{}:\n{}", policy.name(), drive.log);
    }
}

#[test]
fn the_oracle_searches_then_holds() {
    let mut drive = crowded(Policy::Oracle, DIVIDES);
    let taught = teach(&mut drive);
    assert!((62 + 4..=98).contains(&taught), "{taught}");
    drive.log.clear();
    let late: Vec<u32> = (0..4).map(|index| drive.burst(100 + index, 60 * MS).late).collect();
    assert_eq!(late, [0; 4], "these are the bursts it has learnt from");
    assert!(!drive.log.contains("pause") && !drive.log.contains("resume"), "it holds:\n{}", drive.log);
    let kept = drive.sim.tasks.iter().flatten().filter(|task| task.state == TaskState::Runnable).count();
    assert!(kept > 0, "something may run");
    set_aside(&mut drive);
    assert!(is_left_alone(&drive));
}

#[test]
fn the_oracle_takes_nothing_away_where_a_core_of_its_own_is_enough() {
    let mut sim = Sim::new(4, SEARCH);
    (sim.shares, sim.counts_misses) = (DIVIDES, true);
    let mut drive = Drive::new(sim, Line::new(Config::DEFAULT));
    drive.line.set_policy(Policy::Oracle, 0);
    // One after the other, as the main job starts them.
    for (core, nature) in (1..).zip(&SECOND_CLASS[..3]).filter(|(core, _)| *core != 3) {
        drive.sim.start(*nature, core, core);
        drive.run_until(drive.sim.now_ns() + 7 * MS);
    }
    drive.run_until(drive.sim.now_ns() + 100 * MS);
    let taught = teach(&mut drive);
    // Two tasks: 4 sets, and 3 small ones with each of 5 shares.
    assert_eq!(taught, 4 + 3 * 5 + 4);
    drive.run_until(drive.sim.now_ns() + 20 * MS);
    let states = drive.sim.tasks.iter().flatten().map(|task| task.state);
    assert_eq!(states.collect::<Vec<_>>(), [TaskState::Runnable; 2]);
    assert_eq!(drive.sim.confined(), None);
    assert!(!drive.sim.first_class_core_is_shared());
}

#[test]
fn where_nothing_divides_lfoc_does_nothing() {
    let mut drive = crowded(Policy::Lfoc, Shares::default());
    drive.burst(4, 60 * MS);
    assert!(!drive.log.contains("start "), "{}", drive.log);
    assert!(Policy::Lfoc.is_idle_because(Shares::default()).is_some());
}

#[test]
fn side_by_side() {
    let mut table =
        String::from("policy    divides  late requests  second-class ms  actions  reaction us mean/worst\n");
    for shares in [Shares::default(), DIVIDES] {
        for policy in STEERING {
            let mut drive = crowded(policy, shares);
            teach(&mut drive);
            drive.line.reset_stats();
            let before = drive.sim.second_class_cycles();
            let late: u32 = (0..8).map(|index| drive.burst(100 + index, 60 * MS).late).sum();
            let (stats, divides) = (drive.line.stats(), if shares.ways > 0 { "yes" } else { "no" });
            let second_class_ms = (drive.sim.second_class_cycles() - before) / MS;
            let actions = stats.actions.total();
            let reaction = match stats.reaction_ns.mean() {
                Some(mean) => format!("{}/{}", mean / 1000, stats.reaction_ns.most / 1000),
                None => String::from("-"),
            };
            let _ = writeln!(
                table,
                "{:<8}  {divides:>7}  {late:>13}  {second_class_ms:>15}  {actions:>7}  {reaction:>22}",
                policy.name(),
            );
            set_aside(&mut drive);
            assert!(is_left_alone(&drive), "{}", policy.name());
        }
    }
    assert_snapshot("steering", &table);
}

#[test]
fn a_plan_from_the_console_holds_until_its_lease_runs_out() {
    let mut drive = crowded(Policy::Reactive, DIVIDES);
    drive.line.request_quarantine(50 * MS);
    drive.run_until(drive.sim.now_ns() + 40 * MS);
    assert_eq!((drive.line.lease().phase(), drive.line.stats().plans), (Phase::Active, 1));
    let paused = |drive: &Drive| drive.sim.tasks.iter().flatten().any(|task| task.state == TaskState::Paused);
    assert!(paused(&drive), "the plan's pauses are not given back by the policy");
    drive.run_until(drive.sim.now_ns() + 1200 * MS);
    set_aside(&mut drive);
    assert!(is_left_alone(&drive));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Policies one after the other, tasks that end and start meanwhile, on
    /// machines of any size: what is left is what was there.
    #[test]
    fn nothing_is_left_behind(
        cores in 1u8..7, divides: bool, counts_misses: bool, delay_us in 0u64..1500,
        policies in proptest::collection::vec((0usize..10, 1u64..120), 1..6),
        ends in proptest::collection::vec((0u16..5, 0usize..5), 0..3),
    ) {
        let mut sim = Sim::new(cores, SEARCH);
        sim.shares = if divides { DIVIDES } else { Shares::default() };
        (sim.counts_misses, sim.action_delay_ns) = (counts_misses, delay_us * 1000);
        let mut drive = Drive::new(sim, Line::new(Config::DEFAULT));
        drive.crowd();
        drive.run_until(50 * MS);
        let mut before = drive.sim.placement();
        for (step, (policy, stay_ms)) in (0..).zip(&policies) {
            drive.line.set_policy(Policy::ALL[*policy], drive.sim.now_ns());
            drive.burst(1 + step, 30 * MS);
            drive.run_until(drive.sim.now_ns() + stay_ms * MS);
            for (slot, _) in ends.iter().filter(|(_, at)| u32::try_from(*at) == Ok(step)) {
                if drive.sim.tasks[usize::from(*slot)].is_some() {
                    drive.sim.end(umbra_control::machine::TaskId(*slot));
                    before[usize::from(*slot)] = None;
                }
            }
        }
        drive.line.set_policy(Policy::None, drive.sim.now_ns());
        drive.run_until(drive.sim.now_ns() + 200 * MS);
        prop_assert_eq!(drive.line.lease().phase(), Phase::Idle);
        prop_assert_eq!(drive.sim.placement(), before);
        prop_assert_eq!(drive.sim.confined(), None);
        prop_assert!(drive.sim.first_class_core_is_shared());
        prop_assert_eq!(drive.line.stats().left_behind, 0);
    }
}
