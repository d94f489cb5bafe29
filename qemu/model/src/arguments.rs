//! The plugin's arguments.

use std::ffi::{CStr, c_char, c_int};
use std::path::PathBuf;

use umbra_model::Description;

/// Cycles that vCPUs may be apart when nothing else is asked for: 2 µs at 2 GHz.
const QUANTUM: u64 = 4000;
/// Boot loaders map what they load above this; firmware and loaders run below.
const START: u64 = 1 << 39;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) machine: Description,
    pub(crate) quantum: u64,
    pub(crate) start: u64,
    pub(crate) report: Option<PathBuf>,
    pub(crate) trace: Option<PathBuf>,
}

impl Arguments {
    /// Reads `name=value` words.
    ///
    /// # Errors
    /// One line: the word and what was expected.
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let (mut name, mut file, mut quantum, mut start) = ("xeon4", None, QUANTUM, START);
        let (mut report, mut trace) = (None, None);
        for word in words {
            match word.split_once('=') {
                Some(("machine", value)) => name = value,
                Some(("file", value)) => file = Some(value),
                Some(("quantum", value)) => quantum = number(word, value)?,
                Some(("start", value)) => start = number(word, value)?,
                Some(("report", value)) => report = Some(PathBuf::from(value)),
                Some(("trace", value)) => trace = Some(PathBuf::from(value)),
                _ => {
                    return Err(format!(
                        "unknown argument {word:?}; known are machine, file, quantum, start, report, trace"
                    ));
                }
            }
        }
        if !(100..=1_000_000).contains(&quantum) {
            return Err(format!("quantum={quantum}: expected 100 to 1000000 cycles"));
        }
        let machine = match file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| format!("file={path}: {error}"))?;
                Description::from_file(&text, name)?
            }
            None => Description::named(name)?,
        };
        Ok(Self { machine, quantum, start, report, trace })
    }
}

fn number(word: &str, value: &str) -> Result<u64, String> {
    let parsed = match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => value.parse(),
    };
    parsed.map_err(|_| format!("{word}: expected a number, decimal or 0x…"))
}

/// Copies QEMU's argument vector.
///
/// # Safety
/// `words` points to `count` C strings, or `count` is 0.
pub(crate) unsafe fn collect(count: c_int, words: *const *const c_char) -> Vec<String> {
    (0..usize::try_from(count).unwrap_or(0))
        // SAFETY: the caller's promise.
        .map(|at| unsafe { CStr::from_ptr(*words.add(at)) }.to_string_lossy().into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, String> {
        Arguments::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_have_defaults_and_are_read() {
        let plain = parse(&[]).expect("defaults");
        assert_eq!((plain.quantum, plain.start, plain.machine.threads()), (4000, 1 << 39, 4));
        let given = parse(&["machine=tiny", "quantum=2000", "start=0x100000"]).expect("given");
        assert_eq!((given.quantum, given.start, given.machine.threads()), (2000, 0x10_0000, 2));
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (word, expected) in [
            ("speed=1", "speed=1"),
            ("quantum=x", "quantum=x"),
            ("quantum=5", "100"),
            ("machine=vax", "vax"),
            ("file=/nowhere/m", "/nowhere/m"),
        ] {
            let error = parse(&[word]).expect_err(word);
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        }
    }
}
