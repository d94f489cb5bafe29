use super::{
    Problem,
    field::{array, sum, u8_at, u32_at},
};
use core::fmt;

/// The four letters that name a kind of table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(pub [u8; 4]);

impl fmt::Display for Signature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| {
            let letter = if byte.is_ascii_graphic() { char::from(*byte) } else { '?' };
            write!(out, "{letter}")
        })
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// A table whose header, length and checksum are right (section 5.2.6).
#[derive(Clone, Copy, Debug)]
pub struct Table<'t> {
    bytes: &'t [u8],
}

impl<'t> Table<'t> {
    /// Bytes of the header that every table begins with.
    pub const HEADER: usize = 36;
    /// No table is longer; the largest DSDTs seen are below 1 MiB.
    pub const MAX_LENGTH: u32 = 16 << 20;

    /// Checks the table that starts at the beginning of `bytes`, which may go on
    /// after it.
    ///
    /// # Errors
    /// [`Problem::Length`], [`Problem::Truncated`] or [`Problem::Checksum`].
    pub fn check(bytes: &'t [u8]) -> Result<Self, Problem> {
        let length = Self::checked_length(bytes)?;
        let table = Signature(array(bytes, 0).unwrap_or_default());
        let whole = usize::try_from(length)
            .ok()
            .and_then(|length| bytes.get(..length))
            .ok_or(Problem::Truncated { table, length, readable: bytes.len() })?;
        match sum(whole) {
            0 => Ok(Self { bytes: whole }),
            sum => Err(Problem::Checksum { table, sum }),
        }
    }

    /// The length field of a header, if it can be one.
    pub(crate) fn checked_length(bytes: &[u8]) -> Result<u32, Problem> {
        let table = Signature(array(bytes, 0).unwrap_or(*b"????"));
        let length =
            u32_at(bytes, 4).ok_or(Problem::Truncated { table, length: 0, readable: bytes.len() })?;
        let plausible = (36..=Self::MAX_LENGTH).contains(&length);
        if plausible { Ok(length) } else { Err(Problem::Length { table, length }) }
    }

    /// Refuses a table of another kind.
    ///
    /// # Errors
    /// [`Problem::WrongTable`].
    pub fn expect(self, expected: &[u8; 4]) -> Result<Self, Problem> {
        if self.signature().0 == *expected {
            return Ok(self);
        }
        Err(Problem::WrongTable { expected: Signature(*expected), found: self.signature() })
    }

    /// The table's name.
    #[must_use]
    pub fn signature(self) -> Signature {
        Signature(array(self.bytes, 0).unwrap_or_default())
    }

    /// The table's revision.
    #[must_use]
    pub fn revision(self) -> u8 {
        u8_at(self.bytes, 8).unwrap_or(0)
    }

    /// The maker's name, padded with blanks or zeros.
    #[must_use]
    pub fn maker(self) -> [u8; 6] {
        array(self.bytes, 10).unwrap_or_default()
    }

    /// All of the table, header included.
    #[must_use]
    pub fn bytes(self) -> &'t [u8] {
        self.bytes
    }

    /// What follows the header.
    #[must_use]
    pub fn body(self) -> &'t [u8] {
        self.bytes.get(Self::HEADER..).unwrap_or_default()
    }
}
