//! Counts the tests in the output of Rust's test harness, or of the guest,
//! which prints the same lines.

/// What one or more harnesses reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests announced by `running N tests`.
    pub(crate) announced: usize,
    /// Tests that passed, by the `test result` lines.
    pub(crate) passed: usize,
    /// Tests that failed, by the same.
    pub(crate) failed: usize,
    /// Tests that were left out.
    pub(crate) ignored: usize,
    /// How many harnesses came to their end.
    pub(crate) results: usize,
    /// Names of tests that failed, with the reason where one is given.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    /// Reads one line.
    pub(crate) fn line(&mut self, line: &str) {
        let line = line.trim();
        if let Some(count) = line.strip_prefix("running ").and_then(|rest| leading_number(rest, " test")) {
            self.announced += count;
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            self.results += 1;
            let counts = counts.split_once(". ").map_or(counts, |(_, counts)| counts);
            for part in counts.split(';').map(str::trim) {
                self.passed += leading_number(part, " passed").unwrap_or(0);
                self.failed += leading_number(part, " failed").unwrap_or(0);
                self.ignored += leading_number(part, " ignored").unwrap_or(0);
            }
        } else if let Some((name, reason)) =
            line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... FAILED"))
        {
            self.failures.push(format!("{name}{reason}"));
        }
    }

    /// Reads many lines.
    pub(crate) fn of(text: &str) -> Self {
        let mut tally = Self::default();
        text.lines().for_each(|line| tally.line(line));
        tally
    }
}

fn leading_number(text: &str, then: &str) -> Option<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, rest) = text.split_at(digits);
    if rest.starts_with(then) { number.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_several_harnesses() {
        let tally = Tally::of(
            "running 2 tests\ntest a::b ... ok\ntest c ... FAILED: late\n\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
             running 1 test\r\ntest d ... ok\r\n\
             test result: ok. 1 passed; 0 failed; 3 ignored\n",
        );
        let failures = vec!["c: late".to_owned()];
        assert_eq!(tally, Tally { announced: 3, passed: 2, failed: 1, ignored: 3, results: 2, failures });
    }

    #[test]
    fn other_text_counts_for_nothing() {
        assert_eq!(Tally::of("running away\ntest drive\n12 passed; 1 failed\n"), Tally::default());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(running |test result: |[0-9]{0,30}|\\PC|\n){0,40}") {
            let _ = Tally::of(&text);
        }
    }
}
