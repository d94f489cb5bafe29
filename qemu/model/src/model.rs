//! The running model: its state, each vCPU's time and counts.
//!
//! All of it belongs to the one emulating thread (see [`crate::clock`] for
//! what the main thread reads).
//!
//! Translated code counts instructions into one word a vCPU, and memory adds
//! stalls to it; at [`LIMIT`] the block is not entered. A vCPU whose turn it
//! is not has its word there already.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Instant;

use umbra_model::registers::{Effect, Raw};
use umbra_model::{Hierarchy, Registers};

use crate::accesses::{Pages, forget_line};
use crate::api::{PluginId, Qemu, Word};
use crate::arguments::Arguments;
use crate::clock::{self, elapsed_ticks, virtual_clock};
use crate::entries::index;
use crate::internals::{self, CpuState, Hooks, SkippedTime};
use crate::marks::Marks;
use crate::rota::thread_is_idle;
use crate::trace::Trace;
use crate::turns::{Phase, Turns};
use crate::{refuse, report, translate};

/// Where a word stops its vCPU.
pub(crate) const LIMIT: u64 = 1 << 63;
/// Units of a word that make `scale` cycles.
const SCALE: u64 = 1024;
/// The same when the other thread of the core runs too: each gets 5/8 of it.
const SHARED_CORE: u64 = SCALE * 8 / 5;

static MODEL: AtomicPtr<Model> = AtomicPtr::new(ptr::null_mut());

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
    /// Processor time that the process had used by then.
    pub(crate) begun_processor_ms: i64,
    /// Figures over the run, when they are asked for.
    pub(crate) trace: Option<Trace>,
    pub(crate) words: Word,
    pub(crate) turns: Turns,
    pub(crate) marks: Marks,
    /// Whether what was assumed about QEMU has been tried out.
    pub(crate) ready: bool,
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
        clock::set_rate(arguments.machine.clock_mhz);
        // SAFETY: plain registrations.
        let scoreboard = unsafe { (qemu.new_scoreboard)(64) };
        let model = Self {
            qemu,
            hierarchy: Hierarchy::new(&arguments.machine, arguments.quantum),
            registers: Registers::new(&arguments.machine),
            vcpus: Vec::with_capacity(vcpus),
            started: arguments.start == 0,
            begun: Instant::now(),
            begun_processor_ms: 0,
            trace: arguments.trace.as_ref().map(|_| Trace::new(vcpus, arguments.quantum)),
            words: Word { scoreboard, offset: 0 },
            turns: Turns::new(vcpus, arguments.quantum),
            marks: Marks::default(),
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
        let now = self.turns.local(thread);
        if let Some(trace) = &mut self.trace {
            trace.note(now, thread, effect);
        }
        match effect {
            Effect::None => {}
            Effect::Associate { class, resource_id } => self.hierarchy.associate(thread, class, resource_id),
            Effect::Mask { class, mask } => self.hierarchy.set_mask(class, mask),
            Effect::SecondMask { class, mask } => self.hierarchy.set_second_mask(class, mask),
            Effect::CodeAndData { second, apart } => self.hierarchy.set_code_and_data(second, apart),
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

    /// Takes figures for the trace, when they are due.
    pub(crate) fn sample(&mut self) {
        let now = self.turns.global();
        let Some(trace) = &mut self.trace else { return };
        if trace.samples.is_due(now) {
            let vcpus = self.vcpus.iter().map(|vcpu| {
                let raw = &vcpu.raw;
                [raw.instructions, raw.cycles, raw.shared_references, raw.shared_misses]
            });
            let memory = [self.hierarchy.memory_utilisation_q16(), self.hierarchy.memory_latency()];
            trace.samples.take(now, memory.into_iter().chain(vcpus.flatten()));
        }
    }

    pub(crate) fn is_active(&self, at: usize) -> bool {
        let state = self.vcpus[at].state;
        // SAFETY: reads the vCPU's state on its own thread.
        !state.is_halted() || unsafe { (self.qemu.has_work)(state.0) }
    }

    pub(crate) fn begin_quantum(&mut self) {
        let active = (0..self.vcpus.len()).fold(0u64, |set, at| set | u64::from(self.is_active(at)) << at);
        self.turns.begin_quantum(|at| active >> at & 1 != 0);
        let threads = self.arguments.machine.threads_per_core;
        for at in 0..self.vcpus.len() {
            let core = at / threads * threads;
            let both = threads == 2 && (core..core + 2).all(|one| self.turns.is_active(one));
            self.vcpus[at].scale = if both { SHARED_CORE } else { SCALE };
        }
        self.hand_over();
    }

    /// Opens the way for the vCPU whose turn it is; for all when idle.
    pub(crate) fn hand_over(&mut self) {
        let phase = self.turns.phase();
        for (at, vcpu) in self.vcpus.iter_mut().enumerate() {
            vcpu.state.set_open(phase == Phase::Idle || phase == Phase::Turn(at));
            if phase != Phase::Turn(at) {
                forget_line(at);
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

    pub(crate) fn publish(&self) {
        clock::publish(self.turns.global(), self.turns.phase() == Phase::Idle);
    }

    /// Finds the words and tries out what was assumed; once, in the first block.
    pub(crate) fn prepare(&mut self, running: usize) -> Result<(), String> {
        clock::adopt_thread();
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
        clock::set_skipped(SkippedTime::find(&qemu)?);
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

/// A pointer-sized number for QEMU to hand back.
pub(crate) fn user(number: usize) -> *mut c_void {
    ptr::without_provenance_mut(number)
}
