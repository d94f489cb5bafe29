//! Who runs where: run queues, messages between cores, switches.
//!
//! Every run queue belongs to one core. Other cores ask by message: a bounded
//! ring for each pair of cores, and a doorbell. So no lock is shared with any
//! core, a first-class one least of all.
//!
//! Functions here run with interrupts off. A task that leaves its core is
//! handed on (to another core, or to whoever waits for its end) only after the
//! switch is complete, by [`after_switch`]: until then its stack is in use.

mod hold;
mod messages;
mod roles;
mod switch;

use core::sync::atomic::Ordering;

use heapless::Vec;
use umbra_sched::{
    Class, Consumer, CoreRoles, Producer, Ring, Roles, RunQueue, TIMERS, TaskIndex, Timers, Token,
};
use umbra_x86_64::{apic, cpu};

use crate::cores::{self, Core, MAX_CORES, NO_TASK};
use crate::hardware::budget;
use crate::tasks::{self, Phase};
use crate::time;

use messages::{take, wake};
use roles::rule_of;
pub(crate) use switch::{after_switch, reschedule};

/// Messages a pair of cores can have under way.
pub(crate) const MAILBOX: usize = 64;
/// How long a second-class task runs before another gets its turn.
const SLICE_NS: u64 = 2_000_000;
/// Period of the control core's tick.
pub(crate) const TICK_NS: u64 = 1_000_000;
/// The kernel's timer that ends a period of rations.
const PERIOD_END: u8 = 1;
/// Timers taken in one interrupt at most: all there are.
const EXPIRIES: usize = TIMERS;

/// A task a message is about. A slot that has another tenant by the time the
/// message is read is none of its business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    slot: u16,
    generation: u32,
}

impl Subject {
    /// The task that has `slot` now.
    pub(crate) fn of(slot: u16) -> Self {
        let generation = tasks::get(slot).map_or(0, |task| task.generation.load(Ordering::Relaxed));
        Self { slot, generation }
    }
}

/// What one core tells another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The task is yours: run it.
    Enqueue(u16),
    /// Run a parked task of yours again.
    Wake(u16),
    /// Take a task of yours off the run queue.
    Pause(Subject),
    /// Put it back.
    Resume(Subject),
    /// Keep a task of yours off the core while its pages are moved.
    Hold(Subject),
    /// They have been moved.
    LetGo(Subject),
    /// Forget cached translations and publish for which mappings.
    Flush,
    /// Give a task of yours to another core.
    Move { task: Subject, to: u8 },
    /// End a task of yours, wherever it stands.
    Kill(Subject),
    /// Change roles.
    Roles(u8),
    /// Carry out the order for the registers you reach.
    Division,
    /// Bring the cache next to you to what is wanted.
    Confine,
    /// Follow what is said of rations.
    Ration,
    /// Stream with others, to measure bandwidth.
    Stream,
    /// Count the next group of events, or stop.
    Count(u8),
}

/// The ring from one core to another.
pub(crate) type Mailbox = Ring<Message, MAILBOX>;

/// A core's own scheduling state.
pub(crate) struct Owned {
    pub(crate) queue: RunQueue,
    timers: Timers,
    roles: CoreRoles,
    outgoing: Vec<Producer<'static, Message, MAILBOX>, MAX_CORES>,
    incoming: Vec<Consumer<'static, Message, MAILBOX>, MAX_CORES>,
    /// Stack pointer of the idle context while a task runs.
    idle: u64,
    switched_at: u64,
    /// The task that was just left, and what becomes of it now that it is.
    departing: Option<(u16, Departure)>,
    /// The running task may not go on: what becomes of it.
    must_leave: Option<Departure>,
    next_tick: u64,
}

/// What becomes of a task that leaves its core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Departure {
    To(Phase),
    Core(u8),
}

impl Owned {
    pub(crate) const fn new() -> Self {
        Self {
            queue: RunQueue::new(0),
            timers: Timers::new(),
            roles: CoreRoles::new(Roles::SECOND_CLASS),
            outgoing: Vec::new(),
            incoming: Vec::new(),
            idle: 0,
            switched_at: 0,
            departing: None,
            must_leave: None,
            next_tick: 0,
        }
    }

