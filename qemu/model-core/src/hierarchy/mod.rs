//! What an access costs. One call per load or store; time is the calling
//! thread's own.
//!
//! How misses overlap decides everything about interference, and only the
//! address stream is known, not which load depends on which. The rule:
//! - a store, or a load next to one of the last lines (a stream), goes on as
//!   soon as it has one of the core's miss buffers; the core waits only when
//!   all are taken. So a stream is bound by bandwidth and buffers;
//! - any other load waits until its line is there. So a pointer chase is bound
//!   by latency. Independent random loads are charged too much by this;
//!   guessing that they are independent would charge chases too little.
//!
//! A level's own rules: the first two are private, exact LRU, write-back and
//! write-allocate; a clean victim is dropped, a dirty one is written to the
//! level below (in place if it is there, without making it recent, else
//! allocated). The shared level is not inclusive and never takes lines out of
//! a private one.

mod core;

use core::{Core, Throttled};

use crate::description::Description;
use crate::memory::Memory;
use crate::shared::{Owner, SharedCache, Writeback};

/// Masks that the registers have numbers for: a class has two when code and
/// data are apart.
const MASKS: usize = 128;
/// Lines of a 4 KiB page; the prefetcher does not leave it.
const LINES_PER_PAGE: u64 = 64;

/// What one thread has done so far. Demand accesses only, except the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Misses of the first level.
    pub first_level_misses: u64,
    /// Misses of the second level, which are the references to the shared one.
    pub shared_references: u64,
    /// Misses of the shared level.
    pub shared_misses: u64,
    /// Cycles that accesses made the thread wait.
    pub stall_cycles: u64,
}

/// How a class is slowed between its second level and the shared one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Throttle {
    /// Not at all.
    #[default]
    None,
    /// Requests of each core are spread to 100 - n percent of its peak rate
    /// (Intel, linear throttle values).
    Percent(u32),
    /// All cores of the class together get n eighths of 10^9 bytes a second (AMD).
    EighthsOfGigabyte(u32),
}

/// What a thread's PQR_ASSOC says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Association {
    class: usize,
    resource_id: u8,
}

/// The caches and the memory of one machine.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    cores: Vec<Core>,
    threads_shift: u32,
    counts: Vec<Counts>,
    associations: Vec<Association>,
    /// Of the shared level; with code and data apart, data's is that of twice
    /// the class.
    masks: Vec<u32>,
    code_and_data: bool,
    /// Of the second level, likewise; empty where it has none.
    second_masks: Vec<u32>,
    second_code_and_data: bool,
    throttle_per_thread: bool,
    throttles: Vec<Throttle>,
    shared: SharedCache,
    memory: Memory,
    memory_lines: Vec<u64>,
    second_cycles: u64,
    shared_cycles: u64,
    prefetch: bool,
    peak_spacing_q8: u64,
    gigabyte_cycles_q8: u64,
}

impl Hierarchy {
    /// An empty machine: all ways for every class, nobody throttled, every
    /// thread in class 0 with identity 0. Windows of memory utilisation are
    /// `window_cycles` long; threads may be that far apart in time.
    #[must_use]
    pub fn new(machine: &Description, window_cycles: u64) -> Self {
        let memory = Memory::new(machine, window_cycles);
        let divides_second = machine.allocation.is_some_and(|allocation| allocation.second_mask_classes > 0);
        let all_ways = (1u32 << machine.shared_level.ways) - 1;
        Self {
            cores: vec![Core::new(machine); machine.cores],
            threads_shift: machine.threads_per_core.trailing_zeros(),
            counts: vec![Counts::default(); machine.threads()],
            associations: vec![Association::default(); machine.threads()],
            masks: vec![all_ways; MASKS],
            code_and_data: false,
            second_masks: if divides_second { vec![u32::MAX; MASKS] } else { Vec::new() },
            second_code_and_data: false,
            throttle_per_thread: machine.allocation.is_some_and(|allocation| allocation.throttle_per_thread),
            throttles: vec![Throttle::None; 64],
            shared: SharedCache::new(machine.shared_level),
            peak_spacing_q8: memory.idle_latency() * 256 / machine.miss_buffers as u64,
            memory,
            memory_lines: vec![0; 256],
            second_cycles: machine.second_level.cycles,
            shared_cycles: machine.shared_level.cycles,
            prefetch: machine.prefetch,
            // A line at one eighth of 10^9 bytes a second, in cycles.
            gigabyte_cycles_q8: crate::LINE_BYTES * machine.clock_mhz * 256 * 8 / 1000,
        }
    }

