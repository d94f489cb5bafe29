//! Where a task's pages are seen.

use umbra_memory::FRAME_BYTES;

/// A task slot's areas, mapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Areas {
    pub(crate) stack_bottom: u64,
    pub(crate) stack_bytes: u64,
    pub(crate) memory_bottom: u64,
    pub(crate) memory_bytes: u64,
}

impl Areas {
    /// Pages of both areas.
    pub(crate) fn pages(&self) -> u32 {
        u32::try_from((self.stack_bytes + self.memory_bytes) / FRAME_BYTES).unwrap_or(u32::MAX)
    }

    /// The address of a page, numbered through both areas.
    pub(crate) fn page(&self, number: u32) -> u64 {
        let offset = u64::from(number) * FRAME_BYTES;
        match offset.checked_sub(self.stack_bytes) {
            None => self.stack_bottom + offset,
            Some(offset) => self.memory_bottom + offset,
        }
    }
}
