//! Blocks and nodes.

use super::tests::words;
use super::*;
use crate::colour::Geometry;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::vec::Vec;

const MIB2: u32 = Block::Mib2.frames();

fn colours(count: u32) -> Colours {
    Geometry { sets: 64 * count, ways: 8, line_bytes: 64, slices: 1 }.colours().expect("a power of two")
}

#[test]
fn near_frames_come_first_and_colours_before_nearness() {
    let words = words(64);
    let mut frames = FrameAllocator::new(&words, Frame(0), colours(4));
    frames.add_region(0, 64 * FRAME_BYTES);
    let early = frames.allocate(ColourSet(1), Owner(9)).expect("plenty");
    // Node 2 has the upper half, node 1 a quarter below it, node 0 the rest.
    let node_of = |frame: Frame| {
        Node(if frame.0 >= 32 {
            2
        } else if frame.0 >= 16 {
            1
        } else {
            0
        })
    };
    frames.resort(colours(4), node_of);
    assert_eq!([0, 1, 2].map(|node| frames.free_on(Node(node))), [15, 16, 32]);
    assert_eq!(frames.node_of(early), Some(Node(0)));
    assert_eq!(frames.node_of(Frame(64)), None);

    let owner = Owner(200);
    frames.settle_at(owner, Node(1));
    frames.prefer(Node(1), [Node(2), Node(1), Node(77)].into_iter());
    let one = ColourSet(0b0010);
    let order: Vec<Node> = (0..16)
        .map(|_| {
            let frame = frames.allocate(one, owner).expect("sixteen of the colour");
            frames.node_of(frame).expect("managed")
        })
        .collect();
    assert_eq!(order[..4], [Node(1); 4], "four of the colour are at home");
    assert_eq!(order[4..12], [Node(2); 8], "then those of the nearest");
    assert_eq!(order[12..], [Node(0); 4]);
    assert!(frames.allocate(one, owner).is_err(), "no other colour, however near");
    frames.settle_at(owner, Node(200));
    assert_eq!(frames.home_of(owner), Node(0), "there is no such node");
    frames.free(early, Owner(9)).expect("its owner's");
}

#[test]
fn fewer_colours_lose_no_frame() {
    let words = words(64);
    let mut frames = FrameAllocator::new(&words, Frame(0), colours(16));
    frames.add_region(0, 60 * FRAME_BYTES);
    let held: Vec<Frame> =
        (0..7).map(|_| frames.allocate(ColourSet(0b110), Owner(8)).expect("eight of the two")).collect();
    frames.resort(colours(2), |_| Node(0));
    assert_eq!((frames.free_frames(), frames.used_by(Owner(8))), (53, 7));
    assert_eq!(
        (frames.free_of(Colour(0)), frames.free_of(Colour(1)), frames.free_of(Colour(2))),
        (27, 26, 0)
    );
    for frame in held {
        frames.free(frame, Owner(8)).expect("still its owner's");
    }
    assert_eq!(frames.free_frames(), 60);
}

#[test]
fn a_gibibyte_is_one_block() {
    let count = Block::Gib1.frames();
    let words = words(2 * count as usize);
    let mut frames = FrameAllocator::new(&words, Frame(count), colours(32));
    frames.add_region(Frame(count).address() + FRAME_BYTES, u64::from(2 * count) * FRAME_BYTES);
    let start = frames.allocate_block(Block::Gib1, Owner(8)).expect("the second is whole");
    assert_eq!(start, Frame(2 * count));
    assert_eq!(frames.used_by(Owner(8)), count);
    let refused = frames.allocate_block(Block::Gib1, Owner(8)).expect_err("the first lacks a frame");
    assert_eq!(refused, NoRun { count, longest: 0 });
    let small = frames.allocate_block(Block::Mib2, Owner(8)).expect("there are 511");
    assert_eq!(small, Frame(count + MIB2));
    frames.free_block(small, Block::Mib2, Owner(8)).expect("its owner's");
    frames.free_block(start, Block::Gib1, Owner(8)).expect("its owner's");
    assert_eq!(frames.free_frames(), 2 * count - 1);
}

#[test]
fn a_block_goes_back_whole_or_not_at_all() {
    let words = words(2 * MIB2 as usize);
    let mut frames = FrameAllocator::new(&words, Frame(0), colours(32));
    frames.add_region(0, u64::from(2 * MIB2) * FRAME_BYTES);
    let start = frames.allocate_block(Block::Mib2, Owner(8)).expect("two are free");
    let (inside, other) = (Frame(start.0 + 77), Owner(9));
    assert_eq!(
        frames.free_block(start, Block::Mib2, other),
        Err(FreeError::WrongOwner { frame: start, owner: Owner(8) })
    );
    assert_eq!(frames.free_block(inside, Block::Mib2, Owner(8)), Err(FreeError::Foreign(inside)));
    frames.free(inside, Owner(8)).expect("a single frame of it may go");
    assert_eq!(frames.free_block(start, Block::Mib2, Owner(8)), Err(FreeError::DoubleFree(inside)));
    assert_eq!(frames.used_by(Owner(8)), MIB2 - 1, "nothing changed");
    let far = Frame(u32::MAX - (MIB2 - 1));
    assert_eq!(frames.free_block(far, Block::Mib2, Owner(8)), Err(FreeError::Foreign(far)));
}

