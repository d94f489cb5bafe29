//! A short list of names taken from a configuration line, without a heap.

/// Most names that one line may list.
pub const MAX_LISTED: usize = 12;

/// Up to [`MAX_LISTED`] items, in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List<T> {
    items: [T; MAX_LISTED],
    length: usize,
}

impl<T: Copy> List<T> {
    /// No items; `filler` fills the unused places.
    pub(crate) const fn empty(filler: T) -> Self {
        Self { items: [filler; MAX_LISTED], length: 0 }
    }

    /// Adds `item` unless the list is full.
    #[must_use]
    pub(crate) fn push(&mut self, item: T) -> bool {
        match self.items.get_mut(self.length) {
            Some(place) => {
                *place = item;
                self.length += 1;
                true
            }
            None => false,
        }
    }

    /// The items.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        self.items.get(..self.length).unwrap_or_default()
    }
}
