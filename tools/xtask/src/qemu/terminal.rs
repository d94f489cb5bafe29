//! The user's terminal, whose settings QEMU changes while it runs.

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// Puts the terminal back as it was, even if QEMU was killed.
pub(crate) struct Terminal(Option<Termios>);

impl Terminal {
    /// Remembers the settings of standard input, if that is a terminal.
    pub(crate) fn remember() -> Self {
        Self(tcgetattr(std::io::stdin()).ok())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(settings) = &self.0 {
            // Nothing more can be done about a terminal that is gone.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, settings);
        }
    }
}
