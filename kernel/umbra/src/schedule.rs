//! Who runs where: run queues, messages between cores, switches.
//!
//! Every run queue belongs to one core. Other cores ask by message: a bounded
//! ring for each pair of cores, and a doorbell. So no lock is shared with any
//! core, a first-class one least of all.
//!
//! Functions here run with interrupts off. A task that leaves its core is
//! handed on (to another core, or to whoever waits for its end) only after the
//! switch is complete, by [`after_switch`]: until then its stack is in use.

use core::sync::atomic::{AtomicBool, Ordering};

use heapless::Vec;
use umbra_sched::{
    Class, Consumer, CoreRoles, FirstClassRule, NOMINAL_WEIGHT, Occupancy, Producer, Ring, Roles, RunQueue,
    Step, TIMERS, TaskIndex, Timers, Token,
};
use umbra_x86_64::{apic, context, cpu, paging};

use crate::cores::{self, Core, MAX_CORES, NO_TASK};
use crate::tasks::{self, Phase};
use crate::time;

/// Messages a pair of cores can have under way.
pub(crate) const MAILBOX: usize = 64;
/// How long a second-class task runs before another gets its turn.
const SLICE_NS: u64 = 2_000_000;
/// Period of the control core's tick.
pub(crate) const TICK_NS: u64 = 1_000_000;
/// Timers taken in one interrupt at most: all there are.
const EXPIRIES: usize = TIMERS;
/// Role steps taken in one go at most: one for each task, and the confirming.
const ROLE_STEPS: usize = tasks::SLOTS as usize + 4;

/// What one core tells another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The task is yours: run it.
    Enqueue(u16),
    /// Run a parked task of yours again.
    Wake(u16),
    /// Take a task of yours off the run queue.
    Pause(u16),
    /// Put it back.
    Resume(u16),
    /// Give a task of yours to another core.
    Move { task: u16, to: u8 },
    /// End a task of yours, wherever it stands.
    Kill(u16),
    /// Change roles.
    Roles(u8),
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
    /// Mapping generation this core has flushed for.
    flushed: u64,
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

/// Wakes that arrived while the task was still running.
static WAKES: [AtomicBool; tasks::SLOTS as usize] = [const { AtomicBool::new(false) }; tasks::SLOTS as usize];

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
            flushed: 0,
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

/// First-class tasks run to completion where no second-class one may run, and
/// are one more fair task elsewhere.
fn rule_of(roles: Roles) -> FirstClassRule {
    if roles.has(Roles::SECOND_CLASS) { FirstClassRule::Fair } else { FirstClassRule::RunToCompletion }
}

fn class_of(slot: u16) -> Class {
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
        if WAKES[usize::from(slot)].swap(false, Ordering::Relaxed) {
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
            None => tick(now),
        }
    }
    reschedule();
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

/// Does what a message says.
fn take(core: &'static Core, message: Message) {
    match message {
        Message::Enqueue(slot) => admit(core, slot),
        Message::Wake(slot) => wake(core, slot),
        Message::Pause(slot) => withdraw(core, slot, Departure::To(Phase::Paused)),
        Message::Resume(slot) => {
            if is_mine(core, slot) && tasks::at(slot).phase() == Phase::Paused {
                admit(core, slot);
            }
        }
        Message::Move { task, to } => withdraw(core, task, Departure::Core(to)),
        Message::Kill(slot) => kill(core, slot),
        Message::Roles(roles) => {
            if let Err(refused) = owned(core).roles.request(Roles(roles)) {
                crate::log_line!(Warn, "{refused}");
            }
        }
    }
    follow_roles(core);
}

fn is_mine(core: &Core, slot: u16) -> bool {
    tasks::get(slot).is_some_and(|task| task.core.load(Ordering::Relaxed) == core.number)
}

/// Puts a task on this core's queue, or sends a second-class one on if this
/// core does not take any now.
fn admit(core: &'static Core, slot: u16) {
    let Some(task) = tasks::get(slot) else { return };
    let class = class_of(slot);
    if class == Class::Second && !owned(core).roles.accepts(Roles::SECOND_CLASS) {
        let to = best_second_class_core(core.number);
        if let Some(to) = to
            && hand_over(slot, to)
        {
            return;
        }
    }
    task.core.store(core.number, Ordering::Relaxed);
    task.set_phase(Phase::Ready);
    if let Err(error) = owned(core).queue.enqueue(TaskIndex(slot), class, NOMINAL_WEIGHT) {
        crate::log_line!(Error, "{error}");
    }
}

