//! Moves pages of live tasks to the colours they are to have: one task at a
//! time, a few steps a round of the control task. Control task only.
//!
//! A second-class task is held off its core around the steps of a round and
//! runs again until the next. Remapping under a running task was refused: it
//! needs every page write-protected, flushed on the task's core and watched for
//! faults before it is copied, two flushes a page instead of one a step, to
//! spare the task a pause of some tens of microseconds. First-class workload,
//! shadow and echo are moved while they have nothing to do, with interrupts off
//! for a step, so that the tick cannot release them in the middle of one.
//!
//! Old frames go back once no core can reach them. Cores that take second-class
//! tasks are asked to flush, by message, and answer with the generation they
//! have flushed for; one that does not answer in time is asked again. A core
//! without that role is neither asked nor waited for: a first-class run is not
//! disturbed. It cannot run a task whose mapping is newer than its last flush
//! without flushing first (`schedule::switch`), and only tasks touch these
//! pages, so what it may still have cached is never used.

mod cost;

use core::sync::atomic::Ordering;

pub(crate) use cost::colouring;
use umbra_memory::{ColourSet, Frame, Owner, Recolouring, STEP_PAGES, Step, StepBudget, Tally};
use umbra_sched::Roles;
use umbra_x86_64::cpu;

use crate::cells::Handed;
use crate::memory::{Areas, colours, moving};
use crate::schedule::{self, Message, Subject};
use crate::tasks::{self, Phase, Task};
use crate::{aside, cores, first_class, log_line, spawn, time};

/// What a step may do: about 50 µs, little beside a tick.
const BUDGET: StepBudget = StepBudget { moves: 16, looks: 512 };
/// Steps in a round at most.
const STEPS: u32 = 8;
/// How long a task runs between counting and moving, so that the pages in use
/// show themselves.
const WARM_NS: u64 = 10_000_000;
/// How long another core may take to do what it was asked, before this round
/// is given up (the task's core) or it is asked again (cores that flush).
const ANSWER_NS: u64 = 100_000;
/// How long until a core that has not flushed is asked again.
const AGAIN_NS: u64 = 2_000_000;
/// After so many times the log tells of it, once a move; asking goes on.
const TRIES: u32 = 3;

const _: () = assert!(BUDGET.moves <= STEP_PAGES);

/// Where a move stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Steps can be done once the task is kept off.
    Moving,
    /// Between counting and moving.
    Warming { until_ns: u64 },
    /// Cores are to flush for this generation.
    Flushing { generation: u64, asked_ns: u64, tries: u32 },
}

struct Move {
    slot: u16,
    generation: u32,
    areas: Areas,
    owner: Owner,
    work: Recolouring,
    /// The task runs between counting and moving.
    warms: bool,
    stage: Stage,
    begun_ns: u64,
    /// Time in steps alone.
    copying_ns: u64,
    /// Asked to flush again.
    repeated: u32,
    /// The log has been told of a core that does not answer.
    warned: bool,
    /// Every page had its turn.
    settled: bool,
    /// Nothing is left but to let the task go.
    is_over: bool,
}

/// A move that is over, or the one under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) slot: u16,
    pub(crate) wanted: ColourSet,
    pub(crate) tally: Tally,
    /// From the first step to the last, or until now.
    pub(crate) took_ns: u64,
    /// Time in steps alone.
    pub(crate) copying_ns: u64,
    /// How often cores had to be asked again to flush.
    pub(crate) repeated: u32,
    pub(crate) over: bool,
    /// It waited for the pages in use to show themselves.
    pub(crate) warmed: bool,
}

impl Report {
    /// Pages for each second from begin to end.
    pub(crate) fn pages_per_s(&self) -> u64 {
        u64::from(self.tally.moved) * 1_000_000_000 / self.took_ns.max(1)
    }

    /// Time in steps for each page moved.
    pub(crate) fn ns_per_page(&self) -> u64 {
        self.copying_ns / u64::from(self.tally.moved).max(1)
    }
}

struct State {
    current: Option<Move>,
    last: Option<Report>,
}

static STATE: Handed<State> = Handed::new(State { current: None, last: None });

fn state() -> &'static mut State {
    debug_assert!(cores::is_control());
    // SAFETY: only the control task calls this module, and no function of it
    // calls another while it uses the state.
    unsafe { STATE.get() }
}

/// The move under way.
pub(crate) fn current() -> Option<Report> {
    state().current.as_ref().map(|work| work.report(false))
}

/// The last move that came to its end.
pub(crate) fn last() -> Option<Report> {
    state().last
}

/// Frames of `owner` that are not mapped any more and wait to be given back.
pub(crate) fn each_retiring(owner: Owner, visit: &mut dyn FnMut(Frame)) {
    let current = state().current.as_ref().filter(|work| work.owner == owner);
    current.into_iter().flat_map(|work| work.work.retiring()).for_each(|frame| visit(*frame));
}

