//! A bounded lock-free queue from one core to one other.
//!
//! `heapless` has such a queue; ours differs in what matters between cores.
//! - The two indices lie 128 bytes apart, so that neither core's stores take
//!   the other's line (64 bytes is not enough: Intel's adjacent-line prefetcher
//!   fetches pairs, Intel Optimization Reference Manual, "Data Prefetching").
//! - Each side keeps a copy of the other's index and looks at the real one only
//!   when the copy says full or empty (Giacomoni et al., "FastForward for
//!   efficient pipeline parallelism", PPoPP 2008, has the reasoning), so that a
//!   burst of messages costs one transfer of the line, not one each.
//! - Batches publish their messages with one store.
//! - An end is claimed from a shared reference and given back when dropped, so
//!   that rings can lie in a `static` array, one for each pair of cores.
//!
//! Messages are `Copy` and a power of two of them fit. Locks and queues of many
//! producers were refused: a first-class core must never wait for another.
//!
//! # Ownership of the slots
//! `head <= tail <= head + N`, counted without end (wrapping). Slots `head` to
//! `tail - 1` belong to the consumer, the others to the producer. Only the
//! producer moves `tail` and only the consumer moves `head`, each with a
//! release store after it is done with the slot and seen by the other with an
//! acquire load before it touches the slot.

use core::mem::MaybeUninit;
use core::sync::atomic::Ordering;

use crate::sync::{AtomicBool, AtomicUsize, UnsafeCell};

/// A value alone on its pair of cache lines.
#[derive(Debug)]
#[repr(align(128))]
struct Padded<V>(V);

/// What one end publishes.
#[derive(Debug)]
struct End {
    /// Messages ever pushed, or ever popped.
    count: AtomicUsize,
    /// Whether somebody holds this end.
    claimed: AtomicBool,
}

impl End {
    /// Takes the end, if nobody holds it, and says how far it has come. The
    /// acquire orders that after the last holder's stores.
    fn claim(&self) -> Option<usize> {
        let free = !self.claimed.swap(true, Ordering::Acquire);
        free.then(|| self.count.load(Ordering::Relaxed))
    }

    fn give_back(&self) {
        self.claimed.store(false, Ordering::Release);
    }
}

/// A ring of `N` messages, `N` a power of two.
#[derive(Debug)]
#[repr(C)]
pub struct Ring<T: Copy, const N: usize> {
    tail: Padded<End>,
    head: Padded<End>,
    slots: Padded<[UnsafeCell<MaybeUninit<T>>; N]>,
}

// SAFETY: the slots are the only content that is not `Sync` by itself. Ends are
// claimed through atomic flags, so there is at most one producer and one
// consumer, and the indices give every slot to exactly one of the two (see the
// module's text). `T: Send` because a message is moved from one thread to the
// other; nothing is ever borrowed across.
unsafe impl<T: Copy + Send, const N: usize> Sync for Ring<T, N> {}

// SAFETY: a ring owns its messages, which may be sent; there is no reference to
// anything else inside.
unsafe impl<T: Copy + Send, const N: usize> Send for Ring<T, N> {}

impl<T: Copy, const N: usize> Ring<T, N> {
    const CAPACITY: usize = {
        assert!(
            N.is_power_of_two() && N <= 1 << 16,
            "a ring holds a power of two of messages, 65536 at most"
        );
        N
    };

    /// An empty ring, of new cells, counts of 0 and flags that are false.
    pub(crate) const fn from_parts(
        slots: [UnsafeCell<MaybeUninit<T>>; N],
        [pushed, popped]: [AtomicUsize; 2],
        [produced, consumed]: [AtomicBool; 2],
    ) -> Self {
        let _ = Self::CAPACITY;
        Self {
            tail: Padded(End { count: pushed, claimed: produced }),
            head: Padded(End { count: popped, claimed: consumed }),
            slots: Padded(slots),
        }
    }

    /// Claims the producing end; none while somebody holds it. Dropping it
    /// gives it back.
    pub fn producer(&self) -> Option<Producer<'_, T, N>> {
        let tail = self.tail.0.claim()?;
        let head = self.head.0.count.load(Ordering::Acquire);
        Some(Producer { ring: self, tail, head })
    }

    /// Claims the consuming end; none while somebody holds it. Dropping it
    /// gives it back.
    pub fn consumer(&self) -> Option<Consumer<'_, T, N>> {
        let head = self.head.0.claim()?;
        let tail = self.tail.0.count.load(Ordering::Acquire);
        Some(Consumer { ring: self, head, tail })
    }

    /// Both ends of a ring that is not shared yet.
    pub fn split(&mut self) -> Option<(Producer<'_, T, N>, Consumer<'_, T, N>)> {
        let ring = &*self;
        Some((ring.producer()?, ring.consumer()?))
    }

    /// The slot of the message with this running number.
    fn slot(&self, number: usize) -> &UnsafeCell<MaybeUninit<T>> {
        &self.slots.0[number & (Self::CAPACITY - 1)]
    }
}

