//! `trace`: recording who ran where and what the line did.

use alloc::vec::Vec;
use core::fmt::{Display, Formatter, Result};

use umbra_console::json;
use umbra_console::parse::{Mode, TraceVerb};
use umbra_control::line::Dated;

use super::page::{Value, number};
use super::reply::Reply;
use crate::trace::{self, Held};
use crate::{cores, events};

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
    let events = events::since(trace::since_ns());
    let shown = events.get(events.len().saturating_sub(SHOWN_EVENTS)..).unwrap_or_default();
    reply.show(|page| {
        for dated in shown {
            page.line(format_args!("line    {}", Told(dated)))?;
        }
        for core in cores::all() {
            for switch in trace::switches(core.number, SHOWN_SWITCHES) {
                let (at_ns, core, name) = (switch.at_ns, switch.core, switch.name());
                page.line(format_args!("core {core:<2} {at_ns} ns {name}"))?;
            }
        }
        page.line(format_args!("the last of each core and of the line; 'mode json; trace dump' sends all"))
    });
}

/// An event of the line as one line of text.
struct Told<'e>(&'e Dated);

impl Display for Told<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        json::object(f, |o| events::write(self.0, o))
    }
}
