//! A profile as text: how it is shown on the console, kept and handed back in.
//!
//! Two header lines, one line for the mean and one for each bin; every number
//! is decimal and named. A count is written `123` when counted, `~123` when
//! estimated and `?` when unknown. The parser takes exactly what the writer
//! makes and at most [`MAX_BINS`] bins, so it never reads further than that.

use super::{Demand, Disk, MAX_BINS, Network, Profile};
use crate::machine::Count;
use core::fmt::{self, Display, Formatter};
use core::str::{FromStr, SplitAsciiWhitespace};
use heapless::Vec;

/// The text is not a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileError {
    /// The line, from 1.
    pub line: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl Display for ProfileError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "profile line {}: expected {}", self.line, self.expected)
    }
}

impl Display for Profile {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "umbra-profile 1")?;
        writeln!(
            f,
            "version {} runs {} requests {} duration_ns {} bin_ns {} bins {}",
            self.version,
            self.runs,
            self.requests,
            self.duration_ns,
            self.bin_ns,
            self.bins.len()
        )?;
        writeln!(f, "mean {}", self.mean)?;
        self.bins.iter().try_for_each(|bin| writeln!(f, "bin {bin}"))
    }
}

impl Display for Demand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "cpu_permille {} cycles_per_s {}", self.cpu_permille, self.cycles_per_s)?;
        write!(f, " instructions_per_s {}", Text(self.instructions_per_s))?;
        write!(f, " references_per_s {}", Text(self.llc_references_per_s))?;
        write!(f, " misses_per_s {}", Text(self.llc_misses_per_s))?;
        write!(f, " working_set_bytes {}", self.working_set_bytes)?;
        write!(f, " read_bytes_per_s {}", self.read_bytes_per_s)?;
        write!(f, " write_bytes_per_s {}", self.write_bytes_per_s)?;
        write!(f, " sequential_permille {}", Text(self.sequential_permille))?;
        write!(f, " write_permille {}", Text(self.write_permille))?;
        write!(f, " disk {} network {}", Text(self.disk), Text(self.network))
    }
}

/// An entry that may be unknown, as text.
struct Text<T>(T);

impl Display for Text<Count> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Count::Counted(value) => write!(f, "{value}"),
            Count::Estimated(value) => write!(f, "~{value}"),
            Count::Unknown => f.write_str("?"),
        }
    }
}

impl Display for Text<Option<u32>> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => write!(f, "{value}"),
            None => f.write_str("?"),
        }
    }
}

impl Display for Text<Option<Disk>> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(disk) = self.0 else { return f.write_str("?") };
        write!(f, "{},{},{}", disk.busy_permille, disk.reads_per_s, disk.writes_per_s)?;
        write!(f, ",{},{},{}", disk.read_bytes_per_s, disk.write_bytes_per_s, disk.sequential_permille)
    }
}

impl Display for Text<Option<Network>> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(network) = self.0 else { return f.write_str("?") };
        write!(f, "{},{},{}", network.busy_permille, network.received_per_s, network.sent_per_s)?;
        write!(f, ",{},{}", network.received_bytes_per_s, network.sent_bytes_per_s)
    }
}

impl Profile {
    /// Reads what `Display` wrote.
    ///
    /// # Errors
    /// [`ProfileError`] names the first line that is not as expected.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let mut lines = text.lines();
        let mut number = 0;
        let mut next = |expected| {
            number += 1;
            let line = lines.next().ok_or(ProfileError { line: number, expected })?;
            Ok(Fields { line: number, words: line.split_ascii_whitespace() })
        };
        let mut first = next("umbra-profile 1")?;
        first.named("umbra-profile", "umbra-profile 1", |word| (word == "1").then_some(()))?;
        first.end()?;
        let mut head = next("version and counts")?;
        let mut profile = Self {
            version: head.number("version", "version NUMBER")?,
            runs: head.number("runs", "runs NUMBER")?,
            requests: head.number("requests", "requests NUMBER")?,
            duration_ns: head.number("duration_ns", "duration_ns NUMBER")?,
            bin_ns: head.named("bin_ns", "bin_ns POWER-OF-TWO, or 0 without bins", bin_length)?,
            ..Self::new()
        };
        let bins = head.named("bins", "bins 0 to 64", |word| number_in(word).filter(|n| *n <= MAX_BINS))?;
        head.end()?;
        if bins > 0 && profile.bin_ns == 0 {
            return Err(ProfileError { line: 2, expected: "bin_ns above 0 with bins" });
        }
        profile.mean = next("mean and a demand")?.demand("mean")?;
        let rows = (0..bins).map(|_| next("bin and a demand")?.demand("bin"));
        profile.bins = rows.collect::<Result<Vec<_, MAX_BINS>, _>>()?;
        Ok(profile)
    }
}

