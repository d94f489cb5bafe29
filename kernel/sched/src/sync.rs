//! The primitives the ring is built of. The model check replaces this module
//! by one of the same names that explores every interleaving.

pub(crate) use core::sync::atomic::{AtomicBool, AtomicUsize};

/// `core`'s cell with an interface that shows where an access begins and ends.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Hands the content to `read`, which must not keep the pointer.
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    /// Hands the content to `write`, which must not keep the pointer.
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

impl<T: Copy, const N: usize> crate::ring::Ring<T, N> {
    /// An empty ring, fit for a `static`.
    #[must_use]
    pub const fn new() -> Self {
        Self::from_parts(
            [const { UnsafeCell::new(core::mem::MaybeUninit::uninit()) }; N],
            [AtomicUsize::new(0), AtomicUsize::new(0)],
            [AtomicBool::new(false), AtomicBool::new(false)],
        )
    }
}

impl<T: Copy, const N: usize> Default for crate::ring::Ring<T, N> {
    fn default() -> Self {
        Self::new()
    }
}
