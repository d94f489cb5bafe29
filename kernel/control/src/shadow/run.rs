//! The shadow itself: a workload like any other, so the executor that runs
//! `search` runs it, and it can touch its scratch and nothing else.
//!
//! Its checksum depends on the addresses it visits, never on what it finds
//! there, so any scratch will do and the result can be checked.

use super::{Phase, ShadowPlan};
use core::hint::black_box;
use workload_api::{Meter, Workload};

/// Bytes of a word.
const WORD: u64 = 8;

/// A plan, ready to run.
#[derive(Clone, Copy, Debug)]
pub struct Shadow<'p> {
    plan: &'p ShadowPlan,
}

impl<'p> Shadow<'p> {
    /// The shadow that `plan` describes.
    #[must_use]
    pub const fn new(plan: &'p ShadowPlan) -> Self {
        Self { plan }
    }

    /// Units of a whole run, numbered from 0.
    #[must_use]
    pub const fn units(&self) -> u64 {
        self.plan.slices as u64
    }
}

impl Workload for Shadow<'_> {
    fn scratch_words(&self) -> usize {
        self.plan.working_set_words() as usize
    }

    fn working_set_bytes(&self) -> u64 {
        u64::from(self.plan.working_set_words()) * WORD
    }

    /// One slice of a phase: at most [`super::SLICE_ACCESSES`] accesses and
    /// [`super::SLICE_STEPS`] steps. Past the last unit it starts over.
    fn unit(&self, index: u64, scratch: &mut [u64], meter: &mut Meter) -> u64 {
        let slice = u32::try_from(index % self.units().max(1)).unwrap_or(0);
        let Some(phase) = self.plan.phase_of(slice) else { return 0 };
        let words = (phase.working_set_words as usize).min(scratch.len());
        let mut state = Stream(index);
        if let Some(memory) = scratch.get_mut(..words).filter(|memory| !memory.is_empty()) {
            Portion::of(phase, slice).run(memory, &mut state, meter);
        }
        pad(phase, slice, &mut state);
        state.0
    }
}

/// Addresses and padding, from one multiplication a step (Knuth's MMIX
/// constants; the high half is used).
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0
    }

    fn index(&mut self, bound: usize) -> usize {
        let wide = (self.next() >> 32) * (bound as u64 & u64::from(u32::MAX));
        usize::try_from(wide >> 32).unwrap_or(0)
    }
}

/// The accesses of one slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Portion {
    start: usize,
    stride: usize,
    sequential_reads: usize,
    sequential_writes: usize,
    random_reads: usize,
    random_writes: usize,
}

impl Portion {
    fn of(phase: &Phase, slice: u32) -> Self {
        let (start, end) = bounds(phase, slice, phase.accesses);
        let accesses = end - start;
        let random = part(end, phase.random_permille) - part(start, phase.random_permille);
        let writes = part(end, phase.write_permille) - part(start, phase.write_permille);
        let random_writes = (random * writes + accesses / 2).checked_div(accesses).unwrap_or(0);
        let sequential_writes = (writes - random_writes).min(accesses - random);
        let count = |n: u64| usize::try_from(n).unwrap_or(0);
        Self {
            start: count(start),
            stride: phase.stride_words as usize,
            sequential_reads: count(accesses - random - sequential_writes),
            sequential_writes: count(sequential_writes),
            random_reads: count(random - random_writes),
            random_writes: count(random_writes),
        }
    }

    fn run(&self, memory: &mut [u64], stream: &mut Stream, meter: &mut Meter) {
        let start = self.start.wrapping_mul(self.stride) % memory.len();
        let middle = start.wrapping_add(self.sequential_reads.wrapping_mul(self.stride)) % memory.len();
        read_sequential(memory, start, self.sequential_reads, self.stride);
        write_sequential(memory, middle, self.sequential_writes, self.stride);
        read_random(memory, self.random_reads, stream);
        write_random(memory, self.random_writes, stream);
        meter.read_sequential(self.sequential_reads as u64 * WORD);
        meter.write_sequential(self.sequential_writes as u64 * WORD);
        meter.read_random(self.random_reads as u64, self.random_reads as u64 * WORD);
        meter.write_random(self.random_writes as u64, self.random_writes as u64 * WORD);
    }
}

/// From where to where slice `slice` goes of the phase's `total`.
fn bounds(phase: &Phase, slice: u32, total: u32) -> (u64, u64) {
    let at = |slice: u32| u64::from(total) * u64::from(slice) / u64::from(phase.slices.max(1));
    let into = slice - phase.first_slice;
    (at(into), at(into + 1))
}

/// How many of the first `count` are of a kind that makes up `permille`.
fn part(count: u64, permille: u32) -> u64 {
    (count * u64::from(permille) + 500) / 1000
}

fn read_sequential(memory: &[u64], start: usize, count: usize, stride: usize) {
    let mut sum = 0u64;
    walk(memory.len(), start, count, stride, |from, until| {
        let run = memory.get(from..until).unwrap_or(&[]);
        // A step of 1 would cost three times as much as none.
        sum = match stride {
            0 | 1 => run.iter().fold(sum, |sum, word| sum.wrapping_add(*word)),
            _ => run.iter().step_by(stride).fold(sum, |sum, word| sum.wrapping_add(*word)),
        };
    });
    black_box(sum);
}

fn write_sequential(memory: &mut [u64], start: usize, count: usize, stride: usize) {
    let value = start as u64;
    walk(memory.len(), start, count, stride, |from, until| {
        let run = memory.get_mut(from..until).unwrap_or(&mut []);
        match stride {
            0 | 1 => run.iter_mut().for_each(|word| *word = value),
            _ => run.iter_mut().step_by(stride).for_each(|word| *word = value),
        }
    });
}

/// Calls `run` with ranges that together hold `count` places, `stride` apart,
/// going round at the end of the memory.
fn walk(length: usize, start: usize, count: usize, stride: usize, mut run: impl FnMut(usize, usize)) {
    let stride = stride.max(1);
    let (mut from, mut left) = (start, count);
    while left > 0 {
        let fits = (length - from).div_ceil(stride).min(left);
        run(from, (from + (fits - 1) * stride + 1).min(length));
        left -= fits;
        from = 0;
    }
}

fn read_random(memory: &[u64], count: usize, stream: &mut Stream) {
    let mut sum = 0u64;
    for _ in 0..count {
        let word = memory.get(stream.index(memory.len())).copied().unwrap_or(0);
        sum = sum.wrapping_add(word);
    }
    black_box(sum);
}

fn write_random(memory: &mut [u64], count: usize, stream: &mut Stream) {
    for _ in 0..count {
        let index = stream.index(memory.len());
        if let Some(word) = memory.get_mut(index) {
            *word = index as u64;
        }
    }
}

/// Arithmetic, some of it with branches that cannot be foretold.
fn pad(phase: &Phase, slice: u32, stream: &mut Stream) {
    let (start, end) = bounds(phase, slice, phase.steps);
    let branches = part(end, phase.branch_permille) - part(start, phase.branch_permille);
    let mut taken = 0u64;
    for _ in branches..end - start {
        // Without this the whole loop would be folded into one step.
        black_box(stream.next());
    }
    for _ in 0..branches {
        if stream.next() >> 63 == 1 {
            taken = black_box(taken.wrapping_add(1));
        }
    }
}
