//! Frames at hand for one core: the common path takes no lock and touches
//! nothing that another core uses, but the word of the very frame it is about.
//!
//! A stack of frames for each colour, filled from the shared allocator and
//! given back to it some at a time, by the caller under whatever lock it has.
//! Frames at hand are marked as such in their words. So a cache tells a double
//! free, a foreign frame and a wrong owner exactly, even of a frame that lies
//! in the cache of another core. A magazine without marks was refused: it would
//! hand a frame out twice if it was freed twice.
//!
//! Owners' counts are kept as differences and told at the next exchange.

use core::sync::atomic::{AtomicU64, Ordering};

use super::{Frame, FrameAllocator, FrameState, FreeError, Node, Owner, Word};
use crate::colour::{Colour, ColourSet, Colours, MAX_COLOURS};

/// Frames of one colour at hand at most.
pub const CACHE_DEPTH: usize = 8;
/// Frames that one exchange brings or takes: of each colour, and in all.
const EXCHANGE: usize = CACHE_DEPTH / 2;
const EXCHANGE_ALL: u32 = 32;
/// Frames at hand in all at most: what one core can keep from the others.
const HOARD_MAX: u32 = 64;

/// What became of a frame that was freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Kept {
    /// It is at hand here.
    Here,
    /// There is no room for one more of its colour: nothing changed, nor was the
    /// frame looked at. Drain, and free it again.
    Full,
    /// It is of another node: nothing changed. Give it to the allocator.
    Far,
}

/// The frames of one colour.
#[derive(Clone, Copy, Debug)]
struct Stack {
    /// At most [`CACHE_DEPTH`].
    height: u32,
    frames: [Frame; CACHE_DEPTH],
}

const _: () = assert!(CACHE_DEPTH.is_power_of_two(), "an index is cut to the depth by a mask");

impl Stack {
    const fn is_full(&self) -> bool {
        self.height as usize >= CACHE_DEPTH
    }

    /// Puts a frame on a stack that is not full.
    #[inline]
    const fn push(&mut self, frame: Frame) {
        self.frames[self.height as usize % CACHE_DEPTH] = frame;
        self.height += 1;
    }

    #[inline]
    fn pop(&mut self) -> Option<Frame> {
        self.height = self.height.checked_sub(1)?;
        Some(self.frames[self.height as usize % CACHE_DEPTH])
    }
}

/// The frames one core has at hand.
#[derive(Debug)]
pub struct FrameCache<'w> {
    words: &'w [AtomicU64],
    first: Frame,
    colours: Colours,
    node: Node,
    stacks: [Stack; MAX_COLOURS as usize],
    /// Bit `c` is set when a frame of colour `c` is at hand.
    stocked: u64,
    at_hand: u32,
    turn: u8,
    changes: [i32; 256],
    /// Bit `o` is set when the count of owner `o` may have changed.
    changed: [u64; 4],
}

impl<'w> FrameCache<'w> {
    /// An empty cache over an allocator's frames. It is to exchange frames with
    /// that allocator only.
    #[must_use]
    pub const fn new(frames: &FrameAllocator<'w>) -> Self {
        Self::on(Node(0), frames)
    }

    /// The same for a core on `node`: it has only frames of its own node at
    /// hand, as long as there are any.
    #[must_use]
    pub const fn on(node: Node, frames: &FrameAllocator<'w>) -> Self {
        Self {
            node,
            words: frames.words(),
            first: frames.first,
            colours: frames.colours(),
            stacks: [Stack { height: 0, frames: [Frame(0); CACHE_DEPTH] }; MAX_COLOURS as usize],
            stocked: 0,
            at_hand: 0,
            turn: 0,
            changes: [0; 256],
            changed: [0; 4],
        }
    }

    /// Takes a frame of one of `colours`, each in turn; none when there is none
    /// at hand: refill, and ask again. O(1), no loop.
    #[inline]
    pub fn allocate(&mut self, colours: ColourSet, owner: Owner) -> Option<Frame> {
        let candidates = colours.0 & self.stocked;
        if candidates == 0 {
            return None;
        }
        let later = candidates & (u64::MAX << self.turn);
        let chosen = if later == 0 { candidates } else { later }.trailing_zeros().to_le_bytes()[0];
        self.turn = (chosen + 1) % 64;
        let frame = self.pop(Colour(chosen))?;
        let word = self.word(frame)?;
        word.store(Word(word.load(Ordering::Relaxed)).taken_by(owner).0, Ordering::Relaxed);
        self.change(owner, 1);
        Some(frame)
    }

