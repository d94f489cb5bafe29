use super::*;
use crate::machine::{CoreId, CoreSet, Roles, TaskState, WorkloadId};
use proptest::prelude::*;

/// Tasks whose counters are a function of time, some slots empty.
struct Slots {
    counts: [Option<Counts>; MAX_TASKS],
    slots: u16,
}

impl Monitor for Slots {
    fn counts(&self, task: TaskId) -> Option<Counts> {
        *self.counts.get(usize::from(task.0))?
    }
    fn busy_cycles(&self, _: CoreId) -> u64 {
        0
    }
}

impl Topology for Slots {
    fn cores(&self) -> CoreSet {
        CoreSet(1)
    }
    fn roles(&self, _: CoreId) -> Roles {
        Roles::SECOND_CLASS
    }
    fn task_slots(&self) -> u16 {
        self.slots
    }
    fn task(&self, id: TaskId) -> Option<TaskView> {
        self.counts(id)?;
        Some(TaskView { id, workload: WorkloadId(0), state: TaskState::Runnable, core: CoreId(0) })
    }
    fn tsc_hz(&self) -> u64 {
        1_000_000_000
    }
    fn llc_bytes(&self) -> u64 {
        1 << 24
    }
    fn colours(&self) -> u32 {
        16
    }
    fn memory_bandwidth(&self) -> u64 {
        1 << 33
    }
}

fn counts(generation: u32, cycles: u64) -> Counts {
    Counts { generation, cycles, read_bytes: cycles / 2, ..Counts::default() }
}

fn gather(sampler: &mut Sampler, now_cycles: u64, machine: &Slots) -> std::vec::Vec<Visit> {
    let mut visits = std::vec::Vec::new();
    sampler.tick(now_cycles, machine, |visit| visits.push(visit));
    visits
}

#[test]
fn rotation_is_bounded_and_reaches_every_task() {
    for tasks in [0u16, 1, 7, 8, 17, 64, 128] {
        let mut machine = Slots { counts: [None; MAX_TASKS], slots: 128 };
        // Spread over all slots.
        let taken: std::collections::BTreeSet<u16> = (0..tasks).map(|task| task * (128 / tasks)).collect();
        taken.iter().for_each(|slot| machine.counts[usize::from(*slot)] = Some(counts(1, 0)));
        let mut sampler = Sampler::new();
        // The first rotation finds out how many tasks there are.
        (0..300).for_each(|_| drop(gather(&mut sampler, 0, &machine)));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..ROTATION_TICKS + 8 {
            let visits = gather(&mut sampler, 0, &machine);
            assert!(visits.len() <= usize::from(tasks.div_ceil(ROTATION_TICKS).max(1)));
            seen.extend(visits.iter().map(|visit| match visit {
                Visit::Empty(id) => panic!("{id:?} was empty before"),
                Visit::Task(view, ..) => view.id.0,
            }));
        }
        assert_eq!(seen, taken, "{tasks} tasks");
    }
}

#[test]
fn more_slots_than_there_can_be_are_passed_over() {
    let machine = Slots { counts: [Some(counts(1, 0)); MAX_TASKS], slots: 4000 };
    let mut sampler = Sampler::new();
    let seen: usize = (0..400).map(|_| gather(&mut sampler, 0, &machine).len()).sum();
    assert!(seen >= MAX_TASKS);
}

#[test]
fn another_task_in_the_slot_is_dropped_and_counted() {
    let mut machine = Slots { counts: [None; MAX_TASKS], slots: 1 };
    let mut sampler = Sampler::new();
    let read = |sampler: &mut Sampler, machine: &Slots, now| match (0..SHORTEST_ROTATION_TICKS)
        .flat_map(|_| gather(sampler, now, machine))
        .collect::<std::vec::Vec<_>>()
        .first()
    {
        Some(Visit::Task(_, generation, sample)) => Some((*generation, sample.map(|s| s.deltas.cycles))),
        Some(Visit::Empty(_)) | None => None,
    };
    assert_eq!(read(&mut sampler, &machine, 0), None);
    machine.counts[0] = Some(counts(1, 100));
    assert_eq!(read(&mut sampler, &machine, 10), Some((1, None)));
    machine.counts[0] = Some(counts(1, 140));
    assert_eq!(read(&mut sampler, &machine, 20), Some((1, Some(40))));
    machine.counts[0] = Some(counts(2, 9000));
    assert_eq!(read(&mut sampler, &machine, 30), Some((2, None)));
    assert_eq!(sampler.stale(), 1);
    machine.counts[0] = None;
    assert_eq!(read(&mut sampler, &machine, 40), None);
    machine.counts[0] = Some(counts(2, 9500));
    assert_eq!(read(&mut sampler, &machine, 50), Some((2, None)), "nothing is compared across a gap");
    assert_eq!(sampler.stale(), 1);
}

#[test]
fn knowledge_is_kept_per_field() {
    let before = Counts { instructions: Count::Counted(10), llc_misses: Count::Estimated(5), ..counts(1, 1) };
    let after = Counts { instructions: Count::Estimated(30), llc_misses: Count::Unknown, ..counts(1, 9) };
    let deltas = Deltas::between(&before, &after).expect("plausible");
    assert_eq!((deltas.instructions, deltas.llc_misses), (Count::Estimated(20), Count::Unknown));
}

proptest! {
    #[test]
    fn wrap_around_is_survived_and_backwards_is_refused(start: u64, step in 0u64..1 << 62) {
        let (before, after) = (Counts { cycles: start, ..Counts::default() },
            Counts { cycles: start.wrapping_add(step), ..Counts::default() });
        prop_assert_eq!(Deltas::between(&before, &after).map(|d| d.cycles), Some(step));
        if step > 0 {
            prop_assert_eq!(Deltas::between(&after, &before), None);
        }
    }
}
