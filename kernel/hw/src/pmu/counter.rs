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

    fn index_if(self, pmu: &Pmu) -> Option<u32> {
        let (Self::General(index) | Self::Fixed(index) | Self::L3(index)) = self;
        self.exists(pmu).then_some(u32::from(index))
    }
}
