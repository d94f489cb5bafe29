//! `policy` and `stats`.

use alloc::boxed::Box;
use heapless::Vec;
use umbra_console::NameKind;
use umbra_console::reply::Unknown;
use umbra_control::fixed::permille;
use umbra_control::line::{MAX_WORKLOADS, Spread, Stats, Verdict};
use umbra_control::machine::{Topology, WorkloadId};
use umbra_control::policy::{MAX_PAIRS, Policy};

use super::names::KernelNames;
use super::page::{Field, Page, Value, name, number};
use super::reply::Reply;
use crate::control::with_line;
use crate::schedule::TICK_NS;
use crate::{control, time, workloads};

struct Choice {
    policy: Policy,
    in_force: bool,
    /// What it does, or why it does nothing here.
    does: &'static str,
}

const CHOICE_FIELDS: [Field; 5] = [
    name("name", "POLICY"),
    name("in_force", "IN FORCE"),
    number("period_ns", "PERIOD"),
    number("period_paper_ns", "PAPER'S"),
    name("summary", "WHAT IT DOES"),
];

/// `policy [show]`.
#[inline(never)]
pub(super) fn show(reply: Reply) {
    let copy = with_line(|line, machine| {
        let pairs: Vec<(WorkloadId, WorkloadId), MAX_PAIRS> = line.ledger().iter().collect();
        (line.policy(), line.config().threshold_q16, line.horizon_ns(), machine.shares(), pairs)
    });
    let Some((current, threshold_q16, horizon_ns, shares, pairs)) = copy else {
        return reply.fail(&"the line is not there");
    };
    let choices = Policy::ALL.map(|policy| {
        let does = policy.is_idle_because(shares).unwrap_or(policy.summary());
        Choice { policy, in_force: policy == current, does }
    });
    reply.show(|page| {
        page.table("policies", CHOICE_FIELDS, &choices, |choice| {
            let period = choice.policy.period(TICK_NS);
            let paper_ns = period.and_then(|period| period.paper_ns);
            [
                Value::Text(choice.policy.name()),
                Value::Flag(choice.in_force),
                period.map_or(Value::Unknown, |period| Value::Ns(period.ours_ns)),
                paper_ns.map_or(Value::Unknown, Value::Ns),
                Value::Text(choice.does),
            ]
        })?;
        page.facts(&[
            ("policy", "policy", Value::Text(current.name())),
            ("threshold of the score", "threshold_permille", Value::Score(threshold_q16)),
            ("preparation begins before", "horizon_ns", Value::Ns(horizon_ns)),
        ])?;
        let fields = [name("first_class", "FIRST-CLASS"), name("second_class", "DOES NOT GO WITH")];
        page.table("incompatible", fields, &pairs, |(first, second)| {
            [Value::Text(workload_name(*first)), Value::Text(workload_name(*second))]
        })
    });
}

/// `policy set NAME`.
#[inline(never)]
pub(super) fn set(reply: Reply, name: &str) {
    let Some(policy) = Policy::named(name) else {
        return reply.fail(&Unknown::new("policy", name, NameKind::Policy, &KernelNames));
    };
    let shares = with_line(|line, machine| {
        line.set_policy(policy, time::now_ns());
        machine.shares()
    });
    match shares.and_then(|shares| policy.is_idle_because(shares)) {
        Some(why) => reply.done(format_args!("policy {name}: does nothing: {why}")),
        None => reply.done(format_args!("policy {name}: {}", policy.summary())),
    }
}

fn workload_name(id: WorkloadId) -> &'static str {
    match id {
        control::FIRST_CLASS => workload_search::SPEC.name,
        WorkloadId(index) => workloads::get(index).map_or("?", |entry| entry.spec.name),
    }
}

const VERDICT_FIELDS: [Field; 5] = [
    name("workload", "WORKLOAD"),
    number("made", "VERDICTS"),
    number("interfering", "INTERFERING"),
    number("score_permille", "LAST SCORE"),
    name("interferes", "INTERFERES"),
];

/// `stats [reset]`.
#[inline(never)]
pub(super) fn stats(reply: Reply, reset: bool) {
    if reset {
        with_line(|line, _| line.reset_stats());
        return reply.done(format_args!("counting from 0 on"));
    }
    let Some(stats) = with_line(|line, _| Box::new(*line.stats())) else {
        return reply.fail(&"the line is not there");
    };
    let lost = with_line(|line, _| line.lost_events()).unwrap_or(0);
    reply.show(|page| {
        bursts(page, &stats)?;
        asides(page, &stats)?;
        actions(page, &stats, lost)?;
        let verdicts: Vec<(WorkloadId, Verdict), MAX_WORKLOADS> =
            (0u8..).map(WorkloadId).zip(stats.verdicts).filter(|(_, verdict)| verdict.made > 0).collect();
        page.table("verdicts", VERDICT_FIELDS, &verdicts, |(workload, verdict)| {
            [
                Value::Text(workload_name(*workload)),
                Value::Number(u64::from(verdict.made)),
                Value::Number(u64::from(verdict.interfering)),
                Value::Score(verdict.score_q16),
                Value::Flag(verdict.interferes),
            ]
        })
    });
}

