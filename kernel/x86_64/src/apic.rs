//! The local APIC, as xAPIC (memory-mapped) or x2APIC (MSRs).
//! Register offsets and bit layouts: SDM vol. 3A chapter 11 (table 11-1).

use core::sync::atomic::{AtomicU64, Ordering};

use crate::cpu;
use crate::interrupts::vector;

/// Virtual address of the registers; 0 while in x2APIC mode or not set up.
static REGISTERS: AtomicU64 = AtomicU64::new(0);

const APIC_BASE: u32 = 0x1B;
const X2APIC_BASE: u32 = 0x800;
const TSC_DEADLINE: u32 = 0x6E0;

const ID: u32 = 0x20;
const END_OF_INTERRUPT: u32 = 0xB0;
const SPURIOUS: u32 = 0xF0;
const ERROR_STATUS: u32 = 0x280;
const COMMAND_LOW: u32 = 0x300;
const COMMAND_HIGH: u32 = 0x310;
const LVT_TIMER: u32 = 0x320;
const LVT_THERMAL: u32 = 0x330;
const LVT_PERFORMANCE: u32 = 0x340;
const LVT_LINT0: u32 = 0x350;
const LVT_LINT1: u32 = 0x360;
const LVT_ERROR: u32 = 0x370;
const INITIAL_COUNT: u32 = 0x380;
const CURRENT_COUNT: u32 = 0x390;
const DIVIDE: u32 = 0x3E0;
const TASK_PRIORITY: u32 = 0x80;

const MASKED: u32 = 1 << 16;
const MODE_DEADLINE: u32 = 2 << 17;
const DELIVERY_NMI: u32 = 4 << 8;
const DIVIDE_BY_1: u32 = 0b1011;

/// How interrupts reach a core's local APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Registers at this virtual address (mapped uncached).
    Memory(u64),
    /// Registers are MSRs; ids have 32 bits.
    X2,
}

/// Chooses the mode for the whole machine; called once, by the boot core.
///
/// # Safety
/// `Mode::Memory` names a mapping of the APIC page that stays for ever;
/// `Mode::X2` only where CPUID.01H:ECX\[21\] is set.
pub unsafe fn choose(mode: Mode) {
    REGISTERS.store(if let Mode::Memory(base) = mode { base } else { 0 }, Ordering::Relaxed);
}

/// Enables this core's APIC with every local interrupt masked but NMI.
///
/// # Safety
/// [`choose`] has been called; the interrupt table is loaded.
pub unsafe fn enable() {
    // SAFETY: IA32_APIC_BASE exists wherever CPUID announces an APIC; bit 11
    // enables it, bit 10 is set only in the mode the caller vouched for.
    unsafe {
        let base = cpu::read_msr(APIC_BASE) | 1 << 11;
        cpu::write_msr(APIC_BASE, base);
        if REGISTERS.load(Ordering::Relaxed) == 0 {
            cpu::write_msr(APIC_BASE, base | 1 << 10);
        }
    }
    write(TASK_PRIORITY, 0);
    for register in [LVT_TIMER, LVT_LINT0, LVT_ERROR, LVT_PERFORMANCE, LVT_THERMAL] {
        write(register, MASKED | u32::from(vector::SPURIOUS));
    }
    write(LVT_LINT1, DELIVERY_NMI);
    write(ERROR_STATUS, 0);
    write(SPURIOUS, 1 << 8 | u32::from(vector::SPURIOUS));
    write(DIVIDE, DIVIDE_BY_1);
}

/// This core's APIC id.
#[must_use]
pub fn id() -> u32 {
    let raw = read(ID);
    if REGISTERS.load(Ordering::Relaxed) == 0 { raw } else { raw >> 24 }
}

/// Acknowledges the interrupt in service.
#[inline]
pub fn end_of_interrupt() {
    write(END_OF_INTERRUPT, 0);
}

/// Whether a core with this id can be sent interrupts: a memory-mapped APIC
/// addresses 8-bit ids, of which 255 means everybody.
#[must_use]
pub fn can_reach(target: u32) -> bool {
    REGISTERS.load(Ordering::Relaxed) == 0 || target < 255
}

/// An inter-processor interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipi {
    /// A vector of ours.
    Fixed(u8),
    /// Non-maskable.
    NonMaskable,
    /// Reset to the wait-for-SIPI state.
    Init,
    /// Start at physical address `page * 4096`.
    Startup(u8),
}

