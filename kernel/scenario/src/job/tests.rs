use super::*;
use crate::fake::{Fake, Fault, LESSONS, check_snapshot, plan, run};
use crate::plan::BASELINE;
use crate::results::SloCount;
use std::format;
use std::vec::Vec;
use umbra_control::machine::{Burst, Share};

/// Numbers of the bursts of the standard plan: 5 to calibrate, 4 to profile,
/// then 16 a step.
const FIRST_ALONE: u32 = 5 + 4 + 1;
const FIRST_OF_PAIR: fn(u32) -> u32 = |second| FIRST_ALONE + 16 + 16 * second;
const FIRST_OF_POLICY: fn(u32) -> u32 = |policy| FIRST_OF_PAIR(5) + 16 * policy;

fn notes(job: &Job) -> Vec<&str> {
    job.results().notes.iter().map(Reason::as_str).collect()
}

#[test]
fn a_job_without_plan_is_finished() {
    let mut fake = Fake::new(&[]);
    let mut job = Job::new();
    assert_eq!(job.step(&mut fake), Step::Finished);
    let bad = Plan { bursts: 0, ..plan() };
    assert!(job.start(&bad).is_err());
    assert!(job.is_finished());
}

#[test]
fn everything_is_measured_and_nothing_left_running() {
    let (job, fake) = run(&plan(), &[]);
    let results = job.results();
    assert_eq!(notes(&job), Vec::<&str>::new());
    assert!(results.alone.is_some() && results.service_ns.is_some());
    assert_eq!(results.prepare_ns, Some(6_500_000_000));
    assert_eq!(results.second_alone.iter().flatten().count(), 5);
    assert_eq!(results.pairs.iter().flatten().count(), 5);
    assert_eq!(results.policies.iter().flatten().count(), 4);
    assert_eq!((fake.second_class_tasks(), fake.is_profiling()), (0, false));
    assert_eq!(fake.profiled_bursts, 4);
    let seconds = fake.now() / 1_000_000_000;
    assert!((40..100).contains(&seconds), "a standard job took {seconds} s of virtual time");
}

#[test]
fn the_figures_are_those_of_the_machine() {
    let (job, fake) = run(&plan(), &[]);
    let results = job.results();
    // Requests take 200 to 1000 us alone, evenly spread.
    let service_ns = results.service_ns.expect("measured");
    assert!((580_000..620_000).contains(&service_ns), "{service_ns}");
    // At 400 permille the gap is 2.5 times as long.
    assert!(fake.bursts[5..].iter().all(|burst| burst.mean_gap_ns == service_ns * 1000 / 400));
    // The fake's `static` shields the first-class core completely.
    let run = |policy: usize| results.policies[policy].expect("measured");
    assert_eq!(run(1).served.latencies, results.alone.expect("measured").latencies);
    let early = run(1).served.slo.expect("known").early;
    assert_eq!((early.late_within_100us, early.late_within_1ms), (0, 0));
    let met = SloCount { requests_within: 16 * 96, early, ..SloCount::default() };
    assert_eq!(run(1).served.slo, Some(met));
    let figures = |policy: usize| results.figures(&run(policy));
    assert_eq!(figures(1).multiples.p99_q16, Some(1 << 16));
    assert_eq!(figures(1).second_share_permille, Some(750));
    // Together they lengthen a request to 3.45 times: overload at 0.4.
    assert!(figures(0).multiples.p50_q16.expect("measured") > 3 << 16);
    // The mean load is 1/2.5 while a burst lasts, less the pauses.
    let share = figures(1).first_share_permille.expect("measured");
    assert!((250..400).contains(&share), "{share}");
    assert_eq!(figures(1).emu_permille, Some(share + 750));
    let interferes: Vec<_> = (0..5).map(|second| results.interferes(second).expect("measured")).collect();
    assert_eq!(interferes, [true, false, true, true, false]);
    // Wrong about chase, each time.
    let judged = figures(3).predictions;
    assert_eq!((judged.made, judged.judged, judged.right), (80, 80, 64));
    assert_eq!(figures(3).shadow_cost_permille, Some(31));
    assert_eq!(figures(3).actions, 16 * 4);
}

