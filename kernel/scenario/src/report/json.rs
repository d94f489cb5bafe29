//! The machine record.

use core::fmt::{Result, Write};

use umbra_console::json::{Object, object};

use super::milli;
use crate::figures::Multiples;
use crate::results::{Latencies, PolicyRun, Results, Served, Throughput};
use crate::rig::{Actions, Lead, LineStats, Reaction, ShadowCost};

pub(super) fn write(results: &Results, sink: &mut dyn Write) -> Result {
    object(sink, |o| {
        o.text("record", "report")?;
        o.text("scenario", results.plan.name)?;
        o.number("seed", results.plan.seed)?;
        o.boolean("emulated", results.plan.emulated)?;
        o.object("plan", |o| plan(results, o))?;
        o.known("prepare_ns", results.prepare_ns)?;
        o.known("service_ns", results.service_ns)?;
        o.known("slo_ns", results.slo_ns())?;
        o.object("alone", |o| served(results, results.alone.as_ref(), o))?;
        loads(results, o)?;
        second_alone(results, o)?;
        pairs(results, o)?;
        policies(results, o)?;
        divided(results, o)?;
        o.list("notes", |l| results.notes.iter().try_for_each(|note| l.text(note.as_str())))?;
        o.number("lost_notes", results.lost_notes)
    })
}

fn plan(results: &Results, o: &mut Object<'_>) -> Result {
    let plan = &results.plan;
    o.text("first_class", plan.first_class)?;
    o.number("second_class_workloads", plan.second_class.len() as u64)?;
    o.number("bursts", plan.bursts)?;
    o.number("requests", plan.requests)?;
    o.number("load_permille", plan.load_permille)?;
    o.number("notice_ns", plan.notice_ns)?;
    o.number("slo_multiple_milli", plan.slo_permille)?;
    o.number("interference_multiple_milli", plan.interference_permille)
}

/// Latencies, multiples and the SLO; without figures, every one is null.
fn served(results: &Results, served: Option<&Served>, o: &mut Object<'_>) -> Result {
    let latencies = served.map(|served| served.latencies);
    let time = |of: fn(&Latencies) -> Option<u64>| latencies.as_ref().and_then(of);
    o.known("requests", latencies.map(|latencies| latencies.count))?;
    o.known("mean_ns", time(|latencies| Some(latencies.mean_ns)))?;
    o.known("p50_ns", time(|latencies| latencies.p50_ns))?;
    o.known("p99_ns", time(|latencies| latencies.p99_ns))?;
    o.known("p999_ns", time(|latencies| latencies.p999_ns))?;
    o.known("max_ns", time(|latencies| Some(latencies.max_ns)))?;
    let Multiples { p50_q16, p99_q16, p999_q16, max_q16 } =
        latencies.map(|latencies| results.multiples(&latencies)).unwrap_or_default();
    o.known("p50_multiple_milli", p50_q16.map(milli))?;
    o.known("p99_multiple_milli", p99_q16.map(milli))?;
    o.known("p999_multiple_milli", p999_q16.map(milli))?;
    o.known("max_multiple_milli", max_q16.map(milli))?;
    let slo = served.and_then(|served| served.slo);
    o.known("bursts", served.map(|served| served.bursts))?;
    o.known("missed_bursts", slo.map(|slo| slo.missed_bursts))?;
    o.known("late_requests", slo.map(|slo| slo.late_requests))?;
    o.known("violations", slo.map(|slo| slo.late_requests))?;
    o.known("violations_first_100us", slo.map(|slo| slo.early.late_within_100us))?;
    o.known("violations_first_1ms", slo.map(|slo| slo.early.late_within_1ms))?;
    o.known("requests_first_100us", slo.map(|slo| slo.early.within_100us))?;
    o.known("requests_first_1ms", slo.map(|slo| slo.early.within_1ms))
}

fn loads(results: &Results, o: &mut Object<'_>) -> Result {
    o.list("loads_alone", |l| {
        let loads = results.plan.loads_permille.iter().zip(&results.loads);
        loads.into_iter().try_for_each(|(load_permille, run)| {
            l.object(|o| {
                o.number("load_permille", *load_permille)?;
                served(results, run.as_ref(), o)
            })
        })
    })
}

fn divided(results: &Results, o: &mut Object<'_>) -> Result {
    o.list("divided", |l| {
        let divided = results.plan.divisions.iter().zip(&results.divided);
        divided.into_iter().try_for_each(|(share, run)| {
            l.object(|o| {
                o.number("ways", share.ways)?;
                o.number("percent", share.percent)?;
                served(results, run.as_ref(), o)
            })
        })
    })
}

fn second_alone(results: &Results, o: &mut Object<'_>) -> Result {
    o.list("second_class_alone", |l| {
        let throughputs = results.plan.second_class.iter().zip(&results.second_alone);
        throughputs.into_iter().try_for_each(|(name, alone)| {
            l.object(|o| {
                o.text("workload", name)?;
                throughput(*alone, o)
            })
        })
    })
}

