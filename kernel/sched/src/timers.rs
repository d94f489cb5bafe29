//! The timers of one core: each token (a task that sleeps, or one of the
//! kernel's own) has one deadline at most, and the earliest is at the top of a
//! heap. A timing wheel has O(1) on paper, but rounds deadlines or cascades;
//! with 160 entries eight levels of a heap cost no more.

use crate::heap::IndexHeap;

/// Tokens there are: 128 tasks and 32 for the kernel.
pub const TIMERS: usize = 160;

/// Whose timer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(u8);

impl Token {
    /// The timer of a task; none beyond the task table.
    #[must_use]
    pub const fn task(task: crate::TaskIndex) -> Option<Self> {
        if task.0 < 128 { Some(Self(task.0.to_le_bytes()[0])) } else { None }
    }

    /// A timer of the kernel's own, 0 to 31; none beyond.
    #[must_use]
    pub const fn kernel(number: u8) -> Option<Self> {
        if number < 32 { Some(Self(128 + number)) } else { None }
    }

    /// The task this is the timer of; none for the kernel's.
    #[must_use]
    pub const fn as_task(self) -> Option<crate::TaskIndex> {
        if self.0 < 128 { Some(crate::TaskIndex(self.0 as u16)) } else { None }
    }
}

/// The pending timers of one core. Touched by that core alone.
#[derive(Debug)]
pub struct Timers {
    heap: IndexHeap<TIMERS>,
}

impl Default for Timers {
    fn default() -> Self {
        Self::new()
    }
}

impl Timers {
    /// None pending.
    #[must_use]
    pub const fn new() -> Self {
        Self { heap: IndexHeap::new() }
    }

    /// Sets the timer of `token` to `deadline` (TSC cycles), whatever it was.
    /// There is room for every token. O(log n).
    pub fn set(&mut self, token: Token, deadline: u64) {
        self.heap.set(token.0, deadline);
    }

    /// Cancels a timer and gives its deadline if it was pending. O(log n).
    pub fn cancel(&mut self, token: Token) -> Option<u64> {
        self.heap.remove(token.0)
    }

    /// Takes the earliest timer if it is due at `now`. O(log n). A caller that
    /// takes all that are due bounds its loop by [`TIMERS`].
    pub fn pop_expired(&mut self, now: u64) -> Option<(Token, u64)> {
        let (member, deadline) = self.heap.first().filter(|(_, deadline)| *deadline <= now)?;
        self.heap.remove(member);
        Some((Token(member), deadline))
    }

    /// What to set the one-shot timer to. O(1).
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        self.heap.first().map(|(_, deadline)| deadline)
    }

    /// Timers pending.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none is pending.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.heap.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskIndex;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn tokens_are_tasks_or_the_kernels() {
        assert_eq!(Token::task(TaskIndex(127)).and_then(Token::as_task), Some(TaskIndex(127)));
        assert_eq!((Token::task(TaskIndex(128)), Token::kernel(32)), (None, None));
        assert_eq!(Token::kernel(0).map(Token::as_task), Some(None));
    }

    #[test]
    fn every_token_has_room_and_the_far_future_is_a_deadline() {
        let mut timers = Timers::new();
        let tasks = (0..128).filter_map(|task| Token::task(TaskIndex(task)));
        for (token, deadline) in tasks.chain((0..32).filter_map(Token::kernel)).zip((0..160).rev()) {
            timers.set(token, deadline);
        }
        assert_eq!((timers.len(), timers.next_deadline()), (TIMERS, Some(0)));
        let popped: std::vec::Vec<u64> =
            std::iter::from_fn(|| timers.pop_expired(100)).map(|(_, deadline)| deadline).collect();
        assert!(popped.into_iter().eq(0..=100));
        let token = Token::kernel(3).expect("below 32");
        let mut timers = Timers::default();
        timers.set(token, u64::MAX);
        assert_eq!(timers.pop_expired(u64::MAX - 1), None);
        assert_eq!(timers.pop_expired(u64::MAX), Some((token, u64::MAX)));
        assert!(timers.is_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_sorted_sets(steps in prop::collection::vec((0u8..160, 0u64..1000, 0u8..5), 0..300)) {
            let mut timers = Timers::new();
            let (mut of, mut sorted) = (BTreeMap::new(), BTreeSet::new());
            for (number, time, step) in steps {
                let token = Token(number);
                match step {
                    0 => {
                        let expected = of.remove(&token);
                        sorted.retain(|(_, other)| *other != token);
                        prop_assert_eq!(timers.cancel(token), expected);
                    }
                    1 => {
                        let due = sorted.first().copied().filter(|(deadline, _)| *deadline <= time);
                        if let Some(entry) = due {
                            sorted.remove(&entry);
                            of.remove(&entry.1);
                        }
                        prop_assert_eq!(timers.pop_expired(time), due.map(|(deadline, token)| (token, deadline)));
                    }
                    _ => {
                        timers.set(token, time);
                        if let Some(old) = of.insert(token, time) {
                            sorted.remove(&(old, token));
                        }
                        sorted.insert((time, token));
                    }
                }
                prop_assert_eq!(timers.next_deadline(), sorted.first().map(|(deadline, _)| *deadline));
                prop_assert_eq!(timers.len(), of.len());
            }
        }
    }
}
