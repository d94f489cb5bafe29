//! `quarantine`.

use core::fmt;

use alloc::boxed::Box;
use alloc::vec::Vec;
use umbra_console::format::Ns;
use umbra_console::parse::QuarantineVerb;
use umbra_control::line::{Prep, Spread};
use umbra_control::machine::Action;
use umbra_control::quarantine::{Phase, Plan, Step, StepState};

use super::page::{Field, Page, Value, name, number};
use super::pending::Pending;
use super::pending::quarantine::{Preparing, What};
use super::reply::{Message, Reply, message};
use crate::control::with_line;
use crate::workloads;

/// How long a quarantine holds that the console asked for.
const HOLD_NS: u64 = 30_000_000_000;

const FIELDS: [Field; 4] = [
    name("action", "ACTION"),
    name("state", "STATE"),
    number("score_permille", "SCORE"),
    number("expected_permille", "EXPECTED"),
];

/// A step in words.
struct Row {
    action: Message,
    state: &'static str,
    score_q16: u32,
    expected_q16: u32,
}

type Rows = Vec<Row>;

/// `quarantine [VERB]`.
#[inline(never)]
pub(super) fn run(reply: Reply, pending: &mut Pending, verb: QuarantineVerb) {
    match verb {
        QuarantineVerb::Show => show(reply),
        QuarantineVerb::Plan => ask(reply, pending, What::Plan),
        QuarantineVerb::Apply => ask(reply, pending, What::Apply),
        QuarantineVerb::Undo => undo(reply, pending),
    }
}

#[inline(never)]
fn ask(reply: Reply, pending: &mut Pending, what: What) {
    if pending.quarantine.is_some() {
        return reply.fail(&"the line is still busy with the one before");
    }
    let hold_ns = if what == What::Apply { HOLD_NS } else { 0 };
    with_line(|line, _| line.request_quarantine(hold_ns));
    pending.quarantine = Some(Preparing::new(what, reply.now_ns));
    match what {
        What::Apply => reply.done(format_args!("planning, to hold for {}; the log tells when", Ns(hold_ns))),
        _ => reply.done(format_args!("planning; the plan is shown when it is made")),
    }
}

fn undo(reply: Reply, pending: &mut Pending) {
    let was = with_line(|line, _| {
        let phase = line.lease().phase();
        line.request_undo();
        phase
    });
    match was {
        None | Some(Phase::Idle) => reply.fail(&"nothing is in force"),
        Some(_) => {
            pending.quarantine = Some(Preparing::new(What::Undo, reply.now_ns));
            reply.done(format_args!("being given back"));
        }
    }
}

/// What is in force, copied out at one moment.
struct Force {
    phase: Phase,
    preparation: Prep,
    expires_ns: u64,
    steps: Vec<(Step, StepState)>,
    lead_ns: Spread,
    plans: u32,
    expired: u32,
    too_late: u32,
}

#[inline(never)]
fn show(reply: Reply) {
    let copy = with_line(|line, _| {
        let (lease, stats) = (line.lease(), line.stats());
        Force {
            phase: lease.phase(),
            preparation: line.preparation(),
            expires_ns: lease.expires_ns(),
            steps: lease.steps().to_vec(),
            lead_ns: stats.lead_ns,
            plans: stats.plans,
            expired: stats.expired,
            too_late: stats.plans_too_late,
        }
    });
    let Some(force) = copy else { return reply.fail(&"the line is not there") };
    let rows: Rows = force.steps.iter().map(|(step, state)| row(step, in_words(*state))).collect();
    let left = match force.phase {
        Phase::Idle => Value::Unknown,
        _ => Value::Ns(force.expires_ns.saturating_sub(reply.now_ns)),
    };
    let lead = &force.lead_ns;
    let when = |value: i64| if lead.count == 0 { Value::Unknown } else { Value::Lead(value) };
    reply.show(|page| {
        page.facts(&[
            ("quarantine", "phase", Value::Text(phase_name(force.phase))),
            ("preparation", "preparation", Value::Text(prep_name(force.preparation))),
            ("lease ends in", "lease_left_ns", left),
            ("plans put into force", "plans", Value::Number(u64::from(force.plans))),
            ("leases that ran out", "expired", Value::Number(u64::from(force.expired))),
            ("plans that came too late", "too_late", Value::Number(u64::from(force.too_late))),
            ("lead time, last", "lead_last_ns", when(lead.last)),
            ("lead time, mean", "lead_mean_ns", lead.mean().map_or(Value::Unknown, Value::Lead)),
            ("lead time, worst", "lead_worst_ns", when(lead.least)),
        ])?;
        page.table("steps", FIELDS, &rows, cells)
    });
}

