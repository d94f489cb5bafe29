//! What waiting costs: latency of each level, bandwidth of streams, and what
//! neighbours, masks and throttles do to both.

use umbra_model::hierarchy::Throttle;
use umbra_model::{Description, Hierarchy};

const WINDOW: u64 = 4000;

/// A core that walks through memory, one instruction and one access at a time.
struct Walker {
    thread: usize,
    next: Box<dyn FnMut() -> (u64, bool)>,
    now: u64,
    accesses: u64,
}

impl Walker {
    fn chase(thread: usize, base: u64, bytes: u64) -> Self {
        let mut state = 88_172_645_463_325_252u64 + thread as u64;
        let next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (base + state % (bytes / 64) * 64, false)
        };
        Self { thread, next: Box::new(next), now: 0, accesses: 0 }
    }

    fn stream(thread: usize, base: u64, bytes: u64, write: bool) -> Self {
        let mut at = 0;
        let next = move || {
            at = (at + 64) % bytes;
            (base + at, write)
        };
        Self { thread, next: Box::new(next), now: 0, accesses: 0 }
    }
}

/// Runs all walkers for `windows`, turn by turn, and returns cycles per access
/// of the first one over the second half.
fn run(machine: &mut Hierarchy, walkers: &mut [Walker], windows: u64) -> u64 {
    let begin = walkers[0].now / WINDOW;
    let (mut middle, mut half) = (0, 0);
    for window in begin + 1..=begin + windows {
        for walker in walkers.iter_mut() {
            while walker.now < window * WINDOW {
                let (address, write) = (walker.next)();
                walker.now += 1 + machine.access(walker.thread, address, write, walker.now);
                walker.accesses += 1;
            }
        }
        machine.advance(window * WINDOW);
        if window == begin + windows / 2 {
            (middle, half) = (walkers[0].now, walkers[0].accesses);
        }
    }
    (walkers[0].now - middle) / (walkers[0].accesses - half).max(1)
}

fn xeon4() -> Hierarchy {
    Hierarchy::new(&Description::named("xeon4").expect("built in"), WINDOW)
}

const MIB: u64 = 1 << 20;

#[test]
fn a_chase_costs_the_latency_of_the_level_that_holds_it() {
    for (bytes, least, most) in
        [(16 << 10, 1, 1), (128 << 10, 10, 15), (3 * MIB, 44, 51), (256 * MIB, 136, 142)]
    {
        let cycles = run(&mut xeon4(), &mut [Walker::chase(0, 0, bytes)], 12_000);
        assert!((least..=most).contains(&cycles), "{cycles} cycles a load over {bytes} bytes");
    }
}

#[test]
fn a_stream_is_bound_by_its_miss_buffers() {
    // 12 buffers and about 145 cycles: a line every 12 cycles.
    let cycles = run(&mut xeon4(), &mut [Walker::stream(0, 0, 64 * MIB, false)], 400);
    assert!((11..=16).contains(&cycles), "{cycles} cycles a line");
}

#[test]
fn streams_beside_a_chase_hurt_it_and_masks_help() {
    let mut machine = xeon4();
    let mut walkers: Vec<Walker> =
        (1..4).map(|core| Walker::stream(core, core as u64 * 256 * MIB, 64 * MIB, false)).collect();
    walkers.insert(0, Walker::chase(0, 0, 3 * MIB));
    let alone = run(&mut xeon4(), &mut [Walker::chase(0, 0, 3 * MIB)], 3000);
    let beside = run(&mut machine, &mut walkers, 3000);
    assert!(beside > alone * 3, "alone {alone}, beside three streams {beside}");
    machine.set_mask(1, 0x7F0);
    machine.set_mask(2, 0x00F);
    machine.associate(0, 1, 1);
    (1..4).for_each(|core| machine.associate(core, 2, 2));
    let divided = run(&mut machine, &mut walkers, 6000);
    assert!(divided <= alone + alone / 4, "alone {alone}, with masks {divided}");
}

