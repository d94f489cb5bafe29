use super::{Counter, Event, Pmu, Unit};
use heapless::Vec;

/// Most events that are counted in turn.
pub const MAX_EVENTS: usize = 16;

/// Events that are counted at the same time: positions in the list that was
/// assigned, each with its counter.
pub type Group = Vec<(usize, Counter), MAX_EVENTS>;

/// Gives every event a counter, in as few turns as first-fit finds: each turn
/// takes the events in order that still fit beside those it has, moving these to
/// other counters where that makes room. An event whose fixed counter is free
/// takes that. Events that no counter can count, and those after the 16th, are
/// in no group. Bounded by 16³ steps a turn and 16 turns.
#[must_use]
pub fn assign(events: &[Event], pmu: &Pmu) -> Vec<Group, MAX_EVENTS> {
    let mut waiting: Vec<usize, MAX_EVENTS> = (0..events.len()).take(MAX_EVENTS).collect();
    let mut groups = Vec::new();
    while !waiting.is_empty() {
        let mut turn = Turn::new(events, pmu);
        waiting.retain(|index| !turn.place(*index));
        let group = turn.group();
        if group.is_empty() || groups.push(group).is_err() {
            break;
        }
    }
    groups
}

const GENERAL: usize = 32;

struct Turn<'e> {
    events: &'e [Event],
    pmu: &'e Pmu,
    general: [Option<usize>; GENERAL],
    fixed: [Option<usize>; 16],
    l3: [Option<usize>; 16],
}

impl<'e> Turn<'e> {
    fn new(events: &'e [Event], pmu: &'e Pmu) -> Self {
        Self { events, pmu, general: [None; GENERAL], fixed: [None; 16], l3: [None; 16] }
    }

    fn place(&mut self, index: usize) -> bool {
        let Some(event) = self.events.get(index) else { return false };
        if event.unit == Unit::L3 {
            let count = self.pmu.l3.map_or(0, |l3| usize::from(l3.count));
            let free = self.l3.iter_mut().take(count).find(|slot| slot.is_none());
            return free.map(|slot| *slot = Some(index)).is_some();
        }
        let fixed = event.fixed.filter(|fixed| Counter::Fixed(*fixed).exists(self.pmu));
        if let Some(slot @ None) = fixed.and_then(|fixed| self.fixed.get_mut(usize::from(fixed))) {
            *slot = Some(index);
            return true;
        }
        self.make_room(index, &mut 0)
    }

    /// Kuhn's augmenting path: takes a free counter, or one whose event can move.
    /// `tried` keeps each counter from being visited twice.
    fn make_room(&mut self, index: usize, tried: &mut u32) -> bool {
        let allowed = self.events.get(index).map_or(0, |event| event.counters) & self.pmu.general;
        for counter in 0..GENERAL {
            if allowed >> counter & 1 == 0 || *tried >> counter & 1 == 1 {
                continue;
            }
            *tried |= 1 << counter;
            let holder = self.general.get(counter).copied().flatten();
            let free = holder.is_none_or(|holder| self.make_room(holder, tried));
            if let Some(slot) = self.general.get_mut(counter).filter(|_| free) {
                *slot = Some(index);
                return true;
            }
        }
        false
    }

    fn group(&self) -> Group {
        let counters = [
            (&self.general[..], Counter::General as fn(u8) -> Counter),
            (&self.fixed[..], Counter::Fixed),
            (&self.l3[..], Counter::L3),
        ];
        let placed = counters.into_iter().flat_map(|(slots, counter)| {
            slots
                .iter()
                .zip(0u8..)
                .filter_map(move |(slot, number)| slot.map(|index| (index, counter(number))))
        });
        let mut group: Group = placed.take(MAX_EVENTS).collect();
        group.sort_unstable();
        group
    }
}
