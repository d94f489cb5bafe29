//! Talking to the guest's console as a person would.

pub(crate) mod script;
mod session;

pub(crate) use session::Session;

/// What the console prints when it is ready for a line.
pub(crate) const PROMPT: &str = "umbra> ";
