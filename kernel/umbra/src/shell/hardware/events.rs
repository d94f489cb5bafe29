//! `pmu list`: the events this processor counts, by name.

use alloc::boxed::Box;

use heapless::Vec;
use umbra_hw::pmu::{Counter, Event, Model, Pmu, Role, Unit, events_of, generic};

use super::Numbers;
use crate::cores;
use crate::hardware::{self, kinds};
use crate::shell::page::{Value, name};
use crate::shell::reply::{Message, Reply, message};

/// Events that are listed at most; processors have about twenty.
const EVENTS: usize = 48;

struct Row {
    name: &'static str,
    counters: Message,
    tells: &'static str,
}

/// `pmu list`.
#[inline(never)]
pub(in crate::shell) fn list(reply: Reply) {
    let found = hardware::the();
    let pmu = match (&found.pmu, &found.base) {
        (Some(pmu), Ok(_)) => pmu,
        (_, Err(why)) => {
            return reply.fail(&message(format_args!("{why}; cycles come from the timestamp counter")));
        }
        (None, Ok(_)) => return reply.fail(&"no counters"),
    };
    let common = generic(pmu, found.inventory.identity.vendor).map(|event| (event, "on every processor"));
    let common =
        common.map(|(event, tells)| Row { name: event.name, counters: counters(&event, pmu), tells });
    let own = models().into_iter().flat_map(|(pmu, model)| {
        events_of(model).map(move |(role, event)| {
            let counters = counters(&event, &pmu);
            Row { name: event.name, counters, tells: tells(role) }
        })
    });
    let rows: Box<Vec<Row, EVENTS>> = Box::new(common.chain(own).take(EVENTS).collect());
    reply.show(|page| {
        let fields = [name("event", "EVENT"), name("counters", "COUNTED BY"), name("tells", "WHAT IT TELLS")];
        page.table("events", fields, &rows, |row| {
            [Value::Text(row.name), Value::Text(&row.counters), Value::Text(row.tells)]
        })?;
        page.line(format_args!(
            "also raw events: r and unit mask and event in hexadecimal, cpu/event=..,umask=../"
        ))
    });
}

/// The kinds of cores that run: one, or two on a hybrid processor.
fn models() -> Vec<(Pmu, Model), 4> {
    let mut models: Vec<(Pmu, Model), 4> = Vec::new();
    for kind in cores::all().filter_map(|core| kinds::of(core.number)) {
        if let Some(pmu) = kind.pmu.filter(|_| models.iter().all(|(_, model)| *model != kind.model)) {
            // There are two kinds at most.
            let _ = models.push((pmu, kind.model));
        }
    }
    models
}

fn counters(event: &Event, pmu: &Pmu) -> Message {
    let general = Numbers(u64::from(event.counters & pmu.general));
    match (event.unit, event.fixed.filter(|fixed| Counter::Fixed(*fixed).exists(pmu))) {
        (Unit::L3, _) => message(format_args!("level 3 cache")),
        (Unit::Core, Some(fixed)) if general.0 == 0 => message(format_args!("fixed {fixed}")),
        (Unit::Core, Some(fixed)) => message(format_args!("fixed {fixed} or general {general}")),
        (Unit::Core, None) => message(format_args!("general {general}")),
    }
}

const fn tells(role: Role) -> &'static str {
    match role {
        Role::L2MissStalls => "stalls on loads that missed level 2",
        Role::L3MissStalls => "stalls on loads that missed level 3",
        Role::LoadStalls => "nothing retires for a load",
        Role::L2LinesIn => "lines brought into level 2",
        Role::L2Misses => "requests that missed level 2",
        Role::LlcHitLoads => "loads that the last level served",
        Role::LlcMissLoads => "loads that the last level missed",
        Role::StoreStalls => "cycles bound by stores",
        Role::L3Lookups => "lookups in the level 3 cache",
        Role::L3Misses => "misses of the level 3 cache",
    }
}
