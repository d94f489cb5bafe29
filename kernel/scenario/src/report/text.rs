//! The table.

use core::fmt::{self, Display, Formatter, Write};

use umbra_console::format::{Known, Ns, Permille};
use umbra_console::{Column, Table};
use umbra_control::machine::Early;
use umbra_control::policy::Period;

use super::{Multiple, SignedNs};
use crate::figures::Multiples;
use crate::results::{Latencies, PolicyRun, Results, Served};
use crate::rig::Predictions;

const POLICY_COLUMNS: [Column; 14] = [
    Column::left("POLICY", 0),
    Column::right("P50", 0),
    Column::right("P99", 0),
    Column::right("P99.9", 0),
    Column::right("MAX", 0),
    Column::right("MISSED", 0),
    Column::right("1ST", 0),
    Column::right("2ND", 0),
    Column::right("EMU", 0),
    Column::right("LEAD", 0),
    Column::right("WORST", 0),
    Column::right("SHADOW", 0),
    Column::right("RIGHT", 0),
    Column::right("ACTIONS", 0),
];
const CONTROL_COLUMNS: [Column; 9] = [
    Column::left("POLICY", 0),
    Column::right("LATE/FIRST-100us", 0),
    Column::right("LATE/FIRST-1ms", 0),
    Column::right("LATE/ALL", 0),
    Column::right("REACTION", 0),
    Column::right("WORST", 0),
    Column::right("CONTROL", 0),
    Column::right("PERIOD", 0),
    Column::right("PAPER'S", 0),
];
const PAIR_COLUMNS: [Column; 7] = [
    Column::left("BESIDE", 0),
    Column::right("P50", 0),
    Column::right("P99", 0),
    Column::right("P99.9", 0),
    Column::right("MAX", 0),
    Column::right("MISSED", 0),
    Column::left("INTERFERES", 0),
];

pub(super) fn write(results: &Results, sink: &mut dyn Write) -> fmt::Result {
    heading(results, sink)?;
    policies(results, sink)?;
    control(results, sink)?;
    if results.plan.pairs && !results.plan.second_class.is_empty() {
        pairs(results, sink)?;
    }
    accounts(results, sink)?;
    definitions(results, sink)?;
    notes(results, sink)
}

fn heading(results: &Results, sink: &mut dyn Write) -> fmt::Result {
    let plan = &results.plan;
    let (first, count, name, seed) = (plan.first_class, plan.second_class.len(), plan.name, plan.seed);
    writeln!(sink, "{first} beside {count} second-class workloads; scenario {name}, seed {seed}")?;
    let (bursts, requests, load) = (plan.bursts, plan.requests, Permille(plan.load_permille));
    writeln!(sink, "each step: {bursts} bursts of {requests} requests at {load} load")?;
    let (prepare, service) = (results.prepare_ns.map(Ns), results.service_ns.map(Ns));
    writeln!(sink, "preparing {first} took {}; a request takes {} alone\n", Known(prepare), Known(service))
}

/// Goes over the rows twice: to find widths, then to write.
fn policies(results: &Results, sink: &mut dyn Write) -> fmt::Result {
    let mut table = Table::new(POLICY_COLUMNS);
    let mut name_width = "POLICY".len();
    alone_row(results, |cells| {
        table.measure(cells);
        Ok(())
    })?;
    for (name, run) in rows(results) {
        name_width = name_width.max(name.len());
        let measured = |cells: [&dyn Display; 14]| {
            table.measure(cells);
            Ok(())
        };
        match run {
            Some(run) => policy_row(results, name, run, measured)?,
            None => table.measure([&name, &"", &"", &"", &"", &"", &"", &"", &"", &"", &"", &"", &"", &""]),
        }
    }
    table.heading(sink)?;
    alone_row(results, |cells| table.row(sink, cells))?;
    for (name, run) in rows(results) {
        match run {
            Some(run) => policy_row(results, name, run, |cells| table.row(sink, cells))?,
            None => writeln!(sink, "{name:name_width$}  not measured")?,
        }
    }
    writeln!(sink)
}

fn rows(results: &Results) -> impl Iterator<Item = (&'static str, Option<&PolicyRun>)> {
    results.plan.policies.iter().copied().zip(results.policies.iter().map(Option::as_ref))
}

