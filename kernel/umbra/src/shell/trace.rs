//! `trace`: recording who ran where and what the line did.

use alloc::vec::Vec;

use umbra_console::parse::{Mode, TraceVerb};

use super::page::{Value, number};
use super::reply::Reply;
use crate::events;
use crate::trace::{self, Held, Switch};
use crate::{cores, tasks};

/// Switches of each core that people are shown.
const SHOWN_SWITCHES: usize = 8;
/// Events of the line that people are shown.
const SHOWN_EVENTS: usize = 24;

/// `trace [show|on|off|dump]`.
#[inline(never)]
pub(super) fn run(reply: Reply, verb: TraceVerb) {
    match verb {
        TraceVerb::Show => show(reply),
        TraceVerb::On => match trace::switch_on() {
            Ok(()) => reply
                .done(format_args!("switches of tasks are recorded from now on; 'trace dump' prints them")),
            Err(error) => reply.fail(&error),
        },
        TraceVerb::Off => {
            trace::switch_off();
            reply.done(format_args!("nothing is recorded any more; 'trace dump' prints what was"));
        }
        TraceVerb::Dump => dump(reply),
    }
}

fn show(reply: Reply) {
    let held: Vec<Held> = trace::held().collect();
    reply.show(|page| {
        page.facts(&[
            ("recording", "on", Value::Flag(trace::is_on())),
            ("since", "since_ns", Value::Uptime(trace::since_ns())),
        ])?;
        let fields = [number("core", "CORE"), number("switches", "SWITCHES"), number("lost", "OVERWRITTEN")];
        page.table("cores", fields, &held, |held| {
            [Value::Number(held.core.into()), Value::Number(held.switches), Value::Number(held.lost)]
        })
    });
}

/// For people the last of everything, by time; for programs all of it, as
/// records of their own before the answer.
fn dump(reply: Reply) {
    if trace::held().next().is_none() {
        return reply.fail(&"nothing was recorded: expected 'trace on' before");
    }
    if reply.mode == Mode::Json {
        trace::send();
        return reply.done(format_args!("all of it was sent"));
    }
    let mut switches: Vec<Switch> =
        cores::all().flat_map(|core| trace::switches(core.number, SHOWN_SWITCHES)).collect();
    switches.sort_unstable_by_key(|switch| switch.at_ns);
    let events = events::since(trace::since_ns());
    let shown = events.get(events.len().saturating_sub(SHOWN_EVENTS)..).unwrap_or_default();
    reply.show(|page| {
        for dated in shown {
            page.line(format_args!("{:>15} ns  line    {:?}", dated.at_ns, dated.event))?;
        }
        for switch in &switches {
            let (at_ns, core, name) = (switch.at_ns, switch.core, switch.name());
            match switch.slot {
                Some(slot) if slot >= tasks::SECOND => {
                    page.line(format_args!("{at_ns:>15} ns  core {core:<2} {name} ({slot})"))?;
                }
                _ => page.line(format_args!("{at_ns:>15} ns  core {core:<2} {name}"))?,
            }
        }
        page.line(format_args!(
            "the last {} switches and {} events; 'mode json; trace dump' sends all",
            switches.len(),
            shown.len()
        ))
    });
}
