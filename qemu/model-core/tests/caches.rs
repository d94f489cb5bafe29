//! The model's counts against the slow reference, exactly, and against what
//! LRU theory says.

mod reference;

use reference::{Machine, PrivateShape, SharedShape};
use umbra_model::{Description, Hierarchy};

fn machine(name: &str) -> Description {
    Description::named(name).expect("built in")
}

fn slow(machine: &Description) -> Machine {
    let private = |kib: u64, ways: usize| PrivateShape { sets: kib * 16 / ways as u64, ways };
    let shared = machine.shared_level;
    Machine::new(
        machine.cores,
        private(machine.first_level.kib, machine.first_level.ways),
        private(machine.second_level.kib, machine.second_level.ways),
        SharedShape { slices: shared.slices, sets: shared.sets_per_slice, ways: shared.ways },
    )
}

/// A small generator, so that the traces are the same everywhere.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Both machines, driven by the same accesses.
struct Pair {
    fast: Hierarchy,
    slow: Machine,
    now: u64,
}

impl Pair {
    fn new(machine: &Description) -> Self {
        Self { fast: Hierarchy::new(machine, 4000), slow: slow(machine), now: 0 }
    }

    fn access(&mut self, core: usize, address: u64, write: bool) {
        self.now += 1 + self.fast.access(core, address, write, self.now);
        self.fast.advance(self.now);
        self.slow.access(core, address, write);
    }

    fn set(&mut self, core: usize, mask: u32, owner: u8) {
        self.fast.set_mask(core + 1, mask);
        self.fast.associate(core, core + 1, owner);
        self.slow.masks[core] = mask;
        self.slow.owners[core] = owner;
    }

    fn assert_equal(&self, what: &str) {
        for (core, slow) in self.slow.misses.iter().enumerate() {
            let fast = self.fast.counts(core);
            let fast = (fast.first_level_misses, fast.shared_references, fast.shared_misses);
            assert_eq!(fast, (slow.first, slow.second, slow.shared), "{what}, core {core}");
        }
        for owner in 0..4 {
            assert_eq!(
                self.fast.occupancy_bytes(owner),
                self.slow.occupancy_lines(owner) * 64,
                "{what}: held"
            );
            let moved = self.slow.memory_lines.get(&owner).copied().unwrap_or_default();
            assert_eq!(self.fast.memory_bytes(owner), moved * 64, "{what}: to and from memory");
        }
    }
}

/// Sizes around each level, in bytes: 3/4 of it, all of it, a little more, twice.
fn sizes(machine: &Description) -> Vec<u64> {
    let shared = machine.shared_level;
    [
        machine.first_level.kib * 1024,
        machine.second_level.kib * 1024,
        shared.slices * shared.sets_per_slice * shared.ways as u64 * 64,
    ]
    .iter()
    .flat_map(|size| [size * 3 / 4, *size, size + size / 16 + 64, size * 2])
    .collect()
}

/// Strides below a line, of a line, of three and of a page; not below a line
/// over sizes like the larger machine's shared level, which takes too long.
#[test]
fn strides_miss_as_in_the_reference() {
    for (name, large) in [("tiny", u64::MAX), ("xeon4", 600_000)] {
        let machine = machine(name);
        for size in sizes(&machine) {
            let strides = [8, 64, 192, 4096].into_iter().filter(|stride| size < large || *stride >= 64);
            for stride in strides {
                let mut pair = Pair::new(&machine);
                for round in 0..if size < large { 3 } else { 2 } {
                    for address in (0..size).step_by(stride) {
                        pair.access(0, address, round == 1 && address % 128 == 0);
                    }
                }
                pair.assert_equal(&format!("{name}: stride {stride} over {size}"));
            }
        }
    }
}

