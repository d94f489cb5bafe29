//! Memory under plans: over any sequence of tasks that come and go, pages that
//! are taken and given back, colours that are chosen by hand, set apart by plans
//! and given back, no frame is owned twice, no page leaves its task's colours
//! for good, no task its class's, and at the end every frame is back and every
//! set is what it would be had no plan ever been made.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;

use proptest::prelude::*;
use umbra_control::demand::Compact;
use umbra_control::fixed::ONE;
use umbra_control::machine::{
    Action, Actuator, Colouring, CoreId, CoreSet, Counts, Monitor, Refusal, Roles, Shares, TaskId, TaskView,
    Topology,
};
use umbra_control::quarantine::{Lease, Phase, recolouring};
use umbra_memory::{
    Class, ColourSet, Colours, Division, Frame, FrameAllocator, FrameState, Geometry, Holdings, Owner, Pages,
    Recolouring, STEP_PAGES, StepBudget,
};

/// Frames: 512 of each colour, more than all tasks together can have.
const FRAMES: u32 = 16_384;
/// The first-class task, the shadow, and second-class tasks from 4 on.
const SLOTS: u16 = 14;
const MOST_PAGES: usize = 36;

fn class_of(slot: u16) -> Option<Class> {
    match slot {
        1 => Some(Class::First),
        2 => Some(Class::Shadow),
        4..SLOTS => Some(Class::Second),
        _ => None,
    }
}

fn owner_of(slot: u16) -> Owner {
    Owner::task(slot).expect("a slot")
}

#[derive(Default)]
struct Mapping(Vec<Option<Frame>>);

impl Pages for Mapping {
    fn frame(&self, page: u32) -> Option<Frame> {
        self.0.get(page as usize).copied().flatten()
    }
    fn was_accessed(&self, page: u32) -> bool {
        page.is_multiple_of(3)
    }
    fn forget_access(&mut self, _: u32) {}
    fn redirect(&mut self, page: u32, to: Frame) -> bool {
        self.0[page as usize].replace(to).is_some()
    }
}

/// A machine that has memory and nothing else.
struct Coloured<'w> {
    frames: FrameAllocator<'w>,
    holdings: Holdings,
    /// What would be held if nobody ever made a plan.
    unplanned: Holdings,
    mappings: Vec<Option<Mapping>>,
    work: Option<(u16, Recolouring)>,
}

impl<'w> Coloured<'w> {
    fn new(words: &'w [AtomicU64]) -> Self {
        let colours: Colours =
            Geometry { sets: 2048, ways: 11, line_bytes: 64, slices: 1 }.colours().expect("32 colours");
        let mut frames = FrameAllocator::new(words, Frame(0), colours);
        frames.add_region(0, Frame(FRAMES).address());
        let holdings = || Holdings::new(Division::usual(colours));
        let mappings = (0..SLOTS).map(|_| None).collect();
        Self { frames, holdings: holdings(), unplanned: holdings(), mappings, work: None }
    }

    fn start(&mut self, slot: u16, pages: usize) {
        let Some(class) = class_of(slot).filter(|_| self.mappings[usize::from(slot)].is_none()) else {
            return;
        };
        let colours = self.holdings.admit(slot, class);
        self.unplanned.admit(slot, class);
        let take =
            |frames: &mut FrameAllocator<'_>| frames.allocate(colours, owner_of(slot)).expect("never dry");
        let mapping = (0..pages).map(|_| Some(take(&mut self.frames))).collect();
        self.mappings[usize::from(slot)] = Some(Mapping(mapping));
    }

    fn end(&mut self, slot: u16) {
        let Some(mapping) = self.mappings[usize::from(slot)].take() else { return };
        if let Some((_, mut work)) = self.work.take_if(|(of, _)| *of == slot) {
            work.retire(&mut self.frames).expect("its own");
        }
        for frame in mapping.0.into_iter().flatten() {
            self.frames.free(frame, owner_of(slot)).expect("its own");
        }
        self.holdings.forget(slot);
        self.unplanned.forget(slot);
    }

    /// Takes a page more, or gives one back.
    fn page(&mut self, slot: u16, which: usize) {
        let Some(mapping) = &mut self.mappings[usize::from(slot)] else { return };
        let held = self.holdings.of(slot).expect("every task holds colours");
        let place = which % mapping.0.len().max(1);
        let Some(page) = mapping.0.get_mut(place) else { return };
        match page.take() {
            Some(frame) => self.frames.free(frame, owner_of(slot)).expect("its own"),
            None => *page = self.frames.allocate(held.colours, owner_of(slot)).ok(),
        }
    }

