//! Which running cores share what.

use umbra_control::machine::CoreSet;
use umbra_hw::cpuid::{Cache, CacheKind};

use super::the;
use crate::cores;

/// The running cores that share `cache` with core `number`, itself included.
pub(crate) fn sharing(cache: &Cache, number: u8) -> CoreSet {
    alike(number, |apic_id, other| cache.is_shared_by(apic_id, other))
}

/// The running threads of the physical core that `number` is a thread of,
/// itself included.
pub(crate) fn threads(number: u8) -> CoreSet {
    alike(number, |apic_id, other| the().inventory.topology.are_siblings(apic_id, other))
}

fn alike(number: u8, same: impl Fn(u32, u32) -> bool) -> CoreSet {
    let Some(core) = cores::get(number) else { return CoreSet(0) };
    let bits = cores::all()
        .filter(|other| same(core.apic_id(), other.apic_id()))
        .fold(0, |set, other| set | 1u64 << (other.number % 64));
    CoreSet(bits)
}

/// The cache of a level that holds data.
pub(crate) fn cache_of(level: u8) -> Option<&'static Cache> {
    let caches = &the().inventory.caches;
    caches.iter().find(|cache| cache.level == level && cache.kind != CacheKind::Instruction)
}

/// One core next to each cache of `level`, in the order of the cores: who
/// carries out what is to be done there. Without a description of that level,
/// one core for all.
pub(crate) fn leaders(level: u8) -> impl Iterator<Item = u8> {
    let cache = cache_of(level);
    cores::all().map(|core| core.number).filter(move |number| {
        let set = cache.map_or(cores::set(), |cache| sharing(cache, *number));
        set.0.trailing_zeros() == u32::from(*number)
    })
}
