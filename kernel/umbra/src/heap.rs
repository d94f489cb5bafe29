//! The kernel heap: the console's and planner's large structures, made once
//! after boot. Nothing on a hot path allocates, and no core but the control
//! core does.

use linked_list_allocator::Heap;
use spin::mutex::SpinMutex;

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;

/// Size of the heap.
pub(crate) const BYTES: usize = 1 << 20;

struct KernelHeap(SpinMutex<Heap>);

#[global_allocator]
static HEAP: KernelHeap = KernelHeap(SpinMutex::new(Heap::empty()));

// SAFETY: `Heap` hands out disjoint blocks of the region it was given, and the
// mutex lets one caller at a time in.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.lock().allocate_first_fit(layout).map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if let Some(pointer) = NonNull::new(pointer) {
            // SAFETY: the caller got `pointer` from `alloc` with this layout.
            unsafe { self.0.lock().deallocate(pointer, layout) };
        }
    }
}

/// Gives the heap its memory.
pub(crate) fn init() {
    let room = crate::memory::object::<u8>(BYTES).expect("memory for the kernel heap");
    let start = room.as_mut_ptr().cast::<u8>();
    // SAFETY: the region is ours alone and never given back.
    unsafe { HEAP.0.lock().init(start, room.len()) };
}

/// Bytes in use.
pub(crate) fn used() -> usize {
    HEAP.0.lock().used()
}