#[test]
fn every_step_has_the_same_requests() {
    let (_, fake) = run(&plan(), &[]);
    let step = |first: u32| -> Vec<_> {
        let bursts = fake.bursts.iter().filter(|burst| (first..first + 16).contains(&burst.number));
        bursts.map(|burst| (burst.first_unit, burst.requests, burst.mean_gap_ns, burst.seed)).collect()
    };
    let alone = step(FIRST_ALONE);
    assert_eq!(alone.len(), 16);
    assert!(alone.windows(2).all(|pair| pair[0].0 + 96 == pair[1].0 && pair[0].3 != pair[1].3));
    for second in 0..5 {
        assert_eq!(step(FIRST_OF_PAIR(second)), alone);
    }
    for policy in 0..4 {
        assert_eq!(step(FIRST_OF_POLICY(policy)), alone);
    }
    assert_eq!(fake.bursts.len(), 9 + 16 * 10);
}

#[test]
fn progress_is_told() {
    let (_, fake) = run(&plan(), &[]);
    check_snapshot("progress.txt", &(fake.lines.join("\n") + "\n"));
}

#[test]
fn the_same_seed_gives_the_same_results() {
    let lines = |seed| run(&Plan { seed, ..plan() }, &[]).1.lines;
    assert_eq!(lines(1), lines(1));
    assert_ne!(lines(1), lines(2));
}

#[test]
fn without_company_only_policies_follow() {
    let mut alone = plan();
    alone.second_class.clear();
    let (job, _) = run(&alone, &[]);
    assert_eq!(notes(&job), Vec::<&str>::new());
    let run = job.results().policies[3].expect("measured");
    assert_eq!(job.results().figures(&run).second_share_permille, None);
    assert_eq!(job.results().figures(&run).emu_permille, None);
}

#[test]
fn an_evaluation_sweeps_loads_and_divides() {
    let mut eval = Plan { seed: 5, ..Plan::eval() };
    eval.second_class.extend(["stream", "stream", "stream"]);
    eval.policies.extend(["none", "static"]);
    eval.loads_permille.extend([100, 900]);
    let shares = [Share { ways: 2, percent: 100 }, Share { ways: 11, percent: 10 }];
    eval.divisions.extend(shares);
    let (job, fake) = run(&eval, &[]);
    let results = job.results();
    assert_eq!(notes(&job), Vec::<&str>::new());
    assert_eq!(results.pairs, [None; 8], "none was asked for");
    assert_eq!(results.policies.iter().flatten().count(), 2);
    let p99 = |place: usize| results.loads[place].and_then(|run| run.latencies.p99_ns);
    assert!(p99(0) < p99(1) && p99(0).is_some(), "{:?} {:?}", p99(0), p99(1));
    assert_eq!(results.loads[0].and_then(|run| run.slo), None, "there is no bound at another load");
    assert_eq!(results.divided.iter().flatten().count(), 2);
    let steps: Vec<&str> = fake.measured.iter().map(|(step, _)| step.as_str()).collect();
    let expected = [
        "service time",
        "profile",
        "alone",
        "alone at 10.0 % load",
        "alone at 90.0 % load",
        "policy none",
        "policy static",
        "kept to 2 ways and 100 %",
        "kept to 11 ways and 10 %",
    ];
    assert_eq!(steps, expected);
    assert!(fake.measured.iter().skip(2).all(|(_, count)| *count == 1024), "{:?}", fake.measured);
    assert_eq!(fake.shares.iter().flatten().copied().collect::<Vec<_>>(), shares);
    assert_eq!(fake.shares.last(), Some(&None), "all is given back");
    let numbered = |line: &&std::string::String| line.starts_with('[');
    assert!(fake.lines.iter().rfind(numbered).is_some_and(|line| line.starts_with("[11/11] kept to 11")));
}

#[test]
fn what_cannot_be_prepared_ends_the_job() {
    let (job, fake) = run(&plan(), &[Fault::PreparationFails]);
    assert_eq!(notes(&job), ["prepare: the corpus holds no word"]);
    assert!(job.results().policies.iter().all(Option::is_none));
    assert!(fake.bursts.is_empty());
    let (job, fake) = run(&plan(), &[Fault::PreparationHangs]);
    assert_eq!(notes(&job), ["prepare: not prepared within 300 s"]);
    assert!(fake.lines.len() > 50, "nobody likes five minutes of silence");
}

#[test]
fn a_burst_that_never_ends_spoils_what_follows_and_nothing_else() {
    let number = FIRST_OF_POLICY(1) + 4;
    let (job, _) = run(&plan(), &[Fault::BurstHangs { number }]);
    let results = job.results();
    assert_eq!(results.pairs.iter().flatten().count(), 5);
    assert!(results.policies[0].is_some() && results.policies[1..].iter().all(Option::is_none));
    assert_eq!(
        notes(&job),
        [
            "policy static: burst 5 of 16 did not end within 60.0 s",
            "policy patent: a burst is still under way",
            "policy concept: a burst is still under way",
        ]
    );
}

