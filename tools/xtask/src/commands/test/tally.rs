//! Counting what passed and what failed.

use anyhow::Result;

/// What a stage, or all of them, came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Checks that passed.
    pub(super) passed: usize,
    /// Checks that failed.
    pub(super) failed: usize,
    /// Which failed, where they have names.
    pub(super) failures: Vec<String>,
}

impl Counts {
    /// One check, which is printed.
    pub(super) fn one(name: &str, result: Result<()>) -> Self {
        match result {
            Ok(()) => {
                println!("test {name} ... ok");
                Self { passed: 1, ..Self::default() }
            }
            Err(error) => {
                println!("test {name} ... FAILED");
                println!("{error:#}");
                Self { failed: 1, failures: vec![format!("{name}: {error:#}")], passed: 0 }
            }
        }
    }

    /// Adds another stage's.
    pub(super) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
    }
}
