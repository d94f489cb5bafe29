//! Frames, kernel objects and task slots, mapped.
//!
//! Only boot and the control task come here, so the lock is never contended;
//! no interrupt handler and no other core takes it.

mod areas;
pub(crate) mod colours;
pub(crate) mod evidence;
pub(crate) mod moving;
mod nodes;
mod objects;
pub(crate) mod verify;

pub(crate) use areas::Areas;
pub(crate) use nodes::{free_on, learn_nodes, nodes_under, settle_at};
pub(crate) use objects::object;

use core::sync::atomic::{AtomicU64, Ordering};

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
use spin::mutex::SpinMutex;
use umbra_memory::{
    Budget, Class, ColourSet, Colours, Division, FRAME_BYTES, Frame, FrameAllocator, OBJECTS_BASE, Owner,
    core_stack, memory_area, stack_area,
};
use umbra_x86_64::paging::{Access, Audit, MapError, Space};

/// Frames below this stay out of the allocator: real mode and firmware use them.
const LOW_MEMORY_END: u64 = 0x10_0000;
/// Real-mode memory ends here; above it are video memory and firmware.
const REAL_MODE_END: u64 = 0xA_0000;

/// Bytes of the kernel image and of the frame table: never given back.
static FIXED_BYTES: AtomicU64 = AtomicU64::new(0);
static WINDOW: AtomicU64 = AtomicU64::new(0);
static KERNEL_BASE: AtomicU64 = AtomicU64::new(0);
static MEMORY: SpinMutex<Option<Memory>> = SpinMutex::new(None);

struct Memory {
    frames: FrameAllocator<'static>,
    /// Which memory is of which node, as far as the platform says.
    nodes: nodes::Ranges,
    space: Space,
    /// Colours of page tables, of cores' stacks, of the heap and all else of the
    /// kernel's that is not part of its image.
    kernel: ColourSet,
    /// Where the next kernel object is mapped.
    next_object: u64,
    low_page: Option<u64>,
}

/// Why memory could not be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemoryError {
    /// Not enough free frames; how many were missing is in the numbers.
    Short { wanted: u32, free: u32 },
    /// The page tables would not take it.
    Mapping(MapError),
    /// Boot has not come that far.
    NotReady,
}

impl core::fmt::Display for MemoryError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Short { wanted, free } => write!(f, "out of memory: wanted {wanted} frames, {free} free"),
            Self::Mapping(error) => write!(f, "mapping failed: {error:?}"),
            Self::NotReady => f.write_str("memory is not set up yet"),
        }
    }
}

/// Figures for `mem` and the boot report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) managed: u32,
    pub(crate) free: u32,
    pub(crate) kernel: u32,
    pub(crate) page_tables: u32,
    pub(crate) corpus: u32,
    pub(crate) shadow: u32,
    pub(crate) colours: u32,
    pub(crate) division: Division,
}

/// Takes over the memory map: the allocator's own words come out of the first
/// region that is large enough.
pub(crate) fn init(
    regions: &[MemoryRegion],
    window: u64,
    (kernel_base, kernel_bytes): (u64, u64),
    colours: Colours,
) -> Usage {
    WINDOW.store(window, Ordering::Relaxed);
    KERNEL_BASE.store(kernel_base, Ordering::Relaxed);
    let usable = || regions.iter().filter(|region| region.kind == MemoryRegionKind::Usable);
    let high = || usable().filter(|region| region.end > LOW_MEMORY_END);
    let start = high().map(|region| region.start.max(LOW_MEMORY_END)).min().unwrap_or(LOW_MEMORY_END);
    let end = high().map(|region| region.end).max().unwrap_or(start);
    let words = FrameAllocator::words_for(start, end);
    let bytes = (words * 8).next_multiple_of(FRAME_BYTES);
    let home = high()
        .map(|region| region.start.max(LOW_MEMORY_END).next_multiple_of(FRAME_BYTES))
        .zip(high().map(|region| region.end))
        .find(|(from, to)| to.saturating_sub(*from) >= bytes)
        .map(|(from, _)| from);
    FIXED_BYTES.store(kernel_bytes + bytes, Ordering::Relaxed);
    let Some(home) = home else { panic!("no usable memory region holds {bytes} bytes for the frame table") };
    let count = usize::try_from(words).unwrap_or(0);
    // SAFETY: the boot loader says the region is unused, the window shows it,
    // and it is left out of the frames below.
    let storage = unsafe { core::slice::from_raw_parts((window + home) as *const AtomicU64, count) };
    let first = Frame::containing(start).unwrap_or(Frame(0));
    let mut frames = FrameAllocator::new(storage, first, colours);
    for region in high() {
        let from = region.start.max(LOW_MEMORY_END);
        if (from..region.end).contains(&home) {
            frames.add_region(from, home - from);
            frames.add_region(home + bytes, region.end.saturating_sub(home + bytes));
        } else {
            frames.add_region(from, region.end - from);
        }
    }
    let low_page = usable()
        .filter(|region| region.start < REAL_MODE_END && region.end >= 0x3000)
        .map(|region| (region.end.min(REAL_MODE_END) - FRAME_BYTES) & !(FRAME_BYTES - 1))
        .find(|page| *page >= 0x1000);
    // SAFETY: the boot loader mapped all physical memory at `window`; this is
    // the only `Space`.
    let space = unsafe { Space::current(window) };
    let division = Division::usual(colours);
    colours::init(division);
    let memory = Memory {
        frames,
        nodes: nodes::Ranges::new(),
        space,
        kernel: division.of(Class::Kernel),
        next_object: OBJECTS_BASE,
        low_page,
    };
    let usage = memory.usage();
    *MEMORY.lock() = Some(memory);
    usage
}

