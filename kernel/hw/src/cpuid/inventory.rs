use super::{
    Cache, CacheKind, Caches, CoreKind, Features, Identity, Leaf, Reader, Topology, TscRate, caches::caches,
    topology::core_kind, tsc_rate,
};

/// Everything CPUID says that Umbra uses, asked once. On hybrid processors the
/// caches and the kind are those of the core it was asked on.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// Vendor, model and name.
    pub identity: Identity,
    /// Features.
    pub features: Features,
    /// Rate of the timestamp counter, if stated.
    pub tsc: Option<TscRate>,
    /// Caches, nearest first as the processor lists them.
    pub caches: Caches,
    /// How APIC ids are put together.
    pub topology: Topology,
    /// Kind of core.
    pub core_kind: CoreKind,
    /// Bits of a physical address.
    pub physical_bits: u8,
    /// Bits of a linear address.
    pub linear_bits: u8,
    /// Largest basic leaf.
    pub max_basic: u32,
    /// Largest extended leaf, 0 when there are none.
    pub max_extended: u32,
}

impl Inventory {
    /// Asks.
    pub fn read<L: Leaf + ?Sized>(leaf: &L) -> Self {
        let reader = Reader::new(leaf);
        let identity = Identity::read(&reader);
        let features = Features::read(&reader);
        let caches = caches(&reader, identity.vendor, features);
        let sizes = reader.get(0x8000_0008, 0).map_or(0, |leaf| leaf.eax);
        let [physical, linear, ..] = sizes.to_le_bytes();
        Self {
            identity,
            features,
            tsc: tsc_rate(&reader),
            topology: Topology::read(&reader, identity.vendor, features, &caches),
            caches,
            core_kind: core_kind(&reader, features),
            physical_bits: if physical == 0 { 36 } else { physical },
            linear_bits: if linear == 0 { 48 } else { linear },
            max_basic: reader.max_basic(),
            max_extended: reader.max_extended(),
        }
    }

    /// The cache farthest from the core that holds data.
    #[must_use]
    pub fn last_level_cache(&self) -> Option<&Cache> {
        self.caches
            .iter()
            .filter(|cache| cache.kind != CacheKind::Instruction)
            .max_by_key(|cache| cache.level)
    }
}
