//! Single instructions, and the control-register bits that protect the kernel.

use core::arch::asm;

use x86_64::VirtAddr;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, EferFlags, GsBase, Msr};

/// Reads the time-stamp counter, not ordered against other instructions.
#[inline]
#[must_use]
pub fn timestamp() -> u64 {
    // SAFETY: RDTSC has no effect but its result; CR4.TSD is clear in ring 0.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Reads the time-stamp counter after all earlier loads and before all later
/// instructions (SDM vol. 2B, RDTSC), for timing single loads.
#[inline]
#[must_use]
pub fn ordered_timestamp() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: fences and RDTSC have no effect but the result; no memory is
    // written, but loads must not be moved across.
    unsafe {
        asm!("lfence", "rdtsc", "lfence", out("eax") low, out("edx") high, options(nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Executes CPUID. Callers check the maximum leaf first.
#[must_use]
pub fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    let result = core::arch::x86_64::__cpuid_count(leaf, subleaf);
    [result.eax, result.ebx, result.ecx, result.edx]
}

/// Reads a model-specific register.
///
/// # Safety
/// The register exists on this processor (a read of an absent one faults).
#[inline]
#[must_use]
pub unsafe fn read_msr(register: u32) -> u64 {
    // SAFETY: the caller vouches that the register exists.
    unsafe { Msr::new(register).read() }
}

/// Writes a model-specific register.
///
/// # Safety
/// The register exists, no reserved bit is set in `value`, and its effect does
/// not break memory safety.
#[inline]
pub unsafe fn write_msr(register: u32, value: u64) {
    // SAFETY: the caller vouches for register and value.
    unsafe { Msr::new(register).write(value) }
}

/// Reads a performance counter by its RDPMC index.
///
/// # Safety
/// The counter exists on this processor (an absent one faults).
#[inline]
#[must_use]
pub unsafe fn read_counter(index: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the caller vouches that the counter exists.
    unsafe {
        asm!("rdpmc", in("ecx") index, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Tells the processor that this is a spin loop.
#[inline]
pub fn relax() {
    core::hint::spin_loop();
}

/// Whether maskable interrupts are on.
#[inline]
#[must_use]
pub fn interrupts_on() -> bool {
    x86_64::instructions::interrupts::are_enabled()
}

/// Turns maskable interrupts on.
#[inline]
pub fn enable_interrupts() {
    x86_64::instructions::interrupts::enable();
}

/// Turns maskable interrupts off.
#[inline]
pub fn disable_interrupts() {
    x86_64::instructions::interrupts::disable();
}

/// Runs `body` with interrupts off and restores their state afterwards.
#[inline]
pub fn without_interrupts<R>(body: impl FnOnce() -> R) -> R {
    x86_64::instructions::interrupts::without_interrupts(body)
}

/// Turns interrupts on and halts until one arrives, with no gap between.
#[inline]
pub fn wait_for_interrupt() {
    x86_64::instructions::interrupts::enable_and_hlt();
}

/// Stops this core for good.
pub fn halt_forever() -> ! {
    loop {
        disable_interrupts();
        x86_64::instructions::hlt();
    }
}

/// Loads a null IDT and raises an exception, which resets the machine (triple
/// fault, SDM vol. 3A 6.15 "Interrupt 8"). The last resort of `reboot`.
pub fn triple_fault() -> ! {
    let pointer = x86_64::structures::DescriptorTablePointer { limit: 0, base: VirtAddr::zero() };
    // SAFETY: the machine is being reset: nothing runs after this.
    unsafe {
        x86_64::instructions::tables::lidt(&pointer);
        asm!("int3", options(noreturn));
    }
}

/// The stack pointer of the caller, for stack-depth checks.
#[inline]
#[must_use]
pub fn stack_pointer() -> u64 {
    let value: u64;
    // SAFETY: copies a register.
    unsafe { asm!("mov {}, rsp", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// The frame pointer of the caller, for backtraces.
#[inline]
#[must_use]
pub fn frame_pointer() -> u64 {
    let value: u64;
    // SAFETY: copies a register.
    unsafe { asm!("mov {}, rbp", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Executes `div` by zero: the hardware's own divide error (#DE), which safe
/// Rust cannot produce. For fault tests.
pub fn divide_by_zero() {
    // SAFETY: the divide error is delivered to the handler, which ends the task.
    unsafe {
        asm!("xor edx, edx", "xor ecx, ecx", "mov eax, 1", "div ecx", out("eax") _, out("ecx") _, out("edx") _)
    };
}

/// Points `GS` at this core's own data, whose first word holds its address.
///
/// # Safety
/// `pointer` stays valid for as long as the core runs, and the first eight
/// bytes there hold `pointer` itself.
pub unsafe fn set_core_pointer(pointer: *const ()) {
    GsBase::write(VirtAddr::from_ptr(pointer));
}

/// What [`set_core_pointer`] set.
#[inline]
#[must_use]
pub fn core_pointer() -> *const () {
    let pointer: *const ();
    // SAFETY: `set_core_pointer` put a self-pointer at GS:0 before any caller runs.
    unsafe { asm!("mov {}, gs:[0]", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

/// Protection bits that are on after [`protect`], for the boot report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Execute-disable page bit (EFER.NXE).
    pub no_execute: bool,
    /// Supervisor mode execution prevention (CR4.SMEP).
    pub smep: bool,
    /// Supervisor mode access prevention (CR4.SMAP).
    pub smap: bool,
    /// User-mode instruction prevention (CR4.UMIP).
    pub umip: bool,
}

/// Turns on CR0.WP and those of `wanted` that the caller found by CPUID.
/// Bits and their CPUID flags: SDM vol. 3A 2.5 and 4.1.4.
pub fn protect(wanted: Protection) -> Protection {
    let mut cr4 = Cr4::read();
    cr4.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, wanted.smep);
    cr4.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, wanted.smap);
    cr4.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, wanted.umip);
    cr4.insert(Cr4Flags::PAGE_GLOBAL);
    // SAFETY: only announced bits are set, and the kernel has no user pages.
    unsafe {
        Cr4::write(cr4);
        Cr0::write(Cr0::read() | Cr0Flags::WRITE_PROTECT);
        if wanted.no_execute {
            Efer::write(Efer::read() | EferFlags::NO_EXECUTE_ENABLE);
        }
    }
    wanted
}
