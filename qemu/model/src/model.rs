//! The running model: its state, the rota carried out, the clocks.
//!
//! All of it belongs to the one emulating thread. QEMU's main thread only
//! calls the clock and idle hooks, which read the atomics of [`SHARED`].
//!
//! Translated code counts instructions into one word a vCPU, and memory adds
//! stalls to it; at [`LIMIT`] the block is not entered. A vCPU whose turn it
//! is not has its word there already. No function that calls back into QEMU
//! holds a reference to the model across the call.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::time::Instant;

use umbra_model::registers::{Effect, Raw};
use umbra_model::{Hierarchy, Registers};

use crate::accesses::Pages;
use crate::api::{Cpu, PluginId, Qemu, Word};
use crate::arguments::Arguments;
use crate::entries::{Caller, index};
use crate::internals::{self, CpuState, Hooks, Locked, SkippedTime};
use crate::turns::{Phase, Turns};
use crate::{refuse, report, translate};

/// Where a word stops its vCPU.
pub(crate) const LIMIT: u64 = 1 << 63;
/// Units of a word that make `scale` cycles.
const SCALE: u64 = 1024;
/// The same when the other thread of the core runs too: each gets 5/8 of it.
const SHARED_CORE: u64 = SCALE * 8 / 5;
/// The modelled part begins at a multiple of this many seconds.
const START_SECONDS: u64 = 10;

static MODEL: AtomicPtr<Model> = AtomicPtr::new(ptr::null_mut());
static SHARED: Shared = Shared {
    global: AtomicU64::new(0),
    skipped_seen: AtomicU64::new(0),
    mhz: AtomicU64::new(1),
    idle: AtomicBool::new(true),
    between: AtomicBool::new(false),
    thread: AtomicU64::new(0),
    skipped: AtomicPtr::new(ptr::null_mut()),
};

/// What both threads read.
struct Shared {
    /// Global time in cycles.
    global: AtomicU64,
    /// Skipped nanoseconds that global time contains.
    skipped_seen: AtomicU64,
    mhz: AtomicU64,
    idle: AtomicBool,
    /// Timers are run: the clock shows global time.
    between: AtomicBool,
    /// The emulating thread.
    thread: AtomicU64,
    skipped: AtomicPtr<SkippedTime>,
}

/// One vCPU.
pub(crate) struct Vcpu {
    pub(crate) state: CpuState,
    pub(crate) word: *mut u64,
    /// The word when its time was last brought up to date.
    settled_word: u64,
    /// Units of the word since then that were stalls.
    stall_units: u64,
    scale: u64,
    pub(crate) raw: Raw,
    pub(crate) pages: Pages,
    /// The counters' entry of its local vector table.
    pub(crate) counter_vector: u32,
}

/// Everything.
pub(crate) struct Model {
    pub(crate) qemu: Qemu,
    pub(crate) arguments: Arguments,
    pub(crate) hierarchy: Hierarchy,
    pub(crate) registers: Registers,
    pub(crate) vcpus: Vec<Vcpu>,
    pub(crate) started: bool,
    pub(crate) begun: Instant,
    pub(crate) words: Word,
    turns: Turns,
    ready: bool,
}

/// The model.
///
/// # Safety
/// On the emulating thread, and not across a call into QEMU that may call back.
pub(crate) unsafe fn model() -> &'static mut Model {
    // SAFETY: set at install, never freed.
    unsafe { &mut *MODEL.load(Ordering::Relaxed) }
}

