//! Loads and stores of translated code.
//!
//! QEMU's own look-up of the physical address costs more than the whole model,
//! so each vCPU keeps the pages it used last, as a TLB would: entries go when
//! the guest does what the manual demands after a change of its page tables
//! (MOV to CR, INVLPG, INVPCID). An access counts as one, by its first byte.
//!
//! A further access to the line used last changes nothing (it is the most
//! recent of its set already), so it ends before either is asked; but not the
//! first store after loads, which makes the line dirty.

use std::ffi::{c_uint, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::api::MemoryInfo;
use crate::entries::index;
use crate::model::model;

const ENTRIES: usize = 4096;
const PAGE: u64 = 4096;
const LINE: u64 = umbra_model::LINE_BYTES;
/// A page number has no more bits; above them is the generation.
const PAGE_BITS: u32 = 52;
const GENERATIONS: u64 = 1 << (64 - PAGE_BITS);
/// A page that is not modelled: a device, or beyond what the caches can tag.
const DEVICE: u64 = u64::MAX;
/// The page of the local APIC, whose counter entry is looked at.
const LOCAL_APIC: u64 = u64::MAX - 1;
const LOCAL_APIC_ADDRESS: u64 = 0xFEE0_0000;
const COUNTER_ENTRY: u64 = 0x340;

/// The line each vCPU used last (linear address over 64, doubled), and in the
/// lowest bit whether it is dirty. Atomic only to be static; one thread uses it.
static RECENT: [AtomicU64; 64] = [const { AtomicU64::new(NO_LINE) }; 64];
const NO_LINE: u64 = u64::MAX;

#[derive(Clone, Copy)]
struct Entry {
    tag: u64,
    physical: u64,
}

/// Matches no page of generation 1 or later.
const EMPTY: Entry = Entry { tag: 0, physical: DEVICE };

/// The pages a vCPU used last.
pub(crate) struct Pages {
    entries: Vec<Entry>,
    generation: u64,
}

impl Default for Pages {
    fn default() -> Self {
        Self { entries: vec![EMPTY; ENTRIES], generation: 1 }
    }
}

impl Pages {
    /// Forgets all pages.
    pub(crate) fn clear(&mut self) {
        self.generation += 1;
        if self.generation == GENERATIONS {
            self.entries.fill(EMPTY);
            self.generation = 1;
        }
    }

    #[inline]
    fn tag(&self, page: u64) -> u64 {
        page | self.generation << PAGE_BITS
    }

    #[inline]
    fn find(&self, page: u64) -> Option<u64> {
        let entry = self.entries.get(slot(page))?;
        (entry.tag == self.tag(page)).then_some(entry.physical)
    }

    fn keep(&mut self, page: u64, physical: u64) {
        let tag = self.tag(page);
        self.entries[slot(page)] = Entry { tag, physical };
    }
}

#[inline]
fn slot(page: u64) -> usize {
    usize::try_from(page).unwrap_or(0) % ENTRIES
}

/// Forgets the line a vCPU used last: before others use its cache, and when
/// its pages change.
pub(crate) fn forget_line(vcpu: usize) {
    if let Some(recent) = RECENT.get(vcpu) {
        recent.store(NO_LINE, Ordering::Relaxed);
    }
}

pub(crate) unsafe extern "C" fn loaded(vcpu: c_uint, info: MemoryInfo, address: u64, _: *mut c_void) {
    let vcpu = index(vcpu);
    let Some(recent) = RECENT.get(vcpu) else { return };
    if recent.load(Ordering::Relaxed) >> 1 != address / LINE {
        // SAFETY: called by translated code on the emulating thread.
        unsafe { access(vcpu, recent, info, address, false) }
    }
}

pub(crate) unsafe extern "C" fn stored(vcpu: c_uint, info: MemoryInfo, address: u64, _: *mut c_void) {
    let vcpu = index(vcpu);
    let Some(recent) = RECENT.get(vcpu) else { return };
    if recent.load(Ordering::Relaxed) != address / LINE * 2 + 1 {
        // SAFETY: called by translated code on the emulating thread.
        unsafe { access(vcpu, recent, info, address, true) }
    }
}

/// Forgets a vCPU's pages; called before an instruction that changes them.
pub(crate) unsafe extern "C" fn translation_changes(vcpu: c_uint, _: *mut c_void) {
    // SAFETY: called by translated code on the emulating thread.
    unsafe { model() }.vcpus[index(vcpu)].pages.clear();
    forget_line(index(vcpu));
}

#[inline]
unsafe fn access(vcpu: usize, recent: &AtomicU64, info: MemoryInfo, address: u64, write: bool) {
    // SAFETY: the emulating thread.
    let model = unsafe { model() };
    let physical = match model.vcpus[vcpu].pages.find(address / PAGE) {
        Some(physical) => physical,
        // SAFETY: in the callback of this very access.
        None => unsafe { look_up(vcpu, info, address) },
    };
    if physical >= LOCAL_APIC {
        if physical == LOCAL_APIC && write && address % PAGE == COUNTER_ENTRY {
            // SAFETY: in the callback of this very access.
            let value = unsafe { (model.qemu.memory_value)(info) };
            model.vcpus[vcpu].counter_vector = u32::try_from(value.low & 0xFFFF_FFFF).unwrap_or(0);
        }
        return;
    }
    recent.store(address / LINE * 2 + u64::from(write), Ordering::Relaxed);
    let physical = physical + address % PAGE;
    if !model.hierarchy.hits(vcpu, physical, write) {
        let now = model.now(vcpu);
        let stall = model.hierarchy.miss(vcpu, physical, write, now);
        if stall != 0 {
            model.stall(vcpu, stall);
        }
    }
}

#[cold]
unsafe fn look_up(vcpu: usize, info: MemoryInfo, address: u64) -> u64 {
    // SAFETY: the emulating thread, in the callback of the access.
    let (model, place) = unsafe { (model(), (model().qemu.hardware_address)(info, address)) };
    if place.is_null() {
        return DEVICE;
    }
    // SAFETY: valid during the callback.
    let (device, physical) =
        unsafe { ((model.qemu.is_device)(place), (model.qemu.physical_address)(place) / PAGE * PAGE) };
    let physical = match (device, physical) {
        (_, LOCAL_APIC_ADDRESS) => LOCAL_APIC,
        (true, _) => DEVICE,
        (false, physical) if physical + PAGE > model.hierarchy.address_limit() => DEVICE,
        (false, physical) => physical,
    };
    model.vcpus[vcpu].pages.keep(address / PAGE, physical);
    physical
}
