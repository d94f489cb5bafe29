//! What a task asks for, checked before anything is allocated: a task that
//! cannot be given everything is refused whole, not half-built.

use crate::frames::FRAME_BYTES;
use crate::layout::{MEMORY_MAX_BYTES, STACK_MAX_BYTES};

/// Stacks below this are refused: an interrupt frame and the deepest call of a
/// workload would not fit.
const STACK_MIN_BYTES: u64 = 8 << 10;
/// Entries of a page table.
const TABLE_ENTRIES: u32 = 512;

/// What a workload says it needs, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Of stack.
    pub stack_bytes: u64,
    /// Of memory to prepare over and to use as scratch.
    pub memory_bytes: u64,
}

/// A demand that no slot can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemandError {
    /// The stack is too small or too large.
    Stack(u64),
    /// The memory is too large.
    Memory(u64),
}

impl core::fmt::Display for DemandError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Stack(bytes) => {
                write!(f, "stack of {bytes} bytes, expected {STACK_MIN_BYTES} to {STACK_MAX_BYTES}")
            }
            Self::Memory(bytes) => write!(f, "memory of {bytes} bytes, expected at most {MEMORY_MAX_BYTES}"),
        }
    }
}

/// The frames a demand comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// For the stack.
    pub stack_frames: u32,
    /// For the memory.
    pub memory_frames: u32,
    /// At most so many for page tables, when both are mapped in 4 KiB pages
    /// and the slot's level-3 table is there already.
    pub table_frames: u32,
}

/// Too few frames are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Frames needed.
    pub wanted: u32,
    /// Frames free.
    pub free: u32,
}

impl core::fmt::Display for Shortage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "out of memory: wanted {} frames, {} free", self.wanted, self.free)
    }
}

impl Demand {
    /// The frames this comes to.
    ///
    /// # Errors
    /// Says which part no slot can hold.
    pub fn budget(self) -> Result<Budget, DemandError> {
        if !(STACK_MIN_BYTES..=STACK_MAX_BYTES).contains(&self.stack_bytes) {
            return Err(DemandError::Stack(self.stack_bytes));
        }
        if self.memory_bytes > MEMORY_MAX_BYTES {
            return Err(DemandError::Memory(self.memory_bytes));
        }
        let memory_frames = frames(self.memory_bytes);
        // The stack shares its slot's first level-2 table with the memory and
        // has one level-1 table; the memory starts on a level-1 table of its
        // own and reaches into a second level-2 table only past 1 GiB - 2 MiB.
        let memory_tables = memory_frames.div_ceil(TABLE_ENTRIES);
        let level_2 = if memory_tables > TABLE_ENTRIES - 1 { 2 } else { 1 };
        let table_frames = level_2 + 1 + memory_tables;
        Ok(Budget { stack_frames: frames(self.stack_bytes), memory_frames, table_frames })
    }
}

impl Budget {
    /// All frames together.
    #[must_use]
    pub const fn total_frames(self) -> u32 {
        self.stack_frames + self.memory_frames + self.table_frames
    }

    /// Whether `free` frames suffice.
    ///
    /// # Errors
    /// [`Shortage`] when they do not.
    pub const fn fits(self, free: u32) -> Result<(), Shortage> {
        let wanted = self.total_frames();
        if wanted <= free { Ok(()) } else { Err(Shortage { wanted, free }) }
    }
}

fn frames(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(FRAME_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{memory_area, stack_area};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_limits_are_the_layouts() {
        let demand = |stack_bytes, memory_bytes| Demand { stack_bytes, memory_bytes }.budget();
        assert_eq!(demand(0, 0), Err(DemandError::Stack(0)));
        assert_eq!(demand((256 << 10) + 1, 0), Err(DemandError::Stack((256 << 10) + 1)));
        assert_eq!(demand(8192, (1 << 30) + 1), Err(DemandError::Memory((1 << 30) + 1)));
        let budget = demand(64 << 10, 5 << 20).expect("within limits");
        assert_eq!(budget, Budget { stack_frames: 16, memory_frames: 1280, table_frames: 5 });
        assert_eq!(budget.fits(1301), Ok(()));
        assert_eq!(budget.fits(1300), Err(Shortage { wanted: 1301, free: 1300 }));
        assert_eq!(demand(8192, 1 << 30).map(|budget| budget.table_frames), Ok(2 + 1 + 512));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn tables_are_those_the_addresses_touch(
            stack in 8192u64..=256 << 10,
            memory in prop_oneof![0u64..=64 << 20, (1 << 30) - (4 << 20)..=1u64 << 30],
        ) {
            let budget = Demand { stack_bytes: stack, memory_bytes: memory }.budget().expect("within limits");
            let mut tables = BTreeSet::new();
            let bottoms = [stack_area(1).expect("a slot").0, memory_area(1).expect("a slot").0];
            for (bottom, bytes) in bottoms.into_iter().zip([stack, memory]) {
                for page in (bottom..bottom + bytes).step_by(4096) {
                    tables.insert((1, page >> 21));
                    tables.insert((2, page >> 30));
                }
            }
            prop_assert_eq!(budget.table_frames as usize, tables.len());
        }
    }
}
