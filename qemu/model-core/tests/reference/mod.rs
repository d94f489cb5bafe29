//! A second, slow reading of the same cache rules: recency as linked order
//! with explicit stamps, addresses by division, the slice hash bit by bit.
//! Shares no code with the model.

use std::collections::HashMap;

/// Sets, ways of a private level.
#[derive(Clone, Copy)]
pub(crate) struct PrivateShape {
    pub(crate) sets: u64,
    pub(crate) ways: usize,
}

/// Slices, sets of each, ways of the shared level.
#[derive(Clone, Copy)]
pub(crate) struct SharedShape {
    pub(crate) slices: u64,
    pub(crate) sets: u64,
    pub(crate) ways: usize,
}

#[derive(Clone, Debug)]
struct Held {
    line: u64,
    dirty: bool,
    used: u64,
    owner: u8,
    way: usize,
}

/// A level as a list of held lines for each set.
#[derive(Default)]
struct Level {
    sets: HashMap<u64, Vec<Held>>,
    clock: u64,
}

impl Level {
    fn find(&mut self, set: u64, line: u64) -> Option<&mut Held> {
        self.sets.entry(set).or_default().iter_mut().find(|held| held.line == line)
    }

    fn use_line(&mut self, set: u64, line: u64) -> Option<&mut Held> {
        self.clock += 1;
        let clock = self.clock;
        let held = self.find(set, line)?;
        held.used = clock;
        Some(held)
    }

    /// Inserts into an empty allowed way, else in place of the least recently
    /// used line among the allowed ways.
    fn insert(&mut self, set: u64, line: u64, dirty: bool, owner: u8, allowed: &[usize]) -> Option<Held> {
        self.clock += 1;
        let used = self.clock;
        let held = self.sets.entry(set).or_default();
        let free = allowed.iter().copied().find(|way| held.iter().all(|one| one.way != *way));
        let (way, out) = match free {
            Some(way) => (way, None),
            None => {
                let oldest = held
                    .iter()
                    .enumerate()
                    .filter(|(_, one)| allowed.contains(&one.way))
                    .min_by_key(|(_, one)| one.used)
                    .map(|(at, _)| at)
                    .expect("no way may be used");
                let out = held.remove(oldest);
                (out.way, Some(out))
            }
        };
        held.push(Held { line, dirty, used, owner, way });
        out
    }
}

/// Misses of one core's demand accesses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Misses {
    pub(crate) first: u64,
    pub(crate) second: u64,
    pub(crate) shared: u64,
}

pub(crate) struct Machine {
    first_shape: PrivateShape,
    second_shape: PrivateShape,
    shared_shape: SharedShape,
    first: Vec<Level>,
    second: Vec<Level>,
    shared: Level,
    pub(crate) masks: Vec<u32>,
    pub(crate) second_masks: Vec<u32>,
    pub(crate) owners: Vec<u8>,
    pub(crate) misses: Vec<Misses>,
    pub(crate) memory_lines: HashMap<u8, u64>,
}

impl Machine {
    pub(crate) fn new(cores: usize, first: PrivateShape, second: PrivateShape, shared: SharedShape) -> Self {
        Self {
            first_shape: first,
            second_shape: second,
            shared_shape: shared,
            first: (0..cores).map(|_| Level::default()).collect(),
            second: (0..cores).map(|_| Level::default()).collect(),
            shared: Level::default(),
            masks: vec![u32::MAX; cores],
            second_masks: vec![u32::MAX; cores],
            owners: vec![0; cores],
            misses: vec![Misses::default(); cores],
            memory_lines: HashMap::new(),
        }
    }

    pub(crate) fn access(&mut self, core: usize, address: u64, write: bool) {
        let line = address / 64;
        let set = line % self.first_shape.sets;
        if let Some(held) = self.first[core].use_line(set, line) {
            held.dirty |= write;
            return;
        }
        self.misses[core].first += 1;
        let second_set = line % self.second_shape.sets;
        if self.second[core].use_line(second_set, line).is_none() {
            self.misses[core].second += 1;
            self.read_shared(core, line);
            self.insert_second(core, line, false);
        }
        let allowed: Vec<usize> = (0..self.first_shape.ways).collect();
        let out = self.first[core].insert(set, line, write, 0, &allowed);
        if let Some(out) = out.filter(|out| out.dirty) {
            let out_set = out.line % self.second_shape.sets;
            match self.second[core].find(out_set, out.line) {
                Some(held) => held.dirty = true,
                None => self.insert_second(core, out.line, true),
            }
        }
    }

    fn read_shared(&mut self, core: usize, line: u64) {
        let set = self.shared_set(line);
        if self.shared.use_line(set, line).is_some() {
            return;
        }
        self.misses[core].shared += 1;
        *self.memory_lines.entry(self.owners[core]).or_default() += 1;
        self.insert_shared(core, line, false);
    }

    fn insert_second(&mut self, core: usize, line: u64, dirty: bool) {
        let mask = self.second_masks[core];
        let allowed: Vec<usize> =
            (0..self.second_shape.ways).rev().filter(|way| mask & (1 << way) != 0).collect();
        let out = self.second[core].insert(line % self.second_shape.sets, line, dirty, 0, &allowed);
        let Some(out) = out.filter(|out| out.dirty) else { return };
        let set = self.shared_set(out.line);
        match self.shared.find(set, out.line) {
            Some(held) => held.dirty = true,
            None => self.insert_shared(core, out.line, true),
        }
    }

    fn insert_shared(&mut self, core: usize, line: u64, dirty: bool) {
        let mask = self.masks[core];
        let allowed: Vec<usize> =
            (0..self.shared_shape.ways).rev().filter(|way| mask & (1 << way) != 0).collect();
        let set = self.shared_set(line);
        let out = self.shared.insert(set, line, dirty, self.owners[core], &allowed);
        if let Some(out) = out.filter(|out| out.dirty) {
            *self.memory_lines.entry(out.owner).or_default() += 1;
        }
    }

    /// The slice number's bit i is the parity of the address bits that the
    /// documented folds bring to bits i and i + 2.
    fn shared_set(&self, line: u64) -> u64 {
        let bit = |at: u64| if at < 64 { line >> at & 1 } else { 0 };
        let folded = |at: u64| [0, 4, 7, 11, 16, 21, 27].iter().map(|shift| bit(at + shift)).sum::<u64>() % 2;
        let mut slice = 0;
        let mut weight = 1;
        let mut at = 0;
        while weight < self.shared_shape.slices {
            slice += weight * ((folded(at) + folded(at + 2)) % 2);
            weight *= 2;
            at += 1;
        }
        slice * self.shared_shape.sets + line % self.shared_shape.sets
    }

    pub(crate) fn occupancy_lines(&self, owner: u8) -> u64 {
        self.shared.sets.values().flatten().filter(|held| held.owner == owner).count() as u64
    }
}
