//! Exceptions: a task that causes one is ended, the kernel's own are fatal.

use umbra_memory::{Region, classify};
use umbra_x86_64::interrupts::{ExceptionFrame, exception_name};
use umbra_x86_64::{cpu, paging};

use crate::{epitaph, schedule, tasks};

const NON_MASKABLE: u64 = 2;
const DOUBLE_FAULT: u64 = 8;
const PAGE_FAULT: u64 = 14;
const MACHINE_CHECK: u64 = 18;

/// Every exception comes here, with interrupts off.
pub(crate) extern "sysv64" fn on_exception(frame: &mut ExceptionFrame) {
    if frame.vector == NON_MASKABLE {
        if epitaph::is_being_written() {
            cpu::halt_forever();
        }
        crate::log_line!(Warn, "non-maskable interrupt that nobody sent");
        return;
    }
    let address = (frame.vector == PAGE_FAULT).then(paging::fault_address);
    let beyond_repair = matches!(frame.vector, DOUBLE_FAULT | MACHINE_CHECK);
    if beyond_repair || !tasks::may_end_current() {
        epitaph::of_exception(frame, address);
    }
    let name = exception_name(frame.vector);
    match (address, schedule::current()) {
        (Some(address), Some(slot)) if classify(address) == Region::StackGuard(slot) => {
            tasks::end_current(format_args!("stack overflow at {address:#x}, rip {:#x}", frame.rip))
        }
        (Some(address), _) => {
            let region = classify(address);
            tasks::end_current(format_args!("page fault at {address:#x} ({region}), rip {:#x}", frame.rip))
        }
        _ => tasks::end_current(format_args!("{name}, error code {:#x}, rip {:#x}", frame.error, frame.rip)),
    }
}
