use super::{AbsoluteLimit, MaskRules, Mba, QmEvent, Refusal, Resource};
use crate::cpuid::{Feature, Features, Leaf, Reader, Registers, Vendor};

/// What can be monitored at the level 3 cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Monitoring {
    /// Largest RMID.
    pub max_rmid: u32,
    /// Bytes that one unit of a counter stands for.
    pub upscale: u32,
    /// Bits of the bandwidth counters.
    pub counter_bits: u8,
    /// A counter that ran over says so in bit 61.
    pub has_overflow_flag: bool,
    /// Cache occupancy is counted.
    pub occupancy: bool,
    /// Total bandwidth is counted.
    pub total: bool,
    /// Local bandwidth is counted.
    pub local: bool,
    /// Counters must be assigned to RMIDs before they count (AMD).
    pub assignable_counters: Option<u32>,
}

/// How a cache can be shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Which masks it takes.
    pub rules: MaskRules,
    /// Classes while code and data are not told apart.
    pub classes: u32,
    /// Code and data can have masks of their own, each class then using two.
    pub cdp: bool,
    /// Ways that others, such as devices, use too.
    pub shareable: u64,
}

/// Everything that can be shared out and monitored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rdt {
    /// Monitoring.
    pub monitoring: Option<Monitoring>,
    /// Level 3 cache.
    pub l3: Option<Allocation>,
    /// Level 2 cache.
    pub l2: Option<Allocation>,
    /// Memory bandwidth by throttle.
    pub mba: Option<Mba>,
    /// Memory bandwidth by limit (AMD).
    pub bandwidth: Option<AbsoluteLimit>,
    /// Slow-memory bandwidth by limit (AMD).
    pub slow_bandwidth: Option<AbsoluteLimit>,
}

impl Rdt {
    /// Reads leaves 0FH, 10H and on AMD 80000020H. They are asked only when leaf
    /// 7 announces them: a processor without them repeats other data there. What
    /// makes no sense is reported and left out.
    pub fn read<L: Leaf + ?Sized>(
        reader: &Reader<'_, L>,
        vendor: Vendor,
        features: Features,
        report: &mut dyn FnMut(Refusal),
    ) -> Self {
        let mut rdt = Self::default();
        if features.has(Feature::Pqm) {
            rdt.monitoring = monitoring(reader, vendor);
        }
        if features.has(Feature::Pqe) {
            rdt.read_allocation(reader, vendor, report);
        }
        if vendor.is_amd_like() {
            rdt.read_amd(reader, report);
        }
        rdt
    }

    /// How many classes a resource has now; `cdp` says whether code and data are
    /// told apart.
    #[must_use]
    pub fn classes(&self, resource: Resource, cdp: bool) -> u32 {
        let halved = |allocation: Allocation| allocation.classes / if cdp { 2 } else { 1 };
        match resource {
            Resource::L3 => self.l3.map_or(0, halved),
            Resource::L2 => self.l2.map_or(0, halved),
            Resource::Bandwidth => self.mba.map_or(0, |mba| mba.classes),
            Resource::AmdBandwidth => self.bandwidth.map_or(0, |limit| limit.classes),
            Resource::AmdSlowBandwidth => self.slow_bandwidth.map_or(0, |limit| limit.classes),
        }
    }

    /// The largest number of classes of any resource: what the class field of
    /// the association takes.
    #[must_use]
    pub fn association_classes(&self) -> u32 {
        [Resource::L3, Resource::L2, Resource::Bandwidth, Resource::AmdBandwidth, Resource::AmdSlowBandwidth]
            .into_iter()
            .map(|resource| self.classes(resource, false))
            .max()
            .unwrap_or(0)
            .max(1)
    }

    /// The largest RMID; 0 without monitoring.
    #[must_use]
    pub fn max_rmid(&self) -> u32 {
        self.monitoring.map_or(0, |monitoring| monitoring.max_rmid)
    }

    /// The classes that every resource has: those a workload can be given
    /// without looking further.
    #[must_use]
    pub fn common_classes(&self, cdp: bool) -> u32 {
        [Resource::L3, Resource::L2, Resource::Bandwidth, Resource::AmdBandwidth]
            .into_iter()
            .map(|resource| self.classes(resource, cdp))
            .filter(|classes| *classes != 0)
            .min()
            .unwrap_or(0)
    }

