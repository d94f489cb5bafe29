use super::{Feature, Features, Leaf, Reader, Registers, Vendor};
use heapless::Vec;

/// What a cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheKind {
    /// Data only.
    Data,
    /// Instructions only.
    Instruction,
    /// Both.
    Unified,
}

/// One cache, from CPUID leaf 4 or 8000001DH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// What it holds.
    pub kind: CacheKind,
    /// 1 is nearest to the core.
    pub level: u8,
    /// Ways of associativity.
    pub ways: u32,
    /// Sets, all slices together.
    pub sets: u32,
    /// Bytes of a line.
    pub line_bytes: u32,
    /// Lines that share one tag; 1 on every processor Umbra runs on.
    pub partitions: u32,
    /// Ids of logical processors that share it: an upper limit, since not every
    /// id need exist.
    pub sharing: u32,
    /// Any line may be anywhere.
    pub fully_associative: bool,
    /// Holds everything the levels below it hold.
    pub inclusive: bool,
    /// A hash of address bits picks the set, so that page colours do not follow
    /// from the address.
    pub complex_indexing: bool,
}

/// Whether page colours partition a cache, and into how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colouring {
    /// CPUID says that sets follow from address bits; the slices of a shared
    /// cache may hash all the same, so that this is to be confirmed by measuring.
    Linear {
        /// Colours of 4 KiB pages.
        colours: u32,
    },
    /// A hash spreads lines over slices. Within a slice sets still follow from
    /// address bits, so that pages of one colour meet in one part of every slice.
    /// CPUID does not say how many slices there are: 2048 sets each are taken,
    /// as Intel's have had since Sandy Bridge, fewer if that does not divide.
    WithinSlices {
        /// Colours of 4 KiB pages.
        colours: u32,
    },
}

impl Colouring {
    /// Colours of 4 KiB pages, at least 1.
    #[must_use]
    pub fn colours(self) -> u32 {
        let (Self::Linear { colours } | Self::WithinSlices { colours }) = self;
        colours
    }
}

/// At most this many caches are kept; processors have four or five.
pub type Caches = Vec<Cache, 8>;

const SLICE_SETS: u32 = 2048;

impl Cache {
    /// Decodes one subleaf; none for type 0 ("no more caches").
    #[must_use]
    pub fn decode(answer: Registers) -> Option<Self> {
        let kind = match answer.eax & 0x1f {
            1 => CacheKind::Data,
            2 => CacheKind::Instruction,
            3 => CacheKind::Unified,
            _ => return None,
        };
        Some(Self {
            kind,
            level: u8::try_from(answer.eax >> 5 & 7).unwrap_or(0),
            ways: (answer.ebx >> 22) + 1,
            sets: answer.ecx.saturating_add(1),
            line_bytes: (answer.ebx & 0xfff) + 1,
            partitions: (answer.ebx >> 12 & 0x3ff) + 1,
            sharing: (answer.eax >> 14 & 0xfff) + 1,
            fully_associative: answer.eax >> 9 & 1 == 1,
            inclusive: answer.edx >> 1 & 1 == 1,
            complex_indexing: answer.edx >> 2 & 1 == 1,
        })
    }

    /// Capacity in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let line = u64::from(self.line_bytes).saturating_mul(u64::from(self.partitions));
        line.saturating_mul(u64::from(self.ways)).saturating_mul(u64::from(self.sets))
    }

    /// Page colours if sets follow from address bits alone: the bytes one way
    /// covers, in pages of 4 KiB, and at least 1.
    #[must_use]
    pub fn linear_colours(&self) -> u32 {
        let way_bytes = u64::from(self.sets).saturating_mul(u64::from(self.line_bytes));
        u32::try_from(way_bytes / 4096).unwrap_or(u32::MAX).max(1)
    }

    /// How page colours divide it.
    #[must_use]
    pub fn colouring(&self) -> Colouring {
        // A number of sets that is no power of two is that of several slices.
        if !self.complex_indexing && self.sets.is_power_of_two() {
            return Colouring::Linear { colours: self.linear_colours() };
        }
        let slice_sets = (1 << self.sets.trailing_zeros().min(31)).min(SLICE_SETS);
        let slice = Self { sets: slice_sets, ..*self };
        Colouring::WithinSlices { colours: slice.linear_colours() }
    }

    /// How many low bits of the APIC id two logical processors that share this
    /// cache may differ in.
    #[must_use]
    pub fn sharing_shift(&self) -> u32 {
        self.sharing.next_power_of_two().trailing_zeros()
    }

    /// Whether both logical processors use the same one.
    #[must_use]
    pub fn is_shared_by(&self, apic_id: u32, other_apic_id: u32) -> bool {
        (apic_id ^ other_apic_id).checked_shr(self.sharing_shift()).unwrap_or(0) == 0
    }
}

