use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::string::ToString;

const ALL: [State; 7] = [
    State::Empty,
    State::Ready,
    State::Running,
    State::Sleeping,
    State::Paused,
    State::Ended,
    State::Faulted,
];

fn name() -> Name {
    Name::new("hash").expect("a name")
}

#[test]
fn only_these_states_follow() {
    // Rows: from; columns: to; in the order of `ALL`.
    let legal = [
        [0, 1, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 1, 1, 0],
        [0, 1, 0, 1, 1, 1, 1],
        [0, 1, 0, 0, 1, 1, 0],
        [0, 1, 0, 0, 0, 1, 0],
        [1, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0],
    ];
    for (from, row) in ALL.into_iter().zip(legal) {
        for (to, legal) in ALL.into_iter().zip(row) {
            assert_eq!(from.become_state(to).is_ok(), legal == 1, "{from} to {to}");
        }
        assert_eq!(State::from_bits(from as u8), Some(from));
    }
    assert_eq!(State::from_bits(7), None);
    let error = State::Paused.become_state(State::Running).expect_err("resume first");
    assert_eq!(error.to_string(), "a task that is paused cannot become running");
}

#[test]
fn a_reused_slot_is_another_task() {
    let mut table = TaskTable::new();
    let tasks: std::vec::Vec<TaskRef> =
        (0..128).map(|_| table.create(name(), Class::Second, 64, 2).expect("a slot")).collect();
    assert_eq!(table.create(name(), Class::Second, 64, 2), Err(NoSlot));
    let old = tasks[40];
    assert_eq!(
        table.change(old, State::Empty),
        Err(Illegal::Transition { from: State::Ready, to: State::Empty }),
        "a living task keeps its slot"
    );
    table.change(old, State::Ended).expect("legal");
    table.change(old, State::Empty).expect("legal");
    let new = table.create(name(), Class::Shadow, 64, 0).expect("one slot");
    assert_eq!((new.index, new.generation), (old.index, old.generation + 1));
    assert_eq!(table.change(old, State::Running), Err(Illegal::Stale(old)));
    assert_eq!(table.set_core(old, 1), Err(Illegal::Stale(old)));
    assert!(table.get(old).is_none());
    assert_eq!(
        table.get(new).map(|task| (task.class, task.state(), task.core)),
        Some((Class::Shadow, State::Ready, 0))
    );
    let beyond = TaskRef { index: TaskIndex(128), generation: 1 };
    assert!(table.get(beyond).is_none() && table.at(beyond.index).is_none());
    assert_eq!(table.change(beyond, State::Ready), Err(Illegal::Stale(beyond)));
}

#[test]
fn a_free_slot_is_used_again_last() {
    let mut table = TaskTable::new();
    for expected in 0..300u16 {
        let task = table.create(name(), Class::Second, 64, 1).expect("a slot");
        assert_eq!(task.index.0, expected % 128);
        table.change(task, State::Ended).expect("legal");
        table.change(task, State::Empty).expect("legal");
    }
}

proptest! {
    #[test]
    fn a_slot_has_one_task_and_generations_rise(steps in prop::collection::vec((0u16..130, 0usize..8), 0..400)) {
        let mut table = TaskTable::new();
        let mut model: BTreeMap<u16, (TaskRef, State)> = BTreeMap::new();
        let mut seen = std::collections::HashSet::new();
        for (index, step) in steps {
            if step == 7 {
                let task = table.create(name(), Class::Second, 64, 1).expect("never 128 at once here");
                prop_assert!(seen.insert(task), "no reference is given out twice");
                prop_assert!(model.insert(task.index.0, (task, State::Ready)).is_none());
            } else if let Some((task, state)) = model.get(&index).copied() {
                let legal = state.become_state(ALL[step]).is_ok();
                prop_assert_eq!(table.change(task, ALL[step]).is_ok(), legal);
                if legal && ALL[step] == State::Empty {
                    model.remove(&index);
                } else if legal {
                    model.insert(index, (task, ALL[step]));
                }
            } else {
                prop_assert!(table.at(TaskIndex(index)).is_none());
            }
            if model.len() > 120 {
                break;
            }
        }
        prop_assert!(table.iter().map(|(task, entry)| (task, entry.state())).eq(model.values().copied()));
    }
}
