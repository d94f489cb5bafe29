//! What moving a page needs: its accessed bit, and another frame behind it.
//!
//! Entries are changed by atomic operations, since a processor may set bits of
//! them at any time (SDM vol. 3A 4.8).

use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::instructions::tlb;
use x86_64::structures::paging::PageTableFlags;
use x86_64::{PhysAddr, VirtAddr};

use super::Space;

const PRESENT: u64 = PageTableFlags::PRESENT.bits();
const LARGE: u64 = PageTableFlags::HUGE_PAGE.bits();
const ACCESSED: u64 = PageTableFlags::ACCESSED.bits();
const DIRTY: u64 = PageTableFlags::DIRTY.bits();
/// Bits 12 to 51: where the entry leads.
const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;

impl Space {
    /// Whether the 4 KiB page at `address` was accessed since
    /// [`Self::forget_access`]; false where there is none.
    #[must_use]
    pub fn was_accessed(&self, address: u64) -> bool {
        self.entry(address).is_some_and(|entry| entry.load(Ordering::Relaxed) & ACCESSED != 0)
    }

    /// Clears a page's accessed bit. It stays clear while a processor has the
    /// translation cached: flush where that matters.
    pub fn forget_access(&mut self, address: u64) {
        if let Some(entry) = self.entry(address) {
            entry.fetch_and(!ACCESSED, Ordering::Relaxed);
        }
    }

    /// Maps `frame` in place of what the 4 KiB page at `address` has, with the
    /// same access, and returns the frame it had; none where there is no such
    /// page. Other cores may keep the old translation until they flush.
    ///
    /// # Safety
    /// `frame` holds what the page holds and belongs to whoever the page
    /// belongs to; nobody writes to the page meanwhile.
    pub unsafe fn redirect(&mut self, address: u64, frame: u64) -> Option<u64> {
        let frame = PhysAddr::try_new(frame).ok().filter(|frame| frame.is_aligned(4096u64))?;
        let entry = self.entry(address)?;
        let before = entry.load(Ordering::Relaxed);
        entry.store(before & !(ADDRESS | ACCESSED | DIRTY) | frame.as_u64(), Ordering::Release);
        tlb::flush(VirtAddr::new_truncate(address));
        Some(before & ADDRESS)
    }

    /// The level-1 entry of a mapped page. Four loads.
    fn entry(&self, address: u64) -> Option<&AtomicU64> {
        VirtAddr::try_new(address).ok()?;
        let mut table = self.root();
        for level in (0..4u32).rev() {
            let index = (address >> (12 + 9 * level)) & 0x1FF;
            let place = (self.window + table + index * 8) as *mut u64;
            // SAFETY: the window shows every page table; `place` is one of the
            // table's 512 aligned entries, and all that change it do so through
            // `&mut self` or are processors, atomically.
            let entry = unsafe { AtomicU64::from_ptr(place) };
            let value = entry.load(Ordering::Relaxed);
            if value & PRESENT == 0 || (level > 0 && value & LARGE != 0) {
                return None;
            }
            if level == 0 {
                return Some(entry);
            }
            table = value & ADDRESS;
        }
        None
    }
}
