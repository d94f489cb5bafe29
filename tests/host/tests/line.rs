//! The whole line over the simulated machine, under every policy.

use std::fmt::Write;
use umbra_control::machine::{Colouring, CoreId, TaskState};
use umbra_control::policy::Policy;
use umbra_control::quarantine::Phase;
use umbra_host_tests::drive::{Drive, MS, SEARCH};
use umbra_host_tests::sim::{Nature, Server, Sim};
use umbra_host_tests::snapshot::assert_snapshot;

const BURSTS: u32 = 8;

/// Bursts under `policy` on a crowded machine of `cores` cores. The profile is
/// learnt from three bursts of the first-class workload alone.
fn run(policy: Policy, cores: u8) -> Drive {
    let mut drive = Drive::crowded(Sim::new(cores, SEARCH), policy);
    (drive.sim.latencies_ns, drive.finished) = (Vec::new(), Vec::new());
    for number in 4..4 + BURSTS {
        drive.burst(number, 60 * MS);
    }
    drive
}

#[test]
fn a_burst_under_concept_step_by_step() {
    let mut drive = run(Policy::Concept, 4);
    drive.log.clear();
    drive.burst(99, 60 * MS);
    assert_snapshot("concept-burst", &drive.log);
}

#[test]
fn the_first_bursts_under_patent_step_by_step() {
    let drive = run(Policy::Patent, 4);
    assert_snapshot("patent-bursts", &drive.log);
}

#[test]
fn the_policies_side_by_side() {
    let mut table = String::from(
        "policy   cores  p50 us  p99 us  late bursts  second-class ms  plans  lead us mean/worst  shadow/mirrored  error  missed\n",
    );
    for cores in [1, 2, 4, 8] {
        for policy in Policy::USUAL {
            let drive = run(policy, cores);
            row(&mut table, &drive, policy, cores);
            if policy != Policy::Static {
                let tasks = drive.sim.tasks.iter().flatten();
                let at_home = tasks.zip(0..).all(|(task, number)| {
                    task.state == TaskState::Runnable && task.core == CoreId(number % cores)
                });
                assert!(at_home, "{} leaves nothing behind", policy.name());
                assert!(drive.sim.first_class_core_is_shared());
            }
        }
    }
    assert_snapshot("policies", &table);
}

fn row(table: &mut String, drive: &Drive, policy: Policy, cores: u8) {
    let (stats, mut latencies) = (drive.line.stats(), drive.sim.latencies_ns.clone());
    latencies.sort_unstable();
    let percentile = |permille: usize| latencies[(latencies.len() - 1) * permille / 1000] / 1000;
    let lead = match stats.lead_ns.mean() {
        Some(mean) => format!("{}/{}", mean / 1000, stats.lead_ns.least / 1000),
        None => String::from("-"),
    };
    let shadow = format!("{}/{}", stats.shadow_cycles, stats.mirrored_cycles);
    let _ = writeln!(
        table,
        "{:<8} {cores:>5}  {:>6}  {:>6}  {:>11}  {:>15}  {:>5}  {lead:>18}  {shadow:>15}  {:>5}  {:>6}",
        policy.name(),
        percentile(500),
        percentile(990),
        stats.late_bursts,
        drive.sim.second_class_cycles() / MS,
        stats.plans,
        stats.demand_error_permille.mean().map_or(String::from("-"), |error| error.to_string()),
        stats.missed,
    );
}

#[test]
fn concept_is_in_place_before_every_release() {
    let drive = run(Policy::Concept, 4);
    let stats = drive.line.stats();
    assert_eq!((stats.bursts, stats.plans, stats.lead_ns.count), (BURSTS, BURSTS, BURSTS));
    assert!(stats.lead_ns.least > 0, "{:?}", stats.lead_ns);
    assert_eq!((stats.refusals, stats.timeouts, stats.expired, stats.left_behind), (0, 0, 0, 0));
    assert_eq!((stats.late_bursts, stats.undone), (0, BURSTS));
    assert!(stats.shadow_cycles * 16 <= stats.mirrored_cycles, "{stats:?}");
    assert!(stats.shadow_instructions * 16 <= stats.mirrored_instructions, "{stats:?}");
    let error = stats.demand_error_permille.mean().expect("shadows ran");
    assert!(error < 100, "the demand foreseen is within 10 %: {error}");
    // stream and chase fill the cache; compress, hash and matrix do not.
    let interferes = |workload| {
        let verdict = stats.verdict(umbra_control::machine::WorkloadId(workload));
        verdict.expect("five workloads are judged").interferes
    };
    assert_eq!([3, 4].map(interferes), [true; 2]);
    assert!(!interferes(1) && !interferes(5));
}

