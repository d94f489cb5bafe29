//! The interrupt descriptor table and its entry stubs.
//!
//! Two kinds of entry: *exceptions* save every register, so that an epitaph
//! can show them and a handler may give up the context for good; *interrupts*
//! save only what a Rust function may clobber, since they are the hot path.

use core::arch::naked_asm;
use core::cell::UnsafeCell;

use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

use crate::descriptors::InterruptStack;

/// Vectors of our own interrupts, above the 32 exceptions.
pub mod vector {
    /// Local APIC timer.
    pub const TIMER: u8 = 0x40;
    /// Doorbell from another core.
    pub const DOORBELL: u8 = 0x41;
    /// Local APIC error.
    pub const ERROR: u8 = 0x42;
    /// A performance counter overflowed.
    pub const COUNTERS: u8 = 0x43;
    /// Spurious interrupt (low four bits set, as old APICs want it).
    pub const SPURIOUS: u8 = 0xFF;
}

/// Everything saved at an exception, in the order it lies on the stack.
#[repr(C)]
#[derive(Clone, Debug)]
pub struct ExceptionFrame {
    /// r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax.
    pub registers: [u64; 15],
    /// Exception number.
    pub vector: u64,
    /// The processor's error code, 0 where the exception has none.
    pub error: u64,
    /// Instruction at which it happened.
    pub rip: u64,
    /// Code segment.
    pub cs: u64,
    /// Flags.
    pub rflags: u64,
    /// Stack pointer at that instruction.
    pub rsp: u64,
    /// Stack segment.
    pub ss: u64,
}

/// Names of [`ExceptionFrame::registers`], in their order.
pub const REGISTER_NAMES: [&str; 15] =
    ["r15", "r14", "r13", "r12", "r11", "r10", "r9", "r8", "rbp", "rdi", "rsi", "rdx", "rcx", "rbx", "rax"];

/// Name of an exception (SDM vol. 3A table 6-1).
#[must_use]
pub const fn exception_name(vector: u64) -> &'static str {
    match vector {
        0 => "divide error",
        1 => "debug",
        2 => "non-maskable interrupt",
        3 => "breakpoint",
        4 => "overflow",
        5 => "bound range",
        6 => "invalid opcode",
        7 => "device not available",
        8 => "double fault",
        10 => "invalid TSS",
        11 => "segment not present",
        12 => "stack fault",
        13 => "general protection",
        14 => "page fault",
        16 => "x87 error",
        17 => "alignment check",
        18 => "machine check",
        19 => "SIMD error",
        20 => "virtualisation",
        21 => "control protection",
        _ => "reserved exception",
    }
}

/// The kernel's handlers. Interrupts are off while they run.
#[derive(Clone, Copy, Debug)]
pub struct Handlers {
    /// Any exception. Returning resumes at the saved context.
    pub exception: extern "sysv64" fn(&mut ExceptionFrame),
    /// Timer interrupt.
    pub timer: extern "sysv64" fn(),
    /// Doorbell interrupt.
    pub doorbell: extern "sysv64" fn(),
    /// Overflow of a performance counter.
    pub counters: extern "sysv64" fn(),
}

/// Written once by [`install`], before anything reads it.
struct Installed<T>(UnsafeCell<T>);

// SAFETY: `install` is the only writer and runs before any other core does and
// before any interrupt can arrive; afterwards there are only readers.
unsafe impl<T> Sync for Installed<T> {}

static HANDLERS: Installed<Option<Handlers>> = Installed(UnsafeCell::new(None));
static TABLE: Installed<[Gate; 256]> = Installed(UnsafeCell::new([Gate::MISSING; 256]));

/// A 64-bit interrupt gate (SDM vol. 3A 6.14.1).
#[repr(C)]
#[derive(Clone, Copy)]
struct Gate {
    offset_low: u16,
    selector: u16,
    stack: u8,
    attributes: u8,
    offset_middle: u16,
    offset_high: u32,
    reserved: u32,
}

impl Gate {
    const MISSING: Self = Self {
        offset_low: 0,
        selector: 0,
        stack: 0,
        attributes: 0,
        offset_middle: 0,
        offset_high: 0,
        reserved: 0,
    };

    const fn new(handler: u64, stack: Option<InterruptStack>) -> Self {
        let [a, b, c, d, e, f, g, h] = handler.to_le_bytes();
        Self {
            offset_low: u16::from_le_bytes([a, b]),
            selector: 8,
            // 0 means the running stack; the table's entries count from 1.
            stack: match stack {
                Some(stack) => stack as u8 + 1,
                None => 0,
            },
            // Present, ring 0, 64-bit interrupt gate: interrupts go off.
            attributes: 0x8E,
            offset_middle: u16::from_le_bytes([c, d]),
            offset_high: u32::from_le_bytes([e, f, g, h]),
            reserved: 0,
        }
    }
}

