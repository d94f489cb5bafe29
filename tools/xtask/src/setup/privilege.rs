//! Becoming root, only where a package or a link has to be installed.

use std::io::IsTerminal;
use std::process::{Command, Stdio};

/// How a command can be run as root, if at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privilege {
    /// We are root.
    Root,
    /// `sudo` without a password.
    Sudo,
    /// `sudo`, which may ask for a password on the terminal.
    AskingSudo,
}

impl Privilege {
    /// The least intrusive way that works; `None` if there is none.
    pub(super) fn find() -> Option<Self> {
        if rustix::process::geteuid().is_root() {
            return Some(Self::Root);
        }
        if !crate::process::on_path("sudo") {
            return None;
        }
        let silent =
            Command::new("sudo").args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
        if silent.is_ok_and(|status| status.success()) {
            return Some(Self::Sudo);
        }
        std::io::stdin().is_terminal().then_some(Self::AskingSudo)
    }

    /// `program` as root, with `variables` in its environment.
    pub(super) fn command(self, program: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = match self {
            Self::Root => Command::new("env"),
            Self::Sudo | Self::AskingSudo => Command::new("sudo"),
        };
        match self {
            Self::Root => {}
            Self::Sudo => drop(command.args(["-n", "env"])),
            Self::AskingSudo => drop(command.arg("env")),
        }
        command.args(variables.iter().map(|(name, value)| format!("{name}={value}"))).arg(program);
        command
    }
}