/// Bursts of a server whose working set is a quarter of the cache, on a machine
/// that has colours and no ways. Each page takes `page_ns` to move.
fn run_coloured(page_ns: u32) -> Drive {
    let nature = Nature { working_set_bytes: 4 << 20, ..SEARCH.nature };
    let mut sim = Sim::new(4, Server { nature, ..SEARCH });
    // Traffic is no part of this.
    sim.bandwidth = 100_000_000_000;
    sim.colouring = Colouring { shared: 28, first_pages: 3_000, second_pages: 7_000, page_ns };
    let mut drive = Drive::crowded(sim, Policy::Concept);
    drive.sim.latencies_ns.clear();
    for number in 4..4 + BURSTS {
        drive.burst(number, 200 * MS);
    }
    drive
}

#[test]
fn colours_are_set_apart_ahead_of_a_release_and_given_back() {
    // 5000 pages of 10 us: 50 ms, well within the notice of 200 ms.
    let (coloured, too_slow) = (run_coloured(10_000), run_coloured(200_000));
    let (with, without) = (coloured.line.stats(), too_slow.line.stats());
    assert_eq!((with.bursts, with.actions.recoloured, with.actions.uncoloured), (BURSTS, BURSTS, BURSTS));
    assert_eq!((with.late_bursts, with.timeouts, with.expired, with.left_behind), (0, 0, 0, 0));
    assert!(with.lead_ns.least > 0, "every page is there before the release: {:?}", with.lead_ns);
    assert_eq!((coloured.sim.apart, too_slow.sim.apart), (None, None));
    // A move that would take a second is not planned, and the bursts are late:
    // no task scores high enough to be paused for what it does to the cache.
    assert_eq!(without.actions.recoloured, 0);
    assert!(without.late_bursts > BURSTS / 2, "{} of {BURSTS}", without.late_bursts);
}

#[test]
fn static_and_patent_do_what_they_are_known_for() {
    let fixed = run(Policy::Static, 4);
    assert!(!fixed.sim.first_class_core_is_shared());
    assert_eq!((fixed.line.lease().phase(), fixed.line.stats().plans), (Phase::Active, 1));

    let patent = run(Policy::Patent, 4);
    assert!(patent.line.ledger().iter().count() > 0);
    let late: Vec<u32> = patent.finished.iter().map(|burst| burst.late).collect();
    assert!(late[0] > 0, "it has to see the harm before it acts: {late:?}");
    assert!(late.iter().rev().take(3).all(|late| *late <= late.max(&1) / 2 + 1), "{late:?}");
}

#[test]
fn tasks_that_end_and_start_in_a_burst_do_no_harm() {
    let mut drive = run(Policy::Concept, 4);
    let stream = umbra_control::machine::TaskId(2);
    let burst = umbra_control::machine::Burst {
        number: 50,
        first_unit: 0,
        requests: 32,
        mean_gap_ns: MS,
        seed: 5,
        late_ns: 4 * MS,
    };
    drive.line.schedule(burst, drive.sim.now_ns() + 60 * MS).expect("none waits");
    drive.run_until(drive.sim.now_ns() + 70 * MS);
    drive.sim.end(stream);
    let again = drive.sim.start(umbra_host_tests::drive::SECOND_CLASS[1], 2, 3);
    assert_eq!(again, stream, "the slot is used again at once");
    drive.run_until(drive.sim.now_ns() + 200 * MS);
    assert_eq!(drive.line.lease().phase(), Phase::Idle);
    assert!(drive.sim.tasks.iter().flatten().all(|task| task.state == TaskState::Runnable));
    assert!(drive.line.stats().stale_samples <= 1);
}

#[test]
fn the_console_can_ask_for_each_stage() {
    let mut drive = run(Policy::None, 4);
    drive.line.reset_stats();
    let before = drive.sim.placement();
    drive.line.request_shadow();
    drive.run_until(drive.sim.now_ns() + 30 * MS);
    assert_eq!(drive.line.stats().shadows, 1);
    drive.line.request_echo(7, 2);
    drive.run_until(drive.sim.now_ns() + 30 * MS);
    assert_eq!(drive.line.stats().echoes, 1);
    drive.line.request_quarantine(0);
    drive.run_until(drive.sim.now_ns() + 60 * MS);
    assert!(!drive.line.plan().steps.is_empty());
    assert_eq!((drive.line.stats().plans, drive.sim.placement()), (0, before.clone()));
    drive.line.request_quarantine(50 * MS);
    drive.run_until(drive.sim.now_ns() + 40 * MS);
    assert_eq!(drive.line.lease().phase(), Phase::Active);
    assert_ne!(drive.sim.placement(), before);
    drive.run_until(drive.sim.now_ns() + 90 * MS);
    assert_eq!((drive.sim.placement(), drive.line.stats().expired), (before, 1));
    let explanation = drive.line.explain(umbra_control::machine::TaskId(2)).expect("stream runs");
    assert!(explanation.interferes(), "{explanation}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let runs: Vec<_> = (0..2).map(|_| run(Policy::Concept, 4)).map(|d| (d.log, d.sim.latencies_ns)).collect();
    assert_eq!(runs[0], runs[1]);
}
