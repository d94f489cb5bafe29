use super::{Design, Pmu};
use crate::msr;

/// One counter of a logical processor, or of its level 3 cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counter {
    /// Programmable.
    General(u8),
    /// Counts one event for ever.
    Fixed(u8),
    /// AMD level 3.
    L3(u8),
}

/// General counters, one bit each.
pub type CounterSet = u32;

impl Counter {
    /// Whether `pmu` has it.
    #[must_use]
    pub fn exists(self, pmu: &Pmu) -> bool {
        let bit = |set: u32, index: u8| set.checked_shr(u32::from(index)).unwrap_or(0) & 1 == 1;
        match self {
            Self::General(index) => bit(pmu.general, index),
            Self::Fixed(index) => bit(pmu.fixed, index),
            Self::L3(index) => pmu.l3.is_some_and(|l3| index < l3.count),
        }
    }

    /// Bits it counts with.
    #[must_use]
    pub fn bits(self, pmu: &Pmu) -> u8 {
        match self {
            Self::General(_) => pmu.general_bits,
            Self::Fixed(_) => pmu.fixed_bits,
            Self::L3(_) => 48,
        }
    }

    /// The register that holds the count; none if the counter does not exist.
    #[must_use]
    pub fn register(self, pmu: &Pmu) -> Option<u32> {
        let index = self.index_if(pmu)?;
        Some(match (self, pmu.design) {
            // The first eight keep their old numbers, the others have only new ones.
            (Self::General(0..=7), Design::Architectural) => msr::PMC + index,
            (Self::General(_), Design::Architectural) => msr::PMC_V6_GP0 + msr::PMC_V6_STEP * index,
            (Self::General(_), Design::AmdCore) => msr::AMD_PERF_CTL + 1 + 2 * index,
            (Self::General(_), Design::AmdLegacy) => msr::K7_PERFCTR + index,
            (Self::Fixed(0..=6), _) => msr::FIXED_CTR + index,
            (Self::Fixed(_), _) => msr::PMC_V6_FX0 + msr::PMC_V6_STEP * index,
            (Self::L3(_), _) => msr::AMD_L3_CTL + 1 + 2 * index,
        })
    }

    /// The register that selects its event; none for a fixed one or if the
    /// counter does not exist.
    #[must_use]
    pub fn select_register(self, pmu: &Pmu) -> Option<u32> {
        let index = self.index_if(pmu)?;
        match (self, pmu.design) {
            (Self::General(0..=7), Design::Architectural) => Some(msr::PERFEVTSEL + index),
            (Self::General(_), Design::Architectural) => Some(msr::PMC_V6_GP0 + 1 + msr::PMC_V6_STEP * index),
            (Self::General(_), Design::AmdCore) => Some(msr::AMD_PERF_CTL + 2 * index),
            (Self::General(_), Design::AmdLegacy) => Some(msr::K7_EVNTSEL + index),
            (Self::L3(_), _) => Some(msr::AMD_L3_CTL + 2 * index),
            (Self::Fixed(_), _) => None,
        }
    }

    /// What RDPMC takes in ECX to read it; none if the counter does not exist.
    /// Intel: general from 0, fixed from 40000000H. AMD: core from 0, level 3
    /// from 10 (APM volume 3, RDPMC).
    #[must_use]
    pub fn rdpmc_index(self, pmu: &Pmu) -> Option<u32> {
        let index = self.index_if(pmu)?;
        Some(match self {
            Self::General(_) => index,
            Self::Fixed(_) => 0x4000_0000 | index,
            Self::L3(_) => 10 + index,
        })
    }

    /// The counter that RDPMC would read; none where it would fault.
    #[must_use]
    pub fn from_rdpmc_index(ecx: u32, pmu: &Pmu) -> Option<Self> {
        let small = |value: u32| u8::try_from(value).ok();
        let counter = if pmu.design == Design::Architectural {
            match ecx >> 30 {
                0 => Self::General(small(ecx)?),
                1 => Self::Fixed(small(ecx & 0x3fff_ffff)?),
                _ => return None,
            }
        } else {
            match ecx {
                0..=5 => Self::General(small(ecx)?),
                10..=15 => Self::L3(small(ecx - 10)?),
                _ => return None,
            }
        };
        counter.exists(pmu).then_some(counter)
    }

    /// The counter that a register belongs to, and whether the register selects
    /// its event rather than holding its count; none for any other register.
    #[must_use]
    pub fn of_register(register: u32, pmu: &Pmu) -> Option<(Self, bool)> {
        let (counter, selects) = match pmu.design {
            Design::Architectural => architectural(register)?,
            Design::AmdCore => in_pairs(register, msr::AMD_PERF_CTL, Self::General)
                .filter(|(counter, _)| *counter < Self::General(24))
                .or_else(|| in_pairs(register, msr::AMD_L3_CTL, Self::L3))?,
            Design::AmdLegacy => {
                legacy(register).or_else(|| in_pairs(register, msr::AMD_L3_CTL, Self::L3))?
            }
        };
        counter.exists(pmu).then_some((counter, selects))
    }

    fn index_if(self, pmu: &Pmu) -> Option<u32> {
        let (Self::General(index) | Self::Fixed(index) | Self::L3(index)) = self;
        self.exists(pmu).then_some(u32::from(index))
    }
}

fn below(register: u32, first: u32, count: u32) -> Option<u8> {
    register.checked_sub(first).filter(|index| *index < count).and_then(|index| u8::try_from(index).ok())
}

fn architectural(register: u32) -> Option<(Counter, bool)> {
    let old = |first, count| below(register, first, count);
    if let Some(index) = old(msr::PMC, 8) {
        return Some((Counter::General(index), false));
    }
    if let Some(index) = old(msr::PERFEVTSEL, 8) {
        return Some((Counter::General(index), true));
    }
    if let Some(index) = old(msr::FIXED_CTR, 7) {
        return Some((Counter::Fixed(index), false));
    }
    let general = old(msr::PMC_V6_GP0, 32 * msr::PMC_V6_STEP).map(|at| (Counter::General(at / 4), at % 4));
    let fixed = old(msr::PMC_V6_FX0, 16 * msr::PMC_V6_STEP).map(|at| (Counter::Fixed(at / 4), at % 4));
    match general.or(fixed)? {
        (counter @ Counter::General(8..), at @ 0..=1) => Some((counter, at == 1)),
        (counter @ Counter::Fixed(7..), 0) => Some((counter, false)),
        _ => None,
    }
}

/// A select, its counter, the next select, and so on.
fn in_pairs(register: u32, first: u32, counter: fn(u8) -> Counter) -> Option<(Counter, bool)> {
    below(register, first, 64).map(|at| (counter(at / 2), at % 2 == 0))
}

fn legacy(register: u32) -> Option<(Counter, bool)> {
    let select = below(register, msr::K7_EVNTSEL, 4).map(|index| (Counter::General(index), true));
    select.or_else(|| below(register, msr::K7_PERFCTR, 4).map(|index| (Counter::General(index), false)))
}
