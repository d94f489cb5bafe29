//! The results as a table to read and as a record for machines. Both are made
//! from [`Results`] and [`PolicyFigures`](crate::figures::PolicyFigures) alone,
//! so every number of the table is in the record.

mod json;
mod text;

use core::fmt::{self, Display, Formatter};

use umbra_console::format::Ns;

use crate::results::Results;

/// Writes the report as text, at most 120 columns wide.
///
/// # Errors
/// Those of the sink.
pub fn write_text(results: &Results, sink: &mut dyn fmt::Write) -> fmt::Result {
    text::write(results, sink)
}

/// Writes the report as one JSON object, without a line end. Units are in the
/// names: `_ns`, `_permille`, and `_milli` for thousandths of running alone;
/// what was not measured is `null`.
///
/// # Errors
/// Those of the sink.
pub fn write_json(results: &Results, sink: &mut dyn fmt::Write) -> fmt::Result {
    json::write(results, sink)
}

/// A multiple of running alone, in thousandths, with three significant digits:
/// `1.23x`, `12.3x`, `123x`. More would be noise.
#[derive(Clone, Copy)]
pub(crate) struct Multiple(u64);

impl Multiple {
    /// The multiple that a Q16.16 number stands for.
    pub(crate) fn from_q16(q16: u64) -> Self {
        Self(milli(q16))
    }
}

impl Display for Multiple {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let milli = self.0;
        match milli {
            0..9995 => {
                let hundredths = (milli + 5) / 10;
                write!(f, "{}.{:02}x", hundredths / 100, hundredths % 100)
            }
            9995..99_950 => {
                let tenths = (milli + 50) / 100;
                write!(f, "{}.{}x", tenths / 10, tenths % 10)
            }
            _ => write!(f, "{}x", milli.saturating_add(500) / 1000),
        }
    }
}

/// Q16.16 as thousandths, to the nearest.
fn milli(q16: u64) -> u64 {
    u64::try_from((u128::from(q16) * 1000 + (1 << 15)) >> 16).unwrap_or(u64::MAX)
}

/// A span that may be negative.
#[derive(Clone, Copy)]
struct SignedNs(i64);

impl Display for SignedNs {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        Ns(self.0.unsigned_abs()).fmt(f)
    }
}

#[cfg(test)]
mod tests;
