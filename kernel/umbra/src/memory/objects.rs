//! The kernel's own objects: its heap, the cores' state, the rings between them.
//!
//! Each is mapped on its own, one after the other in a range of the kernel's.
//! Taking them from the boot loader's window instead was refused: that needs
//! frames in a row, which span every colour.

use core::mem::MaybeUninit;

use umbra_memory::{FRAME_BYTES, OBJECTS_BASE, OBJECTS_BYTES, Owner};

use super::{MemoryError, with};

/// Room for a kernel object that is never given back, zeroed: mapped with a
/// guard behind it, in frames of the kernel's colours as long as there are any.
pub(crate) fn object<T>(count: usize) -> Result<&'static mut [MaybeUninit<T>], MemoryError> {
    let bytes = u64::try_from(size_of::<T>() * count).unwrap_or(u64::MAX);
    let wanted = u32::try_from(bytes.div_ceil(FRAME_BYTES).max(1)).unwrap_or(u32::MAX);
    let bottom = with(|memory| {
        let free = memory.frames.free_frames();
        let (bottom, length) = (memory.next_object, u64::from(wanted) * FRAME_BYTES);
        if wanted > free || bottom + length >= OBJECTS_BASE + OBJECTS_BYTES {
            return Err(MemoryError::Short { wanted, free });
        }
        memory.map_range(bottom, length, memory.kernel, Owner::KERNEL)?;
        memory.next_object = bottom + length + FRAME_BYTES;
        Ok(bottom)
    })
    .unwrap_or(Err(MemoryError::NotReady))?;
    let pointer = bottom as *mut MaybeUninit<T>;
    assert!(align_of::<T>() <= 4096, "frames are page-aligned");
    // SAFETY: the range was just mapped, zeroed, for this object alone, and is
    // large enough; `MaybeUninit` makes no demand on its content.
    Ok(unsafe { core::slice::from_raw_parts_mut(pointer, count) })
}
