//! What frames cost, beside a buddy system and a bitmap that do the same work
//! in the same run, and what is left in one piece after a million operations.
//!
//! The work: half of the frames are in use; again and again sixteen of them,
//! chosen at random, are freed and sixteen taken. Means over all of it, so that
//! what an allocator puts off is counted too.

use core::sync::atomic::AtomicU64;

use alloc::vec::Vec;
use umbra_memory::{
    Class, Colour, ColourSet, Colours, Frame, FrameAllocator, FrameCache, Geometry, Kept, Owner,
};
use umbra_x86_64::cpu;

use super::bench::figure;
use super::harness::{Reason, act, reason, start, wait_for, wait_for_units};
use crate::memory::colours;
use crate::{ensure, recolour, tasks, time};

/// Frames under each allocator, and how many are in use.
const FRAMES: u32 = 8_192;
const LIVE: usize = 4_096;
/// Pairs of a free and an allocation: a million operations, and enough for a
/// mean.
const MANY: u32 = 500_736;
const SOME: u32 = 50_176;
/// Freed together, then taken together.
const GROUP: u32 = 16;
/// Groups without an interrupt between.
const STRETCH: u32 = 64;
const _: () = assert!(MANY.is_multiple_of(GROUP * STRETCH) && SOME.is_multiple_of(GROUP * STRETCH));
/// In use when the pieces that are left are looked at: one frame in 64.
const FEW: usize = 128;
const OWNER: Owner = Owner(200);
const CORES: usize = 64;

/// An allocator under test.
trait Candidate {
    fn take(&mut self) -> Option<u32>;
    fn give(&mut self, frame: u32) -> bool;
}

/// Measures everything and shows it.
pub(super) fn measure() -> Result<(), Reason> {
    let colours = Geometry { sets: 2048, ways: 16, line_bytes: 64, slices: 1 }.colours();
    let colours = colours.map_err(|error| reason(format_args!("{error}")))?;
    let (all, one) = (colours.all(), ColourSet::only(Colour(5)));
    let idle = run(&mut Nothing, LIVE, SOME)?.0;
    let cost = |(cost, _): (u64, u32)| cost.saturating_sub(idle);
    let words: Vec<AtomicU64> = (0..FRAMES).map(|_| AtomicU64::new(0)).collect();

    let (of_all, longest) = run(&mut Shared { frames: fresh(&words, colours), colours: all }, LIVE, MANY)?;
    figure("frame_pair", of_all.saturating_sub(idle), "instructions");
    let few = LIVE / 32;
    let of_one = run(&mut Shared { frames: fresh(&words, colours), colours: one }, few, SOME)?;
    figure("frame_pair_one_colour", cost(of_one), "instructions");
    figure("frame_pair_cached", cost(run(&mut cached(&words, colours, 1, all), LIVE, SOME)?), "instructions");
    let of_one = run(&mut cached(&words, colours, 1, one), few, SOME)?;
    figure("frame_pair_cached_one_colour", cost(of_one), "instructions");
    let of_64 = run(&mut cached(&words, colours, CORES, all), LIVE / 2, SOME)?;
    figure("frame_pair_cached_64_cores", cost(of_64), "instructions");
    drop(words);

    let (of_buddy, longest_buddy) = run(&mut Buddy::new(), LIVE, MANY)?;
    figure("frame_pair_buddy", of_buddy.saturating_sub(idle), "instructions");
    let (of_bitmap, longest_bitmap) = run(&mut Bitmap::new(u64::MAX), LIVE, MANY)?;
    figure("frame_pair_bitmap", of_bitmap.saturating_sub(idle), "instructions");
    let of_one = run(&mut Bitmap::new(1 << 5 | 1 << 37), few, SOME)?;
    figure("frame_pair_bitmap_one_colour", cost(of_one), "instructions");

    figure("frames_free_after_1e6", u64::from(FRAMES) - FEW as u64, "frames");
    figure("longest_run_after_1e6", u64::from(longest), "frames");
    figure("longest_run_after_1e6_buddy", u64::from(longest_buddy), "frames");
    figure("longest_run_after_1e6_bitmap", u64::from(longest_bitmap), "frames");
    recolouring()
}

