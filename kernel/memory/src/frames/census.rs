//! All frames at a glance: what they add up to, by colour and by owner.
//!
//! Proportional to the memory there is: for people and for checks, not for
//! hot paths.

use core::sync::atomic::Ordering;

use super::{Frame, FrameAllocator, FrameState, Owner};
use crate::colour::MAX_COLOURS;

/// A sum over a set of frames. Two sets with the same sum are the same set, for
/// all that chance can do: it holds their count and the sums of numbers and of
/// their squares. A frame listed twice in place of one that is missing changes
/// the sum for certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Frames.
    pub frames: u32,
    sum: u64,
    squares: u64,
}

impl Fingerprint {
    /// Adds a frame.
    pub const fn add(&mut self, frame: Frame) {
        let number = frame.0 as u64;
        self.frames = self.frames.saturating_add(1);
        self.sum = self.sum.wrapping_add(number);
        self.squares = self.squares.wrapping_add(number.wrapping_mul(number));
    }

    /// Adds all of another set.
    pub const fn merge(&mut self, other: Self) {
        self.frames = self.frames.saturating_add(other.frames);
        self.sum = self.sum.wrapping_add(other.sum);
        self.squares = self.squares.wrapping_add(other.squares);
    }
}

/// Frames of each colour.
pub type ByColour = [u32; MAX_COLOURS as usize];

impl FrameAllocator<'_> {
    /// Every managed frame and how it stands, from the lowest up.
    pub fn iter(&self) -> impl Iterator<Item = (Frame, FrameState)> {
        let numbers = (0..).map(|index: u32| Frame(self.first.0.saturating_add(index)));
        let states = self.words.iter().map(|word| super::Word(word.load(Ordering::Relaxed)).state());
        numbers.zip(states).filter(|(_, state)| *state != FrameState::Unmanaged)
    }

    /// The sum of an owner's frames. One look at every frame.
    #[must_use]
    pub fn fingerprint(&self, owner: Owner) -> Fingerprint {
        let mut sum = Fingerprint::default();
        for (frame, _) in self.iter().filter(|(_, state)| *state == FrameState::Used(owner)) {
            sum.add(frame);
        }
        sum
    }

    /// Counts frames by colour: those for which `group` gives a row of `rows`
    /// are counted there. One look at every frame.
    pub fn census(&self, rows: &mut [ByColour], group: impl Fn(FrameState) -> Option<usize>) {
        for (frame, state) in self.iter() {
            let row = group(state).and_then(|row| rows.get_mut(row));
            let colour = usize::from(self.colours.colour_of(frame).0);
            if let Some(count) = row.and_then(|row| row.get_mut(colour)) {
                *count += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::{ColourSet, Geometry};
    use crate::frames::tests::words;

    #[test]
    fn the_census_adds_up() {
        let colours = Geometry { sets: 256, ways: 8, line_bytes: 64, slices: 1 }.colours().expect("four");
        let words = words(32);
        let mut frames = FrameAllocator::new(&words, Frame(100), colours);
        frames.add_region(Frame(102).address(), 24 * 4096);
        let mine = Owner(140);
        for _ in 0..5 {
            frames.allocate(ColourSet(0b0010), mine).expect("six of each colour");
        }
        let mut rows = [[0; 64]; 2];
        frames.census(&mut rows, |state| match state {
            FrameState::Free => Some(0),
            FrameState::Used(owner) if owner == mine => Some(1),
            _ => None,
        });
        assert_eq!(rows[0][..5], [6, 1, 6, 6, 0]);
        assert_eq!(rows[1][..5], [0, 5, 0, 0, 0]);
        assert_eq!(frames.iter().count(), 24);
    }

    #[test]
    fn fingerprints_tell_a_frame_listed_twice() {
        let sum = |numbers: &[u32]| {
            let mut sum = Fingerprint::default();
            numbers.iter().for_each(|number| sum.add(Frame(*number)));
            sum
        };
        assert_eq!(sum(&[3, 9, 12]), sum(&[12, 3, 9]));
        assert_ne!(sum(&[3, 9, 12]), sum(&[3, 9, 9]));
        assert_ne!(sum(&[3, 9, 12]), sum(&[2, 10, 12]), "the squares differ");
        assert_ne!(sum(&[3]), sum(&[3, 0]));
    }
}