fn wake(core: &'static Core, slot: u16) {
    let Some(task) = tasks::get(slot).filter(|_| is_mine(core, slot)) else { return };
    match task.phase() {
        Phase::Parked | Phase::Sleeping => {
            if let Some(token) = Token::task(TaskIndex(slot)) {
                owned(core).timers.cancel(token);
            }
            admit(core, slot);
        }
        Phase::Running | Phase::Ready => WAKES[usize::from(slot)].store(true, Ordering::Relaxed),
        _ => {}
    }
}

/// Takes a task off this core's queue and lets `departure` become of it.
fn withdraw(core: &'static Core, slot: u16, departure: Departure) {
    if !is_mine(core, slot) || class_of(slot) != Class::Second {
        return;
    }
    match (tasks::at(slot).phase(), departure) {
        (Phase::Running, _) => {
            owned(core).queue.remove(TaskIndex(slot));
            owned(core).must_leave = Some(departure);
        }
        (Phase::Ready, _) => {
            owned(core).queue.remove(TaskIndex(slot));
            depart(core, slot, departure);
        }
        // A paused task has no queue: it only changes hands.
        (Phase::Paused, Departure::Core(to)) => tasks::at(slot).core.store(to, Ordering::Release),
        _ => {}
    }
}

fn kill(core: &'static Core, slot: u16) {
    if !is_mine(core, slot) || slot == tasks::CONTROL {
        return;
    }
    let task = tasks::at(slot);
    if task.phase().is_over() || task.phase() == Phase::Empty {
        return;
    }
    let state = owned(core);
    state.queue.forget(TaskIndex(slot));
    if let Some(token) = Token::task(TaskIndex(slot)) {
        state.timers.cancel(token);
    }
    if current() == Some(slot) {
        state.must_leave = Some(Departure::To(Phase::Ended));
    } else {
        task.set_phase(Phase::Ended);
    }
}

/// Takes the steps towards the roles this core is to have.
fn follow_roles(core: &'static Core) {
    for _ in 0..ROLE_STEPS {
        let state = owned(core);
        let holds = occupancy(&state.queue);
        let Some(step) = state.roles.next_step(holds) else { return };
        match step {
            Step::EvictSecondClass => {
                let (task, to) =
                    (state.queue.tasks(Class::Second).next(), best_second_class_core(core.number));
                let (Some(TaskIndex(slot)), Some(to)) = (task, to) else { return };
                withdraw(core, slot, Departure::Core(to));
            }
            Step::AwaitShadow | Step::AwaitFirstClass => return,
            Step::StopTick | Step::StartTick => {}
            Step::Confirm(roles) => {
                state.queue.set_first_class_rule(rule_of(roles));
                core.roles.store(roles.0, Ordering::Release);
            }
        }
        owned(core).roles.done(step);
    }
}

fn occupancy(queue: &RunQueue) -> Occupancy {
    let count = |class| u16::try_from(queue.tasks(class).count()).unwrap_or(u16::MAX);
    Occupancy { first: count(Class::First), shadow: count(Class::Shadow), second: count(Class::Second) }
}

/// The core other than `but` that has confirmed second-class and holds the
/// fewest tasks. Bound: the cores.
pub(crate) fn best_second_class_core(but: u8) -> Option<u8> {
    cores::all()
        .filter(|core| core.number != but)
        .filter(|core| Roles(core.roles.load(Ordering::Acquire)).has(Roles::SECOND_CLASS))
        .min_by_key(|core| core.second_class.load(Ordering::Relaxed))
        .map(|core| core.number)
}

/// Lets a task that is not running go where it goes.
fn depart(core: &'static Core, slot: u16, departure: Departure) {
    match departure {
        Departure::To(phase) => tasks::at(slot).set_phase(phase),
        Departure::Core(to) => {
            if !hand_over(slot, to) {
                // The other core's ring is full: better late than lost.
                tasks::at(slot).set_phase(Phase::Ready);
                let back = owned(core).queue.enqueue(TaskIndex(slot), class_of(slot), NOMINAL_WEIGHT);
                if let Err(error) = back {
                    crate::log_line!(Error, "{error}");
                }
            }
        }
    }
}

