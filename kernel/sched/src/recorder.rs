//! What one core did last, for others to look at later.
//!
//! A flight recorder: the core writes, nothing stops it, and the oldest is
//! overwritten. A queue that fills up was refused: what is wanted is the time
//! before somebody looked, not the time after it was switched on.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering, fence};

/// The last `N - 1` records of one core: a time and a word each.
///
/// One core writes; whoever reads may do so at any time and gets records in
/// order. A record that is overwritten while it is read is left out.
#[derive(Debug)]
pub struct Recorder<const N: usize> {
    /// Records ever written.
    written: AtomicU64,
    records: [[AtomicU64; 2]; N],
}

impl<const N: usize> Recorder<N> {
    /// Nothing recorded yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { written: AtomicU64::new(0), records: [const { [AtomicU64::new(0), AtomicU64::new(0)] }; N] }
    }

    /// Records `word` at `time`; by one core only. Bound: three stores.
    pub fn write(&self, time: u64, word: u64) {
        let number = self.written.load(Ordering::Relaxed);
        // The count that makes the old record invalid is seen before its loss.
        fence(Ordering::Release);
        if let Some([at, what]) = self.records.get(place::<N>(number)) {
            at.store(time, Ordering::Relaxed);
            what.store(word, Ordering::Relaxed);
        }
        self.written.store(number.wrapping_add(1), Ordering::Release);
    }

    /// Numbers of the records that are kept, counted from 0 since the
    /// beginning. One fewer than there is room for: its place is the next
    /// one's, which may be being written.
    #[must_use]
    pub fn kept(&self) -> Range<u64> {
        let written = self.written.load(Ordering::Acquire);
        written.saturating_sub((N as u64).saturating_sub(1))..written
    }

    /// The record of that number; none if it is gone or not there yet.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<(u64, u64)> {
        if !self.kept().contains(&number) {
            return None;
        }
        let [at, what] = self.records.get(place::<N>(number))?;
        let record = (at.load(Ordering::Relaxed), what.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        self.kept().contains(&number).then_some(record)
    }
}

impl<const N: usize> Default for Recorder<N> {
    fn default() -> Self {
        Self::new()
    }
}

fn place<const N: usize>(number: u64) -> usize {
    usize::try_from(number % (N as u64).max(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn all<const N: usize>(recorder: &Recorder<N>) -> Vec<(u64, u64)> {
        recorder.kept().filter_map(|number| recorder.get(number)).collect()
    }

    #[test]
    fn the_last_ones_are_kept_in_order() {
        let recorder = Recorder::<4>::new();
        assert_eq!((recorder.kept(), all(&recorder)), (0..0, Vec::new()));
        for time in 0..3 {
            recorder.write(time, time * 10);
        }
        assert_eq!(all(&recorder), [(0, 0), (1, 10), (2, 20)]);
        for time in 3..11 {
            recorder.write(time, time * 10);
        }
        assert_eq!(all(&recorder), [(8, 80), (9, 90), (10, 100)]);
        assert_eq!((recorder.get(7), recorder.get(11)), (None, None));
    }

    #[test]
    fn what_is_read_beside_the_writer_is_whole() {
        let recorder = Recorder::<8>::new();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..200_000).for_each(|time: u64| recorder.write(time, !time)));
            while recorder.kept().end < 200_000 {
                for number in recorder.kept() {
                    if let Some((time, word)) = recorder.get(number) {
                        assert_eq!((time, word), (number, !number));
                    }
                }
            }
        });
    }
}
