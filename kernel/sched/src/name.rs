//! Short names of tasks: 16 bytes of printable ASCII, copied by value.

/// Bytes in a name at most.
pub const NAME_BYTES: usize = 16;

/// The name of a task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; NAME_BYTES],
    len: u8,
}

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It has this many bytes.
    Length(usize),
    /// It has a byte that is not a printable ASCII character, or a blank.
    Byte(u8),
}

impl core::fmt::Display for NameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Length(bytes) => write!(f, "name of {bytes} bytes, expected 1 to {NAME_BYTES}"),
            Self::Byte(byte) => {
                write!(f, "name contains byte {byte:#04x}, expected printable ASCII without blanks")
            }
        }
    }
}

impl Name {
    /// Checks and copies a name.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if let Some(&byte) = text.as_bytes().iter().find(|byte| !byte.is_ascii_graphic()) {
            return Err(NameError::Byte(byte));
        }
        let mut bytes = [0; NAME_BYTES];
        let place = bytes.get_mut(..text.len()).filter(|place| !place.is_empty());
        place.ok_or(NameError::Length(text.len()))?.copy_from_slice(text.as_bytes());
        Ok(Self { bytes, len: text.len().to_le_bytes()[0] })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.len))
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or("")
    }
}

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.as_str())
    }
}

impl core::fmt::Debug for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;

    #[test]
    fn names_are_short_and_printable() {
        assert_eq!(Name::new("compress").map(|name| format!("[{name:>10}]")), Ok("[  compress]".into()));
        assert_eq!(Name::new(""), Err(NameError::Length(0)));
        assert_eq!(Name::new("seventeen-letters"), Err(NameError::Length(17)));
        assert!(Name::new("sixteen-letters!").is_ok());
        assert_eq!(Name::new("a b"), Err(NameError::Byte(b' ')));
        assert_eq!(Name::new("ä"), Err(NameError::Byte(0xC3)));
    }

    proptest! {
        #[test]
        fn what_is_taken_is_given_back(text in "\\PC{0,20}") {
            if let Ok(name) = Name::new(&text) {
                prop_assert_eq!(name.as_str(), text.as_str());
            }
        }
    }
}
