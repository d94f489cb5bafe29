//! Where translated code enters the plugin when it may not come back: the
//! return address into the block and the guest's register file (which the
//! translated code keeps in RBP) are picked up before any Rust runs.

use std::ffi::{c_uint, c_void};

use crate::emulate::special_reached;
use crate::rota::{limit_reached, start_reached};

/// What translated code leaves behind when it calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// Where the block goes on.
    pub(crate) return_address: usize,
    /// The guest's registers (`CPUX86State`).
    pub(crate) registers: *mut u64,
}

macro_rules! entry {
    ($(#[$doc:meta])* $name:ident => $target:ident) => {
        $(#[$doc])*
        #[unsafe(naked)]
        pub(crate) unsafe extern "C" fn $name(_vcpu: c_uint, _user: *mut c_void) {
            core::arch::naked_asm!("mov rdx, [rsp]", "mov rcx, rbp", "jmp {}", sym $target)
        }
    };
}

entry! {
    /// A vCPU's turn may be over.
    on_limit => limit
}
entry! {
    /// The modelled part begins.
    on_start => start
}
entry! {
    /// An instruction that the model answers is about to run.
    on_special => special
}

unsafe extern "C" fn limit(vcpu: c_uint, _user: *mut c_void, return_address: usize, registers: *mut u64) {
    // SAFETY: called by translated code on the emulating thread.
    unsafe { limit_reached(index(vcpu), Caller { return_address, registers }) }
}

unsafe extern "C" fn start(vcpu: c_uint, _user: *mut c_void, return_address: usize, registers: *mut u64) {
    // SAFETY: called by translated code on the emulating thread.
    unsafe { start_reached(index(vcpu), Caller { return_address, registers }) }
}

unsafe extern "C" fn special(vcpu: c_uint, user: *mut c_void, return_address: usize, registers: *mut u64) {
    // SAFETY: called by translated code on the emulating thread.
    unsafe { special_reached(index(vcpu), user.addr(), Caller { return_address, registers }) }
}

/// A vCPU's number as an index.
pub(crate) fn index(vcpu: c_uint) -> usize {
    usize::try_from(vcpu).unwrap_or(usize::MAX)
}
