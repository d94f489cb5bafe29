//! Switching from one stack to another.
//!
//! A task that is not running is its stack pointer: everything else lies on
//! its stack. The kernel is compiled without vector registers, so six
//! registers and the return address are the whole of it.

use core::arch::naked_asm;

/// Bytes [`prepare`] uses at the top of a new stack.
const FRAME_BYTES: usize = 9 * 8;

/// Saves the running context on its own stack, stores the stack pointer at
/// `save`, and continues the context whose stack pointer is `resume`: 16
/// instructions in all. Returns when somebody switches back.
///
/// # Safety
/// Interrupts are off; `save` is valid for a write; `resume` was stored by this
/// function or made by [`prepare`], its stack is mapped and not in use by any
/// core, and it is resumed at most once.
#[unsafe(naked)]
pub unsafe extern "sysv64" fn switch(save: *mut u64, resume: u64) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}

/// Leaves the running context for ever and continues `resume`.
///
/// # Safety
/// As for [`switch`]; nothing on the stack that is left needs to be dropped.
#[unsafe(naked)]
pub unsafe extern "sysv64" fn abandon(resume: u64) -> ! {
    naked_asm!("mov rsp, rdi", "pop r15", "pop r14", "pop r13", "pop r12", "pop rbp", "pop rbx", "ret",)
}

/// Lays out the first frame of a new context that will call `entry(argument)`
/// with interrupts off, and returns the stack pointer to resume. `stack` is the
/// whole stack; its lowest bytes are the last to be used.
///
/// # Panics
/// When the stack is smaller than the frame.
#[must_use]
pub fn prepare(stack: &mut [u64], entry: extern "sysv64" fn(u64) -> !, argument: u64) -> u64 {
    let words = FRAME_BYTES / 8;
    // RSP + 8 is a multiple of 16 where a function begins (System V ABI 3.2.2).
    let top = stack.len() & !1;
    let frame = &mut stack[top - words..top];
    // r15, r14, r13, r12, rbp, rbx, return address, end-of-backtrace mark, pad.
    frame.copy_from_slice(&[0, 0, 0, entry as usize as u64, 0, argument, begin as *const () as u64, 0, 0]);
    frame.as_ptr() as u64
}

/// First instructions of every new context: `rbx` holds the argument, `r12`
/// the entry point.
#[unsafe(naked)]
unsafe extern "sysv64" fn begin() -> ! {
    naked_asm!("mov rdi, rbx", "xor ebp, ebp", "call r12", "ud2")
}
