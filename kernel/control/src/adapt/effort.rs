//! How much a shadow may cost, and how long before the release it starts.
//!
//! Each level of thrift halves the shadow. It rises while shadows change
//! nothing (no plan, no late burst) and on a machine too busy for them; it
//! falls to 0 when the line was wrong.

use crate::fixed::{ONE, ewma};

/// Levels of thrift.
pub(super) const MAX_LEVEL: u8 = 3;

/// Bursts in a row without use before a shadow gets cheaper.
const IDLE_BURSTS: u8 = 8;

/// A load above 15/16 is a busy machine.
const BUSY: u32 = ONE / 16 * 15;

/// Shortest and longest horizon, in nanoseconds.
const SHORTEST_NS: u64 = 10_000_000;
const LONGEST_NS: u64 = 1_000_000_000;

/// Smoothing of the times a preparation takes: half of the way.
const SMOOTHING_SHIFT: u32 = 1;

/// What the coming shadows may cost.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    level: u8,
    idle_bursts: u8,
    preparation_ns: u64,
    acting_ns: u64,
}

impl Default for Effort {
    fn default() -> Self {
        Self::new(SHORTEST_NS * 2)
    }
}

impl Effort {
    /// Full size, with a first guess of what a preparation takes.
    #[must_use]
    pub const fn new(preparation_ns: u64) -> Self {
        Self { level: 0, idle_bursts: 0, preparation_ns, acting_ns: preparation_ns / 4 }
    }

    /// The level of thrift for a machine with this load: 0 is full size.
    #[must_use]
    pub const fn level(&self, load_q16: u32) -> u8 {
        let level = self.level + (load_q16 > BUSY) as u8;
        if level > MAX_LEVEL { MAX_LEVEL } else { level }
    }

    /// How long before a release the preparation starts: twice what it
    /// usually takes, three times on a busy machine.
    #[must_use]
    pub const fn horizon_ns(&self, load_q16: u32) -> u64 {
        let times = if load_q16 > BUSY { 3 } else { 2 };
        let wanted = self.preparation_ns.saturating_mul(times);
        if wanted < SHORTEST_NS {
            SHORTEST_NS
        } else if wanted > LONGEST_NS {
            LONGEST_NS
        } else {
            wanted
        }
    }

    /// How long before a release a plan is carried out: twice what that takes.
    #[must_use]
    pub const fn acting_margin_ns(&self) -> u64 {
        self.acting_ns.saturating_mul(2)
    }

    /// A preparation, from the start of the shadow to the last action, took
    /// this long. A longer one than usual counts in full at once.
    pub fn prepared(&mut self, took_ns: u64) {
        self.preparation_ns = follow(self.preparation_ns, took_ns);
    }

    /// Carrying out a plan took this long; as above.
    pub fn acted(&mut self, took_ns: u64) {
        self.acting_ns = follow(self.acting_ns, took_ns);
    }

    /// A burst ended: whether a plan had changed anything for it, and whether
    /// it was late.
    pub fn burst(&mut self, acted: bool, late: bool) {
        if late {
            (self.level, self.idle_bursts) = (0, 0);
        } else if acted {
            self.idle_bursts = 0;
        } else {
            self.idle_bursts += 1;
            if self.idle_bursts >= IDLE_BURSTS {
                (self.level, self.idle_bursts) = ((self.level + 1).min(MAX_LEVEL), 0);
            }
        }
    }
}

fn follow(usual_ns: u64, took_ns: u64) -> u64 {
    let took_ns = took_ns.min(LONGEST_NS);
    ewma(usual_ns, took_ns, SMOOTHING_SHIFT).max(took_ns)
}
