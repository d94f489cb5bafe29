use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::string::ToString;
use std::vec;
use std::vec::Vec;

use crate::colour::Geometry;

/// Storage that holds anything but zero.
pub(crate) fn words(count: usize) -> Vec<AtomicU64> {
    (0..count).map(|_| AtomicU64::new(7)).collect()
}

fn four_colours() -> Colours {
    Geometry { sets: 256, ways: 8, line_bytes: 64, slices: 1 }.colours().expect("256 sets of 64 bytes")
}

fn address(frame: u32) -> u64 {
    Frame(frame).address()
}

#[test]
fn regions_of_any_shape_are_added_once() {
    let words = words(32);
    let mut frames = FrameAllocator::new(&words, Frame(16), four_colours());
    assert_eq!(frames.free_frames(), 0, "whatever the storage held");
    assert_eq!(frames.add_region(address(20) + 1, 4 * FRAME_BYTES), Added { frames: 3, ..Added::default() });
    assert_eq!(frames.add_region(address(20), 2 * FRAME_BYTES), Added { frames: 1, repeated: 1, outside: 0 });
    assert_eq!(frames.add_region(address(30) + 9, 100), Added::default(), "no whole frame");
    assert_eq!(frames.add_region(address(30), 0), Added::default());
    assert_eq!(frames.add_region(0, address(17)), Added { frames: 1, repeated: 0, outside: 16 });
    assert_eq!(frames.add_region(address(47), u64::MAX).frames, 1, "the end saturates");
    assert_eq!(frames.add_region(u64::MAX, u64::MAX), Added::default());
    assert_eq!((frames.managed_frames(), frames.free_frames()), (6, 6));
    assert_eq!(FrameAllocator::words_for(address(16), address(47) + 1), 32);
}

#[test]
fn colours_take_turns_for_each_owner_apart() {
    let words = words(64);
    let mut frames = FrameAllocator::new(&words, Frame(0), four_colours());
    frames.add_region(0, address(64));
    let mut order = [Vec::new(), Vec::new()];
    for _ in 0..6 {
        for (owner, order) in [Owner(7), Owner(8)].into_iter().zip(&mut order) {
            let frame = frames.allocate(ColourSet(0b1011), owner).expect("plenty");
            order.push(frame.0 % 4);
        }
    }
    assert_eq!(order, [vec![0, 1, 3, 0, 1, 3], vec![0, 1, 3, 0, 1, 3]]);
}

#[test]
fn misuse_and_exhaustion_are_reported_and_change_nothing() {
    let words = words(8);
    let mut frames = FrameAllocator::new(&words, Frame(8), four_colours());
    frames.add_region(address(8), 6 * FRAME_BYTES);
    let task = Owner::task(3).expect("a slot");
    let even = ColourSet(0b0001);
    let (a, b) = (frames.allocate(even, task).expect("8"), frames.allocate(even, task).expect("12"));
    assert_eq!((a, b), (Frame(8), Frame(12)));
    let error = frames.allocate(even, task).expect_err("both are taken");
    assert_eq!(error, OutOfFrames { colours: even, free_elsewhere: 4 });
    assert_eq!(error.to_string(), "out of memory: no free frame of colours 0, 4 of others");
    assert!(frames.allocate(ColourSet::EMPTY, task).is_err());
    assert!(frames.allocate(ColourSet(1 << 60), task).is_err(), "a colour that is not there");

    assert_eq!(frames.free(a, Owner::KERNEL), Err(FreeError::WrongOwner { frame: a, owner: task }));
    assert_eq!(frames.used_by(task), 2);
    assert_eq!(frames.free(a, task), Ok(()));
    assert_eq!(frames.free(a, task), Err(FreeError::DoubleFree(a)));
    for foreign in [Frame(0), Frame(7), Frame(14), Frame(16), Frame(u32::MAX)] {
        assert_eq!(frames.free(foreign, task), Err(FreeError::Foreign(foreign)));
    }
    assert_eq!((frames.free_frames(), frames.used_by(task), frames.used_by(Owner::KERNEL)), (5, 1, 0));
    assert_eq!((frames.state(a), frames.state(b)), (FrameState::Free, FrameState::Used(task)));
    assert_eq!(Owner::task(128), None);
}

#[test]
fn runs_are_found_lowest_first_aligned_and_within_bounds() {
    let words = words(64);
    let mut frames = FrameAllocator::new(&words, Frame(100), four_colours());
    frames.add_region(address(100), 64 * FRAME_BYTES);
    assert_eq!(frames.reserve(address(105) + 8, 8, Owner::KERNEL), 1);
    assert_eq!(frames.reserve(address(105), 0, Owner::KERNEL), 0);
    assert_eq!(frames.allocate_contiguous(6, 1, Owner::DEVICES), Ok(Frame(106)));
    assert_eq!(frames.allocate_contiguous(2, 16, Owner::DEVICES), Ok(Frame(112)));
    assert_eq!(frames.allocate_contiguous(5, 0, Owner::DEVICES), Ok(Frame(100)));
    let low = Frame(0)..Frame(116);
    assert_eq!(
        frames.allocate_contiguous_within(low.clone(), 3, 1, Owner::DEVICES),
        Err(NoRun { count: 3, longest: 2 })
    );
    assert_eq!(frames.allocate_contiguous_within(low, 2, 1, Owner::DEVICES), Ok(Frame(114)));
    assert!(frames.allocate_contiguous(u32::MAX, 1, Owner::DEVICES).is_err());
    assert!(frames.allocate_contiguous(0, 1, Owner::DEVICES).is_err());
    assert!(frames.allocate_contiguous(1, u32::MAX, Owner::DEVICES).is_err());
    assert_eq!((frames.used_by(Owner::DEVICES), frames.free_frames()), (15, 48));
    let rest: BTreeSet<u32> =
        (0..48).map(|_| frames.allocate(frames.colours().all(), Owner::KERNEL).expect("free").0).collect();
    assert_eq!(rest, (116..164).collect());
}

