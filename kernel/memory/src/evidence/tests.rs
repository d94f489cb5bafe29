use super::*;
use crate::colour::Geometry;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::string::ToString;
use std::vec::Vec;

/// Around a value, with a few outliers as an interrupt makes them.
fn around(cycles: u64, outliers: usize) -> [u64; TRIALS] {
    core::array::from_fn(|trial| cycles + (trial as u64 * 7) % 5 + if trial < outliers { 9_000 } else { 0 })
}

#[test]
fn a_usual_machine_shows_its_colours() {
    let timings = Timings { near: around(4, 0), same: around(250, 1), other: around(45, 0) };
    assert_eq!(timings.finding(false), Finding::Apart { confidence_permille: 1_000 });
    let disturbed = Timings { other: around(45, 2), ..timings };
    assert_eq!(disturbed.finding(false), Finding::Apart { confidence_permille: 66 });
    assert_eq!((timings.finding(true), disturbed.finding(true)), (timings.finding(false), Finding::NoSignal));
}

#[test]
fn colours_that_do_not_hold_are_told() {
    let hashed = Timings { near: around(4, 0), same: around(250, 0), other: around(240, 0) };
    assert_eq!(hashed.finding(false), Finding::NotApart);
    assert_eq!(hashed.finding(true), Finding::NoSignal, "the host's caches prove nothing");
}

#[test]
fn an_emulator_shows_nothing() {
    let flat = Timings { near: around(900, 2), same: around(910, 3), other: around(905, 1) };
    assert_eq!(flat.finding(false), Finding::NoSignal);
    let coarse = Timings { near: around(0, 0), same: around(20, 0), other: around(0, 0) };
    assert_eq!(coarse.finding(false), Finding::NoSignal, "the grain of the clock is no signal");
    assert_eq!(Timings::default().finding(false), Finding::NoSignal);
}

/// A cache of `sets` sets in each of `slices` slices, exact LRU, behind a
/// small one that holds the last few lines.
struct Cache {
    sets: u64,
    slices: u64,
    ways: usize,
    lines: BTreeMap<(u64, u64), Vec<u64>>,
    inner: Vec<u64>,
}

impl Cache {
    fn new(sets: u64, slices: u64) -> Self {
        Self { sets, slices, ways: 8, lines: BTreeMap::new(), inner: Vec::new() }
    }

    fn access(&mut self, address: u64) -> u64 {
        let line = address / 64;
        let slice = (line ^ line >> 7 ^ line >> 12 ^ line >> 17) % self.slices;
        let set = self.lines.entry((slice, line % self.sets)).or_default();
        let hit = set.iter().position(|held| *held == line).map(|at| set.remove(at));
        set.insert(0, line);
        set.truncate(self.ways);
        let near = self.inner.contains(&line);
        self.inner.retain(|held| *held != line);
        self.inner.insert(0, line);
        self.inner.truncate(16);
        if near {
            4
        } else if hit.is_some() {
            50
        } else {
            300
        }
    }
}

impl Probe for Cache {
    fn load(&mut self, frame: Frame, offset: u64) {
        self.access(frame.address() + offset);
    }
    fn timed_load(&mut self, frame: Frame) -> u64 {
        self.access(frame.address())
    }
}

/// The survey over `cache`, of which 2048 sets a slice are promised.
fn survey(mut cache: Cache, has_ways: bool) -> Verdict {
    let promised = Geometry { sets: 2048, ways: 8, line_bytes: 64, slices: 1 }.colours().expect("32");
    let of_colour = |colour: u32, count: u32| -> Vec<Frame> {
        (0..count).map(|nth| Frame(nth * promised.count() + colour)).collect()
    };
    Verdict::survey(promised, has_ways, |bit| {
        let (same, other) = (of_colour(5, 257), of_colour(5 ^ 1 << bit, 256));
        Some(Timings::take(&mut cache, same[0], &same[1..], &other).finding(false))
    })
}

#[test]
fn a_cache_as_promised_is_verified_bit_by_bit() {
    for slices in [1, 4] {
        let verdict = survey(Cache::new(2048, slices), false);
        assert_eq!((verdict.colours.count(), verdict.reliance), (32, Reliance::Colours(1_000)));
        assert_eq!(verdict.to_string(), "32 colours, verified by timing, confidence 100 %");
    }
}

#[test]
fn a_cache_with_fewer_sets_leaves_fewer_colours() {
    let verdict = survey(Cache::new(512, 4), true);
    assert_eq!(verdict.colours.count(), 8);
    assert!(verdict.is_contradicted());
    assert_eq!(verdict.to_string(), "8 colours, not 32: timing contradicts the others; confidence 100 %");
}

#[test]
fn a_cache_without_colours_leaves_its_ways_or_nothing() {
    let with_ways = survey(Cache::new(64, 4), true);
    assert_eq!((with_ways.colours, with_ways.reliance), (Colours::ONE, Reliance::WaysAlone));
    let without = survey(Cache::new(64, 4), false);
    assert_eq!((without.colours, without.reliance), (Colours::ONE, Reliance::Nothing));
}

#[test]
fn without_a_signal_the_promise_stands() {
    let promised = Geometry { sets: 1024, ways: 8, line_bytes: 64, slices: 1 }.colours().expect("16");
    let verdict = Verdict::survey(promised, true, |_| Some(Finding::NoSignal));
    assert_eq!((verdict.colours, verdict.reliance), (promised, Reliance::Promised));
    let untried = Verdict::survey(promised, true, |_| None);
    assert_eq!(untried.reliance, Reliance::Promised);
    let one = Verdict::survey(Colours::ONE, true, |_| panic!("there is no bit"));
    assert_eq!(one.reliance, Reliance::OneColour);
}

proptest! {
    #[test]
    fn no_more_colours_than_the_evidence_leaves(
        bits in 0u32..=6, has_ways: bool,
        findings in prop::collection::vec(prop_oneof![
            Just(None), Just(Some(Finding::NoSignal)), Just(Some(Finding::NotApart)),
            (0u32..=1_000).prop_map(|confidence_permille| Some(Finding::Apart { confidence_permille })),
        ], 6),
    ) {
        let promised = Geometry { sets: 64 << bits, ways: 8, line_bytes: 64, slices: 1 }.colours().expect("some");
        let verdict = Verdict::survey(promised, has_ways, |bit| findings[bit as usize]);
        let first_bad = findings.iter().position(|finding| *finding == Some(Finding::NotApart)).unwrap_or(6);
        prop_assert_eq!(verdict.colours.count(), 1 << first_bad.min(bits as usize));
        prop_assert_eq!(verdict.is_contradicted(), first_bad < bits as usize);
    }

    #[test]
    fn any_timings_give_a_finding(near: [u64; TRIALS], same: [u64; TRIALS], other: [u64; TRIALS]) {
        let timings = Timings { near, same, other };
        let finding = timings.finding(false);
        if let Finding::Apart { confidence_permille } = finding {
            prop_assert!(confidence_permille <= 1_000);
            prop_assert!(median(same) > median(other) && median(same) > median(near));
        }
    }
}
