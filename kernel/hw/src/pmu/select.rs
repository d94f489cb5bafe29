use super::{L3Counters, Pmu};

/// An event select register by its fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSelect {
    /// Event number: 8 bits on Intel, 12 on AMD.
    pub event: u16,
    /// Unit mask.
    pub unit_mask: u8,
    /// Count in ring 3.
    pub user: bool,
    /// Count in ring 0.
    pub kernel: bool,
    /// Count rising edges instead of cycles.
    pub edge: bool,
    /// Interrupt on overflow.
    pub interrupt: bool,
    /// Count for every thread of the core (Intel versions 3 and 4).
    pub any_thread: bool,
    /// Count.
    pub enable: bool,
    /// Compare below instead of at or above the counter mask.
    pub invert: bool,
    /// Count cycles with at least this many events; 0 counts the events.
    pub counter_mask: u8,
    /// Second unit mask (Intel version 6).
    pub unit_mask2: u8,
    /// Compare for equality (Intel version 6).
    pub equal: bool,
}

const UNIT_MASK: u32 = 8;
const USER: u32 = 16;
const KERNEL: u32 = 17;
const EDGE: u32 = 18;
const PIN_CONTROL: u32 = 19;
const INTERRUPT: u32 = 20;
const ANY_THREAD: u32 = 21;
const ENABLE: u32 = 22;
const INVERT: u32 = 23;
const COUNTER_MASK: u32 = 24;
const EVENT_HIGH: u32 = 32;
const EQUAL: u32 = 36;
const UNIT_MASK2: u32 = 40;

impl EventSelect {
    /// An event with its unit mask, not yet told when to count.
    #[must_use]
    pub const fn new(event: u16, unit_mask: u8) -> Self {
        Self {
            event,
            unit_mask,
            user: false,
            kernel: false,
            edge: false,
            interrupt: false,
            any_thread: false,
            enable: false,
            invert: false,
            counter_mask: 0,
            unit_mask2: 0,
            equal: false,
        }
    }

    /// The same with a counter mask.
    #[must_use]
    pub const fn at_least(self, counter_mask: u8) -> Self {
        Self { counter_mask, ..self }
    }

    /// The register's value (SDM volume 3B, figures 20-1, 20-6 and 20-13; APM
    /// volume 2, figure 13-7). Event bits 8 to 11 go where AMD has them.
    #[must_use]
    pub fn bits(self) -> u64 {
        let flag = |set: bool, at: u32| u64::from(set) << at;
        let event = u64::from(self.event);
        (event & 0xff)
            | (event >> 8 & 0xf) << EVENT_HIGH
            | u64::from(self.unit_mask) << UNIT_MASK
            | flag(self.user, USER)
            | flag(self.kernel, KERNEL)
            | flag(self.edge, EDGE)
            | flag(self.interrupt, INTERRUPT)
            | flag(self.any_thread, ANY_THREAD)
            | flag(self.enable, ENABLE)
            | flag(self.invert, INVERT)
            | u64::from(self.counter_mask) << COUNTER_MASK
            | flag(self.equal, EQUAL)
            | u64::from(self.unit_mask2) << UNIT_MASK2
    }

    /// The bits that may be set in the event select registers of `pmu`; writing
    /// any other faults.
    #[must_use]
    pub fn writable_bits(pmu: &Pmu) -> u64 {
        if pmu.design != super::Design::Architectural {
            // Bits 40 and 41 restrict counting to a guest or its host.
            return (0xf << EVENT_HIGH)
                | (3 << 40)
                | (0xffff_ffff & !(1 << PIN_CONTROL) & !(1 << ANY_THREAD));
        }
        let any_thread = if pmu.any_thread { 0 } else { 1 << ANY_THREAD };
        let equal = u64::from(pmu.has_equal) << EQUAL;
        let unit_mask2 = if pmu.has_unit_mask2 { 0xff << UNIT_MASK2 } else { 0 };
        (0xffff_ffff & !any_thread) | equal | unit_mask2
    }
}

/// How one fixed counter counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedControl {
    /// Count in ring 0.
    pub kernel: bool,
    /// Count in ring 3.
    pub user: bool,
    /// Count for every thread of the core (versions 3 and 4).
    pub any_thread: bool,
    /// Interrupt on overflow.
    pub interrupt: bool,
}

impl FixedControl {
    /// Its four bits, where those of counter `index` are in the control register
    /// (SDM volume 3B, figure 20-7).
    #[must_use]
    pub fn bits(self, index: u8) -> u64 {
        let bits = u64::from(self.kernel)
            | u64::from(self.user) << 1
            | u64::from(self.any_thread) << 2
            | u64::from(self.interrupt) << 3;
        bits.checked_shl(u32::from(index) * 4).unwrap_or(0)
    }

    /// The bits that may be set in the control register of `pmu`.
    #[must_use]
    pub fn writable_bits(pmu: &Pmu) -> u64 {
        let nibble = if pmu.any_thread { 0xf } else { 0xb };
        (0u32..16)
            .filter(|index| pmu.fixed >> index & 1 == 1)
            .fold(0, |bits, index| bits | nibble << (index * 4))
    }
}

/// What AMD's level 3 counters count (Linux `arch/x86/events/amd/uncore.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L3Select {
    /// Event number.
    pub event: u8,
    /// Unit mask.
    pub unit_mask: u8,
}

impl L3Select {
    /// The register's value to count for every core, thread and slice of the
    /// cache.
    #[must_use]
    pub fn bits(self, counters: L3Counters) -> u64 {
        let everything =
            if counters.by_core_and_slice { 3 << 56 | 1 << 47 | 1 << 46 } else { 0xff << 56 | 0xf << 48 };
        everything | 1 << ENABLE | u64::from(self.unit_mask) << UNIT_MASK | u64::from(self.event)
    }
}