/// Makes every writable page non-executable.
pub(crate) fn enforce_write_xor_execute() -> Audit {
    with(|memory| memory.space.enforce_write_xor_execute()).unwrap_or_default()
}

/// Figures as they are now.
pub(crate) fn usage() -> Option<Usage> {
    with(|memory| memory.usage())
}

/// Frames of a task's slot.
pub(crate) fn used_by_task(slot: u16) -> u32 {
    Owner::task(slot).and_then(|owner| with(|memory| memory.frames.used_by(owner))).unwrap_or(0)
}

/// Bytes of the kernel image and of the frame table.
pub(crate) fn fixed_bytes() -> u64 {
    FIXED_BYTES.load(Ordering::Relaxed)
}

/// The lowest address of the kernel image, for backtraces.
pub(crate) fn kernel_base() -> u64 {
    KERNEL_BASE.load(Ordering::Relaxed)
}

/// Where a physical address is seen.
pub(crate) fn window(physical: u64) -> u64 {
    WINDOW.load(Ordering::Relaxed) + physical
}

/// Maps stack number `stack` of a core, `bytes` long, and returns its top.
pub(crate) fn map_core_stack(core: u8, stack: u16, bytes: u64) -> Result<u64, MemoryError> {
    let Some((bottom, _)) = core_stack(u16::from(core), stack) else { return Err(MemoryError::NotReady) };
    with(|memory| memory.map_range(bottom, bytes, memory.kernel, Owner::KERNEL))
        .unwrap_or(Err(MemoryError::NotReady))?;
    Ok(bottom + bytes)
}

/// Maps a task's stack and memory, zeroed, in frames of `colours`. Either
/// everything is mapped or nothing is. Where these colours have run dry others
/// take their place, which the log tells.
pub(crate) fn map_task(
    slot: u16,
    budget: Budget,
    colours: ColourSet,
    owner: Owner,
) -> Result<Areas, MemoryError> {
    let (Some((stack_bottom, _)), Some((memory_bottom, _))) = (stack_area(slot), memory_area(slot)) else {
        return Err(MemoryError::NotReady);
    };
    let stack_bytes = u64::from(budget.stack_frames) * FRAME_BYTES;
    let memory_bytes = u64::from(budget.memory_frames) * FRAME_BYTES;
    with(|memory| {
        let (wanted, free) = (budget.total_frames(), memory.frames.free_frames());
        if wanted > free {
            return Err(MemoryError::Short { wanted, free });
        }
        let mapped = memory
            .map_range(stack_bottom, stack_bytes, colours, owner)
            .and_then(|dry| Ok(dry + memory.map_range(memory_bottom, memory_bytes, colours, owner)?));
        if mapped.is_err() {
            memory.unmap_range(stack_bottom, stack_bytes, owner);
            memory.unmap_range(memory_bottom, memory_bytes, owner);
        }
        mapped
    })
    .unwrap_or(Err(MemoryError::NotReady))
    .inspect(|dry| {
        if *dry > 0 {
            crate::log_line!(
                Warn,
                "memory: {dry} pages of task {slot} are not of its colours: those ran dry"
            );
        }
    })?;
    Ok(Areas { stack_bottom, stack_bytes, memory_bottom, memory_bytes })
}

/// Gives a task's frames back. The slot's page tables are taken out and handed
/// to `detached`: they are free only once no core can walk them any more.
pub(crate) fn unmap_task(areas: Areas, owner: Owner, detached: &mut dyn FnMut(u64)) {
    with(|memory| {
        for (from, bytes) in
            [(areas.stack_bottom, areas.stack_bytes), (areas.memory_bottom, areas.memory_bytes)]
        {
            memory.unmap_range(from, bytes, owner);
            // SAFETY: the task has ended, so nothing is accessed there.
            unsafe { memory.space.detach_empty_tables(from, bytes, detached) };
        }
    });
}

/// Gives back page tables that no core can walk any more.
pub(crate) fn free_tables(tables: &[u64]) {
    with(|memory| {
        for table in tables {
            let freed = Frame::containing(*table).map(|frame| memory.frames.free(frame, Owner::PAGE_TABLES));
            if let Some(Err(error)) = freed {
                crate::log_line!(Error, "memory: {error}");
            }
        }
    });
}