#[test]
fn a_hang_while_calibrating_ends_the_job() {
    let (job, fake) = run(&plan(), &[Fault::BurstHangs { number: 2 }]);
    assert_eq!(notes(&job), ["service time: burst 2 of 5 did not end within 60.0 s"]);
    assert_eq!(fake.second_class_tasks(), 0);
}

#[test]
fn bursts_that_do_not_add_up_are_not_measured() {
    let faults = [
        Fault::BurstFallsShort { number: FIRST_OF_PAIR(1) },
        Fault::NothingRecorded { number: FIRST_OF_POLICY(0) },
    ];
    let (job, _) = run(&plan(), &faults);
    assert_eq!(
        notes(&job),
        [
            "pair with hash: burst 1 of 16 answered 95 of 96 requests",
            "policy none: 1440 latencies recorded for 1536 requests",
        ]
    );
    let results = job.results();
    assert!(results.pairs[1].is_none() && results.policies[0].is_none());
    // The pair is missing, so its predictions cannot be judged.
    let judged = results.figures(&results.policies[3].expect("measured")).predictions;
    assert_eq!((judged.made, judged.judged, judged.right), (80, 64, 48));
}

#[test]
fn without_an_slo_nothing_is_said_of_it() {
    let (job, _) = run(&plan(), &[Fault::NothingRecorded { number: FIRST_ALONE }]);
    let results = job.results();
    assert_eq!(notes(&job), ["alone: 1440 latencies recorded for 1536 requests"]);
    let run = results.policies[0].expect("served all the same");
    let figures = results.figures(&run);
    assert_eq!((results.slo_ns(), run.served.slo), (None, None));
    assert_eq!((figures.multiples.p50_q16, figures.emu_permille), (None, None));
    assert!(figures.second_share_permille.is_some());
    assert_eq!((figures.predictions, results.interferes(0)), (crate::figures::Judged::default(), None));
}

#[test]
fn a_workload_that_does_not_start_is_left_out() {
    let (job, _) = run(&plan(), &[Fault::StartRefused { second: 2 }]);
    assert_eq!(
        notes(&job),
        [
            "second class alone: stream does not start: out of memory",
            "pair with stream: no figure of the second-class workload alone",
        ]
    );
    let results = job.results();
    let run = results.policies[1].expect("measured");
    assert_eq!(results.figures(&run).second_share_permille, Some(750));
    assert_eq!(results.figures(&run).second_shares_permille[2], None);
}

#[test]
fn a_workload_without_a_unit_is_left_out() {
    let (job, _) = run(&plan(), &[Fault::SecondIdles { second: 0 }]);
    assert_eq!(
        notes(&job),
        [
            "second class alone: compress finished no unit in 4.00 s",
            "pair with compress: no figure of the second-class workload alone",
        ]
    );
}

#[test]
fn without_any_second_class_figure_no_policy_is_measured() {
    let faults: Vec<_> = (0..5).map(|second| Fault::StartRefused { second }).collect();
    let (job, _) = run(&plan(), &faults);
    assert!(job.results().policies.iter().all(Option::is_none));
    let last = *notes(&job).last().expect("notes");
    assert_eq!(last, "policy concept: no figure of any second-class workload alone");
}

#[test]
fn a_workload_that_faults_beside_spoils_its_shares() {
    let at_ns = run(&plan(), &[]).1.said_at("[11/14]") + 2_000_000_000;
    let (job, _) = run(&plan(), &[Fault::SecondEnds { second: 1, at_ns }]);
    let spoilt = ["none", "static", "patent", "concept"]
        .map(|policy| format!("policy {policy}: hash ended: division by zero"));
    assert_eq!(notes(&job), spoilt);
    let results = job.results();
    for run in results.policies.iter().flatten() {
        assert_eq!(results.figures(run).second_shares_permille[1], None);
        assert_eq!(results.figures(run).emu_permille, None);
        assert!(results.figures(run).second_shares_permille[0].is_some());
    }
}

#[test]
fn a_workload_that_faults_in_its_pair_leaves_the_truth_open() {
    let at_ns = run(&plan(), &[]).1.said_at("[ 6/14]") + 2_000_000_000;
    let (job, _) = run(&plan(), &[Fault::SecondEnds { second: 0, at_ns }]);
    assert_eq!(notes(&job)[0], "pair with compress: the second-class workload ended: division by zero");
    assert_eq!(job.results().interferes(0), None);
}