#[derive(Clone, Debug)]
enum Step {
    Take(u64, u8),
    Give(usize),
    TakeBlock(u8),
    GiveBlock(usize),
    Run(u32, u8),
    Sweep(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u64..16, 0u8..3).prop_map(|(set, owner)| Step::Take(set, owner)),
        3 => any::<usize>().prop_map(Step::Give),
        2 => (0u8..3).prop_map(Step::TakeBlock),
        2 => any::<usize>().prop_map(Step::GiveBlock),
        1 => (1u32..700, 0u8..3).prop_map(|(count, owner)| Step::Run(count, owner)),
        1 => (0u8..3).prop_map(Step::Sweep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn blocks_and_nodes_agree_with_a_naive_model(
        border in 0u32..6 * MIB2, holes in prop::collection::vec(0u32..6 * MIB2, 0..3),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let total = 6 * MIB2;
        let words = words(total as usize);
        let mut frames = FrameAllocator::new(&words, Frame(0), colours(4));
        frames.add_region(0, u64::from(total) * FRAME_BYTES);
        let node_of = |frame: u32| u8::from(frame >= border);
        frames.resort(colours(4), |frame| Node(node_of(frame.0)));
        // Owner 1 is at home on node 1, the others on node 0.
        frames.settle_at(Owner(1), Node(1));
        let mut used: BTreeMap<u32, u8> = BTreeMap::new();
        for hole in holes {
            if frames.reserve(Frame(hole).address(), 1, Owner(7)) == 1 {
                used.insert(hole, 7);
            }
        }
        let mut blocks: Vec<(u32, u8)> = Vec::new();
        for step in steps {
            match step {
                Step::Take(set, owner) => {
                    let home = u8::from(owner == 1);
                    let fits = |frame: &u32| set >> (frame % 4) & 1 == 1 && !used.contains_key(frame);
                    let possible = (0..total).any(|frame| fits(&frame));
                    let near = (0..total).any(|frame| fits(&frame) && node_of(frame) == home);
                    let got = frames.allocate(ColourSet(set), Owner(owner)).ok();
                    prop_assert_eq!(got.is_some(), possible);
                    if let Some(frame) = got {
                        prop_assert!(fits(&frame.0));
                        prop_assert_eq!(node_of(frame.0) == home, near, "near ones first");
                        used.insert(frame.0, owner);
                    }
                }
                Step::Give(which) => {
                    let single = |frame: &u32| !blocks.iter().any(|(start, _)| (*start..start + MIB2).contains(frame));
                    let singles: Vec<(u32, u8)> =
                        used.iter().map(|(frame, owner)| (*frame, *owner)).filter(|(frame, owner)| *owner != 7 && single(frame)).collect();
                    if let Some((frame, owner)) = singles.get(which % singles.len().max(1)) {
                        prop_assert_eq!(frames.free(Frame(*frame), Owner(*owner)), Ok(()));
                        used.remove(frame);
                    }
                }
                Step::TakeBlock(owner) => {
                    let is_free = |start: &u32| (*start..start + MIB2).all(|frame| !used.contains_key(&frame));
                    let all_on = |start: &u32, node: u8| (*start..start + MIB2).all(|frame| node_of(frame) == node);
                    let starts = || (0..6).map(|block| block * MIB2).filter(is_free);
                    let home = u8::from(owner == 1);
                    let expected = starts().find(|start| all_on(start, home))
                        .or_else(|| starts().find(|start| all_on(start, 1 - home)))
                        .or_else(|| starts().next());
                    let got = frames.allocate_block(Block::Mib2, Owner(owner)).ok().map(|frame| frame.0);
                    prop_assert_eq!(got, expected);
                    if let Some(start) = got {
                        used.extend((start..start + MIB2).map(|frame| (frame, owner)));
                        blocks.push((start, owner));
                    }
                }
                Step::GiveBlock(which) => {
                    if !blocks.is_empty() {
                        let (start, owner) = blocks.swap_remove(which % blocks.len());
                        prop_assert_eq!(frames.free_block(Frame(start), Block::Mib2, Owner(owner)), Ok(()));
                        used.retain(|frame, _| !(start..start + MIB2).contains(frame));
                    }
                }
                Step::Run(count, owner) => {
                    let expected = (0..total.saturating_sub(count - 1))
                        .find(|start| (*start..start + count).all(|frame| !used.contains_key(&frame)));
                    let got = frames.allocate_contiguous(count, 1, Owner(owner)).ok().map(|frame| frame.0);
                    prop_assert_eq!(got, expected);
                    if let Some(start) = got {
                        used.extend((start..start + count).map(|frame| (frame, owner)));
                    }
                }
                Step::Sweep(owner) => {
                    let held = used.values().filter(|holder| **holder == owner).count();
                    prop_assert_eq!(frames.sweep(Owner(owner), Frame(0), u32::MAX).freed as usize, held);
                    used.retain(|_, holder| *holder != owner);
                    blocks.retain(|(_, holder)| *holder != owner);
                }
            }
            let on = |node: u8| (0..total).filter(|frame| node_of(*frame) == node && !used.contains_key(frame)).count();
            prop_assert_eq!(frames.free_frames() as usize, total as usize - used.len());
            prop_assert_eq!([0, 1].map(|node| frames.free_on(Node(node)) as usize), [on(0), on(1)]);
        }
        for owner in [0, 1, 2, 7] {
            frames.sweep(Owner(owner), Frame(0), u32::MAX);
        }
        let every: std::collections::BTreeSet<u32> =
            (0..total).map(|_| frames.allocate(frames.colours().all(), Owner(9)).expect("all are back").0).collect();
        prop_assert_eq!(every.len(), total as usize, "each once");
    }
}