    fn read_allocation<L: Leaf + ?Sized>(
        &mut self,
        reader: &Reader<'_, L>,
        vendor: Vendor,
        report: &mut dyn FnMut(Refusal),
    ) {
        let kinds = reader.get(0x10, 0).unwrap_or_default().ebx;
        let leaf = |number: u32| reader.get(0x10, number).filter(|_| kinds >> number & 1 == 1);
        self.l3 = leaf(1).map(|leaf| allocation(leaf, vendor));
        self.l2 = leaf(2).map(|leaf| allocation(leaf, vendor));
        if let Some(leaf) = leaf(3) {
            self.mba = Mba::decode(leaf.eax, leaf.ecx, leaf.edx).map_err(report).ok();
        }
    }

    /// APM volume 3, appendix E.4.18.
    fn read_amd<L: Leaf + ?Sized>(&mut self, reader: &Reader<'_, L>, report: &mut dyn FnMut(Refusal)) {
        let Some(kinds) = reader.get(0x8000_0020, 0).map(|leaf| leaf.ebx) else { return };
        let leaf = |number: u32| reader.get(0x8000_0020, number);
        let mut limit = |leaf: Option<Registers>| {
            leaf.and_then(|leaf| AbsoluteLimit::decode(leaf.eax, leaf.edx).map_err(&mut *report).ok())
        };
        self.bandwidth = limit(leaf(1).filter(|_| kinds >> 1 & 1 == 1));
        self.slow_bandwidth = limit(leaf(2).filter(|_| kinds >> 2 & 1 == 1));
        if let Some(monitoring) = &mut self.monitoring {
            let assignable = leaf(5).filter(|_| kinds >> 5 & 1 == 1);
            monitoring.assignable_counters = assignable.map(|leaf| (leaf.ebx & 0xffff) + 1);
        }
    }
}

impl Monitoring {
    /// Whether it counts `event`.
    #[must_use]
    pub fn counts(&self, event: QmEvent) -> bool {
        match event {
            QmEvent::Occupancy => self.occupancy,
            QmEvent::TotalBandwidth => self.total,
            QmEvent::LocalBandwidth => self.local,
        }
    }
}

/// Counters have 24 bits and as many more as EAX says; the register has 62. AMD
/// processors that say nothing have 44 (Linux
/// `MBM_CNTR_WIDTH_OFFSET_AMD`).
fn monitoring<L: Leaf + ?Sized>(reader: &Reader<'_, L>, vendor: Vendor) -> Option<Monitoring> {
    let _level3 = reader.get(0xf, 0).filter(|leaf| leaf.edx >> 1 & 1 == 1)?;
    let leaf = reader.get(0xf, 1)?;
    let stated = leaf.eax & 0xff;
    let more = if stated == 0 && vendor.is_amd_like() { 20 } else { stated };
    Some(Monitoring {
        max_rmid: leaf.ecx,
        upscale: leaf.ebx,
        counter_bits: u8::try_from(if more <= 38 { 24 + more } else { 24 }).unwrap_or(24),
        has_overflow_flag: leaf.eax >> 8 & 1 == 1,
        occupancy: leaf.edx & 1 == 1,
        total: leaf.edx >> 1 & 1 == 1,
        local: leaf.edx >> 2 & 1 == 1,
        assignable_counters: None,
    })
}

/// Subleaves 1 and 2 of leaf 10H. AMD takes masks with gaps and does not use the
/// bit that says so.
fn allocation(leaf: Registers, vendor: Vendor) -> Allocation {
    Allocation {
        rules: MaskRules {
            length: u8::try_from((leaf.eax & 0x1f) + 1).unwrap_or(1),
            non_contiguous: vendor.is_amd_like() || leaf.ecx >> 3 & 1 == 1,
            min_bits: 1,
        },
        classes: (leaf.edx & 0xffff) + 1,
        cdp: leaf.ecx >> 2 & 1 == 1,
        shareable: u64::from(leaf.ebx),
    }
}