/// A plan that was made because `quarantine plan` asked for it.
pub(super) struct Planned {
    plan: Box<Plan>,
    rows: Rows,
}

impl Planned {
    /// The plan that was made last.
    #[inline(never)]
    pub(super) fn last() -> Option<Self> {
        let plan = with_line(|line, _| Box::new(line.plan().clone()))?;
        let rows = plan.steps.iter().map(|step| row(step, "planned")).collect();
        Some(Self { plan, rows })
    }

    pub(super) fn write(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        page.facts(&[
            ("plan: steps", "plan_steps", Value::Number(self.rows.len() as u64)),
            ("tasks left running", "left_running", Value::Number(u64::from(self.plan.left_running))),
            ("worst score among them", "worst_left_permille", Value::Score(self.plan.worst_left_q16)),
            ("given up, of one core", "lost_permille", Value::Permille(self.plan.lost_permille)),
        ])?;
        page.table("steps", FIELDS, &self.rows, cells)
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(&mut Page::Text(f))
    }
}

fn row(step: &Step, state: &'static str) -> Row {
    let Step { action, score_q16, expected_q16, .. } = *step;
    Row { action: describe(action), state, score_q16, expected_q16 }
}

fn cells(row: &Row) -> [Value<'_>; 4] {
    [
        Value::Text(&row.action),
        Value::Text(row.state),
        Value::Score(row.score_q16),
        Value::Score(row.expected_q16),
    ]
}

/// An action in words.
fn describe(action: Action) -> Message {
    let name = workloads::name_of;
    match action {
        Action::Pause(task) => message(format_args!("pause task {} {}", task.0, name(task.0))),
        Action::Resume(task) => message(format_args!("resume task {} {}", task.0, name(task.0))),
        Action::Migrate { task, to } => {
            message(format_args!("move task {} {} to core {}", task.0, name(task.0), to.0))
        }
        Action::Dedicate(core) => message(format_args!("dedicate core {} to first-class", core.0)),
        Action::Share(core) => message(format_args!("share core {}", core.0)),
        Action::Confine(share) => message(format_args!(
            "leave second-class tasks {} ways, {} % bandwidth",
            share.ways, share.percent
        )),
        Action::Unconfine => message(format_args!("give cache and bandwidth back")),
        Action::Recolour(apart) => message(format_args!("keep {} colours for first-class", apart.colours)),
        Action::Uncolour => message(format_args!("give colours back")),
    }
}

const fn in_words(state: StepState) -> &'static str {
    match state {
        StepState::Waiting { .. } => "waiting",
        StepState::Asked { .. } => "asked",
        StepState::Held => "holds",
        StepState::Exchanged { .. } => "being changed",
        StepState::Uncertain => "uncertain",
        StepState::Skipped => "left out",
        StepState::Undo { .. } | StepState::UndoAsked { .. } => "being undone",
        StepState::Undone => "undone",
    }
}

/// Where a lease stands, in words.
pub(super) const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "nothing in force",
        Phase::Applying => "being put into force",
        Phase::Active => "in force",
        Phase::Undoing => "being given back",
    }
}

/// Where a preparation stands, in words.
pub(super) const fn prep_name(preparation: Prep) -> &'static str {
    match preparation {
        Prep::Idle => "none",
        Prep::Shadow => "before the shadow",
        Prep::ShadowRuns => "the shadow runs",
        Prep::Echo => "before an echo",
        Prep::EchoRuns => "an echo runs",
        Prep::Score => "scoring",
        Prep::Plan => "planning",
        Prep::Act => "about to act",
        Prep::Acting => "acting",
    }
}
