//! A score in words and numbers, term by term.

use super::{LOAD_WEIGHT, OVERLAP_WEIGHT, PATTERN_WEIGHT};
use super::{Relation, Score, System};
use crate::demand::Compact;
use crate::fixed::to_permille;
use crate::machine::{TaskId, WorkloadId};
use core::fmt::{self, Display, Formatter, Write};

/// Everything a prediction was made from. `Display` gives several lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The task.
    pub task: TaskId,
    /// What it runs.
    pub workload: WorkloadId,
    /// Samples behind its demand; with 0 only its core is known.
    pub samples: u32,
    /// What the first-class workload is expected to ask for.
    pub first: Compact,
    /// What the task asks for.
    pub second: Compact,
    /// How they stand to each other.
    pub relation: Relation,
    /// The state of the system.
    pub system: System,
    /// The score.
    pub score: Score,
    /// What it is held against, Q16.16.
    pub threshold: u32,
}

impl Explanation {
    /// Whether interference is predicted.
    #[must_use]
    pub const fn interferes(&self) -> bool {
        self.score.total > self.threshold
    }
}

/// A Q16.16 number with three digits after the point.
struct Digits(u32);

impl Display for Digits {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let permille = to_permille(self.0);
        // A u32 in Q16.16 has at most five digits before the point.
        let mut text = heapless::String::<10>::new();
        write!(text, "{}.{:03}", permille / 1000, permille % 1000)?;
        f.pad(&text)
    }
}

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (first, second, score) = (&self.first, &self.second, &self.score);
        let resources = [
            ("core", first.cores, second.cores, score.cores),
            ("cache", first.cache, second.cache, score.cache),
            ("memory read", first.read, second.read, score.read),
            ("memory write", first.write, second.write, score.write),
            ("disk", first.disk, second.disk, score.disk),
            ("network", first.network, second.network, score.network),
        ];
        writeln!(f, "resource      first  second contested")?;
        for (name, first, second, contested) in resources {
            writeln!(f, "{name:<13} {:>5}  {:>6} {:>9}", Digits(first), Digits(second), Digits(contested))?;
        }
        let core = if self.relation.same_core { "the first-class core" } else { "another core" };
        writeln!(
            f,
            "the task is on {core}, priority {} against {}",
            self.relation.second.0, self.relation.first.0
        )?;
        if self.samples == 0 {
            writeln!(f, "the task has not been sampled yet")?;
        }
        write!(f, "sequential {} against {}, ", Digits(second.sequential), Digits(first.sequential))?;
        write!(f, "stores {} against {}", Digits(second.writes), Digits(first.writes))?;
        let known = first.patterned.min(second.patterned) > 0;
        writeln!(f, "{}", if known { "" } else { " (a pattern is not known)" })?;
        let terms = [
            ("overlap", OVERLAP_WEIGHT, score.overlap),
            ("pattern", PATTERN_WEIGHT, score.pattern),
            ("load", LOAD_WEIGHT, score.load),
        ];
        for (name, weight, value) in terms {
            writeln!(
                f,
                "{name:<8} {} x {} = {}",
                Digits(weight),
                Digits(value),
                Digits(super::mul(weight, value))
            )?;
        }
        let (relation, verdict) =
            if self.interferes() { (">", "interferes") } else { ("<=", "does not interfere") };
        writeln!(
            f,
            "score    {} {relation} threshold {}: {verdict}",
            Digits(score.total),
            Digits(self.threshold)
        )
    }
}