/// Does the work and returns what a pair costs, and the longest run of free
/// frames when all but a few have been freed in random order.
fn run(candidate: &mut impl Candidate, live: usize, pairs: u32) -> Result<(u64, u32), Reason> {
    let short = || reason(format_args!("an allocator under test has run out or refused a frame"));
    let mut frames: Vec<u32> = Vec::with_capacity(live);
    for _ in 0..live {
        frames.push(candidate.take().ok_or_else(short)?);
    }
    let mut random = 0x9E37_79B9_7F4A_7C15u64;
    let mut spent = 0;
    for _ in 0..pairs / (GROUP * STRETCH) {
        let done = cpu::without_interrupts(|| {
            let begun = cpu::timestamp();
            for _ in 0..STRETCH {
                for _ in 0..GROUP {
                    let chosen = below(&mut random, frames.len());
                    if !candidate.give(frames.swap_remove(chosen)) {
                        return None;
                    }
                }
                for _ in 0..GROUP {
                    frames.push(candidate.take()?);
                }
            }
            Some(cpu::timestamp().wrapping_sub(begun))
        });
        spent += done.ok_or_else(short)?;
    }
    while frames.len() > FEW {
        let chosen = below(&mut random, frames.len());
        ensure!(candidate.give(frames.swap_remove(chosen)), "a frame was refused");
    }
    frames.sort_unstable();
    let (mut longest, mut next) = (0, 0);
    for frame in frames.into_iter().chain([FRAMES]) {
        longest = longest.max(frame.saturating_sub(next));
        next = frame + 1;
    }
    Ok((spent / u64::from(pairs), longest))
}

/// A number below `limit`, by xorshift (Marsaglia, "Xorshift RNGs", 2003).
fn below(random: &mut u64, limit: usize) -> usize {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    let wide = u128::from(*random) * (limit as u128);
    usize::try_from(wide >> 64).unwrap_or(0)
}

/// Costs nothing: what the work itself takes.
struct Nothing;

impl Candidate for Nothing {
    fn take(&mut self) -> Option<u32> {
        core::hint::black_box(Some(1))
    }

    fn give(&mut self, frame: u32) -> bool {
        core::hint::black_box(frame) == 1
    }
}

fn fresh(words: &[AtomicU64], colours: Colours) -> FrameAllocator<'_> {
    let mut frames = FrameAllocator::new(words, Frame(0), colours);
    frames.add_region(0, Frame(FRAMES).address());
    frames
}

struct Shared<'w> {
    frames: FrameAllocator<'w>,
    colours: ColourSet,
}

impl Candidate for Shared<'_> {
    fn take(&mut self) -> Option<u32> {
        self.frames.allocate(self.colours, OWNER).ok().map(|frame| frame.0)
    }

    fn give(&mut self, frame: u32) -> bool {
        self.frames.free(Frame(frame), OWNER).is_ok()
    }
}

/// Cores that take turns, each with a cache.
struct Cached<'w> {
    frames: FrameAllocator<'w>,
    caches: Vec<FrameCache<'w>>,
    colours: ColourSet,
    turn: usize,
}

fn cached(words: &[AtomicU64], colours: Colours, cores: usize, set: ColourSet) -> Cached<'_> {
    let frames = fresh(words, colours);
    let caches = (0..cores).map(|_| FrameCache::new(&frames)).collect();
    Cached { frames, caches, colours: set, turn: 0 }
}