#[test]
fn a_workload_that_faults_alone_is_left_out() {
    let at_ns = run(&plan(), &[]).1.said_at("[ 5/14]") + 2_000_000_000;
    let (job, _) = run(&plan(), &[Fault::SecondEnds { second: 4, at_ns }]);
    assert_eq!(
        notes(&job),
        [
            "second class alone: matrix ended: division by zero",
            "pair with matrix: no figure of the second-class workload alone",
        ]
    );
    assert_eq!(job.results().policies.iter().flatten().count(), 4);
}

#[test]
fn a_policy_that_is_refused_is_not_measured() {
    let (job, _) = run(&plan(), &[Fault::PolicyRefused("static")]);
    assert_eq!(notes(&job), ["policy static: needs a second core"]);
    assert_eq!(job.results().policies.iter().flatten().count(), 3);
    let (job, _) = run(&plan(), &[Fault::PolicyRefused(BASELINE)]);
    assert_eq!(notes(&job), ["service time: needs a second core"]);
}

#[test]
fn second_class_that_does_not_stop_spoils_what_follows() {
    let (_, fake) = run(&plan(), &[]);
    let (job, _) = run(&plan(), &[Fault::SecondStaysAfter { at_ns: fake.now() - 1_000_000_000 }]);
    assert_eq!(notes(&job), ["end: second-class workloads did not stop within 10 s"]);
    assert_eq!(job.results().policies.iter().flatten().count(), 4);
}

#[test]
fn an_abandoned_job_stops_everything_and_can_be_begun_again() {
    let mut fake = Fake::new(&[]);
    let mut job = Job::new();
    job.start(&plan()).expect("in range");
    fake.drive(&mut job, 30_000_000_000);
    assert!(fake.second_class_tasks() > 0 && !job.is_finished());
    job.abandon(&mut fake);
    fake.drive(&mut job, u64::MAX);
    assert_eq!(fake.second_class_tasks(), 0);
    assert!(notes(&job)[0].starts_with("abandoned at pair with "), "{}", notes(&job)[0]);
    job.abandon(&mut fake);
    assert_eq!(notes(&job).len(), 1);
    job.start(&plan()).expect("in range");
    fake.drive(&mut job, u64::MAX);
    assert_eq!(notes(&job), Vec::<&str>::new());
    assert!(job.results().policies[3].is_some());
}

#[test]
fn a_burst_left_by_an_abandoned_job_is_waited_for() {
    let released_ns = run(&plan(), &[]).1.said_at("[ 4/14]") + 60_000_000;
    let mut fake = Fake::new(&[]);
    let mut job = Job::new();
    job.start(&plan()).expect("in range");
    fake.drive(&mut job, released_ns);
    job.abandon(&mut fake);
    fake.drive(&mut job, u64::MAX);
    job.start(&plan()).expect("in range");
    fake.drive(&mut job, u64::MAX);
    assert_eq!(notes(&job), Vec::<&str>::new());
}

#[test]
fn steps_are_counted_to_the_last() {
    let (_, fake) = run(&plan(), &[]);
    let steps = fake.lines.iter().filter(|line| line.starts_with('[')).enumerate();
    assert!(steps.clone().all(|(i, line)| line.starts_with(&format!("[{:2}/14] ", i + 1))));
    assert_eq!(steps.count(), 14);
}

#[test]
fn a_policy_learns_before_it_is_measured_and_that_does_not_count() {
    let mut plan = plan();
    plan.policies.clear();
    plan.policies.extend(["none", "oracle"]);
    let (job, fake) = run(&plan, &[]);
    assert_eq!(notes(&job), Vec::<&str>::new());
    let runs: Vec<_> = job.results().policies.iter().flatten().collect();
    assert_eq!(runs.iter().map(|run| run.training_bursts).collect::<Vec<_>>(), [0, LESSONS]);
    assert!(runs.iter().all(|run| run.served.bursts == 16 && run.served.latencies.count == 16 * 96));
    let first = usize::try_from(FIRST_OF_POLICY(1)).expect("few") - 1;
    let (learnt, measured) = fake.bursts[first..].split_at(6);
    let of_step = |burst: &Burst| measured.iter().position(|other| other.seed == burst.seed);
    assert_eq!(learnt.iter().map(of_step).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2].map(Some));
    assert!(learnt.iter().all(|burst| burst.requests == 96));
    assert_eq!((measured.len(), measured[0].requests), (16, 96));
    assert_eq!(runs[0].served.latencies, runs[1].served.latencies, "the fake's oracle does nothing");
}
