//! How a guest ended.
//!
//! The guest writes to QEMU's debug-exit port, and QEMU exits with twice that
//! plus one. QEMU's own 0 never means success: it also exits 0 on a triple
//! fault with `-no-reboot`.

use std::fmt;
use std::process::ExitStatus;

/// How a guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The guest wrote 0x10.
    Success,
    /// The guest wrote 0x11: something it checked was wrong.
    Failure,
    /// The guest wrote 0x12: its kernel panicked.
    Panic,
    /// QEMU exited 0: a reset, a triple fault, or the user quit QEMU.
    Reset,
    /// The machine model ended it: the guest did what raises #GP on the real
    /// machine. The model has said what, and where.
    Forbidden,
    /// The machine model refused this QEMU. It has said why.
    Refused,
    /// QEMU failed by itself.
    Other(Option<i32>),
    /// The time limit passed and QEMU was killed.
    TimedOut,
}

impl From<ExitStatus> for Outcome {
    fn from(status: ExitStatus) -> Self {
        match status.code() {
            Some(33) => Self::Success,
            Some(35) => Self::Failure,
            Some(37) => Self::Panic,
            Some(0) => Self::Reset,
            Some(75) => Self::Forbidden,
            Some(77) => Self::Refused,
            code => Self::Other(code),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("the guest reported success"),
            Self::Failure => f.write_str("the guest reported failure"),
            Self::Panic => f.write_str("the guest's kernel panicked"),
            Self::Reset => f.write_str("the guest reset itself or faulted too deeply to report it"),
            Self::Forbidden => {
                f.write_str("the guest did what faults on the real machine, as the model says")
            }
            Self::Refused => f.write_str("the machine model does not work with this QEMU, as it says"),
            Self::Other(Some(code)) => write!(f, "QEMU failed with exit code {code}"),
            Self::Other(None) => f.write_str("QEMU was killed"),
            Self::TimedOut => f.write_str("the guest did not end within its time limit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn only_the_agreed_code_is_success() {
        let outcome = |code: i32| Outcome::from(ExitStatus::from_raw(code << 8));
        assert_eq!(outcome(33), Outcome::Success);
        assert_eq!(outcome(35), Outcome::Failure);
        assert_eq!(outcome(37), Outcome::Panic);
        assert_eq!(outcome(0), Outcome::Reset);
        assert_eq!(outcome(1), Outcome::Other(Some(1)));
        assert_eq!((outcome(75), outcome(77)), (Outcome::Forbidden, Outcome::Refused));
        assert_eq!(Outcome::from(ExitStatus::from_raw(9)), Outcome::Other(None));
    }
}
