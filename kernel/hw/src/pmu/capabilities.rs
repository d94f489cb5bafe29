use crate::cpuid::{Feature, Features, Leaf, Reader, Vendor};

/// Whose registers the counters have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// Intel's architectural performance monitoring, which Zhaoxin has too.
    Architectural,
    /// AMD's core counters (six or more, registers C0010200H on).
    AmdCore,
    /// AMD's first four counters (C0010000H on).
    AmdLegacy,
}

/// AMD's counters of a level 3 cache, shared by the cores of a complex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L3Counters {
    /// How many.
    pub count: u8,
    /// From family 19H on the control register names cores and slices in
    /// another way than before.
    pub by_core_and_slice: bool,
}

/// The performance counters of a logical processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pmu {
    /// Whose registers.
    pub design: Design,
    /// Intel: architectural version, 1 to 6. AMD: 2 with global control, else 1.
    pub version: u8,
    /// General counters, one bit each.
    pub general: u32,
    /// Bits of a general counter.
    pub general_bits: u8,
    /// Fixed counters, one bit each.
    pub fixed: u32,
    /// Bits of a fixed counter.
    pub fixed_bits: u8,
    /// Architectural events that work, one bit each (the index of
    /// [`super::ARCHITECTURAL`]).
    pub architectural_events: u32,
    /// Counting for both threads of a core can be asked for.
    pub any_thread: bool,
    /// Event selects have a second unit mask (version 6).
    pub has_unit_mask2: bool,
    /// Event selects have the equal flag (version 6).
    pub has_equal: bool,
    /// Level 3 counters (AMD).
    pub l3: Option<L3Counters>,
}

impl Pmu {
    /// Reads leaves 0AH and 23H, or on AMD 80000001H and 80000022H; none when
    /// the processor has no counters that are described there.
    pub fn read<L: Leaf + ?Sized>(
        reader: &Reader<'_, L>,
        vendor: Vendor,
        family: u16,
        features: Features,
    ) -> Option<Self> {
        if vendor.is_amd_like() { amd(reader, family, features) } else { architectural(reader) }
    }

    /// How many general counters.
    #[must_use]
    pub fn general_count(&self) -> u32 {
        self.general.count_ones()
    }

    /// How many fixed counters.
    #[must_use]
    pub fn fixed_count(&self) -> u32 {
        self.fixed.count_ones()
    }

    /// The counters and events that both have: what can be asked of two kinds of
    /// core alike. None when their registers differ in kind.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<Self> {
        if self.design != other.design {
            return None;
        }
        let general = self.general & other.general;
        let fixed = self.fixed & other.fixed;
        Some(Self {
            design: self.design,
            version: self.version.min(other.version),
            general,
            general_bits: self.general_bits.min(other.general_bits),
            fixed,
            fixed_bits: self.fixed_bits.min(other.fixed_bits),
            architectural_events: self.architectural_events & other.architectural_events,
            any_thread: self.any_thread && other.any_thread,
            has_unit_mask2: self.has_unit_mask2 && other.has_unit_mask2,
            has_equal: self.has_equal && other.has_equal,
            l3: self.l3.filter(|l3| other.l3 == Some(*l3)),
        })
    }

    /// One register starts and stops all counters at once.
    #[must_use]
    pub fn has_global_control(&self) -> bool {
        self.version >= 2
    }
}

/// Leaf 0AH (SDM volume 3B, section 20.2), overruled by 23H where that exists
/// (section 20.2.6).
fn architectural<L: Leaf + ?Sized>(reader: &Reader<'_, L>) -> Option<Pmu> {
    let leaf = reader.get(0xa, 0)?;
    let [version, count, bits, event_count] = leaf.eax.to_le_bytes();
    if version == 0 {
        return None;
    }
    let fixed_count = if version >= 2 { leaf.edx & 0x1f } else { 0 };
    let fixed_bitmap = if version >= 5 { leaf.ecx } else { 0 };
    let mut pmu = Pmu {
        design: Design::Architectural,
        version,
        general: low_bits(u32::from(count)),
        general_bits: bits.min(64),
        fixed: (low_bits(fixed_count) | fixed_bitmap) & 0xffff,
        fixed_bits: if version >= 2 { u8::try_from(leaf.edx >> 5 & 0xff).unwrap_or(0).min(64) } else { 0 },
        architectural_events: low_bits(u32::from(event_count)) & !leaf.ebx,
        any_thread: matches!(version, 3 | 4) && leaf.edx >> 15 & 1 == 0,
        has_unit_mask2: false,
        has_equal: false,
        l3: None,
    };
    extend(&mut pmu, reader);
    (pmu.general != 0).then_some(pmu)
}

/// Leaf 23H is announced by leaf 7, subleaf 1, EAX bit 8.
fn extend<L: Leaf + ?Sized>(pmu: &mut Pmu, reader: &Reader<'_, L>) {
    let subleaves = reader.get(7, 0).map_or(0, |leaf| leaf.eax);
    let announced = subleaves >= 1 && reader.get(7, 1).is_some_and(|leaf| leaf.eax >> 8 & 1 == 1);
    let Some(main) = reader.get(0x23, 0).filter(|_| announced) else { return };
    pmu.has_unit_mask2 = main.ebx & 1 == 1;
    pmu.has_equal = main.ebx >> 1 & 1 == 1;
    let subleaf = |number: u32| reader.get(0x23, number).filter(|_| main.eax >> number & 1 == 1);
    if let Some(counters) = subleaf(1) {
        pmu.general = counters.eax;
        pmu.fixed = counters.ebx & 0xffff;
    }
    if let Some(events) = subleaf(3) {
        pmu.architectural_events = events.eax;
    }
}

/// 80000001H, ECX says which sets there are; 80000022H counts them from Zen 4 on
/// (APM volume 3, appendix E.4.20).
fn amd<L: Leaf + ?Sized>(reader: &Reader<'_, L>, family: u16, features: Features) -> Option<Pmu> {
    if family < 0x10 && !features.has(Feature::LongMode) {
        return None;
    }
    let version2 = reader.get(0x8000_0022, 0).filter(|leaf| leaf.eax & 1 == 1);
    let core = features.has(Feature::PerfctrCore);
    let default = if core { 6 } else { 4 };
    let count = version2.map(|leaf| leaf.ebx & 0xf).filter(|count| *count != 0).unwrap_or(default);
    Some(Pmu {
        design: if core || version2.is_some() { Design::AmdCore } else { Design::AmdLegacy },
        version: if version2.is_some() { 2 } else { 1 },
        general: low_bits(count),
        general_bits: 48,
        fixed: 0,
        fixed_bits: 0,
        architectural_events: 0,
        any_thread: false,
        has_unit_mask2: false,
        has_equal: false,
        l3: features
            .has(Feature::PerfctrLlc)
            .then_some(L3Counters { count: 6, by_core_and_slice: family >= 0x19 }),
    })
}

fn low_bits(count: u32) -> u32 {
    1u32.checked_shl(count).map_or(u32::MAX, |bit| bit - 1)
}
