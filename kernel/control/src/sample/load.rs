//! How busy the machine is: one core is looked at a tick, in rotation.

use crate::fixed::{ewma_u32, share};
use crate::machine::{CoreId, Monitor, Topology};

const MAX_CORES: usize = 64;

/// Smoothing of a core's share: a quarter of the way each look.
const SMOOTHING_SHIFT: u32 = 2;

#[derive(Clone, Copy, Debug)]
struct Core {
    busy_cycles: u64,
    at_cycles: u64,
    share_q16: u32,
    seen: bool,
}

/// The mean busy share of all running cores.
#[derive(Debug)]
pub struct LoadMeter {
    cores: [Core; MAX_CORES],
    next: u8,
    sum_q16: u32,
    seen: u32,
}

impl Default for LoadMeter {
    fn default() -> Self {
        Self::new()
    }
}

impl LoadMeter {
    /// A meter that has seen no core.
    #[must_use]
    pub const fn new() -> Self {
        let core = Core { busy_cycles: 0, at_cycles: 0, share_q16: 0, seen: false };
        Self { cores: [core; MAX_CORES], next: 0, sum_q16: 0, seen: 0 }
    }

    /// Looks at the next core. One core and one division a call.
    pub fn tick<M: Monitor + Topology>(&mut self, now_cycles: u64, machine: &M) {
        let Some(id) = next_core(machine.cores().0, self.next) else { return };
        self.next = id.0.wrapping_add(1);
        let Some(core) = self.cores.get_mut(usize::from(id.0)) else { return };
        let busy_cycles = machine.busy_cycles(id);
        let (spent, wall) =
            (busy_cycles.wrapping_sub(core.busy_cycles), now_cycles.wrapping_sub(core.at_cycles));
        if !core.seen {
            self.seen += 1;
        } else if spent >> 63 == 0 && wall > 0 {
            let before = core.share_q16;
            core.share_q16 = ewma_u32(before, share(spent, wall), SMOOTHING_SHIFT);
            self.sum_q16 = self.sum_q16 - before + core.share_q16;
        }
        (core.busy_cycles, core.at_cycles, core.seen) = (busy_cycles, now_cycles, true);
    }

    /// The mean share, Q16.16 between 0 and 1.
    #[must_use]
    pub const fn load_q16(&self) -> u32 {
        match self.sum_q16.checked_div(self.seen) {
            Some(mean) => mean,
            None => 0,
        }
    }
}

/// The first core of the set at or after `from`, else the first of all.
fn next_core(set: u64, from: u8) -> Option<CoreId> {
    let later = if from < 64 { set & (u64::MAX << from) } else { 0 };
    let bits = if later == 0 { set } else { later };
    u8::try_from(bits.trailing_zeros()).ok().filter(|bit| *bit < 64).map(CoreId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_taken_in_turn() {
        assert_eq!(next_core(0b1010, 0), Some(CoreId(1)));
        assert_eq!(next_core(0b1010, 2), Some(CoreId(3)));
        assert_eq!(next_core(0b1010, 4), Some(CoreId(1)));
        assert_eq!(next_core(1 << 63, 64), Some(CoreId(63)));
        assert_eq!(next_core(0, 0), None);
    }
}
