//! What QEMU does not promise: fields of its structures, and hooks into the
//! accelerator's table. Every one is tried out before it is used.
//!
//! The offsets are those of Debian's 10.0 build. The checks do not compare
//! versions but behaviour: a flag is changed through its offset and must show
//! through the exported function that reads it.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use crate::api::{Cpu, Qemu, symbol};

const RUNNING: usize = 0xB4;
const STOPPED: usize = 0xC3;
const FLAGS: usize = 0x2C8;
const HALTED: usize = 0x2CC;
/// Of the clock's state: what was skipped while all were idle.
const BIAS: usize = 40;

/// Of the guest's registers, in words: RIP, and in half words HFLAGS.
const RIP: usize = 16;
const HFLAGS_HALF: usize = 44;

const USE_ICOUNT: u32 = 0x2000;
/// Makes translated code look up which vCPU runs it; without, a block counts
/// for the vCPU that translated it.
const PARALLEL: u32 = 0x8000;

/// One vCPU's structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuState(pub(crate) Cpu);

impl CpuState {
    /// Whether it is inside translated code or about to be.
    pub(crate) fn is_running(self) -> bool {
        // SAFETY: the offset was checked; the field is read by its own thread.
        unsafe { ptr::read_volatile(self.0.add(RUNNING)) != 0 }
    }

    pub(crate) fn is_halted(self) -> bool {
        // SAFETY: as above.
        unsafe { ptr::read_volatile(self.0.add(HALTED).cast::<u32>()) != 0 }
    }

    /// Lets the vCPU run when its thread comes to it, or not.
    pub(crate) fn set_open(self, open: bool) {
        // SAFETY: as above; a stopped vCPU is passed over.
        unsafe { ptr::write_volatile(self.0.add(STOPPED), u8::from(!open)) }
    }

    fn halted(self) -> *mut u32 {
        // SAFETY: inside the structure.
        unsafe { self.0.add(HALTED).cast() }
    }

    /// Sets what every block of this vCPU is translated with.
    pub(crate) fn choose_flags(self, qemu: &Qemu) -> Result<(), String> {
        // SAFETY: both functions read the flags; the field is checked by them.
        unsafe {
            if !(qemu.has_flags)(self.0, USE_ICOUNT) {
                return Err("it runs without -icount shift=0,sleep=off".into());
            }
            let flags: *mut u32 = self.0.add(FLAGS).cast();
            *flags = *flags & !USE_ICOUNT | PARALLEL;
            if (qemu.has_flags)(self.0, USE_ICOUNT) || !(qemu.has_flags)(self.0, PARALLEL) {
                return Err("translation flags are not where they were".into());
            }
        }
        Ok(())
    }

    /// Tries the other offsets out, on a vCPU that runs or one that does not.
    pub(crate) fn check(self, qemu: &Qemu, runs: bool) -> Result<(), String> {
        if self.is_running() != runs {
            return Err("a vCPU's running mark is not where it was".into());
        }
        // SAFETY: on the emulating thread, with the lock held; all is put back.
        unsafe {
            let stopped = ptr::read_volatile(self.0.add(STOPPED));
            self.set_open(false);
            let closed = (qemu.is_stopped)(self.0);
            self.set_open(true);
            let open = !(qemu.is_stopped)(self.0);
            let halted = ptr::replace(self.halted(), 0);
            let awake = !(qemu.thread_is_idle)(self.0);
            let asleep = (qemu.has_work)(self.0) || {
                *self.halted() = 1;
                (qemu.thread_is_idle)(self.0)
            };
            *self.halted() = halted;
            ptr::write_volatile(self.0.add(STOPPED), stopped);
            if !(closed && open && stopped <= 1) {
                return Err("a vCPU's stop mark is not where it was".into());
            }
            if !(awake && asleep && halted == u32::from(!runs)) {
                return Err("a vCPU's halt mark is not where it was".into());
            }
        }
        Ok(())
    }
}

/// The guest's registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuestRegisters(pub(crate) *mut u64);

impl GuestRegisters {
    pub(crate) const RAX: usize = 0;
    pub(crate) const RCX: usize = 1;
    pub(crate) const RDX: usize = 2;
    pub(crate) const RBX: usize = 3;

    pub(crate) fn get(self, number: usize) -> u64 {
        // SAFETY: one of the sixteen.
        unsafe { *self.0.add(number) }
    }

    pub(crate) fn set(self, number: usize, value: u64) {
        // SAFETY: one of the sixteen; translated code reloads them.
        unsafe { *self.0.add(number) = value }
    }

    pub(crate) fn low(self, number: usize) -> u32 {
        u32::try_from(self.get(number) & 0xFFFF_FFFF).unwrap_or(0)
    }

    /// EDX:EAX.
    pub(crate) fn pair(self) -> u64 {
        u64::from(self.low(Self::RDX)) << 32 | u64::from(self.low(Self::RAX))
    }

