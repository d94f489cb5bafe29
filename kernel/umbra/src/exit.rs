//! Ways out: end QEMU with a code, switch the machine off, reset it.

use core::sync::atomic::{AtomicU64, Ordering};

use umbra_hw::acpi::{Register, Reset, Space};
use umbra_x86_64::{cpu, ports};

/// Codes written to the exit device; QEMU's status is twice the code plus one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Code {
    /// Status 33.
    Success = 0x10,
    /// Status 35.
    Failure = 0x11,
    /// Status 37.
    Panic = 0x12,
}

/// Port and value of the ACPI soft-off command, packed; 0 when unknown.
static SOFT_OFF: AtomicU64 = AtomicU64::new(0);
/// Port and value of the ACPI reset register, packed; 0 when unknown.
static RESET: AtomicU64 = AtomicU64::new(0);

/// Ends QEMU; on a machine without the exit device the core stops.
pub(crate) fn end(code: Code) -> ! {
    ports::debug_exit(code as u32);
    cpu::halt_forever()
}

/// Remembers how ACPI switches the machine off and resets it.
pub(crate) fn learn(pm1a_control: Option<Register>, sleep_type: Option<u8>, reset: Option<Reset>) {
    if let (Some(register), Some(sleep_type)) = (pm1a_control, sleep_type)
        && register.space == Space::Port
        && let Ok(port) = u16::try_from(register.address)
    {
        // SLP_TYP in bits 10 to 12, SLP_EN in bit 13 (ACPI 6.5, 4.8.3.2.1).
        let value = u64::from(sleep_type & 7) << 10 | 1 << 13;
        SOFT_OFF.store(u64::from(port) << 16 | value, Ordering::Relaxed);
    }
    if let Some(reset) = reset
        && reset.register.space == Space::Port
        && let Ok(port) = u16::try_from(reset.register.address)
    {
        RESET.store(u64::from(port) << 16 | u64::from(reset.value), Ordering::Relaxed);
    }
}

/// Switches off: by the exit device under QEMU, by ACPI elsewhere.
pub(crate) fn power_off() -> ! {
    ports::debug_exit(Code::Success as u32);
    if let Some((port, value)) = unpack(&SOFT_OFF) {
        // SAFETY: the FADT names this port as PM1a control; the machine goes off.
        unsafe { ports::write_u16(port, value) };
    }
    crate::println!("this machine has no ACPI soft-off: it is safe to switch it off now");
    cpu::halt_forever()
}

/// Resets: by the ACPI reset register, the keyboard controller, a triple fault.
pub(crate) fn reboot() -> ! {
    if let Some((port, value)) = unpack(&RESET) {
        let [value, _] = value.to_le_bytes();
        // SAFETY: the FADT names this port as the reset register.
        unsafe { ports::write_u8(port, value) };
        crate::time::pause_us(50_000);
    }
    ports::keyboard_reset();
    crate::time::pause_us(50_000);
    cpu::triple_fault()
}

fn unpack(cell: &AtomicU64) -> Option<(u16, u16)> {
    let packed = cell.load(Ordering::Relaxed);
    let [a, b, c, d, ..] = packed.to_le_bytes();
    (packed != 0).then(|| (u16::from_le_bytes([c, d]), u16::from_le_bytes([a, b])))
}