fn hand_over(slot: u16, to: u8) -> bool {
    let (task, me) = (tasks::at(slot), cores::this().number);
    if to == me || cores::get(to).is_none() {
        return false;
    }
    task.set_phase(Phase::Moving);
    task.core.store(to, Ordering::Release);
    let sent = send(to, Message::Enqueue(slot));
    if !sent {
        task.core.store(me, Ordering::Release);
    }
    sent
}

/// Chooses who runs, and switches if that is somebody else. Interrupts off.
pub(crate) fn reschedule() {
    let core = cores::this();
    core.handling.store(true, Ordering::Relaxed);
    let state = owned(core);
    let now = cpu::timestamp();
    let previous = current();
    settle(core, state, previous, now);
    let stays = previous.is_some_and(|slot| !state.queue.should_preempt(now, TaskIndex(slot)));
    let next = if stays && state.must_leave.is_none() {
        previous
    } else {
        state.queue.pick(now).map(|TaskIndex(slot)| slot)
    };
    core.second_class.store(u32::try_from(state.queue.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
    arm(core, state, next);
    if next == previous && state.must_leave.is_none() {
        core.handling.store(false, Ordering::Relaxed);
        return;
    }
    switch(core, state, previous, next, now);
}

/// Charges the running task for its time so far.
fn settle(core: &Core, state: &mut Owned, previous: Option<u16>, now: u64) {
    let ran = now.saturating_sub(state.switched_at);
    state.switched_at = now;
    if let Some(slot) = previous {
        let counters = &tasks::at(slot).counters;
        counters.since.store(now, Ordering::Release);
        counters.cycles.store(counters.cycles.load(Ordering::Relaxed) + ran, Ordering::Release);
        state.queue.account(TaskIndex(slot), ran);
        core.busy_cycles.store(core.busy_cycles.load(Ordering::Relaxed) + ran, Ordering::Relaxed);
    }
}

/// Sets the timer for what comes first: a task's timer, or the turn of another
/// second-class task. With neither, the core takes no timer interrupt.
fn arm(core: &Core, state: &Owned, next: Option<u16>) {
    let turn = next.and_then(|slot| state.queue.slice_end(TaskIndex(slot)));
    match turn.into_iter().chain(state.timers.next_deadline()).min() {
        Some(deadline) => {
            core.tick_off.store(false, Ordering::Relaxed);
            time::arm(deadline);
        }
        None if core.tick_off.load(Ordering::Relaxed) => {}
        None => {
            apic::mask_timer();
            core.tick_off.store(true, Ordering::Relaxed);
        }
    }
}

fn switch(core: &'static Core, state: &mut Owned, previous: Option<u16>, next: Option<u16>, now: u64) {
    core.switches.store(core.switches.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    let save: *mut u64 = match previous {
        Some(slot) => {
            let task = tasks::at(slot);
            task.counters.since.store(0, Ordering::Release);
            let departure = state.must_leave.take();
            if departure.is_none() {
                task.set_phase(Phase::Ready);
            }
            state.departing = departure.map(|departure| (slot, departure));
            // SAFETY: a running task's context is its core's to write.
            unsafe { task.context.get() }
        }
        None => &raw mut state.idle,
    };
    let resume = match next {
        Some(slot) => {
            let task = tasks::at(slot);
            task.set_phase(Phase::Running);
            task.counters.since.store(now.max(1), Ordering::Release);
            core.current.store(slot, Ordering::Relaxed);
            let mapped_in = task.mapped_in.load(Ordering::Acquire);
            if mapped_in > state.flushed {
                state.flushed = crate::spawn::mapping_generation();
                paging::flush_all();
            }
            // SAFETY: a task on this core's queue is not running, so its
            // context is this core's to read.
            unsafe { *task.context.get() }
        }
        None => {
            core.current.store(NO_TASK, Ordering::Relaxed);
            state.idle
        }
    };
    core.handling.store(false, Ordering::Relaxed);
    // SAFETY: interrupts are off; `resume` was saved by an earlier switch or
    // made by `context::prepare`, and its task is on this core's queue alone.
    unsafe { context::switch(save, resume) };
    after_switch();
}

/// First thing on every context that was switched to.
pub(crate) fn after_switch() {
    let core = cores::this();
    if let Some((slot, departure)) = owned(core).departing.take() {
        depart(core, slot, departure);
    }
    let roles = owned(core).roles;
    if roles.desired() != roles.confirmed() {
        // What the change was waiting for may just have left.
        follow_roles(core);
    }
}
