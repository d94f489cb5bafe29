//! UEFI firmware clears the screen and chats on the serial line before the
//! kernel starts. This keeps that away from the user's terminal.
//!
//! Everything is held back until the first line that is neither empty nor the
//! firmware's own; that line and all that follows is passed on.

/// Holds back the firmware's text.
#[derive(Debug)]
pub(crate) struct FirmwareText {
    held: Option<Vec<u8>>,
}

/// How lines of OVMF's boot manager start.
const OWN: &str = "BdsDxe:";

impl FirmwareText {
    /// Holds text back if `firmware_prints`.
    pub(crate) fn new(firmware_prints: bool) -> Self {
        Self { held: firmware_prints.then(Vec::new) }
    }

    /// Takes the next text and returns what is to be shown of it.
    pub(crate) fn without(&mut self, text: &[u8]) -> Vec<u8> {
        let Some(held) = &mut self.held else { return text.to_vec() };
        held.extend(text);
        while let Some(end) = held.iter().position(|&byte| byte == b'\n') {
            let line = super::plain(held.get(..end).unwrap_or_default());
            if !line.trim().is_empty() && !line.trim_start().starts_with(OWN) {
                return self.held();
            }
            held.drain(..=end);
        }
        Vec::new()
    }

    /// What is still held back.
    pub(crate) fn held(&mut self) -> Vec<u8> {
        self.held.take().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_nothing_before_the_kernel_speaks() {
        let mut firmware = FirmwareText::new(true);
        assert_eq!(firmware.without(b"\x1b[2J\x1b[01;01HBdsDxe: loading Boot0002\r\nBdsDxe: sta"), b"");
        assert_eq!(firmware.without(b"rting\r\n\r\nUmbra"), b"");
        assert_eq!(firmware.without(b" 0.1\r\numb"), b"Umbra 0.1\r\numb");
        assert_eq!(firmware.without(b"ra> "), b"ra> ");
    }

    #[test]
    fn passes_everything_on_if_the_firmware_is_silent() {
        assert_eq!(FirmwareText::new(false).without(b"\x1b[2J"), b"\x1b[2J");
    }
}
