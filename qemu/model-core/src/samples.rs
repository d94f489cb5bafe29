//! Rows of figures over a run whose length nobody knows, in bounded memory.
//!
//! When the limit is reached every other row goes and rows come half as often
//! from then on. So the whole run stays covered, evenly, and the same run gives
//! the same rows. A ring of the last rows was refused: the beginning, where
//! everything is set up, is what one looks for first.

/// Rows of the same width, the first figure being the time.
#[derive(Clone, Debug)]
pub struct Samples {
    figures: Vec<u64>,
    width: usize,
    most_rows: usize,
    interval: u64,
    due: u64,
}

impl Samples {
    /// None yet: rows of `width` figures (at least 1), `interval` apart, at most
    /// `most_rows` of them (at least 2).
    #[must_use]
    pub fn new(width: usize, interval: u64, most_rows: usize) -> Self {
        Self {
            figures: Vec::new(),
            width: width.max(1),
            most_rows: most_rows.max(2),
            interval: interval.max(1),
            due: 0,
        }
    }

    /// Whether a row is wanted at time `now`.
    #[must_use]
    pub fn is_due(&self, now: u64) -> bool {
        now >= self.due
    }

    /// Takes a row of time `now`; `fill` gives the other figures in order.
    /// Missing ones are 0, and what is too much is left out.
    pub fn take(&mut self, now: u64, figures: impl IntoIterator<Item = u64>) {
        if self.rows().len() >= self.most_rows {
            self.halve();
        }
        let others = figures.into_iter().chain(std::iter::repeat(0)).take(self.width - 1);
        self.figures.push(now);
        self.figures.extend(others);
        self.due = now.saturating_add(self.interval);
    }

    fn halve(&mut self) {
        let kept: Vec<u64> = self.rows().step_by(2).flatten().copied().collect();
        self.figures = kept;
        self.interval = self.interval.saturating_mul(2);
    }

    /// The rows, oldest first.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, u64> {
        self.figures.chunks_exact(self.width)
    }

    /// How far apart rows are at present.
    #[must_use]
    pub fn interval(&self) -> u64 {
        self.interval
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(samples: &Samples) -> Vec<u64> {
        samples.rows().map(|row| row[0]).collect()
    }

    #[test]
    fn a_full_set_is_thinned_and_goes_on_half_as_often() {
        let mut samples = Samples::new(2, 10, 4);
        for now in (0..100).step_by(5) {
            if samples.is_due(now) {
                samples.take(now, [now * 2]);
            }
        }
        // 0 10 20 30, then 0 20 40 60, then 0 40 80.
        assert_eq!(times(&samples), [0, 40, 80]);
        assert_eq!(samples.interval(), 40);
        assert!(samples.rows().all(|row| row == [row[0], row[0] * 2]));
    }

    #[test]
    fn rows_have_their_width_whatever_is_given() {
        let mut samples = Samples::new(3, 1, 9);
        samples.take(1, []);
        samples.take(2, [7, 8, 9]);
        assert_eq!(samples.rows().collect::<Vec<_>>(), [&[1, 0, 0], &[2, 7, 8]]);
    }

    proptest! {
        #[test]
        fn any_run_stays_within_the_limit_and_in_order(
            steps in prop::collection::vec(1u64..1_000, 1..400),
            width in 0usize..4, interval in 0u64..50, most in 0usize..20,
        ) {
            let mut samples = Samples::new(width, interval, most);
            let mut now = 0u64;
            for step in steps {
                now += step;
                if samples.is_due(now) {
                    samples.take(now, [now]);
                }
                prop_assert!(samples.rows().len() <= most.max(2));
            }
            prop_assert!(times(&samples).is_sorted());
            prop_assert!(samples.rows().len() >= 1);
        }
    }
}