    fn change(&mut self, slot: u16, bits: u64) {
        if self.holdings.change(slot, ColourSet(bits)).is_ok() {
            self.unplanned.change(slot, ColourSet(bits)).expect("what is allowed apart is allowed together");
        }
    }

    /// A piece of a move; true when nothing is to be moved.
    fn step(&mut self, moves: usize) -> bool {
        if self.work.is_none() {
            let Some(slot) = self.holdings.next_pending() else { return true };
            let colours = self.holdings.of(slot).expect("pending").colours;
            let pages = self.mappings[usize::from(slot)].as_ref().map_or(0, |mapping| mapping.0.len());
            let pages = u32::try_from(pages).expect("few");
            self.work = Some((slot, Recolouring::new(owner_of(slot), colours, pages, false)));
        }
        let Some((slot, work)) = &mut self.work else { return true };
        let (slot, mapping) = (*slot, &mut self.mappings[usize::from(*slot)]);
        let held = self.holdings.of(slot).expect("a task that ends takes its move along");
        if held.colours != work.wanted() && work.retiring().is_empty() {
            // Something else is wanted by now.
            self.work = None;
            return false;
        }
        let mapping = mapping.as_mut().expect("as above");
        match work.step(&mut self.frames, mapping, StepBudget { moves, looks: 64 }) {
            umbra_memory::Step::Over => {
                self.holdings.settle(slot, work.wanted());
                self.work = None;
            }
            umbra_memory::Step::Unretired => drop(work.retire(&mut self.frames).expect("its own")),
            _ => {}
        }
        false
    }

    fn pages_of(&self, class: Class) -> u32 {
        let pages = (0..SLOTS).filter(|slot| class_of(*slot) == Some(class));
        let pages = pages.filter_map(|slot| self.mappings[usize::from(slot)].as_ref());
        pages.map(|mapping| u32::try_from(mapping.0.len()).expect("few")).sum()
    }

    fn check(&self) {
        let mut seen = BTreeSet::new();
        for (slot, mapping) in (0..SLOTS).zip(&self.mappings) {
            let Some(mapping) = mapping else { continue };
            let held = self.holdings.of(slot).expect("every task holds colours");
            let class = self.holdings.division().of(held.class);
            assert!(held.colours.without(class).is_empty(), "task {slot} has left its class");
            let retiring =
                self.work.as_ref().filter(|(of, _)| *of == slot).map_or(&[][..], |(_, work)| work.retiring());
            let mapped = mapping.0.iter().copied().flatten();
            for frame in mapped.clone().chain(retiring.iter().copied()) {
                assert!(seen.insert(frame), "{frame:?} is owned twice");
                assert_eq!(self.frames.state(frame), FrameState::Used(owner_of(slot)));
            }
            let strays = mapped.filter(|frame| !held.colours.has(self.frames.colours().colour_of(*frame)));
            assert!(held.pending || strays.count() == 0, "pages of task {slot} have left its colours");
        }
        assert_eq!(seen.len() + self.frames.free_frames() as usize, FRAMES as usize, "no frame is lost");
    }
}

impl Monitor for Coloured<'_> {
    fn counts(&self, _: TaskId) -> Option<Counts> {
        None
    }
    fn busy_cycles(&self, _: CoreId) -> u64 {
        0
    }
}

impl Topology for Coloured<'_> {
    fn cores(&self) -> CoreSet {
        CoreSet(1)
    }
    fn roles(&self, _: CoreId) -> Roles {
        Roles::SECOND_CLASS
    }
    fn task_slots(&self) -> u16 {
        SLOTS
    }
    fn task(&self, _: TaskId) -> Option<TaskView> {
        None
    }
    fn tsc_hz(&self) -> u64 {
        1_000_000_000
    }
    fn llc_bytes(&self) -> u64 {
        1 << 23
    }
    fn colours(&self) -> u32 {
        self.frames.colours().count()
    }
    fn memory_bandwidth(&self) -> u64 {
        1 << 33
    }
    fn colouring(&self) -> Colouring {
        Colouring {
            shared: u8::try_from(self.holdings.shared_usually().count()).expect("at most 64"),
            first_pages: self.pages_of(Class::First),
            second_pages: self.pages_of(Class::Second),
            page_ns: 1_000,
        }
    }
}

