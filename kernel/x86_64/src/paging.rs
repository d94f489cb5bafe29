//! Edits of the one address space that all cores share.
//!
//! The boot loader leaves a window through which all physical memory is seen;
//! tables are reached through it. Only the control core edits.

mod remap;

use x86_64::registers::control::Cr3;
use x86_64::structures::paging::mapper::{CleanUp, MapToError, TranslateResult};
use x86_64::structures::paging::{
    FrameAllocator, FrameDeallocator, Mapper, OffsetPageTable, Page, PageTable, PageTableFlags, PhysFrame,
    Size4KiB, Translate,
};
use x86_64::{PhysAddr, VirtAddr};

/// How a page may be used. There is no way to ask for writable *and* executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only.
    Read,
    /// Read and write.
    ReadWrite,
    /// Read and execute.
    Execute,
    /// Device registers: read and write, uncached.
    Device,
}

impl Access {
    fn flags(self) -> PageTableFlags {
        let present = PageTableFlags::PRESENT;
        match self {
            Self::Read => present | PageTableFlags::NO_EXECUTE,
            Self::ReadWrite => present | PageTableFlags::WRITABLE | PageTableFlags::NO_EXECUTE,
            Self::Execute => present,
            Self::Device => {
                Self::ReadWrite.flags() | PageTableFlags::NO_CACHE | PageTableFlags::WRITE_THROUGH
            }
        }
    }
}

/// Why a page could not be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// No frame for a page table.
    OutOfFrames,
    /// Something is mapped there already.
    Occupied,
    /// The address is not canonical or not page-aligned.
    BadAddress,
}

/// The address space.
#[derive(Debug)]
pub struct Space {
    table: OffsetPageTable<'static>,
    window: u64,
}

struct Source<'a>(&'a mut dyn FnMut() -> Option<u64>);

// SAFETY: `Space::map`'s contract: the source gives unused frames.
unsafe impl FrameAllocator<Size4KiB> for Source<'_> {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        (self.0)().map(|address| PhysFrame::containing_address(PhysAddr::new(address)))
    }
}

struct Sink<'a>(&'a mut dyn FnMut(u64));

impl FrameDeallocator<Size4KiB> for Sink<'_> {
    unsafe fn deallocate_frame(&mut self, frame: PhysFrame) {
        (self.0)(frame.start_address().as_u64());
    }
}

impl Space {
    /// The tables that CR3 names, seen through the window at `window`.
    ///
    /// # Safety
    /// All physical memory that holds page tables is mapped at `window`, and
    /// no other `Space` is in use.
    #[must_use]
    pub unsafe fn current(window: u64) -> Self {
        let (root, _) = Cr3::read();
        let root = (window + root.start_address().as_u64()) as *mut PageTable;
        // SAFETY: the caller vouches for window and uniqueness.
        let table = unsafe { OffsetPageTable::new(&mut *root, VirtAddr::new(window)) };
        Self { table, window }
    }

    /// Physical address of the top-level table.
    #[must_use]
    pub fn root(&self) -> u64 {
        Cr3::read().0.start_address().as_u64()
    }

    /// Where physical memory is seen.
    #[must_use]
    pub const fn window(&self) -> u64 {
        self.window
    }

    /// Maps one 4 KiB page. Tables on the way come zeroed from `frames`.
    ///
    /// # Errors
    /// See [`MapError`]; nothing is mapped then.
    ///
    /// # Safety
    /// Nothing is referenced through `page` yet, `frame` may be accessed as
    /// asked, and `frames` gives frames that nobody else uses.
    pub unsafe fn map(
        &mut self,
        page: u64,
        frame: u64,
        access: Access,
        frames: &mut dyn FnMut() -> Option<u64>,
    ) -> Result<(), MapError> {
        let page =
            VirtAddr::try_new(page).ok().and_then(|page| Page::<Size4KiB>::from_start_address(page).ok());
        let page = page.ok_or(MapError::BadAddress)?;
        let frame = PhysAddr::try_new(frame).map_err(|_| MapError::BadAddress)?;
        let frame = PhysFrame::from_start_address(frame).map_err(|_| MapError::BadAddress)?;
        let parents = PageTableFlags::PRESENT | PageTableFlags::WRITABLE;
        // SAFETY: the caller vouches for page, frame and source.
        let mapped = unsafe {
            self.table.map_to_with_table_flags(page, frame, access.flags(), parents, &mut Source(frames))
        };
        match mapped {
            Ok(flush) => {
                flush.flush();
                Ok(())
            }
            Err(MapToError::FrameAllocationFailed) => Err(MapError::OutOfFrames),
            Err(_) => Err(MapError::Occupied),
        }
    }

