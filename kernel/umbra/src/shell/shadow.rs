//! `shadow` and `echo`.

use alloc::boxed::Box;
use umbra_console::format::Ratio;
use umbra_console::parse::ShadowVerb;
use umbra_control::fixed::permille;
use umbra_control::machine::Stage;
use umbra_control::shadow::Phase;

use super::page::{Field, Value, number};
use super::pending::Pending;
use super::pending::wish::{self, Wish};
use super::reply::Reply;
use super::{burst, profile};
use crate::control::with_line;
use crate::time;

/// Requests of an echo unless said otherwise.
const REQUESTS: u32 = 4;

const PHASE_FIELDS: [Field; 8] = [
    number("duration_ns", "DURATION"),
    number("duty_permille", "COMPUTES"),
    number("working_set_bytes", "WORKS ON"),
    number("accesses", "ACCESSES"),
    number("random_permille", "RANDOM"),
    number("write_permille", "STORES"),
    number("steps", "STEPS"),
    number("slices", "UNITS"),
];

fn cells(phase: &Phase) -> [Value<'_>; 8] {
    [
        Value::Ns(phase.duration_ns),
        Value::Permille(phase.duty_permille),
        Value::Bytes(u64::from(phase.working_set_words) * 8),
        Value::Number(u64::from(phase.accesses)),
        Value::Permille(phase.random_permille),
        Value::Permille(phase.write_permille),
        Value::Number(u64::from(phase.steps)),
        Value::Number(u64::from(phase.slices)),
    ]
}

/// `shadow [VERB]`.
#[inline(never)]
pub(super) fn run(reply: Reply, pending: &mut Pending, verb: ShadowVerb) {
    match verb {
        ShadowVerb::Show => show(reply),
        ShadowVerb::Run => start(reply, pending),
    }
}

#[inline(never)]
fn show(reply: Reply) {
    let copy = with_line(|line, machine| {
        (Box::new(line.shadow_plan().clone()), machine.shadow(), line.shadow_demand(), *line.correction())
    });
    let Some((plan, ran, felt, correction)) = copy.filter(|(plan, ..)| !plan.is_empty()) else {
        return reply.fail(&"there is no profile yet to make a shadow of ('profile record' makes one)");
    };
    let cost = permille(plan.cost_instructions, plan.mirrored_instructions);
    let scale = Ratio(u64::from(plan.scale_q16));
    let (cycles, reads) = (Ratio(u64::from(correction.cycles_q16)), Ratio(u64::from(correction.read_q16)));
    reply.show(|page| {
        page.facts(&[
            ("profile's version", "profile_version", Value::Number(u64::from(plan.profile_version))),
            ("page colours sampled", "sampled_colours", Value::Number(u64::from(plan.sampled_colours))),
            ("page colours there are", "colours", Value::Number(u64::from(plan.colours))),
            ("time divided by", "time_divisor", Value::Number(u64::from(plan.time_divisor))),
            ("the whole does", "scale", Value::Shown(&scale)),
            ("mirrored", "mirrored_ns", Value::Ns(plan.mirrored_ns)),
            ("mirrored instructions", "mirrored_instructions", Value::Count(plan.mirrored_instructions)),
            ("its own instructions", "cost_instructions", Value::Count(plan.cost_instructions)),
            ("cost", "cost_permille", Value::Permille(cost)),
            ("corrected by: cycles", "correction_cycles", Value::Shown(&cycles)),
            ("corrected by: reads", "correction_reads", Value::Shown(&reads)),
        ])?;
        page.line(format_args!("(instructions are cycles where instructions are not counted)"))?;
        page.table("phases", PHASE_FIELDS, &plan.phases, cells)?;
        page.facts(&[
            ("last run: units", "last_units", Value::Number(ran.counts.units)),
            ("last run: core time", "last_ns", Value::Ns(time::cycles_to_ns(ran.counts.cycles))),
            ("last run: read", "last_read_bytes", Value::Bytes(ran.counts.read_bytes)),
            ("last run: written", "last_written_bytes", Value::Bytes(ran.counts.written_bytes)),
            ("last run: cut off", "last_cut", Value::Flag(ran.over_budget)),
        ])?;
        let Some(felt) = felt else { return Ok(()) };
        page.line(format_args!("which foresees"))?;
        profile::demand(page, &felt)
    });
}

#[inline(never)]
fn start(reply: Reply, pending: &mut Pending) {
    if pending.shadow.is_some() {
        return reply.fail(&"a shadow is asked for already");
    }
    let asked = with_line(|line, _| {
        let before = wish::shadows(line.stats());
        let there = !line.shadow_plan().is_empty();
        if there {
            line.request_shadow();
        }
        there.then_some(before)
    });
    match asked.flatten() {
        Some(before) => {
            pending.shadow = Some(Wish::new(before, reply.now_ns));
            reply.done(format_args!("a shadow is asked for; the log tells what it felt"));
        }
        None => reply.fail(&"there is no profile yet to make a shadow of ('profile record' makes one)"),
    }
}

/// `echo [REQUESTS]`.
#[inline(never)]
pub(super) fn echo(reply: Reply, pending: &mut Pending, requests: Option<u32>) {
    if let Err(error) = burst::ready() {
        return reply.fail(&error);
    }
    if pending.echo.is_some() {
        return reply.fail(&"an echo is asked for already");
    }
    let requests = requests.unwrap_or(REQUESTS);
    let before = with_line(|line, machine| {
        line.request_echo(machine.burst().counts.units, requests);
        line.stats().echoes
    });
    pending.echo = before.map(|before| Wish::new(before, reply.now_ns));
    reply.done(format_args!("an echo of {requests} requests is asked for; the log tells what it found"));
}
