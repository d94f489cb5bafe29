use crate::msr;

/// What is shared out by class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Level 3 cache capacity.
    L3,
    /// Level 2 cache capacity.
    L2,
    /// Memory bandwidth: a throttle value.
    Bandwidth,
    /// Memory bandwidth: an absolute limit (AMD).
    AmdBandwidth,
    /// Slow-memory bandwidth: an absolute limit (AMD).
    AmdSlowBandwidth,
}

/// Which accesses a mask is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of them; code and data are not told apart.
    Both,
    /// Data, while code and data prioritization is on.
    Data,
    /// Code, while it is on.
    Code,
}

impl Resource {
    /// The first register and how many the architecture sets aside.
    const fn block(self) -> (u32, u32) {
        match self {
            Self::L3 => (msr::L3_MASK, 128),
            Self::L2 => (msr::L2_MASK, 64),
            Self::Bandwidth => (msr::MBA_THROTTLE, 64),
            Self::AmdBandwidth => (msr::AMD_BANDWIDTH, 128),
            Self::AmdSlowBandwidth => (msr::AMD_SLOW_BANDWIDTH, 128),
        }
    }
}

/// The register for a class; none beyond the block that the architecture sets
/// aside. Whether the processor has the class is for the caller to check: on
/// some C90H + 16 is another register.
#[must_use]
pub fn mask_register(resource: Resource, part: Part, class: u32) -> Option<u32> {
    let (first, count) = resource.block();
    let index = match part {
        Part::Both => class,
        Part::Data => class.checked_mul(2)?,
        Part::Code => class.checked_mul(2)?.checked_add(1)?,
    };
    (index < count).then_some(first + index)
}