/// Every cache the processor describes: leaf 4 on Intel, 8000001DH on AMD where
/// it is announced, otherwise what 80000005H and 80000006H say.
pub(crate) fn caches<L: Leaf + ?Sized>(reader: &Reader<'_, L>, vendor: Vendor, features: Features) -> Caches {
    if !vendor.is_amd_like() {
        return deterministic(reader, 4);
    }
    let found =
        if features.has(Feature::Topoext) { deterministic(reader, 0x8000_001d) } else { Caches::new() };
    if found.is_empty() { legacy_amd(reader) } else { found }
}

fn deterministic<L: Leaf + ?Sized>(reader: &Reader<'_, L>, leaf: u32) -> Caches {
    (0..8).map_while(|subleaf| Cache::decode(reader.get(leaf, subleaf)?)).collect()
}

/// AMD before family 15H: sizes and ways only, sharing unknown and taken as
/// one core for levels 1 and 2 and as the whole package for level 3.
fn legacy_amd<L: Leaf + ?Sized>(reader: &Reader<'_, L>) -> Caches {
    let mut found = Caches::new();
    let first = reader.get(0x8000_0005, 0).unwrap_or_default();
    let outer = reader.get(0x8000_0006, 0).unwrap_or_default();
    let package = reader.get(1, 0).map_or(1, |leaf| (leaf.ebx >> 16 & 0xff).max(1));
    let level1 = |register: u32| (register >> 24, register >> 16 & 0xff, register & 0xff);
    let (data_kib, data_ways, data_line) = level1(first.ecx);
    let (code_kib, code_ways, code_line) = level1(first.edx);
    let (ways2, ways3) = (legacy_ways(outer.ecx >> 12 & 0xf), legacy_ways(outer.edx >> 12 & 0xf));
    let candidates = [
        (CacheKind::Data, 1, data_kib, data_ways, data_line, 1),
        (CacheKind::Instruction, 1, code_kib, code_ways, code_line, 1),
        (CacheKind::Unified, 2, outer.ecx >> 16, ways2, outer.ecx & 0xff, 1),
        (CacheKind::Unified, 3, (outer.edx >> 18) * 512, ways3, outer.edx & 0xff, package),
    ];
    for (kind, level, kib, ways, line_bytes, sharing) in candidates {
        let way_bytes = ways.saturating_mul(line_bytes);
        let sets = kib.saturating_mul(1024).checked_div(way_bytes).unwrap_or(0);
        if sets == 0 {
            continue;
        }
        // The container holds eight and there are four.
        let _ = found.push(Cache {
            kind,
            level,
            ways,
            sets,
            line_bytes,
            partitions: 1,
            sharing,
            fully_associative: false,
            inclusive: false,
            complex_indexing: false,
        });
    }
    found
}

/// The associativity code of 80000006H; 0 where it names no number of ways
/// (disabled, fully associative, or "see 8000001DH").
fn legacy_ways(code: u32) -> u32 {
    match code {
        1 | 2 | 4 => code,
        3 => 3,
        5 => 6,
        6 => 8,
        8 => 16,
        0xa => 32,
        0xb => 48,
        0xc => 64,
        0xd => 96,
        0xe => 128,
        _ => 0,
    }
}