#[test]
fn a_sweep_takes_back_everything_in_bounded_pieces() {
    let words = words(64);
    let mut frames = FrameAllocator::new(&words, Frame(0), four_colours());
    frames.add_region(0, address(64));
    let (task, other) = (Owner::task(0).expect("a slot"), Owner::task(1).expect("a slot"));
    for owner in [task, other].into_iter().cycle().take(64) {
        frames.allocate(frames.colours().all(), owner).expect("64 in all");
    }
    let (mut from, mut freed, mut calls) = (Some(Frame(0)), 0, 0);
    while let Some(start) = from {
        let sweep = frames.sweep(task, start, 10);
        (from, freed, calls) = (sweep.next, freed + sweep.freed, calls + 1);
    }
    assert!(calls <= 7, "64 frames in pieces of 10");
    assert_eq!((freed, frames.used_by(task), frames.used_by(other), frames.free_frames()), (32, 0, 32, 32));
}

#[derive(Clone, Debug)]
enum Step {
    Allocate(u64, u8),
    Free(usize, u8),
    FreeWild(u32, u8),
    Run(u32, u32, u8),
    Sweep(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<u64>(), 0u8..4).prop_map(|(set, owner)| Step::Allocate(set, owner)),
        4 => (any::<usize>(), 0u8..4).prop_map(|(which, owner)| Step::Free(which, owner)),
        1 => (0u32..200, 0u8..4).prop_map(|(frame, owner)| Step::FreeWild(frame, owner)),
        1 => (1u32..12, 0u32..3, 0u8..4).prop_map(|(count, align, owner)| Step::Run(count, 1 << align, owner)),
        1 => (0u8..4).prop_map(Step::Sweep),
    ]
}

/// A run the model could give: all of its frames free and managed.
fn model_has_run(all: &BTreeSet<u32>, used: &BTreeMap<u32, u8>, count: u32, align: u32) -> Option<u32> {
    all.iter()
        .copied()
        .filter(|start| start.is_multiple_of(align))
        .find(|&start| (start..start + count).all(|frame| all.contains(&frame) && !used.contains_key(&frame)))
}

proptest! {
    #[test]
    fn agrees_with_a_naive_model(
        regions in prop::collection::vec((0u64..150 * 4096, 0u64..60 * 4096), 1..4),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let words = words(120);
        let mut frames = FrameAllocator::new(&words, Frame(10), four_colours());
        let mut all = BTreeSet::new();
        for (start, bytes) in regions {
            frames.add_region(start, bytes);
            all.extend((10u32..130).filter(|&frame| {
                address(frame) >= start && address(frame) + FRAME_BYTES <= start + bytes
            }));
        }
        let mut used: BTreeMap<u32, u8> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Allocate(set, owner) => {
                    let fits = |frame: &&u32| set >> (**frame % 4) & 1 == 1 && !used.contains_key(*frame);
                    let possible = all.iter().find(fits).is_some();
                    let got = frames.allocate(ColourSet(set), Owner(owner));
                    prop_assert_eq!(got.is_ok(), possible);
                    if let Ok(frame) = got {
                        prop_assert!(fits(&&frame.0) && all.contains(&frame.0));
                        used.insert(frame.0, owner);
                    }
                }
                Step::Free(which, owner) => {
                    let count = used.len().max(1);
                    if let Some((&frame, &holder)) = used.iter().nth(which % count) {
                        let freed = frames.free(Frame(frame), Owner(owner));
                        prop_assert_eq!(freed.is_ok(), holder == owner);
                        if freed.is_ok() {
                            used.remove(&frame);
                        }
                    }
                }
                Step::FreeWild(frame, owner) => {
                    let freed = frames.free(Frame(frame), Owner(owner));
                    prop_assert_eq!(freed.is_ok(), used.get(&frame) == Some(&owner));
                    if freed.is_ok() {
                        used.remove(&frame);
                    }
                }
                Step::Run(count, align, owner) => {
                    let expected = model_has_run(&all, &used, count, align);
                    let got = frames.allocate_contiguous(count, align, Owner(owner));
                    prop_assert_eq!(got.ok().map(|frame| frame.0), expected);
                    if let Some(start) = expected {
                        used.extend((start..start + count).map(|frame| (frame, owner)));
                    }
                }
                Step::Sweep(owner) => {
                    let held = used.values().filter(|&&holder| holder == owner).count();
                    let sweep = frames.sweep(Owner(owner), Frame(0), u32::MAX);
                    prop_assert_eq!((sweep.freed as usize, sweep.next), (held, None));
                    used.retain(|_, holder| *holder != owner);
                }
            }
            prop_assert_eq!(frames.free_frames() as usize, all.len() - used.len());
            for colour in 0..4u8 {
                let free = all.iter().filter(|frame| **frame % 4 == u32::from(colour) && !used.contains_key(frame));
                prop_assert_eq!(frames.free_of(Colour(colour)) as usize, free.count());
            }
        }
        for (frame, owner) in used {
            prop_assert_eq!(frames.free(Frame(frame), Owner(owner)), Ok(()));
        }
        let every: BTreeSet<u32> =
            (0..all.len()).map(|_| frames.allocate(frames.colours().all(), Owner(9)).expect("all are back").0).collect();
        prop_assert_eq!(every, all);
        prop_assert_eq!((frames.free_frames(), (0..4).map(|owner| frames.used_by(Owner(owner))).sum::<u32>()), (0, 0));
    }
}
