//! Finds the instructions that the model answers itself, from their bytes.

/// An instruction that is not left to the emulator alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Special {
    /// CPUID.
    Cpuid = 1,
    /// RDMSR.
    ReadRegister = 2,
    /// WRMSR.
    WriteRegister = 3,
    /// RDPMC.
    ReadCounter = 4,
    /// PAUSE.
    Pause = 5,
    /// Changes how linear addresses are translated: MOV to CR, INVLPG, INVPCID.
    Translation = 6,
}

impl Special {
    /// The inverse of `as u8`.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [
            Self::Cpuid,
            Self::ReadRegister,
            Self::WriteRegister,
            Self::ReadCounter,
            Self::Pause,
            Self::Translation,
        ]
        .into_iter()
        .find(|one| *one as u8 == number)
    }
}

/// What an instruction is, if it is special.
pub(crate) fn special(bytes: &[u8]) -> Option<Special> {
    let prefixes = bytes.iter().take_while(|byte| is_prefix(**byte)).count();
    let (prefix, rest) = bytes.split_at_checked(prefixes)?;
    match rest {
        [0x90, ..] if prefix.contains(&0xF3) && !prefix.iter().any(|byte| byte & 0xF1 == 0x41) => {
            Some(Special::Pause)
        }
        [0x0F, 0xA2, ..] => Some(Special::Cpuid),
        [0x0F, 0x32, ..] => Some(Special::ReadRegister),
        [0x0F, 0x30, ..] => Some(Special::WriteRegister),
        [0x0F, 0x33, ..] => Some(Special::ReadCounter),
        [0x0F, 0x22, ..] | [0x0F, 0x38, 0x82, ..] => Some(Special::Translation),
        [0x0F, 0x01, operand, ..] if operand >> 6 != 3 && operand >> 3 & 7 == 7 => Some(Special::Translation),
        _ => None,
    }
}

/// Legacy prefixes and REX (which is not one outside 64-bit code, but what
/// follows it is not special there either).
fn is_prefix(byte: u8) -> bool {
    matches!(byte, 0x66 | 0x67 | 0xF2 | 0xF3 | 0xF0 | 0x2E | 0x36 | 0x3E | 0x26 | 0x64 | 0x65 | 0x40..=0x4F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_instructions_are_found_with_and_without_prefixes() {
        for (bytes, expected) in [
            (&[0x0F, 0xA2][..], Some(Special::Cpuid)),
            (&[0x0F, 0x32], Some(Special::ReadRegister)),
            (&[0x0F, 0x30], Some(Special::WriteRegister)),
            (&[0x0F, 0x33], Some(Special::ReadCounter)),
            (&[0xF3, 0x90], Some(Special::Pause)),
            (&[0x90], None),
            (&[0xF3, 0x41, 0x90], None),
            (&[0x0F, 0x22, 0xD8], Some(Special::Translation)),
            (&[0x0F, 0x01, 0x38], Some(Special::Translation)),
            (&[0x41, 0x0F, 0x01, 0x3A], Some(Special::Translation)),
            (&[0x0F, 0x01, 0xF8], None),
            (&[0x66, 0x0F, 0x38, 0x82, 0x08], Some(Special::Translation)),
            (&[0x48, 0x8B, 0x00], None),
            (&[0x66], None),
            (&[], None),
        ] {
            assert_eq!(special(bytes), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn numbers_lead_back_to_what_they_came_from() {
        for number in 0..=255 {
            assert!(Special::from_number(number).is_none_or(|one| one as u8 == number));
        }
        assert_eq!(Special::from_number(3), Some(Special::WriteRegister));
    }
}
