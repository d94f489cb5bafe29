//! `status`: the whole at a glance.

use umbra_control::fixed::to_permille;
use umbra_control::line::{Prep, Stats};
use umbra_control::machine::{BurstProgress, Stage};
use umbra_control::quarantine::Phase;
use umbra_sched::Roles;

use super::page::Value;
use super::quarantine::{phase_name, prep_name};
use super::reply::Reply;
use crate::control::with_line;
use crate::first_class::{self, State};
use crate::tasks::{self, Phase as TaskPhase};
use crate::{cores, log, memory};

/// What is asked of the line, all of one moment.
struct Seen {
    stats: Stats,
    burst: BurstProgress,
    preparation: Prep,
    phase: Phase,
    steps: usize,
    load_q16: u32,
    horizon_ns: u64,
    profile_version: u32,
    profile_runs: u32,
}

/// Second-class tasks by where they stand.
#[derive(Default)]
struct Counts {
    running: u32,
    paused: u32,
    faulted: u32,
}

/// `status`.
#[inline(never)]
pub(super) fn show(reply: Reply, job_runs: bool) {
    let seen = with_line(|line, machine| Seen {
        stats: *line.stats(),
        burst: machine.burst(),
        preparation: line.preparation(),
        phase: line.lease().phase(),
        steps: line.lease().steps().len(),
        load_q16: line.load_q16(),
        horizon_ns: line.horizon_ns(),
        profile_version: line.profile().version,
        profile_runs: line.profile().runs,
    });
    let Some(seen) = seen else { return reply.fail(&"the line is not there") };
    let (now_ns, tasks, burst) = (reply.now_ns, Counts::now(), &seen.burst);
    let with_role = |role| {
        let has = |core: &&cores::Core| core.roles().has(role);
        Value::Number(cores::all().filter(has).count() as u64)
    };
    let free = memory::usage().map_or(Value::Unknown, |usage| Value::Bytes(u64::from(usage.free) * 4096));
    let took = match burst.number {
        0 => Value::Unknown,
        _ if !burst.done => Value::Text("running"),
        _ => Value::Ns(burst.ended_ns.saturating_sub(burst.released_ns)),
    };
    reply.show(|page| {
        page.facts(&[
            ("up", "uptime_ns", Value::Uptime(now_ns)),
            ("search", "first_class", Value::Text(state_name())),
            ("main job", "job", Value::Text(if job_runs { "running" } else { "not running" })),
            ("policy", "policy", Value::Text(seen.stats.policy.name())),
            ("quarantine", "quarantine", Value::Text(phase_name(seen.phase))),
            ("  steps", "steps", Value::Number(seen.steps as u64)),
            ("preparation", "preparation", Value::Text(prep_name(seen.preparation))),
            ("  begins before a release", "horizon_ns", Value::Ns(seen.horizon_ns)),
            ("profile's version", "profile_version", Value::Number(u64::from(seen.profile_version))),
            ("  bursts behind it", "profile_runs", Value::Number(u64::from(seen.profile_runs))),
        ])?;
        page.facts(&[
            ("bursts", "bursts", Value::Number(u64::from(seen.stats.bursts))),
            ("  that missed the SLO", "late_bursts", Value::Number(u64::from(seen.stats.late_bursts))),
            ("last burst: answered", "burst_answered", Value::Number(u64::from(burst.answered))),
            ("last burst: late", "burst_late", Value::Number(u64::from(burst.late))),
            ("last burst: took", "burst_ns", took),
            (
                "lead time, mean",
                "lead_mean_ns",
                seen.stats.lead_ns.mean().map_or(Value::Unknown, Value::Lead),
            ),
        ])?;
        page.facts(&[
            ("cores", "cores", Value::Number(u64::from(cores::count()))),
            ("  for second-class tasks", "cores_second_class", with_role(Roles::SECOND_CLASS)),
            ("  for first-class bursts", "cores_first_class", with_role(Roles::FIRST_CLASS)),
            ("load of all cores", "load_permille", Value::Permille(to_permille(seen.load_q16))),
            ("second-class tasks", "tasks", Value::Number(u64::from(tasks.running + tasks.paused))),
            ("  paused", "tasks_paused", Value::Number(u64::from(tasks.paused))),
            ("  ended by a fault", "tasks_faulted", Value::Number(u64::from(tasks.faulted))),
            ("memory free", "free_bytes", free),
            ("log lines without room", "log_lost", Value::Number(log::lost())),
        ])
    });
}

impl Counts {
    fn now() -> Self {
        tasks::second_class().fold(Self::default(), |mut counts, (_, task)| {
            match task.phase() {
                TaskPhase::Paused => counts.paused += 1,
                TaskPhase::Faulted => counts.faulted += 1,
                phase if phase.is_over() => {}
                _ => counts.running += 1,
            }
            counts
        })
    }
}

fn state_name() -> &'static str {
    match first_class::state() {
        State::Absent => "absent: no corpus in the ramdisk",
        State::Preparing => "building its index",
        State::Ready => "ready",
        State::Failed => "failed (see 'log')",
    }
}
