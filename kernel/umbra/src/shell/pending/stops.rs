//! Tasks that were asked to end.

use core::sync::atomic::Ordering;

use heapless::Vec;

use crate::log_line;
use crate::tasks::{self, Phase, SLOTS};

/// A task that is still there after this long is worth a warning; it is killed
/// long before.
const PATIENCE_NS: u64 = 2_000_000_000;

/// Those that have not ended yet.
pub(crate) struct Stops {
    asked: Vec<Asked, { SLOTS as usize }>,
    ended: u32,
}

struct Asked {
    slot: u16,
    generation: u32,
    since_ns: u64,
}

impl Stops {
    pub(super) const fn new() -> Self {
        Self { asked: Vec::new(), ended: 0 }
    }

    /// Notes that the task in `slot` was asked to end.
    pub(crate) fn watch(&mut self, slot: u16, now_ns: u64) {
        let generation = tasks::at(slot).generation.load(Ordering::Relaxed);
        if self.asked.iter().any(|asked| (asked.slot, asked.generation) == (slot, generation)) {
            return;
        }
        // There is room for every slot, and those that ended are taken out.
        let _ = self.asked.push(Asked { slot, generation, since_ns: now_ns });
    }

    /// Bound: the slots.
    pub(super) fn advance(&mut self, now_ns: u64) {
        if self.asked.is_empty() {
            return;
        }
        let before = self.asked.len();
        self.asked.retain(|asked| !asked.has_ended());
        self.ended += u32::try_from(before - self.asked.len()).unwrap_or(0);
        self.asked.retain(|asked| {
            let waits = now_ns.saturating_sub(asked.since_ns) < PATIENCE_NS;
            if !waits {
                log_line!(Warn, "stop: task {} has still not ended", asked.slot);
            }
            waits
        });
        if self.asked.is_empty() && self.ended > 0 {
            match self.ended {
                1 => log_line!(Info, "stop: the task has ended"),
                ended => log_line!(Info, "stop: {ended} tasks have ended"),
            }
            self.ended = 0;
        }
    }
}

impl Asked {
    fn has_ended(&self) -> bool {
        let task = tasks::at(self.slot);
        let phase = task.phase();
        phase == Phase::Empty || phase.is_over() || task.generation.load(Ordering::Relaxed) != self.generation
    }
}
