//! The end of the kernel, made readable: stop the other cores, say what
//! happened where, end QEMU with a code of its own.

use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use umbra_x86_64::interrupts::{ExceptionFrame, REGISTER_NAMES, exception_name};
use umbra_x86_64::{apic, cpu};

use crate::serial::Text;
use crate::{cores, exit, serial, tasks};

/// Return addresses followed at most.
const BACKTRACE_DEPTH: usize = 24;
/// The APIC id plus one of the core that is writing an epitaph; 0 for none.
static WRITER: AtomicU32 = AtomicU32::new(0);

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    // A workload's panic is its own affair, if the kernel itself is not in the
    // middle of something on this core.
    if tasks::may_end_current() {
        tasks::end_current_by_panic(info);
    }
    begin();
    let _ = writeln!(Text, "reason:    {}", info.message());
    if let Some(place) = info.location() {
        let _ = writeln!(Text, "at:        {}:{}:{}", place.file(), place.line(), place.column());
    }
    finish(cpu::frame_pointer())
}

/// The epitaph of an exception that nobody could be held to account for.
pub(crate) fn of_exception(frame: &ExceptionFrame, fault_address: Option<u64>) -> ! {
    begin();
    let name = exception_name(frame.vector);
    let _ = writeln!(Text, "reason:    {name} (vector {}), error code {:#x}", frame.vector, frame.error);
    if let Some(address) = fault_address {
        let _ = writeln!(Text, "address:   {address:#018x}");
    }
    let _ =
        writeln!(Text, "rip:       {:#018x}  rsp {:#018x}  rflags {:#x}", frame.rip, frame.rsp, frame.rflags);
    for (names, values) in REGISTER_NAMES.chunks(4).zip(frame.registers.chunks(4)) {
        for (name, value) in names.iter().zip(values) {
            let _ = write!(Text, "{name:>4} {value:#018x} ");
        }
        let _ = writeln!(Text);
    }
    finish(frame.registers[8])
}

/// Whether some core is writing an epitaph, so that this one must stop.
pub(crate) fn is_being_written() -> bool {
    WRITER.load(Ordering::Acquire) != 0
}

fn begin() {
    cpu::disable_interrupts();
    let me = cores::apic_id_if_up().map_or(1, |id| id.wrapping_add(1).max(1));
    match WRITER.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {}
        // A fault while writing the epitaph: what is out is out.
        Err(writer) if writer == me => exit::end(exit::Code::Panic),
        Err(_) => cpu::halt_forever(),
    }
    cores::stop_others(apic::Ipi::NonMaskable);
    // SAFETY: the others are stopped or about to stop, and this core never
    // returns to whatever held the port.
    unsafe { serial::take_over() };
    let _ = writeln!(Text, "\n======== UMBRA STOPPED ========");
    let _ = writeln!(Text, "core:      {}", cores::describe_current());
    let _ = writeln!(Text, "task:      {}", tasks::describe_current());
}

fn finish(frame_pointer: u64) -> ! {
    let _ = write!(Text, "backtrace:");
    let mut pointer = frame_pointer;
    for _ in 0..BACKTRACE_DEPTH {
        let Some(next) = cores::readable_frame(pointer) else { break };
        let _ = write!(Text, " {:#x}", next.return_address);
        if next.caller <= pointer {
            break;
        }
        pointer = next.caller;
    }
    let base = crate::memory::kernel_base();
    let _ =
        writeln!(Text, "\nkernel at {base:#x}: subtract it from the addresses to find them in the ELF file");
    let _ = writeln!(Text, "===============================");
    exit::end(exit::Code::Panic)
}