impl Actuator for Coloured<'_> {
    fn apply(&mut self, action: Action) -> Result<(), Refusal> {
        match action {
            Action::Recolour(apart) => self
                .holdings
                .set_apart(u32::from(apart.colours), apart.first_moves)
                .map(|_| ())
                .map_err(|_| Refusal::Absent),
            Action::Uncolour => {
                self.holdings.reunite();
                Ok(())
            }
            other => panic!("{other:?} was never planned"),
        }
    }

    fn holds(&self, action: Action) -> bool {
        match action {
            Action::Recolour(apart) => {
                let wanted = (u32::from(apart.colours), apart.first_moves);
                self.holdings.apart() == Some(wanted) && self.holdings.is_apart()
            }
            Action::Uncolour => self.holdings.apart().is_none(),
            other => panic!("{other:?} was never planned"),
        }
    }
}

#[derive(Clone, Debug)]
enum Deed {
    Start(u16, usize),
    End(u16),
    Page(u16, usize),
    Change(u16, u64),
    Plan(u32, u8),
    Undo,
    Steps(u8, usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    let slot = || 1u16..SLOTS;
    prop_oneof![
        4 => (slot(), 1..MOST_PAGES).prop_map(|(slot, pages)| Deed::Start(slot, pages)),
        1 => slot().prop_map(Deed::End),
        4 => (slot(), any::<usize>()).prop_map(|(slot, which)| Deed::Page(slot, which)),
        2 => (slot(), any::<u32>()).prop_map(|(slot, bits)| Deed::Change(slot, u64::from(bits) & 0xFFFF_FFF0)),
        2 => (0..=ONE, prop_oneof![Just(0u8), Just(11)]).prop_map(|(cache, ways)| Deed::Plan(cache, ways)),
        1 => Just(Deed::Undo),
        4 => (1u8..30, 1..=STEP_PAGES).prop_map(|(steps, moves)| Deed::Steps(steps, moves)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn no_plan_loses_a_frame_or_a_colour(deeds in prop::collection::vec(deed(), 1..80)) {
        let words: Vec<AtomicU64> = (0..FRAMES).map(|_| AtomicU64::new(0)).collect();
        let mut machine = Coloured::new(&words);
        let (mut lease, mut now_ns) = (Lease::new(), 0);
        for deed in deeds {
            match deed {
                Deed::Start(slot, pages) => machine.start(slot, pages),
                Deed::End(slot) => machine.end(slot),
                Deed::Page(slot, which) => machine.page(slot, which),
                Deed::Change(slot, bits) => machine.change(slot, bits),
                Deed::Plan(cache, ways) => {
                    let demand = Compact { cache, ..Compact::UNSEEN };
                    let shares = Shares { ways, least_percent: 0 };
                    let planned = recolouring(&demand, &machine.colouring(), shares, u64::MAX);
                    if let Some(planned) = planned.filter(|_| lease.phase() == Phase::Idle) {
                        lease.append(now_ns, planned.step, 10_000_000_000);
                    }
                }
                Deed::Undo => lease.undo(),
                Deed::Steps(steps, moves) => {
                    let _ = (0..steps).all(|_| !machine.step(moves));
                }
            }
            now_ns += 1_000_000;
            lease.tick(now_ns, &mut machine, |_| {});
            machine.check();
        }
        lease.undo();
        while lease.phase() != Phase::Idle {
            now_ns += 1_000_000;
            lease.tick(now_ns, &mut machine, |_| {});
        }
        let rounds = (0..10_000).take_while(|_| !machine.step(STEP_PAGES)).count();
        prop_assert!(rounds < 10_000, "moves come to an end");
        machine.check();
        for slot in 0..SLOTS {
            let colours = |holdings: &Holdings| holdings.of(slot).map(|held| held.colours);
            prop_assert_eq!(colours(&machine.holdings), colours(&machine.unplanned));
            prop_assert!(machine.holdings.of(slot).is_none_or(|held| !held.pending));
        }
        prop_assert_eq!(machine.holdings.division(), machine.unplanned.division());
        (0..SLOTS).for_each(|slot| machine.end(slot));
        prop_assert_eq!(machine.frames.free_frames(), FRAMES);
    }
}