/// Maps device registers at their place in the window, unless the window
/// covers them already, and returns where they are seen.
pub(crate) fn map_device(physical: u64, bytes: u64) -> Result<u64, MemoryError> {
    with(|memory| {
        for page in (physical & !(FRAME_BYTES - 1)..physical + bytes).step_by(4096) {
            if memory.space.translate(window(page)) == Some(page) {
                continue;
            }
            let (space, frames, kernel) = (&mut memory.space, &mut memory.frames, memory.kernel);
            // SAFETY: device registers hold no memory of ours.
            unsafe { space.map(window(page), page, Access::Device, &mut || table_frame(frames, kernel)) }
                .map_err(MemoryError::Mapping)?;
        }
        Ok(window(physical))
    })
    .unwrap_or(Err(MemoryError::NotReady))
}

/// A page below 1 MiB for start-up code, mapped at its own address for
/// execution, and the physical address of the page tables; once.
pub(crate) fn take_low_page() -> Option<(u64, u64)> {
    with(|memory| {
        let page = memory.low_page.take()?;
        let (space, frames, kernel) = (&mut memory.space, &mut memory.frames, memory.kernel);
        if space.translate(page).is_none() {
            // SAFETY: nothing of ours lies in the lower half.
            unsafe { space.map(page, page, Access::Execute, &mut || table_frame(frames, kernel)) }.ok()?;
        }
        Some((page, space.root()))
    })
    .flatten()
}

/// Withdraws the start-up page's mapping once all cores are up.
pub(crate) fn give_up_low_page(page: u64) {
    // SAFETY: no core runs start-up code any more.
    with(|memory| unsafe { memory.space.unmap(page) });
}

/// Allocates one frame and frees it again, for the benchmark.
pub(crate) fn exercise_frames(tasks: ColourSet) -> bool {
    with(|memory| match memory.frames.allocate(tasks, Owner::KERNEL) {
        Ok(frame) => memory.frames.free(frame, Owner::KERNEL).is_ok(),
        Err(_) => false,
    })
    .unwrap_or(false)
}

/// Whether `address` is mapped, for backtraces. Never waits.
pub(crate) fn is_mapped(address: u64) -> bool {
    MEMORY
        .try_lock()
        .and_then(|memory| memory.as_ref().map(|m| m.space.translate(address).is_some()))
        .unwrap_or(false)
}

fn with<R>(body: impl FnOnce(&mut Memory) -> R) -> Option<R> {
    MEMORY.lock().as_mut().map(body)
}

/// A zeroed frame for a page table, of the kernel's colours if there is one.
fn table_frame(frames: &mut FrameAllocator<'static>, kernel: ColourSet) -> Option<u64> {
    let all = frames.colours().all();
    let frame = frames.allocate(kernel, Owner::PAGE_TABLES);
    let frame = frame.or_else(|_| frames.allocate(all, Owner::PAGE_TABLES)).ok()?;
    clear(frame);
    Some(frame.address())
}

fn clear(frame: Frame) {
    // SAFETY: the frame was just allocated, so nobody else uses it; the window
    // shows it.
    unsafe { core::ptr::write_bytes(window(frame.address()) as *mut u8, 0, 4096) };
}

impl Memory {
    fn usage(&self) -> Usage {
        let frames = &self.frames;
        Usage {
            managed: frames.managed_frames(),
            free: frames.free_frames(),
            kernel: frames.used_by(Owner::KERNEL),
            page_tables: frames.used_by(Owner::PAGE_TABLES),
            corpus: frames.used_by(Owner::CORPUS),
            shadow: frames.used_by(Owner::SHADOW),
            colours: frames.colours().count(),
            division: colours::division(),
        }
    }

    fn map_range(
        &mut self,
        from: u64,
        bytes: u64,
        colours: ColourSet,
        owner: Owner,
    ) -> Result<u32, MemoryError> {
        let mut dry = 0;
        for page in (from..from + bytes).step_by(4096) {
            let free = self.frames.free_frames();
            let frame = self.frames.allocate(colours, owner).or_else(|_| {
                // Colours that have run dry are not worth refusing a task for.
                dry += 1;
                self.frames.allocate(self.frames.colours().all(), owner)
            });
            let Ok(frame) = frame else { return Err(MemoryError::Short { wanted: 1, free }) };
            clear(frame);
            let (space, frames, kernel) = (&mut self.space, &mut self.frames, self.kernel);
            // SAFETY: the page is in a slot or stack that nobody uses yet, the
            // frame is fresh.
            let mapped = unsafe {
                space.map(page, frame.address(), Access::ReadWrite, &mut || table_frame(frames, kernel))
            };
            if let Err(error) = mapped {
                let _ = self.frames.free(frame, owner);
                return Err(MemoryError::Mapping(error));
            }
        }
        Ok(dry)
    }

    fn unmap_range(&mut self, from: u64, bytes: u64, owner: Owner) {
        for page in (from..from + bytes).step_by(4096) {
            // SAFETY: the task has ended, so nothing is accessed there.
            let Some(address) = (unsafe { self.space.unmap(page) }) else { continue };
            let freed = Frame::containing(address).map(|frame| self.frames.free(frame, owner));
            if let Some(Err(error)) = freed {
                crate::log_line!(Error, "memory: {error}");
            }
        }
    }
}