fn bursts(page: &mut Page<'_, '_>, stats: &Stats) -> core::fmt::Result {
    page.facts(&[
        ("policy", "policy", Value::Text(stats.policy.name())),
        ("ticks and resets", "generation", Value::Number(stats.generation)),
        ("bursts", "bursts", n(stats.bursts)),
        ("bursts that missed the SLO", "late_bursts", n(stats.late_bursts)),
        ("  though none was foreseen", "missed", n(stats.missed)),
        ("lead time, mean", "lead_mean_ns", mean(&stats.lead_ns)),
        ("lead time, worst", "lead_worst_ns", end(&stats.lead_ns, stats.lead_ns.least)),
        ("reaction to harm, mean", "reaction_mean_ns", mean(&stats.reaction_ns)),
        ("reaction to harm, worst", "reaction_worst_ns", end(&stats.reaction_ns, stats.reaction_ns.most)),
        ("release delay, mean", "release_delay_mean_ns", mean(&stats.release_delay_ns)),
        (
            "release delay, worst",
            "release_delay_worst_ns",
            end(&stats.release_delay_ns, stats.release_delay_ns.most),
        ),
        ("releases put off", "releases_put_off", n(stats.releases_put_off)),
    ])
}

fn asides(page: &mut Page<'_, '_>, stats: &Stats) -> core::fmt::Result {
    let cost = match stats.mirrored_cycles {
        0 => Value::Unknown,
        mirrored => Value::Permille(permille(stats.shadow_cycles, mirrored)),
    };
    let error = stats.demand_error_permille.mean().and_then(|mean| u32::try_from(mean).ok());
    page.facts(&[
        ("shadows", "shadows", n(stats.shadows)),
        ("shadows cut off", "shadows_cut", n(stats.shadows_cut)),
        ("core time on shadows", "shadow_ns", Value::Ns(time::cycles_to_ns(stats.shadow_cycles))),
        ("  of what they mirrored", "shadow_cost_permille", cost),
        ("error of foreseen demand", "demand_error_permille", Value::share(error)),
        ("echoes", "echoes", n(stats.echoes)),
        ("core time on echoes", "echo_ns", Value::Ns(time::cycles_to_ns(stats.echo_cycles))),
        ("corrections learnt", "corrections", n(stats.corrections)),
        ("changes of behaviour", "change_points", n(stats.change_points)),
        ("samples out of date", "stale_samples", n(stats.stale_samples)),
    ])
}

fn actions(page: &mut Page<'_, '_>, stats: &Stats, lost: u32) -> core::fmt::Result {
    let actions = &stats.actions;
    page.facts(&[
        ("pairs scored", "predictions", Value::Number(stats.predictions)),
        ("plans put into force", "plans", n(stats.plans)),
        ("plans that came too late", "plans_too_late", n(stats.plans_too_late)),
        ("leases given back", "undone", n(stats.undone)),
        ("leases that ran out", "expired", n(stats.expired)),
        ("actions: pause", "paused", n(actions.paused)),
        ("actions: resume", "resumed", n(actions.resumed)),
        ("actions: migrate", "migrated", n(actions.migrated)),
        ("actions: confine", "confined", n(actions.confined)),
        ("actions: dedicate", "dedicated", n(actions.dedicated)),
        ("actions: share", "shared", n(actions.shared)),
        ("actions refused", "refusals", n(stats.refusals)),
        ("actions without effect", "timeouts", n(stats.timeouts)),
        ("actions left behind", "left_behind", n(stats.left_behind)),
        ("suspects stopped", "suspects", n(stats.suspects)),
        ("events nobody took", "lost_events", n(lost)),
    ])
}

const fn n<'v>(count: u32) -> Value<'v> {
    Value::Number(count as u64)
}

fn mean<'v>(spread: &Spread) -> Value<'v> {
    spread.mean().map_or(Value::Unknown, Value::Lead)
}

const fn end<'v>(spread: &Spread, value: i64) -> Value<'v> {
    if spread.count == 0 { Value::Unknown } else { Value::Lead(value) }
}