fn throughput(throughput: Option<Throughput>, o: &mut Object<'_>) -> Result {
    o.known("units", throughput.map(|throughput| throughput.units))?;
    o.known("window_ns", throughput.map(|throughput| throughput.window_ns))
}

fn pairs(results: &Results, o: &mut Object<'_>) -> Result {
    o.list("pairs", |l| {
        let pairs = results.plan.second_class.iter().zip(&results.pairs).enumerate();
        pairs.into_iter().try_for_each(|(second, (name, pair))| {
            l.object(|o| {
                o.text("workload", name)?;
                o.boolean("measured", pair.is_some())?;
                served(results, pair.as_ref(), o)?;
                match results.interferes(second) {
                    Some(interferes) => o.boolean("interferes", interferes),
                    None => o.known("interferes", None::<u64>),
                }
            })
        })
    })
}

fn policies(results: &Results, o: &mut Object<'_>) -> Result {
    o.list("policies", |l| {
        let runs = results.plan.policies.iter().zip(&results.policies);
        runs.into_iter().try_for_each(|(name, run)| {
            l.object(|o| {
                o.text("policy", name)?;
                o.boolean("measured", run.is_some())?;
                match run {
                    Some(run) => policy(results, run, o),
                    None => Ok(()),
                }
            })
        })
    })
}

fn policy(results: &Results, run: &PolicyRun, o: &mut Object<'_>) -> Result {
    let figures = results.figures(run);
    served(results, Some(&run.served), o)?;
    o.number("window_ns", run.window_ns)?;
    o.known("first_class_share_permille", figures.first_share_permille)?;
    o.known("second_class_share_permille", figures.second_share_permille)?;
    o.known("emu_permille", figures.emu_permille)?;
    o.list("second_class", |l| {
        let names = results.plan.second_class.iter();
        let shares = run.second.iter().zip(&figures.second_shares_permille);
        names.zip(shares).zip(&run.line.predictions).try_for_each(|((name, (done, share)), told)| {
            l.object(|o| {
                o.text("workload", name)?;
                throughput(*done, o)?;
                o.known("share_permille", *share)?;
                o.number("predictions", u64::from(told.interferes) + u64::from(told.harmless))?;
                o.number("predicted_interference", told.interferes)
            })
        })
    })?;
    o.known("controller_permille", figures.controller_permille)?;
    o.number("training_bursts", run.training_bursts)?;
    o.number("predictions", figures.predictions.made)?;
    o.number("predictions_judged", figures.predictions.judged)?;
    o.number("predictions_right", figures.predictions.right)?;
    line(&run.line, o)?;
    o.known("shadow_cost_permille", figures.shadow_cost_permille)?;
    o.number("actions", figures.actions)
}

fn line(stats: &LineStats, o: &mut Object<'_>) -> Result {
    match stats.lead {
        Some(Lead { mean_ns, worst_ns }) => {
            o.signed("lead_mean_ns", mean_ns)?;
            o.signed("lead_worst_ns", worst_ns)?;
        }
        None => {
            o.known("lead_mean_ns", None::<u64>)?;
            o.known("lead_worst_ns", None::<u64>)?;
        }
    }
    reaction(stats.reaction, o)?;
    let period = stats.period;
    o.known("period_ns", period.map(|period| period.ours_ns))?;
    o.known("period_paper_ns", period.and_then(|period| period.paper_ns))?;
    match stats.idle_because {
        Some(why) => o.text("idle_because", why)?,
        None => o.known("idle_because", None::<u64>)?,
    }
    let ShadowCost { shadow_cycles, mirrored_cycles, shadow_instructions, mirrored_instructions } =
        stats.shadow;
    o.number("shadow_cycles", shadow_cycles)?;
    o.number("mirrored_cycles", mirrored_cycles)?;
    o.known("shadow_instructions", shadow_instructions)?;
    o.known("mirrored_instructions", mirrored_instructions)?;
    let Actions { pause, resume, migrate, dedicate, share, confine, unconfine, refused } = stats.actions;
    o.object("actions_by_kind", |o| {
        o.number("pause", pause)?;
        o.number("resume", resume)?;
        o.number("migrate", migrate)?;
        o.number("dedicate", dedicate)?;
        o.number("share", share)?;
        o.number("confine", confine)?;
        o.number("unconfine", unconfine)?;
        o.number("refused", refused)
    })
}

fn reaction(reaction: Option<Reaction>, o: &mut Object<'_>) -> Result {
    let Some(Reaction { count, mean_ns, worst_ns }) = reaction else {
        o.number("reactions", 0u32)?;
        o.known("reaction_us", None::<u64>)?;
        o.known("reaction_mean_ns", None::<u64>)?;
        return o.known("reaction_worst_ns", None::<u64>);
    };
    o.number("reactions", count)?;
    o.signed("reaction_us", mean_ns / 1000)?;
    o.signed("reaction_mean_ns", mean_ns)?;
    o.signed("reaction_worst_ns", worst_ns)
}