impl Candidate for Cached<'_> {
    #[inline(always)]
    fn take(&mut self) -> Option<u32> {
        let at_hand = self.caches.get_mut(self.turn)?.allocate(self.colours, OWNER);
        at_hand.or_else(|| self.take_slowly()).map(|frame| frame.0)
    }

    #[inline(always)]
    fn give(&mut self, frame: u32) -> bool {
        // Each core in turn frees what some core took, and takes one.
        self.turn = if self.turn + 1 < self.caches.len() { self.turn + 1 } else { 0 };
        let Some(cache) = self.caches.get_mut(self.turn) else { return false };
        match cache.free(Frame(frame), OWNER) {
            Ok(Kept::Here) => true,
            Ok(Kept::Full) => self.give_slowly(Frame(frame)),
            Ok(Kept::Far) => self.frames.free(Frame(frame), OWNER).is_ok(),
            Err(_) => false,
        }
    }
}

impl Cached<'_> {
    #[cold]
    fn take_slowly(&mut self) -> Option<Frame> {
        // What other cores have at hand is not asked for: there is plenty.
        let cache = self.caches.get_mut(self.turn)?;
        cache.refill(&mut self.frames, self.colours);
        cache.allocate(self.colours, OWNER)
    }

    #[cold]
    fn give_slowly(&mut self, frame: Frame) -> bool {
        let Some(cache) = self.caches.get_mut(self.turn) else { return false };
        let colour = self.frames.colours().colour_of(frame);
        cache.drain(&mut self.frames, colour).is_ok() && cache.free(frame, OWNER) == Ok(Kept::Here)
    }
}

struct Buddy(buddy_system_allocator::FrameAllocator<14>);

impl Buddy {
    fn new() -> Self {
        let mut frames = buddy_system_allocator::FrameAllocator::new();
        frames.add_frame(0, FRAMES as usize);
        Self(frames)
    }
}

impl Candidate for Buddy {
    fn take(&mut self) -> Option<u32> {
        self.0.alloc(1).and_then(|frame| u32::try_from(frame).ok())
    }

    fn give(&mut self, frame: u32) -> bool {
        self.0.dealloc(frame as usize, 1);
        true
    }
}

/// One bit a frame, set while it is free, searched from where the last one was
/// found. Checks nothing but double frees.
struct Bitmap {
    free: Vec<u64>,
    next: usize,
    mask: u64,
}

impl Bitmap {
    fn new(mask: u64) -> Self {
        Self { free: alloc::vec![u64::MAX; FRAMES as usize / 64], next: 0, mask }
    }
}

impl Candidate for Bitmap {
    fn take(&mut self) -> Option<u32> {
        for step in 0..self.free.len() {
            let index = (self.next + step) % self.free.len();
            let word = self.free.get_mut(index)?;
            let candidates = *word & self.mask;
            if candidates != 0 {
                *word &= !(candidates & candidates.wrapping_neg());
                self.next = index;
                return Some(u32::try_from(index).ok()? * 64 + candidates.trailing_zeros());
            }
        }
        None
    }

    fn give(&mut self, frame: u32) -> bool {
        let Some(word) = self.free.get_mut(frame as usize / 64) else { return false };
        let bit = 1 << (frame % 64);
        let was_used = *word & bit == 0;
        *word |= bit;
        was_used
    }
}

/// What moving a page takes: copy, mapping, allocation, bookkeeping.
fn recolouring() -> Result<(), Reason> {
    use umbra_control::machine::Action;
    let slot = start("chase", None)?;
    wait_for_units(slot, 1)?;
    act(Action::Pause(tasks::id(slot)))?;
    let all = colours::division().of(Class::Second);
    let few = all.iter().take(4).fold(ColourSet::EMPTY, |set, colour| set.with(ColourSet::only(colour)));
    colours::change(slot, few).map_err(|refusal| reason(format_args!("{refusal}")))?;
    wait_for("a move's end", || colours::of(slot).is_none_or(|held| !held.pending))?;
    let report = recolour::last().filter(|report| report.slot == slot && report.tally.moved > 0);
    let report = report.ok_or_else(|| reason(format_args!("no page was moved")))?;
    figure("page_recoloured", time::ns_to_cycles(report.ns_per_page()), "instructions");
    figure("pages_recoloured_per_s", report.pages_per_s(), "pages");
    Ok(())
}