/// A bin may cover up to 2^52 ns.
fn bin_length(word: &str) -> Option<u64> {
    number_in(word).filter(|ns: &u64| *ns == 0 || (ns.is_power_of_two() && *ns <= 1 << 52))
}

/// A decimal number without sign or leading plus.
fn number_in<T: FromStr>(word: &str) -> Option<T> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

/// The words of a line, taken from the left.
struct Fields<'t> {
    line: usize,
    words: SplitAsciiWhitespace<'t>,
}

impl Fields<'_> {
    fn error(&self, expected: &'static str) -> ProfileError {
        ProfileError { line: self.line, expected }
    }

    fn word(&mut self, word: &str, expected: &'static str) -> Result<(), ProfileError> {
        if self.words.next() == Some(word) { Ok(()) } else { Err(self.error(expected)) }
    }

    fn named<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ProfileError> {
        self.word(name, expected)?;
        self.words.next().and_then(read).ok_or_else(|| self.error(expected))
    }

    fn number<T: FromStr>(&mut self, name: &str, expected: &'static str) -> Result<T, ProfileError> {
        self.named(name, expected, number_in)
    }

    fn end(&mut self) -> Result<(), ProfileError> {
        if self.words.next().is_none() { Ok(()) } else { Err(self.error("the end of the line")) }
    }

    fn demand(mut self, kind: &str) -> Result<Demand, ProfileError> {
        self.word(kind, if kind == "mean" { "mean and a demand" } else { "bin and a demand" })?;
        let demand = Demand {
            cpu_permille: self.number("cpu_permille", "cpu_permille NUMBER")?,
            cycles_per_s: self.number("cycles_per_s", "cycles_per_s NUMBER")?,
            instructions_per_s: self.named("instructions_per_s", "instructions_per_s COUNT", count)?,
            llc_references_per_s: self.named("references_per_s", "references_per_s COUNT", count)?,
            llc_misses_per_s: self.named("misses_per_s", "misses_per_s COUNT", count)?,
            working_set_bytes: self.number("working_set_bytes", "working_set_bytes NUMBER")?,
            read_bytes_per_s: self.number("read_bytes_per_s", "read_bytes_per_s NUMBER")?,
            write_bytes_per_s: self.number("write_bytes_per_s", "write_bytes_per_s NUMBER")?,
            sequential_permille: self.named(
                "sequential_permille",
                "sequential_permille 0-1000 or ?",
                part,
            )?,
            write_permille: self.named("write_permille", "write_permille 0-1000 or ?", part)?,
            disk: self.named("disk", "disk with six numbers or ?", disk)?,
            network: self.named("network", "network with five numbers or ?", network)?,
        };
        self.end()?;
        Ok(demand)
    }
}

fn count(word: &str) -> Option<Count> {
    match (word, word.strip_prefix('~')) {
        ("?", _) => Some(Count::Unknown),
        (_, Some(estimated)) => number_in(estimated).map(Count::Estimated),
        (counted, None) => number_in(counted).map(Count::Counted),
    }
}

fn part(word: &str) -> Option<Option<u32>> {
    if word == "?" { Some(None) } else { number_in(word).filter(|n| *n <= 1000).map(Some) }
}

fn disk(word: &str) -> Option<Option<Disk>> {
    if word == "?" {
        return Some(None);
    }
    let mut parts = word.split(',');
    let disk = Disk {
        busy_permille: number_in(parts.next()?)?,
        reads_per_s: number_in(parts.next()?)?,
        writes_per_s: number_in(parts.next()?)?,
        read_bytes_per_s: number_in(parts.next()?)?,
        write_bytes_per_s: number_in(parts.next()?)?,
        sequential_permille: number_in(parts.next()?)?,
    };
    parts.next().is_none().then_some(Some(disk))
}

fn network(word: &str) -> Option<Option<Network>> {
    if word == "?" {
        return Some(None);
    }
    let mut parts = word.split(',');
    let network = Network {
        busy_permille: number_in(parts.next()?)?,
        received_per_s: number_in(parts.next()?)?,
        sent_per_s: number_in(parts.next()?)?,
        received_bytes_per_s: number_in(parts.next()?)?,
        sent_bytes_per_s: number_in(parts.next()?)?,
    };
    parts.next().is_none().then_some(Some(network))
}
