use super::{Caches, Feature, Features, Leaf, Reader, Vendor};
use heapless::Vec;

/// What a group of APIC ids that share their upper bits is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelKind {
    /// A logical processor of a core.
    Thread,
    /// A core.
    Core,
    /// Cores that share a level 2 cache (Intel module).
    Module,
    /// Intel tile.
    Tile,
    /// Cores that share a level 3 cache (AMD core complex).
    Complex,
    /// A die.
    Die,
    /// Intel group of dies.
    DieGroup,
    /// Something newer.
    Other(u8),
}

/// The part of an APIC id that numbers one kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// What is numbered.
    pub kind: LevelKind,
    /// The lowest bit of its number.
    pub low: u8,
    /// The first bit above its number.
    pub high: u8,
    /// Logical processors in one of what comes next above, as counted by the
    /// processor; 0 when it does not say.
    pub logical: u32,
}

/// How APIC ids are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// The levels inside a package from the thread up.
    pub levels: Vec<Level, 8>,
    /// The leaf it was read from.
    pub source: u32,
    /// The APIC id of the processor that was asked, all 32 bits where it says.
    pub apic_id: u32,
}

/// Where a logical processor is. Numbers count from 0 within what is above;
/// what the processor does not have is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Package (socket).
    pub package: u32,
    /// Die in the package.
    pub die: u32,
    /// Core complex, tile or module in the die.
    pub cluster: u32,
    /// Core in the cluster.
    pub core: u32,
    /// Thread in the core.
    pub thread: u32,
}

/// A hybrid processor's kind of core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreKind {
    /// Fast core.
    Performance,
    /// Small core.
    Efficient,
    /// All cores are alike, or the processor does not say.
    Uniform,
}

impl Topology {
    /// Reads the best leaf there is: 1FH, then 0BH; on AMD 80000026H, then 0BH,
    /// then 8000001EH; else leaves 1 and 4 or 80000008H.
    pub(crate) fn read<L: Leaf + ?Sized>(
        reader: &Reader<'_, L>,
        vendor: Vendor,
        features: Features,
        caches: &Caches,
    ) -> Self {
        let candidates: [(u32, NameLevel); 3] =
            [(0x8000_0026, amd_level), (0x1f, intel_level), (0xb, intel_level)];
        let listed = candidates
            .into_iter()
            .filter(|(leaf, _)| vendor.is_amd_like() || *leaf != 0x8000_0026)
            .find_map(|(leaf, kind)| enumerated(reader, leaf, kind));
        let mut topology = listed.unwrap_or_else(|| {
            if vendor.is_amd_like() { legacy_amd(reader, features) } else { legacy_intel(reader, features) }
        });
        if vendor.is_amd_like() && topology.source != 0x8000_0026 {
            topology.insert_complex(caches);
        }
        topology
    }

    /// Takes an APIC id apart.
    #[must_use]
    pub fn place(&self, apic_id: u32) -> Place {
        let mut place = Place { package: shifted(apic_id, self.package_shift()), ..Place::default() };
        for level in &self.levels {
            let number = shifted(apic_id, level.low) & mask(level.high.saturating_sub(level.low));
            match level.kind {
                LevelKind::Thread => place.thread = number,
                LevelKind::Core => place.core = number,
                LevelKind::Module | LevelKind::Tile | LevelKind::Complex => {
                    place.cluster |= number << level.low.saturating_sub(self.cluster_shift()).min(31);
                }
                LevelKind::Die | LevelKind::DieGroup | LevelKind::Other(_) => {
                    place.die |= number << level.low.saturating_sub(self.die_shift()).min(31);
                }
            }
        }
        place
    }

    /// Whether both are threads of one core.
    #[must_use]
    pub fn are_siblings(&self, apic_id: u32, other_apic_id: u32) -> bool {
        shifted(apic_id ^ other_apic_id, self.core_shift()) == 0
    }

    /// Low bits of the APIC id that number the threads of a core.
    #[must_use]
    pub fn core_shift(&self) -> u8 {
        self.levels
            .iter()
            .filter(|level| level.kind == LevelKind::Thread)
            .map(|level| level.high)
            .max()
            .unwrap_or(0)
    }

    /// Low bits of the APIC id that number everything within a package.
    #[must_use]
    pub fn package_shift(&self) -> u8 {
        self.levels.iter().map(|level| level.high).max().unwrap_or(0)
    }

    /// Threads of a core, as the processor counts or else as its ids allow.
    #[must_use]
    pub fn threads_per_core(&self) -> u32 {
        let thread = self.levels.iter().find(|level| level.kind == LevelKind::Thread);
        thread.map_or(1, |level| if level.logical == 0 { 1 << level.high.min(31) } else { level.logical })
    }

    fn cluster_shift(&self) -> u8 {
        self.lowest(|kind| matches!(kind, LevelKind::Module | LevelKind::Tile | LevelKind::Complex))
    }

    fn die_shift(&self) -> u8 {
        self.lowest(|kind| matches!(kind, LevelKind::Die | LevelKind::DieGroup | LevelKind::Other(_)))
    }

    fn lowest(&self, wanted: impl Fn(LevelKind) -> bool) -> u8 {
        self.levels.iter().filter(|level| wanted(level.kind)).map(|level| level.low).min().unwrap_or(0)
    }

    /// AMD without 80000026H: the cores that share a level 3 cache are a
    /// complex, if there can be several in the package.
    fn insert_complex(&mut self, caches: &Caches) {
        let Some(cache) = caches.iter().find(|cache| cache.level == 3) else { return };
        let shift = u8::try_from(cache.sharing_shift()).unwrap_or(0);
        let Some(core) = self.levels.iter_mut().find(|level| level.kind == LevelKind::Core) else { return };
        if shift <= core.low || shift >= core.high {
            return;
        }
        let complex = Level { kind: LevelKind::Complex, low: shift, high: core.high, logical: core.logical };
        core.high = shift;
        core.logical = cache.sharing;
        // Two levels of eight are in use here.
        let _ = self.levels.push(complex);
    }
}