    /// Addresses at or above this cannot be modelled (they are far above any
    /// memory of the machines here); the caller leaves them out.
    #[must_use]
    pub fn address_limit(&self) -> u64 {
        self.cores.first().map_or(0, |core| core.first.line_limit() * crate::LINE_BYTES)
    }

    /// A load or store of `thread` at a physical address below
    /// [`Self::address_limit`]. Returns the cycles it makes the thread wait.
    #[inline]
    pub fn access(&mut self, thread: usize, address: u64, write: bool, now: u64) -> u64 {
        if self.hits(thread, address, write) { 0 } else { self.miss(thread, address, write, now) }
    }

    /// The first half of [`Self::access`]: whether the first level has it. If
    /// not, [`Self::miss`] must follow.
    #[inline]
    pub fn hits(&mut self, thread: usize, address: u64, write: bool) -> bool {
        self.cores[thread >> self.threads_shift].first.touch(address / crate::LINE_BYTES, write)
    }

    /// The second half: brings the line in and returns the wait.
    pub fn miss(&mut self, thread: usize, address: u64, write: bool, now: u64) -> u64 {
        let line = address / crate::LINE_BYTES;
        let at = thread >> self.threads_shift;
        self.counts[thread].first_level_misses += 1;
        let overlapped = self.cores[at].streams.follows(line) || write;
        let (latency, throttled) = if self.cores[at].second.touch(line, false) {
            (self.second_cycles, Throttled::No)
        } else {
            self.counts[thread].shared_references += 1;
            let (latency, missed) = self.fetch(thread, line);
            self.counts[thread].shared_misses += u64::from(missed);
            (latency, Throttled::By(self.lane(thread)))
        };
        self.fill_first(thread, line, write);
        let taken = self.cores[at].take_buffer(now, latency, throttled);
        if self.prefetch && throttled != Throttled::No {
            self.prefetch_next(thread, line, taken.from);
        }
        let until = if overlapped { taken.from } else { taken.until };
        let stall = until.saturating_sub(now);
        self.counts[thread].stall_cycles += stall;
        stall
    }

    /// Brings a line into the second level. Returns the latency and whether
    /// memory had to be asked.
    fn fetch(&mut self, thread: usize, line: u64) -> (u64, bool) {
        let owner = self.owner(thread);
        let hit = self.shared.touch(line);
        let latency = if hit {
            self.shared_cycles
        } else {
            self.memory.read_line();
            self.memory_lines[usize::from(owner.resource_id)] += 1;
            let pushed = self.shared.fill(line, owner, false);
            self.write_to_memory(pushed);
            self.memory.latency().max(self.shared_cycles)
        };
        self.fill_second(thread, line, false);
        (latency, !hit)
    }

    fn fill_first(&mut self, thread: usize, line: u64, write: bool) {
        let core = &mut self.cores[thread >> self.threads_shift];
        let Some(evicted) = core.first.fill(line, write) else { return };
        if evicted.dirty && !core.second.dirty(evicted.line) {
            self.fill_second(thread, evicted.line, true);
        }
    }

    fn fill_second(&mut self, thread: usize, line: u64, dirty: bool) {
        let mask = self.second_mask(thread);
        let second = &mut self.cores[thread >> self.threads_shift].second;
        let evicted = match mask {
            None => second.fill(line, dirty),
            Some(mask) => second.fill_within(mask, line, dirty),
        };
        if let Some(evicted) = evicted
            && evicted.dirty
        {
            let owner = self.owner(thread);
            let pushed = self.shared.take_back(evicted.line, owner);
            self.write_to_memory(pushed);
        }
    }

    fn write_to_memory(&mut self, pushed: Option<Writeback>) {
        if let Some(line) = pushed {
            self.memory.write_line();
            self.memory_lines[usize::from(line.resource_id)] += 1;
        }
    }

    /// Dropped when the page ends, the line is there or no buffer is free.
    fn prefetch_next(&mut self, thread: usize, line: u64, now: u64) {
        let next = line + 1;
        let core = &self.cores[thread >> self.threads_shift];
        if next.is_multiple_of(LINES_PER_PAGE) || core.second.holds(next) || !core.has_free_buffer(now) {
            return;
        }
        let (latency, _) = self.fetch(thread, next);
        let lane = Throttled::By(self.lane(thread));
        self.cores[thread >> self.threads_shift].take_buffer(now, latency, lane);
    }

    fn owner(&self, thread: usize) -> Owner {
        let association = self.associations[thread];
        let mask = self.masks[association.class << u32::from(self.code_and_data)];
        Owner { mask, resource_id: association.resource_id }
    }