/// Hands the row of running alone, in units of time, to `take`.
fn alone_row(results: &Results, take: impl FnOnce([&dyn Display; 14]) -> fmt::Result) -> fmt::Result {
    let alone = results.alone.map(|served| served.latencies);
    let time = |of: fn(&Latencies) -> Option<u64>| Known(alone.as_ref().and_then(of).map(Ns));
    take([
        &"alone",
        &time(|alone| alone.p50_ns),
        &time(|alone| alone.p99_ns),
        &time(|alone| alone.p999_ns),
        &time(|alone| Some(alone.max_ns)),
        &"",
        &"",
        &"",
        &"",
        &"",
        &"",
        &"",
        &"",
        &"",
    ])
}

/// Hands a policy's row to `take`.
fn policy_row(
    results: &Results,
    name: &str,
    run: &PolicyRun,
    take: impl FnOnce([&dyn Display; 14]) -> fmt::Result,
) -> fmt::Result {
    let figures = results.figures(run);
    let [p50, p99, p999, max] = multiples(&figures.multiples);
    let share = |permille: Option<u32>| Known(permille.map(Permille));
    let lead = run.line.lead;
    let right =
        (figures.predictions.made > 0).then_some(Of(figures.predictions.right, figures.predictions.judged));
    take([
        &name,
        &p50,
        &p99,
        &p999,
        &max,
        &missed(&run.served),
        &share(figures.first_share_permille),
        &share(figures.second_share_permille),
        &share(figures.emu_permille),
        &Known(lead.map(|lead| SignedNs(lead.mean_ns))),
        &Known(lead.map(|lead| SignedNs(lead.worst_ns))),
        &share(figures.shadow_cost_permille),
        &Known(right),
        &figures.actions,
    ])
}

/// How soon each policy acts, and what deciding costs.
fn control(results: &Results, sink: &mut dyn Write) -> fmt::Result {
    let mut table = Table::new(CONTROL_COLUMNS);
    for (name, run) in rows(results) {
        control_row(results, name, run, |cells| {
            table.measure(cells);
            Ok(())
        })?;
    }
    table.heading(sink)?;
    for (name, run) in rows(results) {
        control_row(results, name, run, |cells| table.row(sink, cells))?;
    }
    writeln!(sink)
}

/// Nothing for a policy that was not measured: the table above says so.
fn control_row(
    results: &Results,
    name: &str,
    run: Option<&PolicyRun>,
    take: impl FnOnce([&dyn Display; 9]) -> fmt::Result,
) -> fmt::Result {
    let Some(run) = run else { return Ok(()) };
    let (slo, line) = (run.served.slo, &run.line);
    let late = |of: fn(&Early) -> (u32, u32)| {
        Known(slo.as_ref().map(|slo| {
            let (late, all) = of(&slo.early);
            Of(u64::from(late), u64::from(all))
        }))
    };
    let all = Known(slo.map(|slo| Of(slo.late_requests, run.served.latencies.count)));
    let cost = Known(results.figures(run).controller_permille.map(Permille));
    let ours = Known(line.period.map(|period| Ns(period.ours_ns)));
    let paper: &dyn Display = match line.period {
        Some(Period { paper_ns: Some(paper_ns), .. }) => &Ns(paper_ns),
        Some(Period { paper_ns: None, .. }) => &"no pause",
        None => &"-",
    };
    take([
        &name,
        &late(|early| (early.late_within_100us, early.within_100us)),
        &late(|early| (early.late_within_1ms, early.within_1ms)),
        &all,
        &Known(line.reaction.map(|reaction| SignedNs(reaction.mean_ns))),
        &Known(line.reaction.map(|reaction| SignedNs(reaction.worst_ns))),
        &cost,
        &ours,
        paper,
    ])
}

fn pairs(results: &Results, sink: &mut dyn Write) -> fmt::Result {
    let mut table = Table::new(PAIR_COLUMNS);
    for (second, name) in results.plan.second_class.iter().enumerate() {
        pair_row(results, second, name, |cells| {
            table.measure(cells);
            Ok(())
        })?;
    }
    table.heading(sink)?;
    for (second, name) in results.plan.second_class.iter().enumerate() {
        pair_row(results, second, name, |cells| table.row(sink, cells))?;
    }
    writeln!(sink)
}

