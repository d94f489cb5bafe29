//! Loads and stores of translated code.
//!
//! QEMU's own look-up of the physical address costs more than the whole model,
//! so each vCPU keeps the pages it used last, as a TLB would: entries go when
//! the guest does what the manual demands after a change of its page tables
//! (MOV to CR, INVLPG, INVPCID). An access counts as one, by its first byte.

use std::ffi::{c_uint, c_void};

use crate::api::MemoryInfo;
use crate::entries::index;
use crate::model::model;

const ENTRIES: usize = 1024;
const PAGE: u64 = 4096;
/// A page that is not modelled: a device, or beyond what the caches can tag.
const DEVICE: u64 = u64::MAX;
/// The page of the local APIC, whose counter entry is looked at.
const LOCAL_APIC: u64 = u64::MAX - 1;
const LOCAL_APIC_ADDRESS: u64 = 0xFEE0_0000;
const COUNTER_ENTRY: u64 = 0x340;

#[derive(Clone, Copy)]
struct Entry {
    page: u64,
    physical: u64,
}

/// The pages a vCPU used last.
pub(crate) struct Pages(Vec<Entry>);

impl Default for Pages {
    fn default() -> Self {
        Self(vec![Entry { page: u64::MAX, physical: DEVICE }; ENTRIES])
    }
}

impl Pages {
    pub(crate) fn clear(&mut self) {
        self.0.fill(Entry { page: u64::MAX, physical: DEVICE });
    }

    #[inline]
    fn slot(&mut self, page: u64) -> &mut Entry {
        let at = usize::try_from(page).unwrap_or(0) % ENTRIES;
        &mut self.0[at]
    }
}

pub(crate) unsafe extern "C" fn loaded(vcpu: c_uint, info: MemoryInfo, address: u64, _: *mut c_void) {
    // SAFETY: called by translated code on the emulating thread.
    unsafe { access(index(vcpu), info, address, false) }
}

pub(crate) unsafe extern "C" fn stored(vcpu: c_uint, info: MemoryInfo, address: u64, _: *mut c_void) {
    // SAFETY: called by translated code on the emulating thread.
    unsafe { access(index(vcpu), info, address, true) }
}

/// Forgets a vCPU's pages; called before an instruction that changes them.
pub(crate) unsafe extern "C" fn translation_changes(vcpu: c_uint, _: *mut c_void) {
    // SAFETY: called by translated code on the emulating thread.
    unsafe { model() }.vcpus[index(vcpu)].pages.clear();
}

#[inline]
unsafe fn access(vcpu: usize, info: MemoryInfo, address: u64, write: bool) {
    // SAFETY: the emulating thread.
    let model = unsafe { model() };
    let page = address / PAGE;
    let entry = *model.vcpus[vcpu].pages.slot(page);
    let physical = if entry.page == page {
        entry.physical
    } else {
        // SAFETY: in the callback of this very access.
        unsafe { look_up(vcpu, info, address) }
    };
    if physical >= LOCAL_APIC {
        if physical == LOCAL_APIC && write && address % PAGE == COUNTER_ENTRY {
            // SAFETY: in the callback of this very access.
            let value = unsafe { (model.qemu.memory_value)(info) };
            model.vcpus[vcpu].counter_vector = u32::try_from(value.low & 0xFFFF_FFFF).unwrap_or(0);
        }
        return;
    }
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
    let page = address / PAGE;
    *model.vcpus[vcpu].pages.slot(page) = Entry { page, physical };
    physical
}
