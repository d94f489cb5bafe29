//! Shared state with a rule instead of a lock.

use core::cell::UnsafeCell;

use umbra_x86_64::cpu;

/// State of the control core alone: its tick (interrupt) and its task share
/// it, so the task reaches it with interrupts off.
pub(crate) struct ControlCell<T>(UnsafeCell<Option<T>>);

// SAFETY: `with` lets one user at a time in: only the control core, and only
// with interrupts off, so neither another core nor its own tick can be inside.
unsafe impl<T> Sync for ControlCell<T> {}

impl<T> ControlCell<T> {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    /// A cell that is full from the start, for what is too large to be moved.
    pub(crate) const fn filled(value: T) -> Self {
        Self(UnsafeCell::new(Some(value)))
    }

    /// Fills the cell.
    pub(crate) fn set(&self, value: T) {
        self.enter(|slot| *slot = Some(value));
    }

    /// Runs `body` on the content with interrupts off; none while the cell is
    /// empty. Must not be nested on the same cell.
    pub(crate) fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.enter(|slot| slot.as_mut().map(body))
    }

    fn enter<R>(&self, body: impl FnOnce(&mut Option<T>) -> R) -> R {
        assert!(crate::cores::is_control(), "control state reached from another core");
        // SAFETY: see `Sync` above; nesting is excluded by `with`'s contract.
        cpu::without_interrupts(|| body(unsafe { &mut *self.0.get() }))
    }
}

/// State handed from core to core by a message or a flag: whoever was told
/// that it is theirs may use it.
pub(crate) struct Handed<T>(UnsafeCell<T>);

// SAFETY: every access names, at its `unsafe` block, the message or flag that
// made the accessing core the only user.
unsafe impl<T: Send> Sync for Handed<T> {}

impl<T> Handed<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The content.
    ///
    /// # Safety
    /// The caller is the only user until it hands the state on.
    #[expect(clippy::mut_from_ref, reason = "exclusive by the hand-over, not by the borrow")]
    pub(crate) const unsafe fn get(&self) -> &mut T {
        // SAFETY: the caller is the only user.
        unsafe { &mut *self.0.get() }
    }
}