    /// EDX:EAX, upper halves zero.
    pub(crate) fn set_pair(self, value: u64) {
        self.set(Self::RAX, value & 0xFFFF_FFFF);
        self.set(Self::RDX, value >> 32);
    }

    /// Valid once the state has been restored.
    pub(crate) fn instruction_pointer(self) -> u64 {
        self.get(RIP)
    }

    pub(crate) fn set_instruction_pointer(self, value: u64) {
        self.set(RIP, value);
    }

    /// The current privilege level.
    pub(crate) fn privilege(self) -> u32 {
        // SAFETY: inside the structure.
        unsafe { *self.0.cast::<u32>().add(HFLAGS_HALF) & 3 }
    }
}

/// The clock hooks, to be put into the accelerator's table.
pub(crate) struct Hooks {
    pub(crate) virtual_clock: unsafe extern "C" fn() -> i64,
    pub(crate) elapsed_ticks: unsafe extern "C" fn() -> i64,
    pub(crate) thread_is_idle: unsafe extern "C" fn(Cpu) -> bool,
}

/// Puts the hooks in place of QEMU's own, after making sure that the table is
/// laid out as it was: five neighbours are known functions.
pub(crate) fn hook(qemu: &Qemu, hooks: &Hooks) -> Result<(), String> {
    const NAME: &[u8] = b"tcg-accel-ops\0";
    let clock = symbol(c"icount_get")?.addr();
    let handle_interrupt = symbol(c"icount_handle_interrupt")?.addr();
    let plain_interrupt = symbol(c"tcg_handle_interrupt")?.addr();
    let start_thread = symbol(c"rr_start_vcpu_thread")?.addr();
    let kick_thread = symbol(c"rr_kick_vcpu_thread")?.addr();
    // SAFETY: the class exists when a vCPU does; the table is not larger than 40 words.
    unsafe {
        let table = (qemu.class_by_name)(NAME.as_ptr().cast::<c_char>());
        if table.is_null() {
            return Err("it has no table of accelerator functions".into());
        }
        let at = (9..40).find(|at| *table.add(*at) == clock).ok_or("the clock is not in its table")?;
        let slot = |offset: isize| table.offset(isize::try_from(at).unwrap_or(0) + offset);
        let expected = *slot(1) == 0
            && *slot(2) == clock
            && *slot(-1) == handle_interrupt
            && *slot(-7) == 0
            && *slot(-8) == kick_thread
            && *slot(-9) == start_thread;
        if !expected {
            return Err("the table of accelerator functions is laid out differently".into());
        }
        *slot(0) = hooks.virtual_clock as usize;
        *slot(2) = hooks.elapsed_ticks as usize;
        *slot(-7) = hooks.thread_is_idle as usize;
        // Counting instructions is off, so an interrupt may be raised anywhere.
        *slot(-1) = plain_interrupt;
    }
    Ok(())
}

/// What QEMU adds to its clock when it skips idle time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SkippedTime(*mut i64);

impl SkippedTime {
    /// Finds it and tries it out; before the clock is hooked.
    pub(crate) fn find(qemu: &Qemu) -> Result<Self, String> {
        let state = symbol(c"timers_state")?.cast::<u8>();
        // SAFETY: inside the structure; nothing else changes it while the lock is held.
        unsafe {
            let bias: *mut i64 = state.add(BIAS).cast();
            let before = (qemu.virtual_clock)();
            *bias += 12_345;
            let after = (qemu.virtual_clock)();
            *bias -= 12_345;
            if after - before != 12_345 {
                return Err("the clock's skipped time is not where it was".into());
            }
            Ok(Self(bias))
        }
    }

    /// In nanoseconds since the start.
    pub(crate) fn nanoseconds(self) -> u64 {
        // SAFETY: checked; QEMU writes it atomically.
        u64::try_from(unsafe { ptr::read_volatile(self.0) }).unwrap_or(0)
    }
}

/// Holds QEMU's big lock.
pub(crate) struct Locked<'a>(&'a Qemu);

impl<'a> Locked<'a> {
    /// Takes the lock; none when this thread has it already.
    pub(crate) fn take(qemu: &'a Qemu) -> Option<Self> {
        // SAFETY: the lock may be taken wherever translated code runs.
        unsafe {
            if (qemu.is_locked)() {
                return None;
            }
            (qemu.lock)(c"umbra-model".as_ptr(), c_int::from(0u8));
        }
        Some(Self(qemu))
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // SAFETY: taken by this value.
        unsafe { (self.0.unlock)() }
    }
}

/// Sends an interrupt message to a local APIC, as a device would.
pub(crate) fn send_message(qemu: &Qemu, apic: u64, data: u32) {
    let mut data = data;
    // SAFETY: four bytes, written to the APICs' message window.
    unsafe { (qemu.physical_memory)(0xFEE0_0000 | apic << 12, (&raw mut data).cast::<c_void>(), 4, true) }
}
