//! The boot configuration: lines of `key value`, `#` starts a comment.
//!
//! Unknown keys and bad values are errors, not warnings: a machine that is
//! divided otherwise than its file says is worse than one that does not
//! start. A key may be given once. Keys that are absent leave the kernel's
//! own choice standing, hence the `Option`s.

use crate::list::{List, MAX_LISTED};

/// What the kernel does after it has booted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The main job, then the console.
    #[default]
    Main,
    /// The console at once.
    Console,
    /// The guest tests.
    Test,
    /// The instruction-count benchmarks.
    Bench,
    /// The console, to be flooded by the host.
    Soak,
}

/// How long the main job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scenario {
    /// The full comparison.
    #[default]
    Standard,
    /// The same stages with few requests.
    Quick,
    /// A cell of an evaluation: enough requests for a p99.9, no pairs.
    Eval,
    /// The first-class workload alone at many loads.
    Knee,
}

/// What second-class workloads may be kept to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Ways of the last-level cache, 1 to 64.
    pub ways: u8,
    /// Percent of the memory bandwidth, 1 to 100.
    pub percent: u8,
}

/// The parsed configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config<'a> {
    /// `mode`; default [`Mode::Main`].
    pub mode: Mode,
    /// `exit`: end the machine after the job instead of staying at the
    /// console; default `no`.
    pub exit: bool,
    /// `scenario`; default [`Scenario::Standard`].
    pub scenario: Scenario,
    /// `seed` of everything random; default 1.
    pub seed: u64,
    /// `policies`: names of those to compare, in order. The kernel knows which
    /// exist.
    pub policies: Option<List<&'a str>>,
    /// `second_class`: names of the workloads to run beside the first-class
    /// one, as often as they are named. The kernel knows which exist.
    pub second_class: Option<List<&'a str>>,
    /// `bursts` of requests under each policy, at least 1.
    pub bursts: Option<u32>,
    /// `requests` in each burst, at least 1.
    pub requests: Option<u32>,
    /// `load_permille`: offered load as a share of what the first-class
    /// workload can serve alone, 1 to 1000.
    pub load_permille: Option<u32>,
    /// `trace`: record who runs where, and send it when the main job ends.
    pub trace: bool,
    /// `confine`: shares of cache ways and percent of bandwidth, as `2:100`,
    /// that second-class workloads are kept to, one after another.
    pub confine: Option<List<Share>>,
    /// `case`: the one guest test to run; absent means all.
    pub case: Option<&'a str>,
}

impl Default for Config<'_> {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            exit: false,
            scenario: Scenario::default(),
            seed: 1,
            policies: None,
            second_class: None,
            bursts: None,
            requests: None,
            load_permille: None,
            trace: false,
            confine: None,
            case: None,
        }
    }
}

/// A line that is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError<'a> {
    /// The line, from 1.
    pub line: usize,
    /// What was found.
    pub found: &'a str,
    /// What was expected instead.
    pub expected: &'static str,
}

impl core::fmt::Display for ConfigError<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "configuration line {}: expected {}, found `{}`", self.line, self.expected, self.found)
    }
}

impl core::error::Error for ConfigError<'_> {}

impl<'a> Config<'a> {
    /// Reads the whole configuration.
    ///
    /// # Errors
    /// The first line with an unknown or repeated key or a bad value.
    pub fn parse(text: &'a str) -> Result<Self, ConfigError<'a>> {
        let mut config = Self::default();
        let mut seen = 0u32;
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let value = value.trim();
            let fail = |(found, expected)| ConfigError { line: number + 1, found, expected };
            let bit = config.set(key, value).map_err(fail)?;
            if seen & bit != 0 {
                return Err(fail((key, "a key that was not given before")));
            }
            seen |= bit;
        }
        Ok(config)
    }