/// The producing end. Belongs to one core.
#[derive(Debug)]
pub struct Producer<'r, T: Copy, const N: usize> {
    ring: &'r Ring<T, N>,
    /// Equal to the ring's: only this end moves it.
    tail: usize,
    /// At most the ring's: the consumer may be further.
    head: usize,
}

impl<T: Copy, const N: usize> Producer<'_, T, N> {
    /// Adds a message. O(1), no loop, no lock.
    ///
    /// # Errors
    /// Gives the message back when the ring is full.
    pub fn push(&mut self, message: T) -> Result<(), T> {
        if self.room(1) == 0 {
            return Err(message);
        }
        self.write(self.tail, message);
        self.publish(1);
        Ok(())
    }

    /// Adds as many of `messages` as fit, in order, and says how many. They
    /// are seen all at once. Bound: `N` copies.
    pub fn push_slice(&mut self, messages: &[T]) -> usize {
        let count = self.room(messages.len()).min(messages.len());
        for (step, &message) in messages.iter().take(count).enumerate() {
            self.write(self.tail.wrapping_add(step), message);
        }
        if count > 0 {
            self.publish(count);
        }
        count
    }

    /// Messages that fit at least.
    pub fn free(&mut self) -> usize {
        self.room(N)
    }

    /// Free slots; looks at the consumer's index if fewer than `wanted` are
    /// known of.
    fn room(&mut self, wanted: usize) -> usize {
        let known = N - self.tail.wrapping_sub(self.head);
        if known >= wanted {
            return known;
        }
        self.head = self.ring.head.0.count.load(Ordering::Acquire);
        N - self.tail.wrapping_sub(self.head)
    }

    /// Fills the free slot of message `number`.
    fn write(&self, number: usize, message: T) {
        self.ring.slot(number).with_mut(|slot| {
            // SAFETY: `room` said that the slot is free, so it is the
            // producer's, which is borrowed exclusively; the acquire load of
            // `head` ordered the consumer's last read of it before this.
            unsafe { (*slot).write(message) };
        });
    }

    /// Hands `count` filled slots to the consumer.
    fn publish(&mut self, count: usize) {
        self.tail = self.tail.wrapping_add(count);
        self.ring.tail.0.count.store(self.tail, Ordering::Release);
    }
}

impl<T: Copy, const N: usize> Drop for Producer<'_, T, N> {
    fn drop(&mut self) {
        self.ring.tail.0.give_back();
    }
}

/// The consuming end. Belongs to one core.
#[derive(Debug)]
pub struct Consumer<'r, T: Copy, const N: usize> {
    ring: &'r Ring<T, N>,
    /// Equal to the ring's: only this end moves it.
    head: usize,
    /// At most the ring's: the producer may be further.
    tail: usize,
}

impl<T: Copy, const N: usize> Consumer<'_, T, N> {
    /// Takes the oldest message, if there is one. O(1), no loop, no lock.
    pub fn pop(&mut self) -> Option<T> {
        if self.filled(1) == 0 {
            return None;
        }
        let message = self.read(self.head);
        self.release(1);
        Some(message)
    }

    /// Moves the oldest messages to the front of `into`, as many as there are
    /// and fit, and says how many. Bound: `N` copies.
    pub fn pop_slice(&mut self, into: &mut [T]) -> usize {
        let count = self.filled(into.len()).min(into.len());
        for (step, place) in into.iter_mut().take(count).enumerate() {
            *place = self.read(self.head.wrapping_add(step));
        }
        if count > 0 {
            self.release(count);
        }
        count
    }

    /// Whether there is nothing to pop now.
    pub fn is_empty(&mut self) -> bool {
        self.filled(1) == 0
    }

    /// Filled slots; looks at the producer's index if fewer than `wanted` are
    /// known of.
    fn filled(&mut self, wanted: usize) -> usize {
        let known = self.tail.wrapping_sub(self.head);
        if known >= wanted {
            return known;
        }
        self.tail = self.ring.tail.0.count.load(Ordering::Acquire);
        self.tail.wrapping_sub(self.head)
    }

    /// Copies out the filled slot of message `number`.
    fn read(&self, number: usize) -> T {
        self.ring.slot(number).with(|slot| {
            // SAFETY: `filled` said that the slot is filled, so it is the
            // consumer's, which is borrowed exclusively; the acquire load of
            // `tail` ordered the producer's write of it before this. `T: Copy`
            // makes reading it twice harmless.
            unsafe { (*slot).assume_init_read() }
        })
    }

    /// Hands `count` read slots back to the producer.
    fn release(&mut self, count: usize) {
        self.head = self.head.wrapping_add(count);
        self.ring.head.0.count.store(self.head, Ordering::Release);
    }
}

impl<T: Copy, const N: usize> Drop for Consumer<'_, T, N> {
    fn drop(&mut self) {
        self.ring.head.0.give_back();
    }
}
