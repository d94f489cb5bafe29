//! A register write that the manual says faults, to see that it is noticed.
//! No case of the usual run: it ends the machine, one way or another.

use umbra_hw::msr;
use umbra_x86_64::cpu;

use crate::exit::{self, Code};
use crate::println;

/// The boot configuration's `case` that asks for it.
pub(super) const GROUP: &str = "forbidden";

/// Ways 0, 2, 8 and 10: not contiguous, which an Intel processor refuses with
/// #GP (SDM vol. 3B, "Enumerating and Configuring Cache Allocation", on masks).
const SCATTERED_WAYS: u64 = 0x505;

/// Writes it. Where the processor has no such register that faults as well.
pub(super) fn write_mask() -> ! {
    println!("writing a mask that is not contiguous");
    // SAFETY: the worst that may come of it is the fault that it is for.
    unsafe { cpu::write_msr(msr::L3_MASK, SCATTERED_WAYS) };
    println!("the write was let through");
    exit::end(Code::Failure)
}