#[test]
fn a_throttle_gives_the_chase_its_memory_back() {
    let mut machine = xeon4();
    let mut walkers: Vec<Walker> =
        (1..4).map(|core| Walker::stream(core, core as u64 * 256 * MIB, 64 * MIB, true)).collect();
    walkers.insert(0, Walker::chase(0, 0, 256 * MIB));
    let alone = run(&mut xeon4(), &mut [Walker::chase(0, 0, 256 * MIB)], 1000);
    let beside = run(&mut machine, &mut walkers, 1000);
    assert!(beside > alone * 3 / 2, "alone {alone}, beside three writers {beside}");
    machine.set_throttle(2, Throttle::Percent(90));
    (1..4).for_each(|core| machine.associate(core, 2, 2));
    let throttled = run(&mut machine, &mut walkers, 1000);
    assert!(throttled < alone + alone / 4, "alone {alone}, throttled {throttled}");
}

#[test]
fn a_throttle_spreads_requests_to_its_share_of_the_peak() {
    let mut machine = xeon4();
    let free = run(&mut machine, &mut [Walker::stream(0, 0, 64 * MIB, false)], 400);
    for percent in [50, 80, 90] {
        let mut machine = xeon4();
        machine.set_throttle(0, Throttle::Percent(percent));
        let cycles = run(&mut machine, &mut [Walker::stream(0, 0, 64 * MIB, false)], 400);
        // The peak is a line every 138 / 12 = 11.5 cycles.
        let expected = 1150 / u64::from(100 - percent);
        assert!(cycles.abs_diff(expected) <= 2, "{percent} %: {cycles}, expected {expected}, free {free}");
    }
}

#[test]
fn threads_of_a_core_are_throttled_together_unless_the_machine_can_do_it_apart() {
    for (name, apart) in [("xeon8smt", false), ("rdt4", true)] {
        let description = Description::named(name).expect("built in");
        let mut machine = Hierarchy::new(&description, WINDOW);
        machine.set_throttle(1, Throttle::Percent(90));
        // The sibling is throttled; the streaming thread is not.
        machine.associate(1, 1, 1);
        let cycles = run(&mut machine, &mut [Walker::stream(0, 0, 64 * MIB, false)], 400);
        // A line every 11.5 cycles at the peak, every 115 at a tenth of it.
        let expected = if apart { 11..=16 } else { 113..=117 };
        assert!(expected.contains(&cycles), "{name}: {cycles} cycles a line");
    }
}

#[test]
fn an_absolute_limit_holds_for_the_class_as_a_whole() {
    let amd = Description::named("epyc8").expect("built in");
    for members in [1, 2, 4] {
        let mut machine = Hierarchy::new(&amd, WINDOW);
        // 16 eighths of 10^9 bytes a second: at 2 GHz a line every 64 cycles.
        machine.set_throttle(3, Throttle::EighthsOfGigabyte(16));
        let mut walkers: Vec<Walker> =
            (0..members).map(|core| Walker::stream(core, core as u64 * 256 * MIB, 64 * MIB, false)).collect();
        (0..members).for_each(|core| machine.associate(core, 3, 1));
        run(&mut machine, &mut walkers, 500);
        let bytes = machine.memory_bytes(1);
        let expected = 500 * WINDOW;
        assert!(bytes.abs_diff(expected) < expected / 20, "{members} cores moved {bytes}, limit {expected}");
    }
}

#[test]
fn the_prefetcher_halves_what_an_unhurried_stream_misses() {
    let amd = Description::named("epyc8").expect("built in");
    let plain = Description { prefetch: false, ..amd.clone() };
    let misses = [amd, plain].map(|machine| {
        let mut machine = Hierarchy::new(&machine, WINDOW);
        // 300 cycles a line leave a buffer free for the next one.
        for line in 0..64_000u64 {
            machine.access(0, line * 64, false, line * 300);
        }
        machine.counts(0).shared_misses
    });
    assert_eq!(misses, [32_000, 64_000]);
}