    /// Takes a frame back from its owner. O(1), no loop.
    ///
    /// # Errors
    /// Says what is wrong with it; nothing changed.
    #[inline]
    pub fn free(&mut self, frame: Frame, owner: Owner) -> Result<Kept, FreeError> {
        let word = self.word(frame).ok_or(FreeError::Foreign(frame))?;
        let colour = self.colours.colour_of(frame);
        if self.at_hand >= HOARD_MAX || self.stack(colour).is_full() {
            return Ok(Kept::Full);
        }
        let now = Word(word.load(Ordering::Relaxed));
        if now.node() != self.node && now.belongs_to(owner) {
            return Ok(Kept::Far);
        }
        // Of two cores that free the same frame at once, one is told.
        let (used, cached) = (now.taken_by(owner).0, now.taken_by(Owner::CACHED).0);
        let exchanged = word.compare_exchange(used, cached, Ordering::Relaxed, Ordering::Relaxed);
        exchanged.map_err(|word| match Word(word).state() {
            FrameState::Unmanaged => FreeError::Foreign(frame),
            FrameState::Free | FrameState::Used(Owner::CACHED) => FreeError::DoubleFree(frame),
            FrameState::Used(owner) => FreeError::WrongOwner { frame, owner },
        })?;
        self.push(colour, frame);
        self.change(owner, -1);
        Ok(Kept::Here)
    }

    /// Brings frames of `colours` from the allocator and tells it of changes.
    /// Returns how many came; none means that these colours have run dry.
    /// Bound: 32 allocations.
    pub fn refill(&mut self, frames: &mut FrameAllocator<'_>, colours: ColourSet) -> u32 {
        self.tell(frames);
        let mut brought = 0;
        // Each round brings one of every colour that has any.
        for _ in 0..EXCHANGE {
            for colour in colours.common(self.colours.all()).iter() {
                let is_full = self.at_hand >= HOARD_MAX || self.stack(colour).is_full();
                if brought == EXCHANGE_ALL || is_full {
                    continue;
                }
                if let Ok(frame) = frames.allocate_near(self.node, ColourSet::only(colour), Owner::CACHED) {
                    self.push(colour, frame);
                    brought += 1;
                }
            }
        }
        brought
    }

    /// Gives frames back and tells of changes, so that there is room for one
    /// more of `colour`: half of that colour's, and of the others as many as
    /// leave half of what may be at hand. Bound: 64 frames.
    ///
    /// # Errors
    /// The allocator did not take a frame that was at hand: it was told of
    /// frames of another one.
    pub fn drain(&mut self, frames: &mut FrameAllocator<'_>, colour: Colour) -> Result<(), FreeError> {
        self.tell(frames);
        for _ in 0..EXCHANGE {
            let Some(frame) = self.pop(colour) else { break };
            frames.free(frame, Owner::CACHED)?;
        }
        for colour in ColourSet(self.stocked).iter() {
            while self.at_hand > HOARD_MAX / 2 {
                let Some(frame) = self.pop(colour) else { break };
                frames.free(frame, Owner::CACHED)?;
            }
        }
        Ok(())
    }

    /// Gives everything back and tells of changes. Bound: what is at hand.
    ///
    /// # Errors
    /// As for [`Self::drain`].
    pub fn settle(&mut self, frames: &mut FrameAllocator<'_>) -> Result<(), FreeError> {
        self.tell(frames);
        for colour in ColourSet(self.stocked).iter() {
            while let Some(frame) = self.pop(colour) {
                frames.free(frame, Owner::CACHED)?;
            }
        }
        Ok(())
    }

    /// Frames at hand.
    #[must_use]
    pub const fn at_hand(&self) -> u32 {
        self.at_hand
    }

    fn tell(&mut self, frames: &mut FrameAllocator<'_>) {
        for (word, first) in self.changed.iter_mut().zip([0u8, 64, 128, 192]) {
            for owner in ColourSet(core::mem::take(word)).iter().map(|bit| Owner(first + bit.0)) {
                frames.count(owner, core::mem::take(&mut self.changes[usize::from(owner.0)]));
            }
        }
    }

    fn change(&mut self, owner: Owner, more: i32) {
        let change = &mut self.changes[usize::from(owner.0)];
        *change = change.wrapping_add(more);
        self.changed[usize::from(owner.0 / 64)] |= 1 << (owner.0 % 64);
    }