    fn second_mask(&self, thread: usize) -> Option<u32> {
        let class = self.associations[thread].class << u32::from(self.second_code_and_data);
        self.second_masks.get(class).copied()
    }

    /// A thread's number in its core.
    fn lane(&self, thread: usize) -> usize {
        thread & ((1 << self.threads_shift) - 1)
    }

    /// Closes the windows of memory utilisation up to `now`, which all threads
    /// have reached.
    pub fn advance(&mut self, now: u64) {
        self.memory.advance(now);
    }

    /// Puts a thread into a class (0 to 63) under a monitoring identity.
    pub fn associate(&mut self, thread: usize, class: usize, resource_id: u8) {
        self.associations[thread] = Association { class: class & 63, resource_id };
        self.respace();
    }

    /// Sets where a class may allocate in the shared level; an empty mask is
    /// not a mask. With code and data apart `class` is the mask's number: twice
    /// the class for data. Code's masks are kept and divide nothing, since
    /// instruction fetch is not modelled.
    pub fn set_mask(&mut self, class: usize, mask: u32) {
        if mask != 0 {
            self.masks[class % MASKS] = mask;
        }
    }

    /// The same for the second level, on a machine whose second level has masks.
    pub fn set_second_mask(&mut self, class: usize, mask: u32) {
        if let Some(place) = self.second_masks.get_mut(class)
            && mask != 0
        {
            *place = mask;
        }
    }

    /// Sets whether code and data have masks of their own, in the second level
    /// or in the shared one.
    pub fn set_code_and_data(&mut self, second: bool, apart: bool) {
        *if second { &mut self.second_code_and_data } else { &mut self.code_and_data } = apart;
    }

    /// Sets how a class is slowed.
    pub fn set_throttle(&mut self, class: usize, throttle: Throttle) {
        self.throttles[class & 63] = throttle;
        self.respace();
    }

    /// Threads of a core share its way out, so the slower class decides, unless
    /// the machine throttles them apart.
    fn respace(&mut self) {
        let spacings: Vec<u64> = self.associations.iter().map(|one| self.spacing_q8(one.class)).collect();
        let threads = 1 << self.threads_shift;
        for (core, spacings) in self.cores.iter_mut().zip(spacings.chunks(threads)) {
            let slowest = spacings.iter().copied().max().unwrap_or(0);
            for (lane, own) in core.lanes.iter_mut().zip(spacings) {
                lane.spacing_q8 = if self.throttle_per_thread { *own } else { slowest };
            }
        }
    }

    /// Cycles between two requests of a core in `class`, 0 when unlimited.
    fn spacing_q8(&self, class: usize) -> u64 {
        match self.throttles[class] {
            Throttle::None | Throttle::Percent(0) => 0,
            Throttle::Percent(percent) => {
                self.peak_spacing_q8 * 100 / u64::from(100u32.saturating_sub(percent).max(1))
            }
            Throttle::EighthsOfGigabyte(eighths) => {
                let members = self.associations.iter().filter(|one| one.class == class).count() as u64;
                self.gigabyte_cycles_q8 * members / u64::from(eighths.max(1))
            }
        }
    }

    /// What a thread has done so far.
    #[must_use]
    pub fn counts(&self, thread: usize) -> Counts {
        self.counts.get(thread).copied().unwrap_or_default()
    }

    /// Bytes of the shared level that are charged to an identity.
    #[must_use]
    pub fn occupancy_bytes(&self, resource_id: u8) -> u64 {
        self.shared.occupancy_lines(resource_id) * crate::LINE_BYTES
    }

    /// Bytes to and from memory that were charged to an identity.
    #[must_use]
    pub fn memory_bytes(&self, resource_id: u8) -> u64 {
        self.memory_lines[usize::from(resource_id)] * crate::LINE_BYTES
    }

    /// Cycles that a miss of the shared level costs at present.
    #[must_use]
    pub fn memory_latency(&self) -> u64 {
        self.memory.latency()
    }

    /// Smoothed share of the memory bandwidth in use, in 1/65536.
    #[must_use]
    pub fn memory_utilisation_q16(&self) -> u64 {
        self.memory.utilisation_q16()
    }

    /// Bytes of the shared level.
    #[must_use]
    pub fn shared_bytes(&self) -> u64 {
        self.shared.lines() * crate::LINE_BYTES
    }

    /// Empties all caches and buffers and forgets all counts; classes, masks
    /// and throttles stay.
    pub fn clear(&mut self) {
        self.cores.iter_mut().for_each(Core::clear);
        self.counts.fill(Counts::default());
        self.shared.clear();
        self.memory_lines.fill(0);
    }
}