    /// Sets one key and returns a bit of its own.
    fn set(&mut self, key: &'a str, value: &'a str) -> Result<u32, (&'a str, &'static str)> {
        match key {
            "mode" => {
                choose(value, MODES, "main, console, test, bench or soak").map(|mode| self.mode = mode)?
            }
            "exit" => choose(value, ANSWERS, "yes or no").map(|exit| self.exit = exit)?,
            "scenario" => choose(value, SCENARIOS, "standard, quick, eval or knee")
                .map(|choice| self.scenario = choice)?,
            "seed" => self.seed = value.parse().map_err(|_| (value, "a seed from 0 to 2^64-1"))?,
            "policies" => self.policies = Some(names(value)?),
            "second_class" => self.second_class = Some(names(value)?),
            "bursts" => self.bursts = Some(count(value)?),
            "requests" => self.requests = Some(count(value)?),
            "load_permille" => self.load_permille = Some(permille(value)?),
            "trace" => choose(value, ANSWERS, "yes or no").map(|trace| self.trace = trace)?,
            "confine" => self.confine = Some(shares(value)?),
            "case" => self.case = Some(name(value)?),
            _ => return Err((key, KEYS)),
        }
        Ok(key_bit(key))
    }
}

const KEYS: &str = "mode, exit, scenario, seed, policies, second_class, bursts, requests, load_permille, trace, confine or case";
const MODES: &[(&str, Mode)] = &[
    ("main", Mode::Main),
    ("console", Mode::Console),
    ("test", Mode::Test),
    ("bench", Mode::Bench),
    ("soak", Mode::Soak),
];
const ANSWERS: &[(&str, bool)] = &[("yes", true), ("no", false)];
const SCENARIOS: &[(&str, Scenario)] = &[
    ("standard", Scenario::Standard),
    ("quick", Scenario::Quick),
    ("eval", Scenario::Eval),
    ("knee", Scenario::Knee),
];

type Bad<'a> = (&'a str, &'static str);

fn key_bit(key: &str) -> u32 {
    let place = KEYS.split([',', ' ']).filter(|word| !word.is_empty()).position(|word| word == key);
    place.and_then(|place| 1u32.checked_shl(u32::try_from(place).ok()?)).unwrap_or(0)
}

fn choose<'a, T: Copy>(value: &'a str, choices: &[(&str, T)], expected: &'static str) -> Result<T, Bad<'a>> {
    choices.iter().find(|(name, _)| *name == value).map(|(_, choice)| *choice).ok_or((value, expected))
}

fn count(value: &str) -> Result<u32, Bad<'_>> {
    value.parse().ok().filter(|&count| count > 0).ok_or((value, "a count from 1 to 4294967295"))
}

fn permille(value: &str) -> Result<u32, Bad<'_>> {
    value
        .parse()
        .ok()
        .filter(|permille| (1..=1000).contains(permille))
        .ok_or((value, "a number from 1 to 1000"))
}

fn name(value: &str) -> Result<&str, Bad<'_>> {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !value.is_empty() && value.chars().all(valid) {
        Ok(value)
    } else {
        Err((value, "a name of letters, digits, `_` and `-`"))
    }
}

fn names(value: &str) -> Result<List<&str>, Bad<'_>> {
    let mut list = List::empty("");
    for item in value.split(',') {
        if !list.push(name(item.trim())?) {
            return Err((item, TOO_MANY));
        }
    }
    Ok(list)
}

fn shares(value: &str) -> Result<List<Share>, Bad<'_>> {
    let mut list = List::empty(Share::default());
    for item in value.split(',') {
        let bad = (item, "ways from 1 to 64 and percent from 1 to 100, as 2:100");
        let (ways, percent) = item.trim().split_once(':').ok_or(bad)?;
        let within = |text: &str, most: u8| text.parse().ok().filter(|number| (1..=most).contains(number));
        let share = Share { ways: within(ways, 64).ok_or(bad)?, percent: within(percent, 100).ok_or(bad)? };
        if !list.push(share) {
            return Err((item, TOO_MANY));
        }
    }
    Ok(list)
}

const TOO_MANY: &str = "at most 12 names";
const _: () = assert!(MAX_LISTED == 12, "TOO_MANY says 12");

