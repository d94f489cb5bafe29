//! The serial port: everything a user sees goes through here.
//!
//! After boot only the control core touches it, with interrupts on; a panic on
//! any core takes it over once the others are stopped.

use core::fmt;

use spin::mutex::SpinMutex;
use uart_16550::backend::PioBackend;
use uart_16550::{BaudRate, Config, Uart16550};

const COM1: u16 = 0x3F8;
/// Polls of a full transmitter before the byte is dropped: more than ten
/// character times at 9600 baud on any port-I/O bus, so only a dead port loses.
const SEND_POLLS: u32 = 200_000;

const fn com1() -> Uart16550<PioBackend> {
    // SAFETY: 3F8H to 3FFH is COM1's range on every PC; the mutex below makes
    // this the only driver, but for a panic that stopped everyone else.
    match unsafe { Uart16550::new_port(COM1) } {
        Ok(port) => port,
        Err(_) => panic!("3F8H leaves room for eight ports"),
    }
}

struct Port {
    uart: Uart16550<PioBackend>,
    present: bool,
    dropped: u64,
}

static PORT: SpinMutex<Port> = SpinMutex::new(Port { uart: com1(), present: false, dropped: 0 });

/// Sets the port to 115200 8N1 and says whether one is there.
pub(crate) fn init() -> bool {
    let mut port = PORT.lock();
    let config = Config { baud_rate: BaudRate::Baud115200, ..Config::default() };
    port.present = port.uart.init(config).is_ok();
    port.present
}

/// Sends bytes as they are.
pub(crate) fn send(bytes: &[u8]) {
    let mut port = PORT.lock();
    if !port.present {
        return;
    }
    for byte in bytes {
        let sent = (0..SEND_POLLS).any(|_| port.uart.try_send_byte(*byte).is_ok());
        port.dropped += u64::from(!sent);
    }
}

/// Receives at most one byte.
pub(crate) fn receive() -> Option<u8> {
    let mut port = PORT.lock();
    if port.present { port.uart.try_receive_byte().ok() } else { None }
}

/// Makes the port usable again after whoever held it was stopped.
///
/// # Safety
/// No other core runs, and this core does not return to what it interrupted.
pub(crate) unsafe fn take_over() {
    // SAFETY: the holder, if any, never runs again.
    unsafe { PORT.force_unlock() };
}

/// Text out, with `\n` sent as `\r\n`.
pub(crate) struct Text;

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                send(b"\r\n");
            }
            send(line.as_bytes());
        }
        Ok(())
    }
}

/// Prints to the serial port, without a line end.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => {{
        // Writing to the port cannot fail; what cannot be sent is counted.
        let _ = core::fmt::Write::write_fmt(&mut $crate::serial::Text, format_args!($($argument)*));
    }};
}

/// Prints a line to the serial port.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($argument:tt)*) => { $crate::print!("{}\n", format_args!($($argument)*)) };
}