impl Model {
    /// Called once, when the plugin is loaded.
    pub(crate) fn install(qemu: Qemu, id: PluginId, arguments: Arguments, vcpus: usize) {
        SHARED.mhz.store(arguments.machine.clock_mhz, Ordering::Relaxed);
        // SAFETY: plain registrations.
        let scoreboard = unsafe { (qemu.new_scoreboard)(64) };
        let model = Self {
            qemu,
            hierarchy: Hierarchy::new(&arguments.machine, arguments.quantum),
            registers: Registers::new(&arguments.machine),
            vcpus: Vec::with_capacity(vcpus),
            started: arguments.start == 0,
            begun: Instant::now(),
            words: Word { scoreboard, offset: 0 },
            turns: Turns::new(vcpus, arguments.quantum),
            ready: false,
            arguments,
        };
        MODEL.store(Box::into_raw(Box::new(model)), Ordering::Relaxed);
        // SAFETY: the callbacks have the types that QEMU declares for them.
        unsafe {
            (qemu.register_vcpu_init)(id, vcpu_begins);
            (qemu.register_translate)(id, translate::block_translated);
            (qemu.register_exit)(id, report::emulator_ends, ptr::null_mut());
        }
    }

    /// Brings a vCPU's time and counts up to date.
    pub(crate) fn settle(&mut self, at: usize) {
        let vcpu = &mut self.vcpus[at];
        // SAFETY: a word of the scoreboard.
        let word = unsafe { *vcpu.word };
        let units = word.wrapping_sub(vcpu.settled_word);
        let cycles = units * vcpu.scale / SCALE;
        self.turns.set_local(at, self.turns.local(at) + cycles);
        let traffic = self.hierarchy.counts(at);
        vcpu.raw.cycles += cycles;
        vcpu.raw.instructions += units.saturating_sub(vcpu.stall_units);
        vcpu.raw.shared_references = traffic.shared_references;
        vcpu.raw.shared_misses = traffic.shared_misses;
        vcpu.settled_word = word;
        vcpu.stall_units = 0;
        if self.registers.settle(at, &vcpu.raw) {
            self.interrupt_for_overflow(at);
        }
    }

    /// Sets a vCPU's word so that it stops at the end of the quantum, or
    /// earlier where a counter may overflow.
    pub(crate) fn wind(&mut self, at: usize) {
        let remaining = self.turns.end().saturating_sub(self.turns.local(at));
        let remaining =
            self.registers.cycles_to_interrupt(at).map_or(remaining, |until| remaining.min(until));
        let vcpu = &mut self.vcpus[at];
        let units = (remaining * SCALE).div_ceil(vcpu.scale).max(1);
        vcpu.settled_word = LIMIT - units;
        // SAFETY: a word of the scoreboard.
        unsafe { *vcpu.word = vcpu.settled_word }
    }

    /// A vCPU's time now, without bringing anything up to date.
    pub(crate) fn now(&self, at: usize) -> u64 {
        let vcpu = &self.vcpus[at];
        // SAFETY: a word of the scoreboard.
        let units = unsafe { *vcpu.word }.wrapping_sub(vcpu.settled_word);
        self.turns.local(at) + units * vcpu.scale / SCALE
    }

    /// Makes a vCPU wait.
    pub(crate) fn stall(&mut self, at: usize, cycles: u64) {
        let vcpu = &mut self.vcpus[at];
        let units = cycles * SCALE / vcpu.scale;
        vcpu.stall_units += units;
        // SAFETY: a word of the scoreboard.
        unsafe { *vcpu.word += units }
    }

    /// Carries out what a register write changes.
    pub(crate) fn carry_out(&mut self, thread: usize, effect: Effect) {
        match effect {
            Effect::None => {}
            Effect::Associate { class, resource_id } => self.hierarchy.associate(thread, class, resource_id),
            Effect::Mask { class, mask } => self.hierarchy.set_mask(class, mask),
            Effect::Throttle { class, throttle } => self.hierarchy.set_throttle(class, throttle),
        }
    }

    /// Delivers what the local vector table says and masks it, as the manual
    /// has it; the vCPU's own number is its APIC id.
    fn interrupt_for_overflow(&mut self, at: usize) {
        const MASKED: u32 = 1 << 16;
        let entry = self.vcpus[at].counter_vector;
        if entry & MASKED == 0 && entry != 0 {
            self.vcpus[at].counter_vector |= MASKED;
            let data = entry & 0x7FF;
            let qemu = self.qemu;
            internals::send_message(&qemu, u64::try_from(at).unwrap_or(0), data);
        }
    }

