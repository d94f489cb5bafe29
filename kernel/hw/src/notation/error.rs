use core::fmt;

/// Where a line stops making sense and what would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotationError {
    /// Bytes before the place.
    pub position: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl fmt::Display for NotationError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at character {}: expected {}", self.position.saturating_add(1), self.expected)
    }
}

impl core::error::Error for NotationError {}