/// Three arrays at once, one read upwards, one written upwards, one read
/// downwards, as a loop over them does, on two cores.
#[test]
fn streams_miss_as_in_the_reference() {
    for name in ["tiny", "xeon4"] {
        let machine = machine(name);
        for size in sizes(&machine) {
            let mut pair = Pair::new(&machine);
            let (lines, third) = (size / 64, size / 3 / 64 * 64);
            for step in (0..lines.min(40_000)).map(|step| step * 8 % third) {
                for core in 0..2 {
                    let base = 0x4000_0000 * core as u64;
                    pair.access(core, base + step, false);
                    pair.access(core, base + third + step, true);
                    pair.access(core, base + 3 * third - 8 - step, false);
                }
            }
            pair.assert_equal(&format!("{name}: streams over {size}"));
        }
    }
}

#[test]
fn random_chases_miss_as_in_the_reference() {
    for name in ["tiny", "xeon4"] {
        let machine = machine(name);
        for size in sizes(&machine) {
            let mut pair = Pair::new(&machine);
            let mut draw = Draw(size | 1);
            for step in 0..60_000 {
                let line = draw.below(size / 64);
                pair.access(0, 0x1_0000_0000 + line * 64, step % 5 == 0);
            }
            pair.assert_equal(&format!("{name}: random over {size}"));
        }
    }
}

#[test]
fn cores_with_masks_and_identities_share_as_in_the_reference() {
    for masks in [[0xFFu32, 0xFF], [0xF0, 0x0F], [0x03, 0xFF], [0x80, 0x01]] {
        let machine = machine("tiny");
        let mut pair = Pair::new(&machine);
        let mut draw = Draw(77);
        for step in 0..200_000u64 {
            if step % 50_000 == 25_000 {
                pair.set(0, masks[0], 1);
                pair.set(1, masks[1], 2);
            }
            if step % 50_000 == 0 {
                pair.set(0, 0xFF, 3);
            }
            let chase = 0x10_0000 + draw.below(900) * 64;
            pair.access(0, chase, draw.below(8) == 0);
            pair.access(1, 0x80_0000 + step * 64, step % 3 == 0);
        }
        pair.assert_equal(&format!("masks {masks:x?}"));
    }
}

/// The small machine with masks for its second level.
fn tiny_with_second_masks() -> Description {
    let mut machine = machine("tiny");
    if let Some(allocation) = &mut machine.allocation {
        allocation.second_mask_classes = 4;
        allocation.code_and_data = true;
    }
    machine
}

#[test]
fn masks_of_the_second_level_divide_it_as_in_the_reference() {
    for masks in [[0xFu32, 0xF], [0xC, 0x3], [0x1, 0xE], [0x8, 0x8]] {
        let mut pair = Pair::new(&tiny_with_second_masks());
        let mut draw = Draw(99);
        for step in 0..120_000u64 {
            // Both cores' masks swap in the middle, so that lines lie outside them.
            if step % 30_000 == 10_000 {
                let turn = usize::from(step > 60_000);
                for core in 0..2 {
                    pair.set(core, 0xFF, if core == 0 { 1 } else { 2 });
                    pair.fast.set_second_mask(core + 1, masks[(core + turn) % 2]);
                    pair.slow.second_masks[core] = masks[(core + turn) % 2];
                }
            }
            // 16 KiB of second level: loops of 12 and of 40 KiB, some of it written.
            pair.access(0, 0x10_0000 + draw.below(192) * 64, draw.below(4) == 0);
            pair.access(1, 0x80_0000 + draw.below(640) * 64, step % 3 == 0);
        }
        pair.assert_equal(&format!("second level masks {masks:x?}"));
    }
}

#[test]
fn data_takes_the_even_mask_when_code_and_data_are_apart() {
    let mut pair = Pair::new(&tiny_with_second_masks());
    let mut draw = Draw(3);
    for core in 0..2 {
        pair.fast.associate(core, core + 1, 0);
    }
    // Data of class n has mask 2n; the masks between are code's and do nothing here.
    for (number, mask) in [(1, 0x80), (2, 0xF0), (3, 0x80), (4, 0x0F), (5, 0x80)] {
        pair.fast.set_mask(number, mask);
    }
    for (number, mask) in [(1, 0x8), (2, 0x3), (3, 0x8), (4, 0xE)] {
        pair.fast.set_second_mask(number, mask);
    }
    pair.fast.set_code_and_data(false, true);
    pair.fast.set_code_and_data(true, true);
    (pair.slow.masks, pair.slow.second_masks) = (vec![0xF0, 0x0F], vec![0x3, 0xE]);
    for step in 0..60_000u64 {
        pair.access(0, 0x10_0000 + draw.below(900) * 64, draw.below(8) == 0);
        pair.access(1, 0x80_0000 + step % 1_500 * 64, step % 3 == 0);
    }
    pair.assert_equal("code and data apart");
}

