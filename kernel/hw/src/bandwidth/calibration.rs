use crate::rdt::Mba;
use heapless::Vec;

/// Throttle values that are measured at most.
pub const MAX_ROWS: usize = 16;
/// Numbers of cores that are measured at most.
pub const MAX_COLUMNS: usize = 8;

/// What streaming cores got under each throttle value, in bytes per second, all
/// of them together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calibration {
    throttles: Vec<u32, MAX_ROWS>,
    cores: Vec<u8, MAX_COLUMNS>,
    rates: [[u64; MAX_COLUMNS]; MAX_ROWS],
}

/// The throttle value that keeps a number of cores to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The value.
    pub throttle: u32,
    /// What was measured under it, in bytes per second.
    pub bytes_per_s: u64,
    /// Even the largest value leaves more than the target.
    pub exceeds: bool,
}

impl Calibration {
    /// What is to be measured on a processor with `cores` cores for streaming:
    /// every throttle value, or [`MAX_ROWS`] of them evenly, and every number of
    /// cores up to 8, or the powers of two. Nothing is known yet.
    #[must_use]
    pub fn plan(mba: &Mba, cores: u8) -> Self {
        let cores = cores.max(1);
        let counts = (1..=cores).filter(|count| cores <= 8 || count.is_power_of_two());
        let mut columns: Vec<u8, MAX_COLUMNS> = counts.take(MAX_COLUMNS).collect();
        if let Some(last) = columns.last_mut() {
            // The whole machine matters more than the largest power of two below it.
            *last = cores;
        }
        Self { throttles: throttles(mba), cores: columns, rates: [[0; MAX_COLUMNS]; MAX_ROWS] }
    }

    /// The throttle values, ascending from 0.
    #[must_use]
    pub fn throttles(&self) -> &[u32] {
        &self.throttles
    }

    /// The numbers of cores, ascending.
    #[must_use]
    pub fn cores(&self) -> &[u8] {
        &self.cores
    }

    /// Notes what was measured in a row (throttle value) and column (number of
    /// cores). A place that does not exist is ignored.
    pub fn note(&mut self, row: usize, column: usize, bytes_per_s: u64) {
        if let Some(rate) = self.rates.get_mut(row).and_then(|row| row.get_mut(column)) {
            *rate = bytes_per_s;
        }
    }

    /// Makes what was measured monotone: no more under a larger throttle value,
    /// no less with more cores. A disturbed measurement shows too little, never
    /// too much, so the smaller of two that contradict each other gives way.
    pub fn repair(&mut self) {
        for row in (1..self.throttles.len()).rev() {
            for column in 0..MAX_COLUMNS {
                self.rates[row - 1][column] = self.rates[row - 1][column].max(self.rates[row][column]);
            }
        }
        for row in &mut self.rates {
            for column in 1..self.cores.len() {
                row[column] = row[column].max(row[column - 1]);
            }
        }
    }

    /// What `cores` cores get under the throttle value of `row`, in bytes per
    /// second; between two measured numbers of cores in proportion, beyond the
    /// last as with the last. 0 for a row that does not exist.
    #[must_use]
    pub fn rate(&self, row: usize, cores: u8) -> u64 {
        let Some(rates) = self.rates.get(row).filter(|_| row < self.throttles.len()) else { return 0 };
        let cores = cores.max(1);
        let mut below = (1, rates.first().copied().unwrap_or(0));
        for (count, rate) in self.cores.iter().zip(rates) {
            if *count >= cores {
                let (span, part) = (u64::from(count - below.0).max(1), u64::from(cores - below.0));
                let rise = u128::from(rate.saturating_sub(below.1)) * u128::from(part) / u128::from(span);
                return below.1.saturating_add(u64::try_from(rise).unwrap_or(u64::MAX));
            }
            below = (*count, *rate);
        }
        below.1
    }

    /// The smallest throttle value under which `cores` cores together do not
    /// get more than `bytes_per_s`; the largest value when none is enough.
    #[must_use]
    pub fn fit(&self, bytes_per_s: u64, cores: u8) -> Fit {
        let mut last = Fit { throttle: 0, bytes_per_s: 0, exceeds: true };
        for (row, throttle) in self.throttles.iter().enumerate() {
            let rate = self.rate(row, cores);
            last = Fit { throttle: *throttle, bytes_per_s: rate, exceeds: rate > bytes_per_s };
            if !last.exceeds {
                break;
            }
        }
        last
    }
}