/// The task in `slot` is over: what its move still holds is given back.
pub(crate) fn give_up(slot: u16) {
    let state = state();
    if let Some(mut work) = state.current.take_if(|work| work.slot == slot) {
        work.retire();
    }
}

/// A round. Bound: the steps of a round, and as many answers waited for.
pub(crate) fn look(now_ns: u64) {
    let state = state();
    if state.current.is_none() {
        state.current = colours::next_pending().and_then(|slot| Move::begin(slot, now_ns));
    }
    let Some(work) = &mut state.current else { return };
    // Once over it must not hold the task again: what lets it go may take until
    // the next round to arrive.
    work.is_over = work.is_over || !work.round();
    let is_free = work.let_go();
    if work.is_over && is_free {
        let (report, settled) = (work.report(true), work.settled);
        state.current = None;
        // What was overtaken by another wish is not over: that one follows.
        if settled {
            cost::learn(&report);
            state.last = Some(report);
            tell(&report);
        }
    }
}

fn tell(report: &Report) {
    let Report { slot, wanted, tally, .. } = report;
    let (rate, each) = (report.pages_per_s(), report.ns_per_page());
    log_line!(
        Info,
        "memory: task {slot} has colours {wanted}: {} of {} pages moved, {}.{:03} a ms, {each} ns each",
        tally.moved,
        tally.mapped,
        rate / 1_000,
        rate % 1_000
    );
    if tally.short + tally.refused > 0 {
        log_line!(
            Warn,
            "memory: {} pages of task {slot} stay outside its colours: no frame is free there",
            tally.short + tally.refused
        );
    }
}

impl Move {
    fn begin(slot: u16, now_ns: u64) -> Option<Self> {
        let (task, held) = (tasks::get(slot)?, colours::of(slot)?);
        // SAFETY: only the control core fills and empties slots, and it is here.
        let tenancy = (*unsafe { task.tenancy.get() }).filter(|tenancy| !tenancy.reaped)?;
        // A task that does not run, or is not moved while it does, shows no
        // pages in use: those it used before will do.
        // And where a release waits for it, it is not time for that.
        let runs = slot >= tasks::SECOND
            && matches!(task.phase(), Phase::Ready | Phase::Running)
            && !colours::are_set_apart();
        Some(Self {
            slot,
            generation: task.generation.load(Ordering::Relaxed),
            areas: tenancy.areas,
            owner: tenancy.owner,
            work: Recolouring::new(tenancy.owner, held.colours, tenancy.areas.pages(), runs),
            warms: runs,
            stage: Stage::Moving,
            begun_ns: now_ns,
            copying_ns: 0,
            repeated: 0,
            warned: false,
            settled: false,
            is_over: false,
        })
    }

