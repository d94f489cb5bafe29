//! Port I/O, and the few ports the kernel itself drives.

use x86_64::instructions::port::{PortReadOnly, PortWriteOnly};

/// Reads a byte port.
///
/// # Safety
/// Reading it has no effect that breaks memory safety.
#[must_use]
pub unsafe fn read_u8(port: u16) -> u8 {
    // SAFETY: the caller vouches for the port.
    unsafe { PortReadOnly::new(port).read() }
}

/// Reads a 32-bit port.
///
/// # Safety
/// As for [`read_u8`].
#[must_use]
pub unsafe fn read_u32(port: u16) -> u32 {
    // SAFETY: the caller vouches for the port.
    unsafe { PortReadOnly::new(port).read() }
}

/// Writes a byte port.
///
/// # Safety
/// Writing it has no effect that breaks memory safety.
pub unsafe fn write_u8(port: u16, value: u8) {
    // SAFETY: the caller vouches for the port.
    unsafe { PortWriteOnly::new(port).write(value) }
}

/// Writes a 16-bit port.
///
/// # Safety
/// As for [`write_u8`].
pub unsafe fn write_u16(port: u16, value: u16) {
    // SAFETY: the caller vouches for the port.
    unsafe { PortWriteOnly::new(port).write(value) }
}

/// Writes a 32-bit port.
///
/// # Safety
/// As for [`write_u8`].
pub unsafe fn write_u32(port: u16, value: u32) {
    // SAFETY: the caller vouches for the port.
    unsafe { PortWriteOnly::new(port).write(value) }
}

/// Port of QEMU's `isa-debug-exit` device as the run command places it.
const DEBUG_EXIT: u16 = 0xF4;

/// Ends QEMU with status `2 * code + 1` where the exit device is present; does
/// nothing elsewhere.
pub fn debug_exit(code: u32) {
    // SAFETY: port F4H is the exit device under QEMU and unassigned on PCs
    // (it was the 80287's on PC/AT-class machines without an integrated FPU).
    unsafe { write_u32(DEBUG_EXIT, code) }
}

/// Masks both legacy interrupt controllers (8259A), which firmware may have
/// left open: all their lines off, vectors moved off the exceptions first.
pub fn disable_legacy_pic() {
    // SAFETY: the initialisation sequence of the 8259A data sheet; every line
    // ends up masked, so no interrupt can result.
    unsafe {
        for (command, data, vector) in [(0x20, 0x21, 0x20), (0xA0, 0xA1, 0x28)] {
            write_u8(command, 0x11);
            write_u8(data, vector);
            write_u8(data, if command == 0x20 { 4 } else { 2 });
            write_u8(data, 1);
            write_u8(data, 0xFF);
        }
    }
}

/// Asks the keyboard controller to pulse the reset line.
pub fn keyboard_reset() {
    // SAFETY: command FEH of the 8042 resets the machine; nothing runs after it.
    unsafe { write_u8(0x64, 0xFE) }
}
