//! `cpus` and `roles`.

use core::sync::atomic::Ordering;

use heapless::Vec;
use umbra_console::format::Ns;
use umbra_console::parse::{RoleChange, RoleSet};
use umbra_sched::{Roles, may_dedicate};

use super::look::{CoreLook, CoreRow};
use super::page::{Field, Page, Value, name, number};
use super::reply::{Message, Reply, message};
use crate::cores::{self, MAX_CORES};
use crate::machine;
use crate::schedule::{self, Message as Order};
use crate::tasks;

const FIELDS: [Field; 9] = [
    number("core", "CORE"),
    number("apic_id", "APIC"),
    name("roles", "ROLES"),
    name("tick", "TICK"),
    number("busy_permille", "BUSY"),
    name("task", "TASK"),
    number("queued", "QUEUED"),
    number("interrupts", "INTERRUPTS"),
    number("switches", "SWITCHES"),
];

fn cells(row: &CoreRow) -> [Value<'_>; 9] {
    [
        Value::Number(u64::from(row.number)),
        Value::Number(u64::from(row.apic_id)),
        Value::Shown(&row.roles),
        Value::Text(if row.tick { "on" } else { "off" }),
        Value::Permille(row.busy_permille),
        Value::Text(row.task),
        Value::Number(u64::from(row.queued)),
        Value::Number(row.interrupts),
        Value::Number(row.switches),
    ]
}

/// `cpus`.
#[inline(never)]
pub(super) fn show(reply: Reply, look: &mut CoreLook) {
    let (rows, interval_ns) = look.read(reply.now_ns);
    reply.show(|page| {
        table(page, &rows)?;
        page.note(
            format_args!("busy: share of the last {}", Ns(interval_ns)),
            "interval_ns",
            Value::Ns(interval_ns),
        )
    });
}

/// The cores as a table.
pub(super) fn table(page: &mut Page<'_, '_>, rows: &[CoreRow]) -> core::fmt::Result {
    page.table("cores", FIELDS, rows, cells)
}

/// `roles`.
#[inline(never)]
pub(super) fn show_roles(reply: Reply) {
    let rows: Vec<RoleRow, MAX_CORES> = cores::all().map(RoleRow::of).collect();
    reply.show(|page| {
        let fields = [number("core", "CORE"), name("now", "NOW"), name("resting", "WITHOUT A QUARANTINE")];
        page.table("cores", fields, &rows, |row| {
            [Value::Number(u64::from(row.core)), Value::Shown(&row.now), Value::Shown(&row.resting)]
        })
    });
}

struct RoleRow {
    core: u8,
    now: Roles,
    resting: Roles,
}

impl RoleRow {
    fn of(core: &cores::Core) -> Self {
        Self {
            core: core.number,
            now: confirmed(core),
            resting: Roles(machine::resting_roles(core.number).0),
        }
    }
}

/// `roles CORE ROLES`.
#[inline(never)]
pub(super) fn change_roles(reply: Reply, change: RoleChange) {
    let RoleChange { core, roles } = change;
    if let Err(refused) = check(change) {
        return reply.fail(&refused);
    }
    if schedule::send(core, Order::Roles(roles.bits())) {
        reply.done(format_args!(
            "core {core} is to be {roles}; it moves its tasks first ('roles' shows when)"
        ));
    } else {
        reply.fail(&format_args!("the mailbox of core {core} is full, try again"));
    }
}

/// Whether the core can have these roles without leaving anybody stranded.
fn check(RoleChange { core, roles }: RoleChange) -> Result<(), Message> {
    let Some(target) = cores::get(core) else { return Err(no_core(core)) };
    let (before, after) = (confirmed(target), as_roles(roles));
    if after.has(Roles::CONTROL) != before.has(Roles::CONTROL) {
        let home = cores::CONTROL;
        return Err(message(format_args!("the control role stays on core {home}; expected the others")));
    }
    let first = machine::first_class_core();
    if core == first && !after.has(Roles::FIRST_CLASS) {
        return Err(message(format_args!("core {core} is the first-class workload's; keep first-class")));
    }
    let shadow = tasks::at(tasks::SHADOW).core.load(Ordering::Relaxed);
    if core == shadow && !after.has(Roles::SHADOW) {
        return Err(message(format_args!("core {core} runs the shadow; keep shadow")));
    }
    let all: Vec<Roles, MAX_CORES> = cores::all().map(confirmed).collect();
    if before.has(Roles::SECOND_CLASS) && !after.has(Roles::SECOND_CLASS) {
        may_dedicate(core, &all).map_err(|refused| message(format_args!("{refused}")))?;
    }
    Ok(())
}

pub(super) fn no_core(core: u8) -> Message {
    message(format_args!("no core {core}; expected 0 to {}", cores::count() - 1))
}

fn confirmed(core: &cores::Core) -> Roles {
    core.roles()
}

/// The console and the scheduler number the roles alike.
fn as_roles(roles: RoleSet) -> Roles {
    Roles(roles.bits())
}