    /// Sets what is known once the clock is and all cores have answered.
    pub(crate) fn configure(
        &mut self,
        roles: Roles,
        outgoing: Vec<Producer<'static, Message, MAILBOX>, MAX_CORES>,
        incoming: Vec<Consumer<'static, Message, MAILBOX>, MAX_CORES>,
    ) {
        self.queue = RunQueue::new(time::ns_to_cycles(SLICE_NS));
        self.queue.set_first_class_rule(rule_of(roles));
        self.roles = CoreRoles::new(roles);
        self.outgoing = outgoing;
        self.incoming = incoming;
    }
}

pub(crate) fn class_of(slot: u16) -> Class {
    match slot {
        tasks::CONTROL => Class::Control,
        tasks::FIRST => Class::First,
        tasks::SHADOW | tasks::ECHO => Class::Shadow,
        _ => Class::Second,
    }
}

/// This core's own state. Interrupts are off.
#[expect(clippy::mut_from_ref, reason = "a core's state has one user: the core, with interrupts off")]
pub(crate) fn owned(core: &Core) -> &mut Owned {
    debug_assert!(!cpu::interrupts_on());
    // SAFETY: `core` is the running core and interrupts are off, so nothing
    // else runs that could reach this state; callers keep no reference across
    // a switch.
    unsafe { &mut *core.owned.get() }
}

/// The running task's slot.
pub(crate) fn current() -> Option<u16> {
    let slot = cores::this().current.load(Ordering::Relaxed);
    (slot != NO_TASK).then_some(slot)
}

/// As [`current`], also before cores have state.
pub(crate) fn current_if_up() -> Option<u16> {
    cores::apic_id_if_up().and_then(|_| current())
}

/// Whether this core is inside the kernel: a handler or a switch.
pub(crate) fn in_handler() -> bool {
    cores::this().handling.load(Ordering::Relaxed)
}

/// Begins scheduling on this core; its boot context becomes the idle one.
pub(crate) fn run() -> ! {
    cpu::disable_interrupts();
    let core = cores::this();
    let now = cpu::timestamp();
    owned(core).switched_at = now;
    if core.number == cores::CONTROL {
        set_tick(now.wrapping_add(time::ns_to_cycles(TICK_NS)));
    }
    reschedule();
    loop {
        cpu::wait_for_interrupt();
    }
}

/// Sends a message to a core, or does what it says if that is this one. False
/// when the ring is full; nothing was sent then.
pub(crate) fn send(to: u8, message: Message) -> bool {
    cpu::without_interrupts(|| {
        let core = cores::this();
        if to == core.number {
            take(core, message);
            let was = core.handling.load(Ordering::Relaxed);
            if !was {
                reschedule();
            }
            return true;
        }
        let Some(target) = cores::get(to) else { return false };
        let sent = match owned(core).outgoing.get_mut(usize::from(to)) {
            Some(producer) => producer.push(message).is_ok(),
            None => false,
        };
        if sent {
            apic::doorbell(target.apic_id());
        }
        sent
    })
}

/// Asks those of `cores` that have not flushed for a mapping generation to do
/// so. One whose mailbox is full is left for the next time of asking.
pub(crate) fn ask_to_flush(cores: impl Iterator<Item = &'static Core>, generation: u64) {
    for core in cores.filter(|core| !core.has_flushed_for(generation)) {
        let _ = send(core.number, Message::Flush);
    }
}

/// The running task waits until it is woken by message.
pub(crate) fn park() {
    leave_for(Phase::Parked, None);
}

/// The running task sleeps until the counter reads `tsc`.
pub(crate) fn sleep_until(tsc: u64) {
    leave_for(Phase::Sleeping, Some(tsc));
}

