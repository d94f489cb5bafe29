//! What a boot is to do, written for the kernel's `umbra_ramdisk::Config`.

use std::fmt::Write;

/// `mode` of the boot configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The main job, then the console.
    Main,
    /// The console.
    Console,
    /// The guest tests.
    Test,
    /// The benchmarks.
    Bench,
    /// The console, to be flooded.
    Soak,
}

/// The keys that the host sets.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    /// What to do.
    pub(crate) mode: Mode,
    /// Whether to end the machine after it.
    pub(crate) exit: bool,
    /// Length of the main job, if not the standard one.
    pub(crate) scenario: Option<String>,
    /// The policies to compare, with commas between, if not the usual ones.
    pub(crate) policies: Option<String>,
    /// Seed of everything random.
    pub(crate) seed: u64,
    /// The one guest test to run.
    pub(crate) case: Option<String>,
}

impl Configuration {
    /// `mode` with everything else at its default.
    pub(crate) const fn new(mode: Mode) -> Self {
        let exit = matches!(mode, Mode::Test | Mode::Bench);
        Self { mode, exit, scenario: None, policies: None, seed: 1, case: None }
    }

    /// The lines of `umbra.conf`.
    pub(crate) fn to_text(&self) -> String {
        let mode = match self.mode {
            Mode::Main => "main",
            Mode::Console => "console",
            Mode::Test => "test",
            Mode::Bench => "bench",
            Mode::Soak => "soak",
        };
        let exit = if self.exit { "yes" } else { "no" };
        let mut text = format!("mode {mode}\nexit {exit}\nseed {}\n", self.seed);
        let rest = [("scenario", &self.scenario), ("policies", &self.policies), ("case", &self.case)];
        for (key, value) in rest {
            if let Some(value) = value {
                // Writing to a string does not fail.
                let _ = writeln!(text, "{key} {value}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use umbra_ramdisk::{Config, Mode as Read, Scenario};

    use super::*;

    #[test]
    fn the_kernel_reads_what_is_written() {
        let written = [Mode::Main, Mode::Console, Mode::Test, Mode::Bench, Mode::Soak];
        let read = [Read::Main, Read::Console, Read::Test, Read::Bench, Read::Soak];
        for (written, read) in written.into_iter().zip(read) {
            let text = Configuration::new(written).to_text();
            let config = Config::parse(&text).expect("valid");
            assert_eq!((config.mode, config.seed), (read, 1));
            assert_eq!(config.exit, matches!(read, Read::Test | Read::Bench));
        }
        let full = Configuration {
            mode: Mode::Main,
            exit: true,
            scenario: Some("quick".to_owned()),
            policies: Some("none,umbra".to_owned()),
            seed: u64::MAX,
            case: Some("faults".to_owned()),
        };
        let text = full.to_text();
        let config = Config::parse(&text).expect("valid");
        assert_eq!((config.exit, config.scenario, config.seed), (true, Scenario::Quick, u64::MAX));
        assert_eq!(config.case, Some("faults"));
        assert_eq!(config.policies.expect("given").as_slice(), ["none", "umbra"]);
    }
}
