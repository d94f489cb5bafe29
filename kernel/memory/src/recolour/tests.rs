use super::*;
use crate::colour::Geometry;
use crate::frames::FrameState;
use crate::frames::tests::words;
use core::sync::atomic::AtomicU64;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

const TASK: Owner = Owner(130);
const OTHER: Owner = Owner(131);
const ALL_OF_IT: StepBudget = StepBudget { moves: STEP_PAGES, looks: 1 << 20 };

/// A mapping that is strict: it knows what each frame holds, and refuses to
/// touch a frame that is not the task's.
#[derive(Default)]
struct Fake {
    table: Vec<Option<Frame>>,
    accessed: BTreeSet<u32>,
    /// What lies in the frames, by the page it was written through.
    content: BTreeMap<Frame, u32>,
    /// Frames that a core may still reach.
    stale: BTreeSet<Frame>,
    order: Vec<u32>,
    stubborn: BTreeSet<u32>,
}

impl Fake {
    fn new(frames: &mut FrameAllocator<'_>, pages: u32, colours: ColourSet) -> Self {
        let mut fake = Self::default();
        for page in 0..pages {
            let frame = frames.allocate(colours, TASK).expect("room for the task");
            fake.table.push(Some(frame));
            fake.content.insert(frame, page);
        }
        fake
    }

    fn check(&self, frames: &FrameAllocator<'_>) {
        let mut seen = BTreeSet::new();
        for (page, frame) in (0u32..).zip(&self.table) {
            let Some(frame) = frame else { continue };
            assert!(seen.insert(*frame), "{frame:?} is mapped twice");
            assert_eq!(frames.state(*frame), FrameState::Used(TASK));
            assert_eq!(self.content.get(frame), Some(&page), "the page's content was lost");
        }
        for frame in &self.stale {
            assert_eq!(frames.state(*frame), FrameState::Used(TASK), "given up while it can be reached");
        }
        assert_eq!(frames.used_by(TASK) as usize, seen.len() + self.stale.len(), "nothing is lost");
    }
}

impl Pages for Fake {
    fn frame(&self, page: u32) -> Option<Frame> {
        self.table.get(page as usize).copied().flatten()
    }

    fn was_accessed(&self, page: u32) -> bool {
        self.accessed.contains(&page)
    }

    fn forget_access(&mut self, page: u32) {
        self.accessed.remove(&page);
    }

    fn redirect(&mut self, page: u32, to: Frame) -> bool {
        if self.stubborn.contains(&page) {
            return false;
        }
        let from = self.table[page as usize].replace(to).expect("only mapped pages are moved");
        assert!(!self.stale.contains(&to), "a frame that a core may still reach");
        let content = self.content.remove(&from).expect("every mapped frame holds something");
        self.content.insert(to, content);
        self.stale.insert(from);
        self.order.push(page);
        true
    }
}

fn machine(words: &[AtomicU64], colours: u32) -> FrameAllocator<'_> {
    let geometry = Geometry { sets: colours * 64, ways: 8, line_bytes: 64, slices: 1 };
    let bytes = words.len() as u64 * 4096;
    let mut frames = FrameAllocator::new(words, Frame(0), geometry.colours().expect("a usual cache"));
    frames.add_region(0, bytes);
    frames
}

fn run(moving: &mut Recolouring, frames: &mut FrameAllocator<'_>, fake: &mut Fake) {
    for _ in 0..1_000 {
        let step = moving.step(frames, fake, ALL_OF_IT);
        fake.check(frames);
        if let Step::Moved(count) = step {
            assert_eq!(count as usize, fake.stale.len());
            fake.stale.clear();
            assert_eq!(moving.retire(frames), Ok(count));
        }
        if step == Step::Over {
            return;
        }
    }
    panic!("a move that never ends");
}

#[test]
fn hot_pages_go_first_and_all_end_in_their_colours() {
    let words = words(512);
    let mut frames = machine(&words, 8);
    let mut fake = Fake::new(&mut frames, 40, ColourSet(0x0F));
    fake.accessed.extend([3, 9, 39]);
    let mut moving = Recolouring::new(TASK, ColourSet(0xF0), 40, false);
    run(&mut moving, &mut frames, &mut fake);
    assert_eq!(fake.order[..3], [3, 9, 39]);
    assert_eq!(fake.order.len(), 40);
    assert_eq!(moving.tally(), Tally { mapped: 40, moved: 40, hot: 3, ..Tally::default() });
    let mut held = [0; 8];
    fake.table.iter().flatten().for_each(|frame| held[frame.0 as usize % 8] += 1);
    assert_eq!(held, [0, 0, 0, 0, 10, 10, 10, 10], "spread evenly");
}

#[test]
fn what_was_accessed_before_counting_is_forgotten_on_request() {
    let words = words(128);
    let mut frames = machine(&words, 4);
    let mut fake = Fake::new(&mut frames, 8, ColourSet(0b0001));
    fake.accessed.extend(0..8);
    let mut moving = Recolouring::new(TASK, ColourSet(0b1000), 8, true);
    assert_eq!(moving.step(&mut frames, &mut fake, ALL_OF_IT), Step::Counted);
    fake.accessed.insert(6);
    run(&mut moving, &mut frames, &mut fake);
    assert_eq!((fake.order[0], moving.tally().hot), (6, 1));
}