    /// Unmaps one 4 KiB page and returns its frame; none when nothing was
    /// there. Other cores may keep the translation until they flush.
    ///
    /// # Safety
    /// Nothing is accessed through the page any more.
    pub unsafe fn unmap(&mut self, page: u64) -> Option<u64> {
        let page = Page::<Size4KiB>::from_start_address(VirtAddr::try_new(page).ok()?).ok()?;
        let (frame, flush) = self.table.unmap(page).ok()?;
        flush.flush();
        Some(frame.start_address().as_u64())
    }

    /// Takes page tables that map nothing any more out of the range and gives
    /// them to `detached`. Other cores may walk them until they flush: they are
    /// to be used for something else only after that.
    ///
    /// # Safety
    /// Nothing is accessed in the range.
    pub unsafe fn detach_empty_tables(&mut self, from: u64, bytes: u64, detached: &mut dyn FnMut(u64)) {
        let page = |address| VirtAddr::try_new(address).ok().map(Page::<Size4KiB>::containing_address);
        let (Some(first), Some(last)) = (page(from), page(from + bytes.max(1) - 1)) else { return };
        // SAFETY: only tables without entries go, and the sink keeps them.
        unsafe { self.table.clean_up_addr_range(Page::range_inclusive(first, last), &mut Sink(detached)) };
        flush_all();
    }

    /// The physical address behind a virtual one.
    #[must_use]
    pub fn translate(&self, address: u64) -> Option<u64> {
        match self.table.translate(VirtAddr::try_new(address).ok()?) {
            TranslateResult::Mapped { frame, offset, .. } => Some(frame.start_address().as_u64() + offset),
            _ => None,
        }
    }

    /// Walks every mapped page and makes those that are both writable and
    /// executable non-executable. For boot: visits every table once.
    pub fn enforce_write_xor_execute(&mut self) -> Audit {
        let mut audit = Audit::default();
        let window = self.window;
        walk(self.table.level_4_table_mut(), 4, window, true, true, &mut audit);
        x86_64::instructions::tlb::flush_all();
        audit
    }
}

/// What [`Space::enforce_write_xor_execute`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Mappings seen, of any size.
    pub mappings: u64,
    /// Executable ones.
    pub executable: u64,
    /// Writable and executable ones, now made non-executable.
    pub repaired: u64,
}

fn walk(table: &mut PageTable, level: u8, window: u64, writable: bool, executable: bool, audit: &mut Audit) {
    for entry in table.iter_mut() {
        let flags = entry.flags();
        if !flags.contains(PageTableFlags::PRESENT) {
            continue;
        }
        let writable = writable && flags.contains(PageTableFlags::WRITABLE);
        let executable = executable && !flags.contains(PageTableFlags::NO_EXECUTE);
        if level > 1 && !flags.contains(PageTableFlags::HUGE_PAGE) {
            let next = (window + entry.addr().as_u64()) as *mut PageTable;
            // SAFETY: a present entry above level 1 names a table, which the
            // window shows; `current` made this the only reference to it.
            walk(unsafe { &mut *next }, level - 1, window, writable, executable, audit);
            continue;
        }
        audit.mappings += 1;
        audit.executable += u64::from(executable);
        if writable && executable {
            audit.repaired += 1;
            entry.set_flags(flags | PageTableFlags::NO_EXECUTE);
        }
    }
}

/// Forgets this core's cached translations.
pub fn flush_all() {
    x86_64::instructions::tlb::flush_all();
}

/// The address that caused the page fault in service.
#[must_use]
pub fn fault_address() -> u64 {
    x86_64::registers::control::Cr2::read_raw()
}