#[cfg(test)]
mod tests {
    use std::format;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(Config::parse("\n  # nothing\n"), Ok(Config::default()));
        let config = Config::default();
        assert_eq!((config.mode, config.exit, config.seed), (Mode::Main, false, 1));
    }

    #[test]
    fn reads_every_key() {
        let text = "mode test # a comment\nexit yes\r\nscenario quick\nseed 18446744073709551615\n\
            policies none, concept\nsecond_class hash,chase\nbursts 3\nrequests 40\nload_permille 700\n\
            trace yes\nconfine 2:100, 11:10\n\tcase   context_switch\n";
        let config = Config::parse(text).expect("valid");
        assert_eq!((config.mode, config.exit, config.scenario), (Mode::Test, true, Scenario::Quick));
        assert_eq!(config.seed, u64::MAX);
        assert_eq!(config.policies.expect("given").as_slice(), ["none", "concept"]);
        assert_eq!(config.second_class.expect("given").as_slice(), ["hash", "chase"]);
        assert_eq!((config.bursts, config.requests, config.load_permille), (Some(3), Some(40), Some(700)));
        assert!(config.trace);
        let shares = [Share { ways: 2, percent: 100 }, Share { ways: 11, percent: 10 }];
        assert_eq!(config.confine.expect("given").as_slice(), shares);
        assert_eq!(config.case, Some("context_switch"));
        let scenario = |text| Config::parse(text).expect("valid").scenario;
        assert_eq!(scenario("scenario eval"), Scenario::Eval);
        assert_eq!(scenario("scenario knee"), Scenario::Knee);
    }

    #[test]
    fn one_line_says_what_is_wrong() {
        let fail = |text| format!("{}", Config::parse(text).expect_err("bad"));
        assert_eq!(
            fail("seed 1\nmode fast"),
            "configuration line 2: expected main, console, test, bench or soak, found `fast`"
        );
        assert_eq!(fail("speed 9"), format!("configuration line 1: expected {KEYS}, found `speed`"));
        assert_eq!(
            fail("seed 1\nseed 2"),
            "configuration line 2: expected a key that was not given before, found `seed`"
        );
        assert_eq!(fail("exit"), "configuration line 1: expected yes or no, found ``");
        assert_eq!(
            fail("bursts 0"),
            "configuration line 1: expected a count from 1 to 4294967295, found `0`"
        );
        assert_eq!(
            fail("load_permille 1001"),
            "configuration line 1: expected a number from 1 to 1000, found `1001`"
        );
        assert_eq!(
            fail("second_class a,,b"),
            "configuration line 1: expected a name of letters, digits, `_` and `-`, found ``"
        );
        assert_eq!(
            fail("second_class a,b,c,d,e,f,g,h,i,j,k,l,m"),
            "configuration line 1: expected at most 12 names, found `m`"
        );
        for bad in
            ["confine 2", "confine 0:10", "confine 65:10", "confine 2:0", "confine 2:101", "confine -1:5"]
        {
            assert!(fail(bad).contains("ways from 1 to 64 and percent from 1 to 100, as 2:100"), "{bad}");
        }
        assert_eq!(
            fail("policies none,con cept"),
            "configuration line 1: expected a name of letters, digits, `_` and `-`, found `con cept`"
        );
    }

    #[test]
    fn every_key_has_a_bit_of_its_own() {
        let keys = [
            "mode",
            "exit",
            "scenario",
            "seed",
            "policies",
            "second_class",
            "bursts",
            "requests",
            "load_permille",
            "trace",
            "confine",
            "case",
        ];
        let all = keys.iter().fold(0, |bits, key| bits | key_bit(key));
        assert_eq!(all.count_ones(), 12);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(\\PC|[\t\r\n#]){0,200}") {
            let _ = Config::parse(&text);
        }

        #[test]
        fn any_value_is_read_or_refused(
            key in prop::sample::select(&["mode", "seed", "policies", "second_class", "bursts", "confine", "case"][..]),
            value in "[ -~]{0,24}",
        ) {
            let text = format!("{key} {value}");
            if let Err(error) = Config::parse(&text) {
                prop_assert_eq!(error.line, 1);
            }
        }

        #[test]
        fn any_seed_is_kept(seed: u64) {
            prop_assert_eq!(Config::parse(&format!("seed {seed}")).expect("valid").seed, seed);
        }
    }
}