/// The values of a linear throttle are multiples of its step, those of another
/// one powers of two; 0 is none. Where there are more than [`MAX_ROWS`], every
/// so-manieth and the largest.
fn throttles(mba: &Mba) -> Vec<u32, MAX_ROWS> {
    let Some(step) = mba.step_percent() else {
        let powers = (0..MAX_ROWS - 1).map_while(|power| 1u32.checked_shl(u32::try_from(power).ok()?));
        return core::iter::once(0).chain(powers.take_while(|value| *value <= mba.max_throttle)).collect();
    };
    let steps = mba.max_throttle / step;
    let rows = steps.min(u32::try_from(MAX_ROWS - 1).unwrap_or(0));
    (0..=rows).map(|row| row * steps / rows.max(1) * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TENTHS: Mba = Mba { linear: true, max_throttle: 90, classes: 8, per_thread: false };

    #[test]
    fn every_step_and_every_small_number_of_cores_is_measured() {
        let plan = Calibration::plan(&TENTHS, 4);
        assert_eq!(plan.throttles(), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
        assert_eq!(plan.cores(), [1, 2, 3, 4]);
        assert_eq!(Calibration::plan(&TENTHS, 20).cores(), [1, 2, 4, 8, 20]);
        let fine = Mba { max_throttle: 99, ..TENTHS };
        let plan = Calibration::plan(&fine, 0);
        assert_eq!(
            (plan.throttles().len(), plan.throttles().last(), plan.cores()),
            (16, Some(&99), &[1][..])
        );
        let powers = Mba { linear: false, max_throttle: 12, ..TENTHS };
        assert_eq!(Calibration::plan(&powers, 1).throttles(), [0, 1, 2, 4, 8]);
    }

    /// A core gets 10 GB/s less a tenth for each step, the memory has 25.
    fn measured() -> Calibration {
        let mut table = Calibration::plan(&TENTHS, 4);
        for row in 0..10 {
            for column in 0..4 {
                let one = (10 - row as u64) * 1_000_000_000;
                table.note(row, column, (one * (column as u64 + 1)).min(25_000_000_000));
            }
        }
        table
    }

    #[test]
    fn a_target_gives_the_most_that_is_not_more() {
        let mut table = measured();
        table.repair();
        assert_eq!(table, measured(), "what is monotone stays as it is");
        let fit = |target, cores| {
            let fit = table.fit(target, cores);
            (fit.throttle, fit.bytes_per_s / 1_000_000_000, fit.exceeds)
        };
        assert_eq!(fit(4_000_000_000, 1), (60, 4, false));
        assert_eq!(fit(4_500_000_000, 1), (60, 4, false));
        assert_eq!(fit(4_000_000_000, 2), (80, 4, false));
        assert_eq!(fit(2_500_000_000, 3), (90, 3, true));
        assert_eq!(fit(u64::MAX, 4), (0, 25, false));
        assert_eq!(fit(0, 9), (90, 4, true));
    }

    #[test]
    fn between_measured_numbers_of_cores_the_rate_is_in_proportion() {
        let mut table = Calibration::plan(&TENTHS, 16);
        for (column, rate) in [10, 20, 36, 60, 60].into_iter().enumerate() {
            table.note(0, column, rate);
        }
        assert_eq!(
            [1, 2, 3, 4, 6, 8, 12, 16, 17].map(|cores| table.rate(0, cores)),
            [10, 20, 28, 36, 48, 60, 60, 60, 60]
        );
        assert_eq!(table.rate(16, 1), 0);
    }

    #[test]
    fn a_disturbed_measurement_gives_way() {
        let mut table = measured();
        table.note(2, 1, 3_000_000_000);
        table.note(0, 3, 0);
        table.repair();
        assert_eq!((table.rate(2, 2), table.rate(0, 4)), (14_000_000_000, 25_000_000_000));
    }

    proptest! {
        #[test]
        fn repaired_tables_are_monotone_and_their_inverse_keeps_the_target(
            linear: bool, max_throttle in 1u32..100, cores: u8, target: u64, asked: u8,
            rates in prop::collection::vec(any::<u64>(), MAX_ROWS * MAX_COLUMNS),
        ) {
            let mba = Mba { linear, max_throttle, classes: 4, per_thread: false };
            let mut table = Calibration::plan(&mba, cores);
            prop_assert!(table.throttles().is_sorted() && table.throttles().first() == Some(&0));
            prop_assert!(table.throttles().iter().all(|value| mba.round_throttle(*value) == Ok(*value)));
            prop_assert_eq!(table.cores().last().copied(), Some(cores.max(1)));
            prop_assert!(table.cores().is_sorted());
            for (at, rate) in rates.iter().enumerate() {
                table.note(at / MAX_COLUMNS, at % MAX_COLUMNS, *rate);
            }
            table.repair();
            for row in 0..table.throttles().len() {
                for cores in 1..=255u8 {
                    prop_assert!(row == 0 || table.rate(row, cores) <= table.rate(row - 1, cores));
                    prop_assert!(cores == 1 || table.rate(row, cores - 1) <= table.rate(row, cores));
                }
            }
            let fit = table.fit(target, asked);
            let row = table.throttles().iter().position(|value| *value == fit.throttle).expect("a row");
            prop_assert_eq!(fit.bytes_per_s, table.rate(row, asked));
            prop_assert_eq!(fit.exceeds, fit.bytes_per_s > target);
            prop_assert!(fit.exceeds || row == 0 || table.rate(row - 1, asked) > target, "not the most");
            prop_assert!(!fit.exceeds || row + 1 == table.throttles().len());
        }
    }
}