    fn task(&self) -> &'static Task {
        tasks::at(self.slot)
    }

    fn report(&self, over: bool) -> Report {
        Report {
            slot: self.slot,
            wanted: self.work.wanted(),
            tally: self.work.tally(),
            took_ns: time::now_ns().saturating_sub(self.begun_ns),
            copying_ns: self.copying_ns,
            repeated: self.repeated,
            over,
            warmed: self.warms,
        }
    }

    /// Does what can be done now; false when the move is over.
    fn round(&mut self) -> bool {
        for _ in 0..STEPS {
            let now_ns = time::now_ns();
            match self.stage {
                Stage::Warming { until_ns } if now_ns < until_ns => return true,
                Stage::Warming { .. } => self.stage = Stage::Moving,
                Stage::Flushing { generation, asked_ns, tries } => {
                    if !self.is_flushed(generation) {
                        self.ask_again(generation, asked_ns, tries, now_ns);
                        return true;
                    }
                    self.retire();
                    self.stage = Stage::Moving;
                }
                Stage::Moving => {
                    if !self.is_wanted() {
                        return false;
                    }
                    let Some(step) = self.step() else { return true };
                    if step == Step::Over {
                        colours::settle(self.slot, self.work.wanted());
                        self.settled = true;
                        return false;
                    }
                    self.follow(step, now_ns);
                }
            }
        }
        true
    }

    /// Whether the task is there and its colours are still those it moves to.
    /// If not, the next move begins with what is wanted now.
    fn is_wanted(&self) -> bool {
        let same = self.task().generation.load(Ordering::Relaxed) == self.generation;
        same && colours::of(self.slot).is_some_and(|held| held.colours == self.work.wanted())
    }

    /// One step, if the task can be kept from its pages meanwhile.
    fn step(&mut self) -> Option<Step> {
        if self.slot >= tasks::SECOND {
            return self.hold().then(|| self.do_step());
        }
        cpu::without_interrupts(|| self.is_idle().then(|| self.do_step()))
    }

    /// The task is held, or idle and interrupts are off.
    fn do_step(&mut self) -> Step {
        let begun = cpu::timestamp();
        // SAFETY: the task does not run and nobody can let it: see the caller.
        let step = unsafe { moving::step(&mut self.work, self.areas, BUDGET) };
        if matches!(step, Step::Moved(_)) {
            spawn::remapped(self.slot);
            if self.slot == tasks::FIRST {
                // The echo reads the same pages.
                spawn::remapped(tasks::ECHO);
            }
        }
        self.copying_ns += time::cycles_to_ns(cpu::timestamp().wrapping_sub(begun));
        step
    }

    fn follow(&mut self, step: Step, now_ns: u64) {
        let runs = self.warms && !self.task().paused.load(Ordering::Relaxed);
        match step {
            Step::Counted if runs => {
                schedule::ask_to_flush(waited_for(), spawn::mapping_generation());
                self.stage = Stage::Warming { until_ns: now_ns + WARM_NS };
            }
            Step::Moved(_) | Step::Unretired => {
                let generation = spawn::mapping_generation();
                schedule::ask_to_flush(waited_for(), generation);
                self.stage = Stage::Flushing { generation, asked_ns: now_ns, tries: 1 };
                let until = now_ns + ANSWER_NS;
                wait_until(until, || self.is_flushed(generation));
            }
            Step::Looked | Step::Counted | Step::Over => {}
        }
    }

    fn is_flushed(&self, generation: u64) -> bool {
        waited_for().all(|core| core.has_flushed_for(generation))
    }

    fn ask_again(&mut self, generation: u64, asked_ns: u64, tries: u32, now_ns: u64) {
        if now_ns.saturating_sub(asked_ns) < AGAIN_NS {
            return;
        }
        if tries == TRIES && !self.warned {
            self.warned = true;
            let late = waited_for().find(|core| !core.has_flushed_for(generation));
            let number = late.map_or(0, |core| core.number);
            log_line!(Warn, "memory: core {number} was asked {TRIES} times to flush and has not; asking on");
        }
        schedule::ask_to_flush(waited_for(), generation);
        self.repeated += 1;
        self.stage = Stage::Flushing { generation, asked_ns: now_ns, tries: tries.saturating_add(1) };
    }

    fn retire(&mut self) {
        if let Err(error) = moving::retire(&mut self.work) {
            log_line!(Error, "memory: {error}");
        }
    }

    /// Keeps a second-class task off its core; false when that did not come
    /// about in time. What is true once stays so until [`Self::let_go`].
    fn hold(&self) -> bool {
        let task = self.task();
        let is_held = || task.held.load(Ordering::Acquire) && task.phase() == Phase::Paused;
        if is_held() {
            return true;
        }
        let core = task.core.load(Ordering::Acquire);
        // A full mailbox: the next round asks again.
        schedule::send(core, Message::Hold(Subject::of(self.slot))) && {
            wait_until(time::now_ns() + ANSWER_NS, is_held);
            is_held()
        }
    }

    /// Lets the task run again; whether it is free. One that moved to another
    /// core meanwhile is told in the next round.
    fn let_go(&self) -> bool {
        let task = self.task();
        let is_free = || !task.held.load(Ordering::Acquire) || task.phase().is_over();
        if self.slot < tasks::SECOND || is_free() {
            return true;
        }
        let core = task.core.load(Ordering::Acquire);
        let sent = schedule::send(core, Message::LetGo(Subject::of(self.slot)));
        sent && is_free()
    }

    /// Whether one of the kernel's own tasks has nothing to do. Interrupts are
    /// off, so it will have nothing to do until they are on.
    fn is_idle(&self) -> bool {
        match self.slot {
            tasks::FIRST => first_class::is_idle(),
            tasks::SHADOW => !aside::SHADOW.is_busy(),
            tasks::ECHO => !aside::ECHO.is_busy(),
            _ => false,
        }
    }
}

/// The cores that may run second-class tasks now, but this one, which flushes
/// each page as it maps it, and but one that serves a burst.
fn waited_for() -> impl Iterator<Item = &'static cores::Core> {
    let takes = |core: &&cores::Core| core.roles().has(Roles::SECOND_CLASS);
    let serves = |core: &&cores::Core| core.current.load(Ordering::Relaxed) == tasks::FIRST;
    cores::all().filter(|core| core.number != cores::CONTROL).filter(takes).filter(move |core| !serves(core))
}

fn wait_until(until_ns: u64, mut condition: impl FnMut() -> bool) {
    while !condition() && time::now_ns() < until_ns {
        cpu::relax();
    }
}