/// Least recently used order by set, as one list: how many different lines of
/// the set came since the line was used last (Mattson et al., 1970).
fn misses_by_stack_distance(trace: &[u64], sets: u64, ways: usize) -> u64 {
    let mut stacks: Vec<Vec<u64>> = vec![Vec::new(); usize::try_from(sets).expect("small")];
    let mut misses = 0;
    for line in trace {
        let stack = &mut stacks[usize::try_from(line % sets).expect("small")];
        let distance = stack.iter().rposition(|other| other == line).map(|at| stack.len() - 1 - at);
        misses += u64::from(distance.is_none_or(|distance| distance >= ways));
        stack.retain(|other| other != line);
        stack.push(*line);
    }
    misses
}

#[test]
fn first_level_misses_follow_the_stack_distances() {
    let machine = machine("xeon4");
    let mut draw = Draw(5);
    for lines in [100, 400, 512, 600, 1_000, 3_000] {
        let trace: Vec<u64> = (0..40_000).map(|_| draw.below(lines)).collect();
        let mut fast = Hierarchy::new(&machine, 4000);
        for line in &trace {
            fast.access(0, line * 64, false, 0);
        }
        assert_eq!(
            fast.counts(0).first_level_misses,
            misses_by_stack_distance(&trace, 64, 8),
            "{lines} lines"
        );
    }
}

/// With private levels of one way, an access that they keep from the shared
/// level repeats the last one of its set, which changes no order there.
#[test]
fn shared_level_misses_follow_the_stack_distances() {
    let mut machine = machine("tiny");
    machine.first_level.ways = 1;
    machine.second_level.kib = 4;
    machine.second_level.ways = 1;
    machine.shared_level.slices = 1;
    let mut draw = Draw(17);
    for lines in [300, 512, 600, 1_000, 3_000] {
        let trace: Vec<u64> = (0..40_000).map(|_| draw.below(lines)).collect();
        let mut fast = Hierarchy::new(&machine, 4000);
        for line in &trace {
            fast.access(0, line * 64, false, 0);
        }
        assert_eq!(fast.counts(0).shared_misses, misses_by_stack_distance(&trace, 64, 8), "{lines} lines");
    }
}

#[test]
fn cyclic_order_hits_up_to_the_ways_and_misses_beyond() {
    let machine = machine("tiny");
    let misses = |lines: u64| {
        let mut fast = Hierarchy::new(&machine, 4000);
        for access in 0..50 * lines {
            // Lines 16 apart fall into one set of 4 ways.
            fast.access(0, access % lines * 16 * 64, false, 0);
        }
        fast.counts(0).first_level_misses
    };
    assert_eq!([1, 2, 3, 4].map(misses), [1, 2, 3, 4]);
    assert_eq!(misses(5), 250);
}

#[test]
fn threads_of_a_core_share_its_private_levels() {
    let machine = machine("xeon8smt");
    let mut fast = Hierarchy::new(&machine, 4000);
    for line in 0..256u64 {
        fast.access(0, line * 64, false, 0);
        assert_eq!(fast.access(1, line * 64, false, 0), 0);
    }
    assert_eq!(fast.counts(0).first_level_misses, 256);
    assert_eq!(fast.counts(1).first_level_misses, 0);
    fast.access(2, 0, false, 0);
    assert_eq!(fast.counts(2).first_level_misses, 1);
    assert_eq!(fast.counts(2).shared_misses, 0);
}
