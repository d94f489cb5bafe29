//! What is to be kept from second-class tasks, as a value, and the steps from
//! what is kept now to that.
//!
//! The policies that steer all the time say each tick what should hold; they
//! neither name steps nor remember what they took. [`reconcile`] compares that
//! with the lease in force: what is missing is added, what is too much is given
//! back, singly, by its own exact opposite. A policy that is set aside, or a
//! lease that runs out, undoes all of it like any other plan.
//!
//! A task that is to be paused and whose core is to be clear is only paused,
//! and moved once it runs again; one that was moved is moved back only after it
//! was resumed. So no step of a task rests on another's being undone first.

use super::{Lease, Step, StepState, Subject};
use crate::machine::{Action, CoreId, CoreSet, Monitor, Roles, Share, TaskId, Topology};
use crate::sample::{MAX_TASKS, Watched};

/// Most steps that are added, or given back, in one tick.
pub const CHANGES_PER_TICK: usize = 8;

/// A set of task slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskSet([u64; MAX_TASKS / 64]);

impl TaskSet {
    /// No task.
    pub const NONE: Self = Self([0; MAX_TASKS / 64]);

    /// Adds one; a slot that cannot be is not added.
    pub fn insert(&mut self, id: TaskId) {
        if let Some(word) = self.0.get_mut(usize::from(id.0 >> 6)) {
            *word |= 1 << (id.0 & 63);
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, id: TaskId) {
        if let Some(word) = self.0.get_mut(usize::from(id.0 >> 6)) {
            *word &= !(1 << (id.0 & 63));
        }
    }

    /// Whether it is in the set.
    #[must_use]
    pub fn has(&self, id: TaskId) -> bool {
        self.0.get(usize::from(id.0 >> 6)).is_some_and(|word| word >> (id.0 & 63) & 1 == 1)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// What second-class tasks are kept from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Cores without second-class tasks.
    pub clear: CoreSet,
    /// The first-class core is made first-class alone as well; it should be
    /// clear.
    pub dedicate: bool,
    /// Tasks that do not run.
    pub paused: TaskSet,
    /// What all of them may take of cache and bandwidth; none for all.
    pub share: Option<Share>,
}

impl Holding {
    /// They are kept from nothing.
    pub const NOTHING: Self = Self { clear: CoreSet(0), dedicate: false, paused: TaskSet::NONE, share: None };
}

/// What [`reconcile`] has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Steps that take something away.
    pub taken: u16,
    /// Steps that give something back.
    pub given_back: u16,
}

/// What the lease in force keeps from whom.
#[derive(Default)]
struct Kept {
    paused: TaskSet,
    moved: TaskSet,
    dedicated: bool,
    confined: bool,
}

/// Begins what is missing from `lease` for `holding` to hold, and takes back
/// what is too much, at most [`CHANGES_PER_TICK`] of it; nothing while the
/// lease is not steady. Every step and every task is looked at once or twice.
pub fn reconcile<M: Topology + Monitor>(
    holding: &Holding,
    first_class: CoreId,
    tasks: &[Watched],
    (now_ns, lease_ns): (u64, u64),
    machine: &M,
    lease: &mut Lease,
) -> Changes {
    let mut changes = Changes::default();
    if !lease.is_steady() {
        return changes;
    }
    if open_core(holding, first_class, tasks, machine, lease) {
        changes.given_back = 1;
        return changes;
    }
    let kept = give_back(holding, tasks, machine, lease, &mut changes);
    let mut take = |step: Step| {
        let room = usize::from(changes.taken) < CHANGES_PER_TICK;
        changes.taken += u16::from(room && lease.append(now_ns, step, lease_ns));
    };
    let mut crowd = crowd_of(tasks);
    for task in tasks.iter().filter(|task| task.runnable) {
        let subject = Subject::Task { id: task.id, generation: task.generation, workload: task.workload };
        let step = |action, undo| Step { action, undo, subject, score_q16: 0, expected_q16: 0 };
        if holding.paused.has(task.id) {
            if !kept.paused.has(task.id) {
                take(step(Action::Pause(task.id), Action::Resume(task.id)));
            }
        } else if holding.clear.has(task.core) && !kept.moved.has(task.id) {
            let Some(to) = least_crowded(holding.clear, &mut crowd, machine) else { continue };
            let (task, back) = (task.id, task.core);
            take(step(Action::Migrate { task, to }, Action::Migrate { task, to: back }));
        }
    }
    let step = |action, undo, subject| Step { action, undo, subject, score_q16: 0, expected_q16: 0 };
    if let Some(share) = holding.share.filter(|_| !kept.confined) {
        take(step(Action::Confine(share), Action::Unconfine, Subject::SecondClass));
    }
    // Only once nothing else is missing: whom the machine pushes off a core by
    // itself, nobody would move back.
    let cores = machine.siblings(first_class).with(CoreSet::only(first_class));
    let clear = !tasks.iter().any(|task| task.runnable && cores.has(task.core));
    if holding.dedicate && clear && !kept.dedicated && changes == Changes::default() {
        let core = Subject::Core(first_class);
        let step = step(Action::Dedicate(first_class), Action::Share(first_class), core);
        changes.taken += u16::from(lease.append(now_ns, step, lease_ns));
    }
    changes
}

/// Begins to share the first-class core again if a task on it is to run: whom the
/// machine itself pushes off that core, nobody would move back. It is made
/// first-class alone again once the task was moved.
fn open_core<M: Topology>(
    holding: &Holding,
    first_class: CoreId,
    tasks: &[Watched],
    machine: &M,
    lease: &mut Lease,
) -> bool {
    let kept = kept_by(lease);
    let cores = machine.siblings(first_class).with(CoreSet::only(first_class));
    let is_to_run = |task: &Watched| {
        let resumed = kept.paused.has(task.id) && !holding.paused.has(task.id);
        let came = task.runnable && !kept.moved.has(task.id) && !kept.paused.has(task.id);
        cores.has(task.core) && (resumed || came)
    };
    let dedicated = |(step, _): &(Step, _)| matches!(step.action, Action::Dedicate(_));
    let Some(index) = lease.steps().iter().position(dedicated) else { return false };
    let state = lease.steps().get(index).map(|(_, state)| *state);
    let open = state != Some(StepState::Skipped) && tasks.iter().any(is_to_run);
    if open {
        lease.give_back(index);
    }
    open
}

/// Begins to take back what `holding` does not ask for; returns what is left.
fn give_back<M: Topology + Monitor>(
    holding: &Holding,
    tasks: &[Watched],
    machine: &M,
    lease: &mut Lease,
    changes: &mut Changes,
) -> Kept {
    let (kept, mut crowd) = (kept_by(lease), crowd_of(tasks));
    let (mut index, mut exchange) = (lease.steps().len(), None);
    while index > 0 && usize::from(changes.given_back) < CHANGES_PER_TICK {
        index -= 1;
        let Some((step, state)) = lease.steps().get(index).copied() else { continue };
        let left_out = state == StepState::Skipped;
        let verdict =
            if is_gone(step.subject, machine) { Verdict::Drop } else { what_to_do(&step, holding, &kept) };
        match verdict {
            Verdict::GiveBack | Verdict::MoveOn(_) if left_out => drop_step(lease, index, &mut exchange),
            Verdict::Drop => drop_step(lease, index, &mut exchange),
            Verdict::GiveBack => {
                lease.give_back(index);
                changes.given_back += 1;
            }
            Verdict::MoveOn(task) => {
                let to = least_crowded(holding.clear, &mut crowd, machine);
                exchange = to.map(|to| (index, Action::Migrate { task, to })).or(exchange);
            }
            Verdict::Confine(share) if !left_out => exchange = Some((index, Action::Confine(share))),
            Verdict::Confine(_) | Verdict::Keep => {}
        }
    }
    // One a tick: the lease is not steady any more.
    if let Some((index, action)) = exchange {
        lease.exchange(index, action);
        changes.taken += 1;
    }
    kept
}

/// Drops a step; one that is to be exchanged and comes after it moves up.
fn drop_step(lease: &mut Lease, index: usize, exchange: &mut Option<(usize, Action)>) {
    lease.drop_step(index);
    if let Some((later, _)) = exchange {
        *later = later.saturating_sub(1);
    }
}

enum Verdict {
    Keep,
    /// Nobody is left to give it back to.
    Drop,
    GiveBack,
    /// Another share.
    Confine(Share),
    /// The core it was moved to is to be clear too.
    MoveOn(TaskId),
}

fn what_to_do(step: &Step, holding: &Holding, kept: &Kept) -> Verdict {
    match (step.action, step.undo) {
        (Action::Pause(id), _) if !holding.paused.has(id) => Verdict::GiveBack,
        // Home again, but not before the core takes tasks again.
        (Action::Migrate { task, .. }, Action::Migrate { to: home, .. })
            if !holding.clear.has(home) && !kept.paused.has(task) && !kept.dedicated =>
        {
            Verdict::GiveBack
        }
        (Action::Migrate { task, to }, _) if holding.clear.has(to) && !kept.paused.has(task) => {
            Verdict::MoveOn(task)
        }
        (Action::Dedicate(_), _) if !holding.dedicate => Verdict::GiveBack,
        // No policy that steers asks for colours.
        (Action::Recolour(_), _) => Verdict::GiveBack,
        (Action::Confine(share), _) => match holding.share {
            None => Verdict::GiveBack,
            Some(wanted) if wanted != share => Verdict::Confine(wanted),
            Some(_) => Verdict::Keep,
        },
        _ => Verdict::Keep,
    }
}

fn kept_by(lease: &Lease) -> Kept {
    let mut kept = Kept::default();
    for (step, _) in lease.steps() {
        match step.action {
            Action::Pause(id) => kept.paused.insert(id),
            Action::Migrate { task, .. } => kept.moved.insert(task),
            Action::Dedicate(_) => kept.dedicated = true,
            Action::Confine(_) => kept.confined = true,
            Action::Resume(_)
            | Action::Share(_)
            | Action::Unconfine
            | Action::Recolour(_)
            | Action::Uncolour => {}
        }
    }
    kept
}

/// Whether another task uses the slot now, or none.
fn is_gone<M: Monitor>(subject: Subject, machine: &M) -> bool {
    match subject {
        Subject::Task { id, generation, .. } => {
            machine.counts(id).is_none_or(|counts| counts.generation != generation)
        }
        Subject::Core(_) | Subject::SecondClass => false,
    }
}

fn crowd_of(tasks: &[Watched]) -> [u8; 64] {
    let mut crowd = [0u8; 64];
    for task in tasks.iter().filter(|task| task.runnable) {
        if let Some(count) = crowd.get_mut(usize::from(task.core.0)) {
            *count = count.saturating_add(1);
        }
    }
    crowd
}

/// The second-class core with the fewest tasks that need not be clear; it is
/// counted in. At most 64 are compared.
fn least_crowded<M: Topology>(clear: CoreSet, crowd: &mut [u8; 64], machine: &M) -> Option<CoreId> {
    let takes = |core: &CoreId| !clear.has(*core) && machine.roles(*core).has(Roles::SECOND_CLASS);
    let of = |core: &CoreId| crowd.get(usize::from(core.0)).copied().unwrap_or(u8::MAX);
    let to = machine.cores().iter().filter(takes).min_by_key(of)?;
    if let Some(count) = crowd.get_mut(usize::from(to.0)) {
        *count = count.saturating_add(1);
    }
    Some(to)
}