fn leave_for(phase: Phase, deadline: Option<u64>) {
    cpu::without_interrupts(|| {
        let core = cores::this();
        let Some(slot) = current() else { return };
        if tasks::at(slot).woken.swap(false, Ordering::Relaxed) {
            return;
        }
        core.handling.store(true, Ordering::Relaxed);
        let state = owned(core);
        if let (Some(deadline), Some(token)) = (deadline, Token::task(TaskIndex(slot))) {
            state.timers.set(token, deadline);
        }
        state.queue.remove(TaskIndex(slot));
        state.must_leave = Some(Departure::To(phase));
        reschedule();
    });
}

/// The running task ends here.
pub(crate) fn leave(phase: Phase) -> ! {
    cpu::disable_interrupts();
    let core = cores::this();
    core.handling.store(true, Ordering::Relaxed);
    if let Some(slot) = current() {
        let state = owned(core);
        state.queue.forget(TaskIndex(slot));
        state.must_leave = Some(Departure::To(phase));
    }
    reschedule();
    unreachable!("a task that has ended was resumed");
}

/// Sets the control core's next tick, in cycles.
pub(crate) fn set_tick(at: u64) {
    let state = owned(cores::this());
    state.next_tick = at;
    if let Some(token) = Token::kernel(0) {
        state.timers.set(token, at);
    }
}

/// The timer interrupt. Bound: all timers once, one tick, one switch.
pub(crate) extern "sysv64" fn on_timer() {
    let core = enter();
    let now = cpu::timestamp();
    for _ in 0..EXPIRIES {
        let Some((token, _)) = owned(core).timers.pop_expired(now) else { break };
        match token.as_task() {
            Some(TaskIndex(slot)) => wake(core, slot),
            None if Some(token) == Token::kernel(PERIOD_END) => end_waiting(core),
            None => tick(now),
        }
    }
    reschedule();
}

/// A counter's overflow. Bound: six register accesses, one switch.
pub(crate) extern "sysv64" fn on_counters() {
    let core = enter();
    if let Some(until) = budget::overflowed(core) {
        let state = owned(core);
        state.queue.let_second_class_wait(true);
        if let Some(token) = Token::kernel(PERIOD_END) {
            state.timers.set(token, until);
        }
    }
    reschedule();
}

/// Second-class tasks of this core may run again. Interrupts are off.
pub(crate) fn end_waiting(core: &Core) {
    let state = owned(core);
    state.queue.let_second_class_wait(false);
    if let Some(token) = Token::kernel(PERIOD_END) {
        state.timers.cancel(token);
    }
}

/// The doorbell interrupt. Bound: every ring's capacity, one switch.
pub(crate) extern "sysv64" fn on_doorbell() {
    let core = enter();
    for index in 0..MAX_CORES {
        if index >= owned(core).incoming.len() {
            break;
        }
        for _ in 0..MAILBOX {
            let Some(message) = owned(core).incoming[index].pop() else { break };
            take(core, message);
        }
    }
    reschedule();
}

/// Begins a handler. A task that has used up its stack to where a handler
/// could run over the guard is ended here, before anything is touched.
fn enter() -> &'static Core {
    let core = cores::this();
    core.interrupts.fetch_add(1, Ordering::Relaxed);
    apic::end_of_interrupt();
    if let Some(slot) = current().filter(|slot| *slot != tasks::CONTROL) {
        let left = cpu::stack_pointer().wrapping_sub(tasks::at(slot).stack_bottom.load(Ordering::Relaxed));
        if left < crate::spawn::HANDLER_STACK_BYTES {
            tasks::end_current(format_args!("stack overflow: {left} bytes left at an interrupt"));
        }
    }
    core.handling.store(true, Ordering::Relaxed);
    core
}

fn tick(now: u64) {
    let wanted_ns = crate::control::tick(time::ns_at(now));
    let period = time::ns_to_cycles(TICK_NS);
    // A late tick is not made up for: the next one is a period from now.
    let regular = owned(cores::this()).next_tick.wrapping_add(period).max(now.wrapping_add(period / 2));
    let wanted = wanted_ns.map_or(regular, time::tsc_at);
    set_tick(regular.min(wanted).max(now.wrapping_add(1)));
}
