//! One core: its private levels, its miss buffers, the streams it follows and
//! its throttled way to the shared level.

use crate::description::Description;
use crate::private::PrivateCache;

/// Streams that are followed at a time.
const STREAMS: usize = 8;

/// Whether a miss goes past the second level, where the throttle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Throttled {
    /// Served by the second level.
    No,
    /// Goes to the shared level, by this one of the core's threads.
    By(usize),
}

/// A thread's way to the shared level.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lane {
    /// Cycles between two requests, 0 when not throttled.
    pub spacing_q8: u64,
    next_slot_q8: u64,
}

/// When a miss got its buffer and when its line is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub from: u64,
    pub until: u64,
}

/// A physical core; its threads share all of this.
#[derive(Clone, Debug)]
pub(super) struct Core {
    pub first: PrivateCache,
    pub second: PrivateCache,
    pub streams: Streams,
    /// Of each thread, or the first one's for both.
    pub lanes: [Lane; 2],
    /// Whether each thread has its own.
    lanes_apart: bool,
    busy_until: Vec<u64>,
}

impl Core {
    pub(super) fn new(machine: &Description) -> Self {
        let second = machine.second_level;
        let masks = machine.allocation.is_some_and(|allocation| allocation.second_mask_classes > 0);
        let second =
            if masks { PrivateCache::with_masks } else { PrivateCache::new }(second.kib, second.ways);
        Self {
            first: PrivateCache::new(machine.first_level.kib, machine.first_level.ways),
            second,
            streams: Streams::default(),
            lanes: [Lane::default(); 2],
            lanes_apart: machine.allocation.is_some_and(|allocation| allocation.throttle_per_thread),
            busy_until: vec![0; machine.miss_buffers],
        }
    }

    /// Takes the buffer that is free first, from when it is free. The time a
    /// throttled request waits for its slot, it waits in the buffer.
    pub(super) fn take_buffer(&mut self, now: u64, latency: u64, throttled: Throttled) -> Taken {
        let Some(buffer) = self.busy_until.iter_mut().min() else {
            return Taken { from: now, until: now + latency };
        };
        let from = now.max(*buffer);
        let mut sent = from;
        if let Throttled::By(thread) = throttled
            && let Some(lane) = self.lanes.get_mut(if self.lanes_apart { thread } else { 0 })
            && lane.spacing_q8 != 0
        {
            let slot = lane.next_slot_q8.max(from << 8);
            lane.next_slot_q8 = slot + lane.spacing_q8;
            sent = slot >> 8;
        }
        let until = sent + latency;
        *buffer = until;
        Taken { from, until }
    }

    pub(super) fn has_free_buffer(&self, now: u64) -> bool {
        self.busy_until.iter().any(|until| *until <= now)
    }

    pub(super) fn clear(&mut self) {
        self.first.clear();
        self.second.clear();
        self.streams = Streams::default();
        self.lanes.iter_mut().for_each(|lane| lane.next_slot_q8 = 0);
        self.busy_until.fill(0);
    }
}

/// The last lines of the streams that missed the first level.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    last: [u64; STREAMS],
    next: usize,
}

impl Streams {
    /// Whether `line` continues a stream in either direction; if not, it may
    /// begin one in place of the oldest.
    pub(super) fn follows(&mut self, line: u64) -> bool {
        for last in &mut self.last {
            if line.wrapping_sub(*last).wrapping_add(1) <= 2 {
                *last = line;
                return true;
            }
        }
        self.last[self.next] = line;
        self.next = (self.next + 1) % STREAMS;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Core {
        Core::new(&Description::named("tiny").expect("built in"))
    }

    #[test]
    fn a_fifth_miss_waits_for_the_first_of_four_buffers() {
        let mut core = tiny();
        for now in 0..4 {
            assert_eq!(core.take_buffer(now, 100, Throttled::No), Taken { from: now, until: now + 100 });
        }
        assert!(!core.has_free_buffer(4));
        assert_eq!(core.take_buffer(4, 100, Throttled::No), Taken { from: 100, until: 200 });
    }

    #[test]
    fn a_throttled_request_waits_for_its_slot() {
        let mut core = tiny();
        core.lanes[0].spacing_q8 = 30 << 8;
        let until = [0, 1, 2].map(|now| core.take_buffer(now, 100, Throttled::By(0)).until);
        assert_eq!(until, [100, 130, 160]);
        assert_eq!(core.take_buffer(3, 10, Throttled::No).until, 13);
    }

    #[test]
    fn streams_are_followed_up_and_down_and_side_by_side() {
        let mut streams = Streams::default();
        for step in 0..100 {
            assert_eq!(streams.follows(1_000 + step), step > 0);
            assert_eq!(streams.follows(9_000 - step), step > 0);
        }
        assert!(!streams.follows(5_000));
        assert!(!streams.follows(5_002));
    }
}
