//! A binary heap of numbered members with a place map, so that any member can
//! be found, moved or taken out in O(log n). Arrays only; `N` at most 255.
//! Pairing heaps have better bounds on paper and worse ones in cache lines.

/// Not in the heap.
const ABSENT: u8 = u8::MAX;

/// The members `0..N`, each in the heap at most once, ordered by key and then
/// by number.
#[derive(Clone, Debug)]
pub(crate) struct IndexHeap<const N: usize> {
    keys: [u64; N],
    /// The heap: member numbers.
    order: [u8; N],
    /// Where in `order` a member is.
    place: [u8; N],
    len: usize,
}

impl<const N: usize> IndexHeap<N> {
    pub(crate) const fn new() -> Self {
        assert!(N < 255, "members are numbered in a byte");
        Self { keys: [0; N], order: [0; N], place: [ABSENT; N], len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn contains(&self, member: u8) -> bool {
        self.place.get(usize::from(member)).is_some_and(|&place| place != ABSENT)
    }

    /// The key of a member of the heap.
    pub(crate) fn key(&self, member: u8) -> Option<u64> {
        if self.contains(member) { Some(self.keys[usize::from(member)]) } else { None }
    }

    /// The least member and its key. O(1).
    pub(crate) fn first(&self) -> Option<(u8, u64)> {
        if self.len == 0 { None } else { Some((self.order[0], self.keys[usize::from(self.order[0])])) }
    }

    /// The least member but `member`. O(1): if that is the first, the next is
    /// one of its two children.
    pub(crate) fn first_other_than(&self, member: u8) -> Option<(u8, u64)> {
        let places =
            if self.len > 0 && self.order[0] == member { 1..self.len.min(3) } else { 0..self.len.min(1) };
        let least = places.min_by_key(|&place| self.rank(place))?;
        Some((self.order[least], self.keys[usize::from(self.order[least])]))
    }

    /// Puts a member in, or moves it, to `key`. O(log N). Ignores numbers from
    /// `N` up.
    pub(crate) fn set(&mut self, member: u8, key: u64) {
        let Some(place) = self.place.get(usize::from(member)).copied() else { return };
        self.keys[usize::from(member)] = key;
        let place = if place == ABSENT {
            self.len += 1;
            self.put(self.len - 1, member);
            self.len - 1
        } else {
            usize::from(place)
        };
        self.settle(place);
    }

    /// Takes a member out and gives its key. O(log N).
    pub(crate) fn remove(&mut self, member: u8) -> Option<u64> {
        let key = self.key(member)?;
        let place = usize::from(self.place[usize::from(member)]);
        self.place[usize::from(member)] = ABSENT;
        self.len -= 1;
        if place < self.len {
            self.put(place, self.order[self.len]);
            self.settle(place);
        }
        Some(key)
    }

    /// The members with their keys, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, u64)> {
        self.order[..self.len].iter().map(|&member| (member, self.keys[usize::from(member)]))
    }

    /// Takes `amount` off every key, at most down to 0. O(N).
    pub(crate) fn lower_all(&mut self, amount: u64) {
        for key in &mut self.keys {
            *key = key.saturating_sub(amount);
        }
    }

    /// Moves the member at `place` to where it belongs. At most log2 N steps,
    /// up or down.
    fn settle(&mut self, place: usize) {
        let member = self.order[place];
        let own = self.rank(place);
        let mut place = place;
        while place > 0 && own < self.rank((place - 1) / 2) {
            self.put(place, self.order[(place - 1) / 2]);
            place = (place - 1) / 2;
        }
        while let Some(child) = self.lesser_child(place).filter(|&child| self.rank(child) < own) {
            self.put(place, self.order[child]);
            place = child;
        }
        self.put(place, member);
    }

    fn lesser_child(&self, place: usize) -> Option<usize> {
        let (left, right) = (2 * place + 1, 2 * place + 2);
        if right < self.len && self.rank(right) < self.rank(left) {
            Some(right)
        } else {
            (left < self.len).then_some(left)
        }
    }

    fn rank(&self, place: usize) -> (u64, u8) {
        let member = self.order[place];
        (self.keys[usize::from(member)], member)
    }

    fn put(&mut self, place: usize, member: u8) {
        self.order[place] = member;
        self.place[usize::from(member)] = place.to_le_bytes()[0];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn agrees_with_a_sorted_map(steps in prop::collection::vec((0u8..14, 0u64..40, 0u8..4), 0..200)) {
            let mut heap: IndexHeap<12> = IndexHeap::new();
            let mut model: BTreeMap<u8, u64> = BTreeMap::new();
            for (member, key, step) in steps {
                match step {
                    0 => prop_assert_eq!(heap.remove(member), model.remove(&member)),
                    1 if key == 0 => {
                        heap.lower_all(5);
                        model.values_mut().for_each(|key| *key = key.saturating_sub(5));
                        // Keys cut off at 0 may have lost their order.
                        for (member, key) in &model {
                            heap.set(*member, *key);
                        }
                    }
                    _ => {
                        heap.set(member, key);
                        if member < 12 {
                            model.insert(member, key);
                        }
                    }
                }
                let least = |skip: Option<u8>| {
                    model.iter().filter(|(m, _)| Some(**m) != skip).map(|(m, k)| (*k, *m)).min().map(|(k, m)| (m, k))
                };
                prop_assert_eq!(heap.len(), model.len());
                prop_assert_eq!(heap.first(), least(None));
                prop_assert_eq!(heap.first_other_than(member), least(Some(member)));
                prop_assert_eq!((heap.key(member), heap.contains(member)),
                    (model.get(&member).copied(), model.contains_key(&member)));
                let mut all: std::vec::Vec<_> = heap.iter().collect();
                all.sort_unstable();
                prop_assert!(all.into_iter().eq(model.iter().map(|(m, k)| (*m, *k))));
            }
        }
    }
}