/// Sends `ipi` to the core with APIC id `target`.
pub fn send(target: u32, ipi: Ipi) {
    const ASSERT: u32 = 1 << 14;
    let low = ASSERT
        | match ipi {
            Ipi::Fixed(vector) => u32::from(vector),
            Ipi::NonMaskable => DELIVERY_NMI,
            Ipi::Init => 5 << 8,
            Ipi::Startup(page) => 6 << 8 | u32::from(page),
        };
    if REGISTERS.load(Ordering::Relaxed) == 0 {
        // SAFETY: x2APIC mode is on, so the command register exists; reserved
        // bits are clear.
        unsafe { cpu::write_msr(X2APIC_BASE + (COMMAND_LOW >> 4), u64::from(target) << 32 | u64::from(low)) };
        return;
    }
    cpu::without_interrupts(|| {
        // The delivery-status bit clears within a bus cycle; the bound only
        // keeps a broken APIC from holding us.
        for _ in 0..100_000 {
            if read(COMMAND_LOW) & 1 << 12 == 0 {
                break;
            }
            cpu::relax();
        }
        write(COMMAND_HIGH, target << 24);
        write(COMMAND_LOW, low);
    });
}

/// Rings the doorbell of another core.
#[inline]
pub fn doorbell(target: u32) {
    send(target, Ipi::Fixed(vector::DOORBELL));
}

/// Lets an overflowing performance counter interrupt, as a vector of ours and
/// not as NMI: what follows is a switch of tasks, which an NMI in the middle of
/// one could not do. The APIC masks the entry with each delivery (SDM vol. 3A
/// 11.5.1), so this is called after each.
#[inline]
pub fn unmask_counters() {
    write(LVT_PERFORMANCE, u32::from(vector::COUNTERS));
}

/// Masks the timer: no tick until it is armed again.
#[inline]
pub fn mask_timer() {
    write(LVT_TIMER, MASKED | u32::from(vector::TIMER));
}

/// Interrupts once after `count` timer clocks (divider 1).
#[inline]
pub fn arm_count(count: u32) {
    write(LVT_TIMER, u32::from(vector::TIMER));
    write(INITIAL_COUNT, count);
}

/// Interrupts once when the time-stamp counter reaches `deadline`.
///
/// # Safety
/// CPUID.01H:ECX\[24\] (TSC deadline) is set.
#[inline]
pub unsafe fn arm_deadline(deadline: u64) {
    write(LVT_TIMER, MODE_DEADLINE | u32::from(vector::TIMER));
    // SAFETY: the caller vouches that the register exists. The fence orders the
    // mode change before the deadline (SDM vol. 3A 11.5.4.1).
    unsafe {
        core::arch::x86_64::_mm_mfence();
        cpu::write_msr(TSC_DEADLINE, deadline.max(1));
    }
}

/// Starts the timer counting down from the top with its interrupt masked, for
/// calibration.
pub fn start_count() {
    write(LVT_TIMER, MASKED | u32::from(vector::TIMER));
    write(INITIAL_COUNT, u32::MAX);
}

/// Clocks since [`start_count`].
#[must_use]
pub fn counted() -> u32 {
    u32::MAX - read(CURRENT_COUNT)
}

#[inline]
fn read(register: u32) -> u32 {
    let base = REGISTERS.load(Ordering::Relaxed);
    if base == 0 {
        // SAFETY: x2APIC mode is on, so its MSRs exist.
        let value = unsafe { cpu::read_msr(X2APIC_BASE + (register >> 4)) };
        return low_half(value);
    }
    // SAFETY: `choose` was given a mapping of the whole register page.
    unsafe { ((base + u64::from(register)) as *const u32).read_volatile() }
}

#[inline]
fn write(register: u32, value: u32) {
    let base = REGISTERS.load(Ordering::Relaxed);
    if base == 0 {
        // SAFETY: x2APIC mode is on, so its MSRs exist; the constants above set
        // no reserved bit.
        unsafe { cpu::write_msr(X2APIC_BASE + (register >> 4), u64::from(value)) };
        return;
    }
    // SAFETY: `choose` was given a mapping of the whole register page.
    unsafe { ((base + u64::from(register)) as *mut u32).write_volatile(value) };
}

fn low_half(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