/// Fills the table. Called once, on the boot core, before any core loads it.
///
/// # Safety
/// No core has loaded the table, and no other core runs.
pub unsafe fn install(handlers: Handlers) {
    // SAFETY: the caller vouches that nobody else uses either static yet.
    let (slot, table) = unsafe { (&mut *HANDLERS.0.get(), &mut *TABLE.0.get()) };
    *slot = Some(handlers);
    for (gate, stub) in table.iter_mut().zip(EXCEPTIONS) {
        *gate = Gate::new(stub as *const () as u64, None);
    }
    for (vector, stack) in [
        (2, InterruptStack::NonMaskable),
        (8, InterruptStack::DoubleFault),
        (14, InterruptStack::PageFault),
        (18, InterruptStack::MachineCheck),
    ] {
        table[vector] = Gate::new(EXCEPTIONS[vector] as *const () as u64, Some(stack));
    }
    for gate in table.iter_mut().skip(EXCEPTIONS.len()) {
        *gate = Gate::new(ignore as *const () as u64, None);
    }
    for (number, stub) in [
        (vector::TIMER, timer_entry as *const ()),
        (vector::DOORBELL, doorbell_entry as *const ()),
        (vector::COUNTERS, counters_entry as *const ()),
    ] {
        table[usize::from(number)] = Gate::new(stub as u64, None);
    }
}

/// Makes this core use the table.
pub fn load() {
    let base = VirtAddr::from_ptr(TABLE.0.get());
    let pointer = DescriptorTablePointer { limit: 256 * 16 - 1, base };
    // SAFETY: the table was filled by `install` before any core gets here, and
    // it is never changed afterwards.
    unsafe { lidt(&pointer) };
}

fn handlers() -> Handlers {
    // SAFETY: written once by `install`, before any interrupt can arrive.
    match unsafe { *HANDLERS.0.get() } {
        Some(handlers) => handlers,
        None => crate::cpu::halt_forever(),
    }
}

extern "sysv64" fn on_exception(frame: &mut ExceptionFrame) {
    (handlers().exception)(frame);
}

extern "sysv64" fn on_timer() {
    (handlers().timer)();
}

extern "sysv64" fn on_doorbell() {
    (handlers().doorbell)();
}

extern "sysv64" fn on_counters() {
    (handlers().counters)();
}

/// Common tail of the exception stubs: vector and error code are pushed.
#[unsafe(naked)]
unsafe extern "sysv64" fn exception_common() -> ! {
    naked_asm!(
        "push rax", "push rbx", "push rcx", "push rdx", "push rsi", "push rdi", "push rbp",
        "push r8", "push r9", "push r10", "push r11", "push r12", "push r13", "push r14", "push r15",
        "cld",
        "mov rdi, rsp",
        // The processor aligned RSP to 16 before pushing an even number of
        // words (5 + error + vector + 15 = 22), so the call is aligned.
        "call {handler}",
        "pop r15", "pop r14", "pop r13", "pop r12", "pop r11", "pop r10", "pop r9", "pop r8",
        "pop rbp", "pop rdi", "pop rsi", "pop rdx", "pop rcx", "pop rbx", "pop rax",
        "add rsp, 16",
        "iretq",
        handler = sym on_exception,
    )
}

macro_rules! exception {
    ($name:ident, $vector:literal, error) => {
        #[unsafe(naked)]
        unsafe extern "sysv64" fn $name() -> ! {
            naked_asm!(concat!("push ", $vector), "jmp {common}", common = sym exception_common)
        }
    };
    ($name:ident, $vector:literal) => {
        #[unsafe(naked)]
        unsafe extern "sysv64" fn $name() -> ! {
            naked_asm!("push 0", concat!("push ", $vector), "jmp {common}", common = sym exception_common)
        }
    };
}

exception!(e0, 0);
exception!(e1, 1);
exception!(e2, 2);
exception!(e3, 3);
exception!(e4, 4);
exception!(e5, 5);
exception!(e6, 6);
exception!(e7, 7);
exception!(e8, 8, error);
exception!(e9, 9);
exception!(e10, 10, error);
exception!(e11, 11, error);
exception!(e12, 12, error);
exception!(e13, 13, error);
exception!(e14, 14, error);
exception!(e15, 15);
exception!(e16, 16);
exception!(e17, 17, error);
exception!(e18, 18);
exception!(e19, 19);
exception!(e20, 20);
exception!(e21, 21, error);

/// Stubs of vectors 0 to 21; the vectors from 22 to 31 are reserved.
const EXCEPTIONS: [unsafe extern "sysv64" fn() -> !; 22] =
    [e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11, e12, e13, e14, e15, e16, e17, e18, e19, e20, e21];

macro_rules! interrupt {
    ($name:ident, $handler:ident) => {
        #[unsafe(naked)]
        unsafe extern "sysv64" fn $name() -> ! {
            naked_asm!(
                "push rax", "push rcx", "push rdx", "push rsi", "push rdi",
                "push r8", "push r9", "push r10", "push r11",
                "cld",
                // 5 + 9 words are pushed: an even number, so RSP is aligned.
                "call {handler}",
                "pop r11", "pop r10", "pop r9", "pop r8",
                "pop rdi", "pop rsi", "pop rdx", "pop rcx", "pop rax",
                "iretq",
                handler = sym $handler,
            )
        }
    };
}

interrupt!(timer_entry, on_timer);
interrupt!(doorbell_entry, on_doorbell);
interrupt!(counters_entry, on_counters);

/// Spurious and unexpected vectors: no acknowledgement (SDM vol. 3A 11.9).
#[unsafe(naked)]
unsafe extern "sysv64" fn ignore() -> ! {
    naked_asm!("iretq")
}