fn pair_row(
    results: &Results,
    second: usize,
    name: &str,
    take: impl FnOnce([&dyn Display; 7]) -> fmt::Result,
) -> fmt::Result {
    let served = results.pairs.get(second).copied().flatten();
    let latencies = served.map(|served| results.multiples(&served.latencies)).unwrap_or_default();
    let [p50, p99, p999, max] = multiples(&latencies);
    let verdict = match (served, results.interferes(second)) {
        (None, _) => "not measured",
        (_, None) => "-",
        (_, Some(true)) => "yes",
        (_, Some(false)) => "no",
    };
    take([&name, &p50, &p99, &p999, &max, &Known(served.as_ref().map(missed)), &verdict])
}

fn multiples(multiples: &Multiples) -> [Known<Multiple>; 4] {
    let Multiples { p50_q16, p99_q16, p999_q16, max_q16 } = *multiples;
    [p50_q16, p99_q16, p999_q16, max_q16].map(|q16| Known(q16.map(Multiple::from_q16)))
}

fn missed(served: &Served) -> Known<Of> {
    Known(served.slo.map(|slo| Of(u64::from(slo.missed_bursts), u64::from(served.bursts))))
}

/// So many of so many.
#[derive(Clone, Copy)]
struct Of(u64, u64);

impl Display for Of {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}

/// What each policy foretold and did, where it did anything.
fn accounts(results: &Results, sink: &mut dyn Write) -> fmt::Result {
    let mut any = false;
    for (name, run) in rows(results) {
        let Some(run) = run else { continue };
        let (figures, actions) = (results.figures(run), run.line.actions);
        if run.training_bursts > 0 {
            writeln!(sink, "{name} learnt from {} bursts before it was measured", run.training_bursts)?;
            any = true;
        }
        if figures.predictions.made > 0 {
            write!(sink, "{name} foretold interference:")?;
            let told = results.plan.second_class.iter().zip(&run.line.predictions);
            for (place, (second, Predictions { interferes, harmless })) in told.enumerate() {
                let comma = if place == 0 { "" } else { "," };
                let times = Of(u64::from(*interferes), u64::from(*interferes) + u64::from(*harmless));
                write!(sink, "{comma} {second} {times}")?;
            }
            writeln!(sink)?;
            any = true;
        }
        if figures.actions > 0 || actions.refused > 0 {
            let (pause, resume, migrate) = (actions.pause, actions.resume, actions.migrate);
            let (dedicate, share, refused) = (actions.dedicate, actions.share, actions.refused);
            let (confine, unconfine) = (actions.confine, actions.unconfine);
            write!(
                sink,
                "{name} actions: pause {pause}, resume {resume}, migrate {migrate}, dedicate {dedicate}, \
                 share {share}"
            )?;
            if confine > 0 {
                write!(sink, ", confine {confine}, unconfine {unconfine}")?;
            }
            writeln!(sink, "; refused {refused}")?;
            any = true;
        }
    }
    if any { writeln!(sink) } else { Ok(()) }
}

fn definitions(results: &Results, sink: &mut dyn Write) -> fmt::Result {
    let plan = &results.plan;
    let slo = Multiple(u64::from(plan.slo_permille));
    let bound = Known(results.slo_ns().map(Ns));
    let interference = Multiple(u64::from(plan.interference_permille));
    writeln!(
        sink,
        "SLO: at most 1 % of a burst's requests above {slo} the p99 alone ({bound}). INTERFERES: p99 above {interference}."
    )?;
    writeln!(
        sink,
        "EMU: 1ST (load served in bursts that met the SLO / greatest load alone) + 2ND (mean rate / rate in the mix alone)."
    )?;
    writeln!(
        sink,
        "LEAD: quarantine in force to release. SHADOW: its cost / what it mirrors. RIGHT: predictions the pairs bear out."
    )?;
    writeln!(
        sink,
        "LATE: requests above that bound, of those that arrived so soon after a release. REACTION: harm seen to action in\n\
         force, during bursts. CONTROL: time in control ticks, of one core. PERIOD: of decisions, and the paper's."
    )?;
    if plan.emulated {
        writeln!(
            sink,
            "Measured under plain TCG emulation: these times are indicative only. Where virtual cores outnumber the\n\
             host's, pausing one speeds the others up, and a share may pass the whole."
        )?;
    }
    Ok(())
}

fn notes(results: &Results, sink: &mut dyn Write) -> fmt::Result {
    for note in &results.notes {
        writeln!(sink, "note: {note}")?;
    }
    match results.lost_notes {
        0 => Ok(()),
        lost => writeln!(sink, "note: {lost} more notes found no room"),
    }
}
