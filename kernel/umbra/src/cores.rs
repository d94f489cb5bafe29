//! Per-core state, reached through `GS`.

use core::cell::UnsafeCell;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use heapless::String;
use umbra_control::machine::CoreSet;
use umbra_sched::{Roles, Stopwatch};
use umbra_x86_64::apic::{self, Ipi};
use umbra_x86_64::cpu;
use umbra_x86_64::descriptors::{CoreTables, INTERRUPT_STACKS};

use crate::log::{LogRing, Record};
use crate::schedule::Owned;

/// Cores supported: what a [`CoreSet`] holds.
pub(crate) const MAX_CORES: usize = 64;
/// The core that runs console, planner and tick.
pub(crate) const CONTROL: u8 = 0;
/// No task.
pub(crate) const NO_TASK: u16 = u16::MAX;

/// One core. Other cores read the atomics; `owned` is the core's alone.
#[repr(C, align(128))]
pub(crate) struct Core {
    /// Its own address, where `GS` points.
    this: *const Core,
    pub(crate) number: u8,
    apic_id: AtomicU32,
    /// Set by the core itself once it can take messages.
    pub(crate) online: AtomicU32,
    roles: AtomicU8,
    /// Its timer is masked.
    pub(crate) tick_off: AtomicBool,
    /// Inside an interrupt handler. Own core only.
    pub(crate) handling: AtomicBool,
    /// The running task's slot.
    pub(crate) current: AtomicU16,
    /// Interrupts taken.
    pub(crate) interrupts: AtomicU64,
    /// Cycles on tasks, up to the last switch.
    pub(crate) busy: Stopwatch,
    /// Context switches.
    pub(crate) switches: AtomicU64,
    /// Mapping generation it has flushed for; the core itself writes.
    pub(crate) flushed: AtomicU64,
    /// Tasks on its run queue.
    pub(crate) queued: AtomicU32,
    pub(crate) log: LogRing,
    pub(crate) owned: UnsafeCell<Owned>,
    tables: UnsafeCell<CoreTables>,
}

// SAFETY: `this` never changes; `owned` and `tables` are reached by the core
// itself only, with interrupts off; the rest is atomic or written once before
// the core is published.
unsafe impl Sync for Core {}

static CORES: [AtomicPtr<Core>; MAX_CORES] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CORES];
static COUNT: AtomicU8 = AtomicU8::new(0);
/// Core 0 has its `GS`.
static UP: AtomicBool = AtomicBool::new(false);
/// Scheduling has begun.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Bytes of a core's own stack, on which it idles.
const IDLE_STACK_BYTES: u64 = 32 << 10;
/// Bytes of each interrupt stack.
const INTERRUPT_STACK_BYTES: u64 = 16 << 10;

impl Core {
    /// Its local APIC's id.
    pub(crate) fn apic_id(&self) -> u32 {
        self.apic_id.load(Ordering::Relaxed)
    }

    /// Roles it has confirmed.
    pub(crate) fn roles(&self) -> Roles {
        Roles(self.roles.load(Ordering::Acquire))
    }

    /// Publishes its roles; the core itself, or boot on its behalf.
    pub(crate) fn confirm(&self, roles: Roles) {
        self.roles.store(roles.0, Ordering::Release);
    }

    /// Whether it has forgotten what it had cached before that mapping
    /// generation.
    pub(crate) fn has_flushed_for(&self, generation: u64) -> bool {
        self.flushed.load(Ordering::Acquire) >= generation
    }
}

/// Notes the boot core's APIC id, known only once its APIC is on.
pub(crate) fn learn_apic_id(apic_id: u32) {
    let core = this();
    core.apic_id.store(apic_id, Ordering::Relaxed);
    core.online.store(1, Ordering::Release);
}

/// Makes the state of core `number` and returns it with the top of its stack.
pub(crate) fn create(number: u8, apic_id: u32) -> Result<(&'static Core, u64), crate::memory::MemoryError> {
    let stack = crate::memory::map_core_stack(number, 0, IDLE_STACK_BYTES)?;
    let mut tops = [0; INTERRUPT_STACKS];
    for (index, top) in (1..).zip(tops.iter_mut()) {
        *top = crate::memory::map_core_stack(number, index, INTERRUPT_STACK_BYTES)?;
    }
    let room = crate::memory::object::<Core>(1)?;
    let place = &mut room[0];
    let this = place.as_ptr();
    let core = place.write(Core {
        this,
        number,
        apic_id: AtomicU32::new(apic_id),
        online: AtomicU32::new(0),
        roles: AtomicU8::new(0),
        tick_off: AtomicBool::new(false),
        handling: AtomicBool::new(false),
        current: AtomicU16::new(NO_TASK),
        interrupts: AtomicU64::new(0),
        busy: Stopwatch::new(),
        switches: AtomicU64::new(0),
        flushed: AtomicU64::new(0),
        queued: AtomicU32::new(0),
        log: LogRing::new(),
        owned: UnsafeCell::new(Owned::new()),
        tables: UnsafeCell::new(CoreTables::new(tops)),
    });
    CORES[usize::from(number)].store(core, Ordering::Release);
    Ok((core, stack))
}