    fn is_active(&self, at: usize) -> bool {
        let state = self.vcpus[at].state;
        // SAFETY: reads the vCPU's state on its own thread.
        !state.is_halted() || unsafe { (self.qemu.has_work)(state.0) }
    }

    fn begin_quantum(&mut self) {
        let active: Vec<bool> = (0..self.vcpus.len()).map(|at| self.is_active(at)).collect();
        self.turns.begin_quantum(|at| active[at]);
        let threads = self.arguments.machine.threads_per_core;
        for at in 0..self.vcpus.len() {
            let core = at / threads * threads;
            let both = threads == 2 && (core..core + 2).all(|one| self.turns.is_active(one));
            self.vcpus[at].scale = if both { SHARED_CORE } else { SCALE };
        }
        self.hand_over();
    }

    /// Opens the way for the vCPU whose turn it is; for all when idle.
    fn hand_over(&mut self) {
        let phase = self.turns.phase();
        for (at, vcpu) in self.vcpus.iter_mut().enumerate() {
            vcpu.state.set_open(phase == Phase::Idle || phase == Phase::Turn(at));
            if phase != Phase::Turn(at) {
                // SAFETY: a word of the scoreboard.
                unsafe { *vcpu.word = LIMIT }
                vcpu.settled_word = LIMIT;
            }
        }
        if let Phase::Turn(next) = phase {
            self.wind(next);
        }
        self.publish();
    }

    fn publish(&self) {
        SHARED.global.store(self.turns.global(), Ordering::Relaxed);
        SHARED.idle.store(self.turns.phase() == Phase::Idle, Ordering::Release);
    }

    /// Finds the words and tries out what was assumed; once, in the first block.
    fn prepare(&mut self, running: usize) -> Result<(), String> {
        // SAFETY: asks for the caller's own identity.
        SHARED.thread.store(unsafe { libc::pthread_self() }, Ordering::Relaxed);
        for at in 0..self.vcpus.len() {
            let number = c_uint::try_from(at).unwrap_or(0);
            // SAFETY: the vCPU exists.
            self.vcpus[at].word =
                unsafe { (self.qemu.find_scoreboard)(self.words.scoreboard, number) }.cast();
            self.vcpus[at].state.check(&self.qemu, at == running)?;
        }
        self.ready = true;
        Ok(())
    }
}

/// Ends the turn that is over. The big lock is held.
unsafe fn finish_turn() {
    // SAFETY: the emulating thread; the reference ends before the timers run.
    let run_timers = unsafe {
        let model = model();
        if model.turns.finish_turn() {
            model.hand_over();
            return;
        }
        let anyone = (0..model.vcpus.len()).any(|at| model.is_active(at));
        model.turns.close_quantum(anyone);
        model.hierarchy.advance(model.turns.global());
        model.publish();
        model.qemu.run_timers
    };
    SHARED.between.store(true, Ordering::Relaxed);
    // SAFETY: with the lock, on the emulating thread, as QEMU's own loop does.
    unsafe { run_timers() };
    SHARED.between.store(false, Ordering::Relaxed);
    // SAFETY: the emulating thread.
    unsafe { model().begin_quantum() };
}

/// A vCPU woke while all were idle: time has jumped. The big lock is held.
unsafe fn end_idling() {
    // SAFETY: the emulating thread.
    let model = unsafe { model() };
    let skipped = skipped();
    let seen = SHARED.skipped_seen.swap(skipped, Ordering::Relaxed);
    model.turns.jump(cycles(skipped - seen));
    model.hierarchy.advance(model.turns.global());
    model.begin_quantum();
}

/// A block was reached with the vCPU's word at its limit.
///
/// # Safety
/// Called by translated code, which the state is restored from.
pub(crate) unsafe fn limit_reached(at: usize, caller: Caller) {
    // SAFETY: the emulating thread.
    if unsafe { !may_stay(at) } {
        // SAFETY: the caller's state.
        unsafe { leave(at, caller) }
    }
}

