//! Counting what passed and what failed.

use anyhow::Result;

/// What a stage, or all of them, came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Checks that passed.
    pub(super) passed: usize,
    /// Checks that failed.
    pub(super) failed: usize,
}

impl Counts {
    /// One check, which is printed.
    pub(super) fn one(name: &str, result: Result<()>) -> Self {
        match result {
            Ok(()) => {
                println!("test {name} ... ok");
                Self { passed: 1, failed: 0 }
            }
            Err(error) => {
                println!("test {name} ... FAILED");
                println!("{error:#}");
                Self { passed: 0, failed: 1 }
            }
        }
    }

    /// Adds another stage's.
    pub(super) const fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}