/// Makes the running core `core`: descriptor tables and `GS`.
pub(crate) fn enter(core: &'static Core) {
    // SAFETY: this core is the only user of its tables; the structure is never
    // freed and its first word is its own address.
    unsafe {
        (*core.tables.get()).load();
        cpu::set_core_pointer(core.this.cast());
    }
    umbra_x86_64::interrupts::load();
    if core.number == CONTROL {
        UP.store(true, Ordering::Release);
    }
}

/// The running core.
#[inline]
pub(crate) fn this() -> &'static Core {
    // SAFETY: `enter` set the pointer to a `Core` that is never freed.
    unsafe { &*cpu::core_pointer().cast::<Core>() }
}

/// A core by number.
pub(crate) fn get(number: u8) -> Option<&'static Core> {
    let pointer = CORES.get(usize::from(number))?.load(Ordering::Acquire);
    // SAFETY: a pointer that is not null was stored by `create`.
    unsafe { pointer.as_ref() }
}

/// Forgets a core that did not answer.
pub(crate) fn forget(number: u8) {
    CORES[usize::from(number)].store(core::ptr::null_mut(), Ordering::Release);
}

/// Says how many cores run, numbered from 0.
pub(crate) fn set_count(count: u8) {
    COUNT.store(count, Ordering::Release);
}

/// Cores that run, numbered from 0 to this less one.
pub(crate) fn count() -> u8 {
    COUNT.load(Ordering::Acquire).max(1)
}

/// All cores that run.
pub(crate) fn all() -> impl Iterator<Item = &'static Core> {
    (0..count()).filter_map(get)
}

/// All cores that run, as a set.
pub(crate) fn set() -> CoreSet {
    CoreSet(if count() >= 64 { u64::MAX } else { (1 << count()) - 1 })
}

/// Scheduling begins: logs go through the rings from here on.
pub(crate) fn begin_running() {
    RUNNING.store(true, Ordering::Release);
}

/// Whether scheduling has begun.
pub(crate) fn are_running() -> bool {
    RUNNING.load(Ordering::Acquire)
}

/// The running core's number; 0 during early boot.
pub(crate) fn number() -> u8 {
    if UP.load(Ordering::Acquire) { this().number } else { 0 }
}

/// Whether this is the control core (or early boot, which becomes it).
pub(crate) fn is_control() -> bool {
    number() == CONTROL
}

/// The running core's APIC id once it is known.
pub(crate) fn apic_id_if_up() -> Option<u32> {
    UP.load(Ordering::Acquire).then(|| this().apic_id())
}

/// The running core in words.
pub(crate) fn describe_current() -> String<64> {
    let mut text = String::new();
    let _ = match apic_id_if_up() {
        Some(apic_id) => write!(text, "{} (APIC id {apic_id})", this().number),
        None => text.write_str("0 (early boot)"),
    };
    text
}

/// Sends `ipi` to every other core that runs.
pub(crate) fn stop_others(ipi: Ipi) {
    let Some(me) = apic_id_if_up() else { return };
    for number in 0..MAX_CORES {
        let Some(core) = u8::try_from(number).ok().and_then(get) else { continue };
        if core.apic_id() != me && core.online.load(Ordering::Acquire) != 0 {
            apic::send(core.apic_id(), ipi);
        }
    }
}

/// Puts a record into this core's log ring; interrupts are off.
pub(crate) fn push_log(record: Record) -> Result<(), Record> {
    match this().log.producer() {
        Some(mut producer) => producer.push(record),
        None => Err(record),
    }
}

/// A stack frame with a saved frame pointer.
pub(crate) struct StackFrame {
    pub(crate) caller: u64,
    pub(crate) return_address: u64,
}

/// The frame that `pointer` names, if it can be read.
pub(crate) fn readable_frame(pointer: u64) -> Option<StackFrame> {
    if pointer == 0
        || !pointer.is_multiple_of(8)
        || !(crate::memory::is_mapped(pointer) && crate::memory::is_mapped(pointer + 8))
    {
        return None;
    }
    // SAFETY: both words are mapped; they are only read.
    let (caller, return_address) = unsafe { (*(pointer as *const u64), *((pointer + 8) as *const u64)) };
    (return_address != 0).then_some(StackFrame { caller, return_address })
}