#[test]
fn a_grown_set_spreads_the_pages() {
    let words = words(512);
    let mut frames = machine(&words, 8);
    let mut fake = Fake::new(&mut frames, 32, ColourSet(0b0011));
    let mut moving = Recolouring::new(TASK, ColourSet(0b1111), 32, false);
    run(&mut moving, &mut frames, &mut fake);
    assert_eq!(moving.tally().moved, 16, "half of them stay where they are");
    let inside = fake.table.iter().flatten().filter(|frame| frame.0 % 8 < 2).count();
    assert_eq!(inside, 16);
}

#[test]
fn no_step_is_done_before_the_frames_are_retired() {
    let words = words(256);
    let mut frames = machine(&words, 4);
    let mut fake = Fake::new(&mut frames, 10, ColourSet(0b0001));
    let mut moving = Recolouring::new(TASK, ColourSet(0b0010), 10, false);
    let small = StepBudget { moves: 4, looks: 100 };
    assert_eq!(moving.step(&mut frames, &mut fake, small), Step::Counted);
    assert_eq!(moving.step(&mut frames, &mut fake, small), Step::Moved(4));
    assert_eq!(moving.step(&mut frames, &mut fake, small), Step::Unretired);
    assert_eq!(frames.used_by(TASK), 14, "the old ones are still the task's");
    fake.check(&frames);
    assert_eq!(moving.retire(&mut frames), Ok(4));
    assert_eq!(moving.retire(&mut frames), Ok(0));
    assert_eq!(frames.used_by(TASK), 10);
}

#[test]
fn what_finds_no_frame_stays_and_is_counted() {
    let words = words(64);
    let mut frames = machine(&words, 4);
    let mut fake = Fake::new(&mut frames, 12, ColourSet(0b0001));
    for _ in 0..11 {
        frames.allocate(ColourSet(0b0100), OTHER).expect("sixteen frames a colour");
    }
    fake.accessed.extend(0..12);
    let mut moving = Recolouring::new(TASK, ColourSet(0b0100), 12, false);
    run(&mut moving, &mut frames, &mut fake);
    assert_eq!(moving.tally(), Tally { mapped: 12, moved: 5, hot: 5, short: 7, refused: 0 });
    fake.stubborn.insert(0);
    let mut back = Recolouring::new(TASK, ColourSet(0b1000), 12, false);
    run(&mut back, &mut frames, &mut fake);
    assert_eq!(back.tally(), Tally { mapped: 12, moved: 11, hot: 11, short: 0, refused: 1 });
}

proptest! {
    #[test]
    fn nothing_is_owned_twice_and_everything_comes_back(
        pages in 1u32..60,
        colours_at_first in 1u64..256,
        holes in prop::collection::btree_set(0u32..60, 0..10),
        rounds in prop::collection::vec(
            (1u64..256, prop::collection::vec((1usize..70, 1u32..80, any::<u8>()), 0..30), any::<bool>()), 1..6),
    ) {
        let words = words(256);
        let mut frames = machine(&words, 8);
        // Thirty-two frames of each colour: enough only for some sets.
        let first = ColourSet(colours_at_first);
        prop_assume!(pages <= first.count() * 32);
        let mut fake = Fake::new(&mut frames, pages, first);
        for hole in holes {
            if let Some(frame) = fake.table.get_mut(hole as usize).and_then(Option::take) {
                fake.content.remove(&frame);
                frames.free(frame, TASK).expect("it is the task's");
            }
        }
        for (wanted, steps, finish) in rounds {
            let wanted = ColourSet(wanted);
            let mut moving = Recolouring::new(TASK, wanted, pages, finish);
            for (moves, looks, touched) in steps {
                fake.accessed.insert(u32::from(touched) % pages);
                let step = moving.step(&mut frames, &mut fake, StepBudget { moves, looks });
                fake.check(&frames);
                if let Step::Moved(count) = step {
                    prop_assert!(count as usize <= moves.min(STEP_PAGES));
                    fake.stale.clear();
                    prop_assert_eq!(moving.retire(&mut frames), Ok(count));
                }
            }
            if finish {
                run(&mut moving, &mut frames, &mut fake);
                let outside = fake.table.iter().flatten().filter(|frame| {
                    !wanted.has(frames.colours().colour_of(**frame))
                }).count();
                prop_assert_eq!(outside, moving.tally().short as usize, "all but those it names have moved");
            }
            // Given up at any point: what is retiring comes back all the same.
            fake.stale.clear();
            moving.retire(&mut frames).expect("they are the task's");
            fake.check(&frames);
        }
        for frame in fake.table.iter().flatten() {
            frames.free(*frame, TASK).expect("it is the task's");
        }
        prop_assert_eq!((frames.used_by(TASK), frames.free_frames()), (0, 256));
    }
}