unsafe fn may_stay(at: usize) -> bool {
    // SAFETY: the emulating thread; references end before calls that may call back.
    unsafe {
        let qemu = model().qemu;
        if !model().ready {
            let _locked = Locked::take(&qemu);
            let prepared = model().prepare(at);
            if let Err(why) = prepared {
                refuse(&why);
            }
        }
        let phase = model().turns.phase();
        if phase == Phase::Turn(at) {
            model().settle(at);
            if model().turns.local(at) < model().turns.end() {
                model().wind(at);
                return true;
            }
            let _locked = Locked::take(&qemu);
            finish_turn();
        } else if phase == Phase::Idle {
            let _locked = Locked::take(&qemu);
            end_idling();
        }
        model().turns.phase() == Phase::Turn(at)
    }
}

/// Leaves the block before its next instruction and lets another vCPU run.
///
/// # Safety
/// As [`limit_reached`]; nothing on the stack may need dropping.
unsafe fn leave(at: usize, caller: Caller) -> ! {
    // SAFETY: the vCPU is the one that called.
    unsafe {
        let qemu = model().qemu;
        let vcpu = &model().vcpus[at];
        vcpu.state.set_open(model().turns.phase() == Phase::Idle);
        let cpu = vcpu.state.0;
        (qemu.request_exit)(cpu);
        restore(&qemu, cpu, caller);
        (qemu.leave_loop)(cpu)
    }
}

/// Makes the guest's registers those before the instruction that called.
///
/// # Safety
/// As [`limit_reached`].
pub(crate) unsafe fn restore(qemu: &Qemu, cpu: Cpu, caller: Caller) {
    // SAFETY: the address lies in the calling block; QEMU looks two bytes before
    // a return address for the call.
    if unsafe { !(qemu.restore_state)(cpu, caller.return_address - 2) } {
        refuse("a block's state cannot be restored");
    }
}

/// The first block of the modelled part was reached.
///
/// # Safety
/// As [`limit_reached`].
pub(crate) unsafe fn start_reached(at: usize, caller: Caller) {
    // SAFETY: the emulating thread.
    unsafe {
        let model = model();
        if model.started || model.turns.phase() != Phase::Turn(at) {
            return;
        }
        model.settle(at);
        let step = model.arguments.machine.clock_mhz * 1_000_000 * START_SECONDS;
        let now = model.turns.local(at);
        model.turns.restart((now / step + 1) * step);
        model.hierarchy = Hierarchy::new(&model.arguments.machine, model.arguments.quantum);
        model.hierarchy.advance(model.turns.global());
        model.registers = Registers::new(&model.arguments.machine);
        model.vcpus.iter_mut().for_each(|vcpu| {
            vcpu.raw = Raw::default();
            vcpu.pages.clear();
        });
        model.started = true;
        model.begun = Instant::now();
        let qemu = model.qemu;
        let cpu = model.vcpus[at].state.0;
        model.begin_quantum();
        (qemu.flush_blocks)(cpu);
        leave_started(at, caller)
    }
}

unsafe fn leave_started(at: usize, caller: Caller) -> ! {
    // SAFETY: as the callers'.
    unsafe {
        let qemu = model().qemu;
        let cpu = model().vcpus[at].state.0;
        (qemu.request_exit)(cpu);
        restore(&qemu, cpu, caller);
        (qemu.leave_loop)(cpu)
    }
}

unsafe extern "C" fn vcpu_begins(_: PluginId, number: c_uint) {
    // SAFETY: with the lock held, before any block runs.
    let begun = unsafe { begin_vcpu(number) };
    if let Err(why) = begun {
        refuse(&why);
    }
}

