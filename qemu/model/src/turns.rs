//! Who runs when: vCPUs take turns inside quanta of modelled time.
//!
//! In a quantum every vCPU that has something to do runs from the quantum's
//! begin to its end, one after the other; who is first rotates. Timers run
//! between quanta only. So the order of everything depends on modelled time
//! alone, and two vCPUs are never more than a quantum apart.
//!
//! Pure bookkeeping: what it decides, the caller carries out.

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// This vCPU may run.
    Turn(usize),
    /// None has anything to do; time jumps to the next timer.
    Idle,
}

/// The state of the rota.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    quantum: u64,
    begin: u64,
    end: u64,
    local: Vec<u64>,
    order: Vec<usize>,
    position: usize,
    rotation: usize,
    phase: Phase,
}

impl Turns {
    pub(crate) fn new(vcpus: usize, quantum: u64) -> Self {
        Self {
            quantum,
            begin: 0,
            end: 0,
            local: vec![0; vcpus],
            order: Vec::with_capacity(vcpus),
            position: 0,
            rotation: 0,
            phase: Phase::Idle,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// The time that all vCPUs have reached.
    pub(crate) fn global(&self) -> u64 {
        self.begin
    }

    /// Where the present quantum ends.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn local(&self, vcpu: usize) -> u64 {
        self.local[vcpu]
    }

    /// Moves a vCPU's own time; never backwards.
    pub(crate) fn set_local(&mut self, vcpu: usize, cycles: u64) {
        self.local[vcpu] = self.local[vcpu].max(cycles);
    }

    /// Whether the vCPU has a turn in this quantum.
    pub(crate) fn is_active(&self, vcpu: usize) -> bool {
        self.order.contains(&vcpu)
    }

    /// Ends a turn. True when another one of the quantum follows; false at the
    /// boundary: the caller runs the timers, then begins a quantum.
    pub(crate) fn finish_turn(&mut self) -> bool {
        self.position += 1;
        let Some(next) = self.order.get(self.position) else { return false };
        self.phase = Phase::Turn(*next);
        self.local[*next] = self.local[*next].max(self.begin);
        true
    }

    /// Moves global time to the end of the quantum, or, when nobody has
    /// anything left to do, only to where the last one stopped.
    pub(crate) fn close_quantum(&mut self, anyone_active: bool) {
        let last = self.order.iter().map(|vcpu| self.local[*vcpu]).max().unwrap_or(self.begin);
        self.begin = if anyone_active { self.end } else { last.clamp(self.begin, self.end) };
        self.order.clear();
    }

    /// Moves global time forward while idle.
    pub(crate) fn jump(&mut self, cycles: u64) {
        self.begin += cycles;
    }

    /// Begins a quantum for those that have something to do.
    pub(crate) fn begin_quantum(&mut self, active: impl Fn(usize) -> bool) {
        let vcpus = self.local.len();
        self.order.clear();
        self.order.extend((0..vcpus).map(|at| (at + self.rotation) % vcpus).filter(|vcpu| active(*vcpu)));
        self.rotation = (self.rotation + 1) % vcpus.max(1);
        self.position = 0;
        self.end = self.begin + self.quantum;
        self.phase = match self.order.first() {
            Some(first) => {
                self.local[*first] = self.local[*first].max(self.begin);
                Phase::Turn(*first)
            }
            None => Phase::Idle,
        };
    }

    /// Sets all clocks to `cycles` and the rota to its start.
    pub(crate) fn restart(&mut self, cycles: u64) {
        self.begin = cycles;
        self.end = cycles;
        self.local.fill(cycles);
        self.order.clear();
        self.rotation = 0;
        self.phase = Phase::Idle;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(turns: &Turns) -> usize {
        match turns.phase() {
            Phase::Turn(vcpu) => vcpu,
            Phase::Idle => panic!("idle"),
        }
    }

    #[test]
    fn every_active_vcpu_has_its_turn_and_the_first_rotates() {
        let mut turns = Turns::new(4, 100);
        let mut seen = Vec::new();
        for _ in 0..3 {
            turns.begin_quantum(|vcpu| vcpu != 2);
            loop {
                seen.push(turn(&turns));
                turns.set_local(turn(&turns), turns.end());
                if !turns.finish_turn() {
                    break;
                }
            }
            turns.close_quantum(true);
        }
        assert_eq!(seen, [0, 1, 3, 1, 3, 0, 3, 0, 1]);
        assert_eq!(turns.global(), 300);
    }

    #[test]
    fn a_vcpu_that_overshot_keeps_its_time_and_one_that_slept_catches_up() {
        let mut turns = Turns::new(2, 100);
        turns.begin_quantum(|vcpu| vcpu == 0);
        turns.set_local(0, 130);
        assert!(!turns.finish_turn());
        turns.close_quantum(true);
        turns.begin_quantum(|_| true);
        assert_eq!((turn(&turns), turns.local(1)), (1, 100));
        assert!(turns.finish_turn());
        assert_eq!((turn(&turns), turns.local(0)), (0, 130));
    }

    #[test]
    fn when_all_sleep_time_stops_where_the_last_one_stopped() {
        let mut turns = Turns::new(2, 100);
        turns.begin_quantum(|_| true);
        turns.set_local(0, 40);
        assert!(turns.finish_turn());
        turns.set_local(1, 25);
        assert!(!turns.finish_turn());
        turns.close_quantum(false);
        turns.begin_quantum(|_| false);
        assert_eq!((turns.phase(), turns.global()), (Phase::Idle, 40));
        turns.jump(960);
        turns.begin_quantum(|vcpu| vcpu == 1);
        assert_eq!((turn(&turns), turns.local(1), turns.end()), (1, 1000, 1100));
    }
}