    #[inline]
    fn word(&self, frame: Frame) -> Option<&'w AtomicU64> {
        self.words.get(frame.0.checked_sub(self.first.0)? as usize)
    }

    /// A colour is below 64 by construction; the mask spares the check.
    #[inline]
    fn stack(&mut self, colour: Colour) -> &mut Stack {
        &mut self.stacks[usize::from(colour.0 % 64)]
    }

    /// The stack of this colour is not full.
    #[inline]
    fn push(&mut self, colour: Colour, frame: Frame) {
        self.stack(colour).push(frame);
        self.stocked |= 1 << (colour.0 % 64);
        self.at_hand += 1;
    }

    #[inline]
    fn pop(&mut self, colour: Colour) -> Option<Frame> {
        let stack = self.stack(colour);
        let frame = stack.pop()?;
        if stack.height == 0 {
            self.stocked &= !(1 << (colour.0 % 64));
        }
        self.at_hand -= 1;
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::Geometry;
    use crate::frames::tests::words;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    const MINE: Owner = Owner(130);
    const YOURS: Owner = Owner(131);

    fn shared(words: &[AtomicU64]) -> FrameAllocator<'_> {
        let colours = Geometry { sets: 256, ways: 8, line_bytes: 64, slices: 1 }.colours().expect("four");
        let mut frames = FrameAllocator::new(words, Frame(8), colours);
        frames.add_region(Frame(8).address(), words.len() as u64 * 4096);
        frames
    }

    #[test]
    fn misuse_is_told_wherever_the_frame_lies() {
        let words = words(64);
        let mut frames = shared(&words);
        let (mut one, mut other) = (FrameCache::new(&frames), FrameCache::new(&frames));
        let all = frames.colours().all();
        assert_eq!(one.allocate(all, MINE), None, "nothing is at hand yet");
        assert_eq!(one.refill(&mut frames, all), 16);
        let frame = one.allocate(all, MINE).expect("at hand");
        assert_eq!(other.free(frame, YOURS), Err(FreeError::WrongOwner { frame, owner: MINE }));
        assert_eq!(other.free(frame, MINE), Ok(Kept::Here), "freed on another core");
        assert_eq!(one.free(frame, MINE), Err(FreeError::DoubleFree(frame)));
        assert_eq!(frames.free(frame, MINE), Err(FreeError::DoubleFree(frame)));
        assert_eq!(one.free(Frame(3), MINE), Err(FreeError::Foreign(Frame(3))));
        assert_eq!(one.free(Frame(500), MINE), Err(FreeError::Foreign(Frame(500))));
        other.settle(&mut frames).expect("its own frames");
        assert_eq!(one.free(frame, MINE), Err(FreeError::DoubleFree(frame)));
        assert_eq!(frames.used_by(MINE), 0, "the end was told before the begin");
        one.settle(&mut frames).expect("its own frames");
        assert_eq!((frames.used_by(MINE), frames.used_by(Owner::CACHED), frames.free_frames()), (0, 0, 64));
    }

    #[test]
    fn a_full_stack_says_so() {
        let words = words(64);
        let mut frames = shared(&words);
        let mut cache = FrameCache::new(&frames);
        let red = ColourSet(0b0001);
        let taken: Vec<Frame> = (0..9).map(|_| frames.allocate(red, MINE).expect("sixteen")).collect();
        for frame in &taken[..8] {
            assert_eq!(cache.free(*frame, MINE), Ok(Kept::Here));
        }
        assert_eq!(cache.free(taken[8], MINE), Ok(Kept::Full));
        cache.drain(&mut frames, Colour(0)).expect("its own frames");
        assert_eq!((cache.at_hand(), frames.free_of(Colour(0))), (4, 11));
        assert_eq!(cache.free(taken[8], MINE), Ok(Kept::Here));
        assert_eq!(cache.refill(&mut frames, ColourSet(1 << 40)), 0, "there is no such colour");
    }

    proptest! {
        #[test]
        fn two_cores_agree_with_a_naive_model(
            steps in prop::collection::vec((0usize..2, 0u8..6, 1u64..16, any::<prop::sample::Index>()), 1..300)
        ) {
            let words = words(64);
            let mut frames = shared(&words);
            let mut caches = [FrameCache::new(&frames), FrameCache::new(&frames)];
            let mut model: BTreeMap<Frame, Owner> = BTreeMap::new();
            for (core, what, colours, pick) in steps {
                let (cache, colours) = (&mut caches[core], ColourSet(colours));
                let owner = if pick.index(2) == 0 { MINE } else { YOURS };
                match what {
                    0..=2 => {
                        let frame = cache.allocate(colours, owner).or_else(|| {
                            cache.refill(&mut frames, colours);
                            cache.allocate(colours, owner)
                        });
                        if let Some(frame) = frame {
                            prop_assert!(colours.has(frames.colours().colour_of(frame)));
                            prop_assert_eq!(model.insert(frame, owner), None, "handed out twice");
                        }
                    }
                    3..=4 if !model.is_empty() => {
                        let (&frame, &owner) = model.iter().nth(pick.index(model.len())).expect("in range");
                        if cache.free(frame, owner) == Ok(Kept::Full) {
                            let colour = frames.colours().colour_of(frame);
                            cache.drain(&mut frames, colour).expect("its own");
                            prop_assert_eq!(cache.free(frame, owner), Ok(Kept::Here));
                        }
                        model.remove(&frame);
                    }
                    _ => cache.settle(&mut frames).expect("its own"),
                }
                let at_hand: u32 = caches.iter().map(FrameCache::at_hand).sum();
                let owned = u32::try_from(model.len()).expect("few");
                prop_assert_eq!(frames.free_frames() + at_hand + owned, 64, "nothing is lost");
                prop_assert_eq!(frames.fingerprint(Owner::CACHED).frames, at_hand);
            }
            for (frame, owner) in model {
                frames.free(frame, owner).expect("its owner's");
            }
            for cache in &mut caches {
                cache.settle(&mut frames).expect("its own");
            }
            prop_assert_eq!((frames.free_frames(), frames.used_by(MINE), frames.used_by(YOURS)), (64, 0, 0));
        }
    }
}