unsafe fn begin_vcpu(number: c_uint) -> Result<(), String> {
    // SAFETY: the emulating thread.
    let model = unsafe { model() };
    let qemu = model.qemu;
    // SAFETY: the vCPU exists now.
    let state = CpuState(unsafe { (qemu.get_cpu)(c_int::try_from(number).unwrap_or(-1)) });
    if state.0.is_null() || index(number) != model.vcpus.len() {
        return Err("vCPUs come in another order".into());
    }
    state.choose_flags(&qemu)?;
    if model.vcpus.is_empty() {
        let skipped = SkippedTime::find(&qemu)?;
        SHARED.skipped_seen.store(skipped.nanoseconds(), Ordering::Relaxed);
        SHARED.skipped.store(Box::into_raw(Box::new(skipped)), Ordering::Release);
        internals::hook(&qemu, &Hooks { virtual_clock, elapsed_ticks, thread_is_idle })?;
    }
    // SAFETY: the vCPU exists; its word may move until all do.
    let word = unsafe { (qemu.find_scoreboard)(model.words.scoreboard, number) }.cast::<u64>();
    // SAFETY: as above.
    unsafe { *word = LIMIT };
    model.vcpus.push(Vcpu {
        state,
        word,
        settled_word: LIMIT,
        stall_units: 0,
        scale: SCALE,
        raw: Raw::default(),
        pages: Pages::default(),
        counter_vector: 0,
    });
    Ok(())
}

/// QEMU_CLOCK_VIRTUAL, in nanoseconds.
unsafe extern "C" fn virtual_clock() -> i64 {
    // Cycles times 1000 over MHz, without overflow for as long as a run may take.
    let mhz = SHARED.mhz.load(Ordering::Relaxed);
    let cycles = clock();
    let nanoseconds = cycles / mhz * 1000 + cycles % mhz * 1000 / mhz;
    i64::try_from(nanoseconds).unwrap_or(i64::MAX)
}

/// The timestamp counter, in cycles.
unsafe extern "C" fn elapsed_ticks() -> i64 {
    i64::try_from(clock()).unwrap_or(i64::MAX)
}

/// The running vCPU's own time; outside of guest code, global time.
fn clock() -> u64 {
    // SAFETY: asks for the caller's own identity.
    let here = unsafe { libc::pthread_self() } == SHARED.thread.load(Ordering::Relaxed);
    if here && !SHARED.between.load(Ordering::Relaxed) {
        // SAFETY: the emulating thread, and no caller holds a reference.
        let model = unsafe { model() };
        if let Phase::Turn(at) = model.turns.phase()
            && model.vcpus[at].state.is_running()
        {
            return model.now(at);
        }
    }
    let unseen = skipped().saturating_sub(SHARED.skipped_seen.load(Ordering::Relaxed));
    SHARED.global.load(Ordering::Relaxed) + cycles(unseen)
}

fn skipped() -> u64 {
    // SAFETY: null or a value that lives for ever.
    unsafe { SHARED.skipped.load(Ordering::Acquire).as_ref() }.map_or(0, |skipped| skipped.nanoseconds())
}

/// Rounded up, so that a timer that was jumped to has expired.
fn cycles(nanoseconds: u64) -> u64 {
    (nanoseconds * SHARED.mhz.load(Ordering::Relaxed)).div_ceil(1000)
}

/// Whether a halted vCPU without work has nothing to do. On the emulating
/// thread this is where a turn ends by HLT or by waiting for a start-up
/// message; the big lock is held.
unsafe extern "C" fn thread_is_idle(cpu: Cpu) -> bool {
    // SAFETY: asks for the caller's own identity.
    if unsafe { libc::pthread_self() } == SHARED.thread.load(Ordering::Relaxed) {
        // SAFETY: the emulating thread; references end before calls that may call back.
        unsafe {
            if !model().ready {
                return true;
            }
            if let Phase::Turn(at) = model().turns.phase()
                && model().vcpus[at].state.0 == cpu
            {
                model().settle(at);
                finish_turn();
                return model().turns.phase() == Phase::Idle;
            }
        }
        return true;
    }
    SHARED.idle.load(Ordering::Acquire)
}

/// A pointer-sized number for QEMU to hand back.
pub(crate) fn user(number: usize) -> *mut c_void {
    ptr::without_provenance_mut(number)
}