/// What a level type number means in one leaf.
type NameLevel = fn(u32) -> Option<LevelKind>;

/// Leaf 1AH says what kind of core it was executed on (SDM volume 2A).
pub(crate) fn core_kind<L: Leaf + ?Sized>(reader: &Reader<'_, L>, features: Features) -> CoreKind {
    if !features.has(Feature::Hybrid) {
        return CoreKind::Uniform;
    }
    match reader.get(0x1a, 0).unwrap_or_default().eax >> 24 {
        0x20 => CoreKind::Efficient,
        0x40 => CoreKind::Performance,
        _ => CoreKind::Uniform,
    }
}

/// Leaves 0BH, 1FH and 80000026H share one form. Each subleaf describes one
/// level and gives the first bit above it; a level 0 ends the list.
fn enumerated<L: Leaf + ?Sized>(reader: &Reader<'_, L>, leaf: u32, kind: NameLevel) -> Option<Topology> {
    let first = reader.get(leaf, 0)?;
    if first.ebx & 0xffff == 0 || kind(first.ecx >> 8 & 0xff).is_none() {
        return None;
    }
    let mut topology = Topology { levels: Vec::new(), source: leaf, apic_id: first.edx };
    let mut low = 0;
    for subleaf in 0..8 {
        let answer = reader.get(leaf, subleaf)?;
        let Some(kind) = kind(answer.ecx >> 8 & 0xff) else { break };
        let high = u8::try_from(answer.eax & 0x1f).unwrap_or(0).max(low);
        // As many subleaves are read as there is room for.
        let _ = topology.levels.push(Level { kind, low, high, logical: answer.ebx & 0xffff });
        low = high;
    }
    Some(topology)
}

/// The level a subleaf's type names is the one whose number the bits below the
/// shift hold: type 1 holds threads, type 2 cores, and so on.
fn intel_level(kind: u32) -> Option<LevelKind> {
    Some(match kind {
        0 => return None,
        1 => LevelKind::Thread,
        2 => LevelKind::Core,
        3 => LevelKind::Module,
        4 => LevelKind::Tile,
        5 => LevelKind::Die,
        6 => LevelKind::DieGroup,
        other => LevelKind::Other(u8::try_from(other).unwrap_or(u8::MAX)),
    })
}

/// AMD numbers levels by what they hold: level 1 "core" has the threads of a
/// core below its shift, 2 "complex" the cores of a complex, and so on (APM
/// volume 3, appendix E.4.24).
fn amd_level(kind: u32) -> Option<LevelKind> {
    Some(match kind {
        0 => return None,
        1 => LevelKind::Thread,
        2 => LevelKind::Core,
        3 => LevelKind::Complex,
        4 => LevelKind::Die,
        other => LevelKind::Other(u8::try_from(other).unwrap_or(u8::MAX)),
    })
}

/// Leaf 1 gives the ids in a package, leaf 4 the ids of cores (SDM volume 3A,
/// section 9.9.3).
fn legacy_intel<L: Leaf + ?Sized>(reader: &Reader<'_, L>, features: Features) -> Topology {
    let first = reader.get(1, 0).unwrap_or_default();
    let logical = if features.has(Feature::Htt) { (first.ebx >> 16 & 0xff).max(1) } else { 1 };
    let cores = reader.get(4, 0).map_or(1, |leaf| (leaf.eax >> 26) + 1);
    let package = bits(logical);
    let thread = package.saturating_sub(bits(cores));
    two_levels(thread, package.max(bits(cores)), 1, first.ebx >> 24)
}

/// 80000008H gives the width of the core number, 8000001EH the threads.
fn legacy_amd<L: Leaf + ?Sized>(reader: &Reader<'_, L>, features: Features) -> Topology {
    let first = reader.get(1, 0).unwrap_or_default();
    let sizes = reader.get(0x8000_0008, 0).unwrap_or_default().ecx;
    let width = u8::try_from(sizes >> 12 & 0xf).unwrap_or(0);
    let package = if width == 0 { bits((sizes & 0xff) + 1) } else { width };
    let extended = reader.get(0x8000_001e, 0).filter(|_| features.has(Feature::Topoext));
    let threads = extended.map_or(1, |leaf| (leaf.ebx >> 8 & 0xff) + 1);
    let apic_id = extended.map_or(first.ebx >> 24, |leaf| leaf.eax);
    let source = if extended.is_some() { 0x8000_001e } else { 0x8000_0008 };
    two_levels(bits(threads).min(package), package, source, apic_id)
}

fn two_levels(thread: u8, package: u8, source: u32, apic_id: u32) -> Topology {
    let levels = [
        Level { kind: LevelKind::Thread, low: 0, high: thread, logical: 0 },
        Level { kind: LevelKind::Core, low: thread, high: package, logical: 0 },
    ];
    Topology { levels: levels.into_iter().collect(), source, apic_id }
}

/// Bits needed to number `count` things.
fn bits(count: u32) -> u8 {
    u8::try_from(count.max(1).next_power_of_two().trailing_zeros()).unwrap_or(0)
}

fn shifted(value: u32, by: u8) -> u32 {
    value.checked_shr(u32::from(by)).unwrap_or(0)
}

fn mask(bits: u8) -> u32 {
    1u32.checked_shl(u32::from(bits)).map_or(u32::MAX, |bit| bit - 1)
}
