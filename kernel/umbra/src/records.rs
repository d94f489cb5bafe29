//! Lines for programs: one JSON object each, marked by a record separator
//! (RFC 7464), which the host side takes out of what a person sees.

use core::fmt::{Display, Result, Write};

use umbra_console::json::{self, Object};

use crate::serial::Text;

/// Sends a record that `fill` fills.
pub(crate) fn send(fill: impl FnOnce(&mut Object<'_>) -> Result) {
    // The port takes everything.
    let _ = json::record(&mut Text, fill);
}

/// Sends an object that is text already.
pub(crate) fn send_text(object: &dyn Display) {
    let _ = writeln!(Text, "\u{1e}{object}");
}
