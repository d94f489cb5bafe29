//! Where tasks and cores live in the address space.
//!
//! Everything is in the higher half, in two level-4 entries (512 GiB each) of
//! their own that the boot loader must keep its mappings out of:
//!
//! ```text
//! CORES_BASE  0xFFFF_D000_0000_0000   core c, stack s: 128 KiB each
//!   +0          64 KiB  guard
//!   +64 KiB     64 KiB  stack s of core c
//! OBJECTS_BASE +1 GiB                 kernel heap and objects, one after the other,
//!                                     a page of guard behind each
//! TASKS_BASE  0xFFFF_E000_0000_0000   slot n: 2 GiB each, 128 slots
//!   +0         256 KiB  guard below the stack
//!   +256 KiB   256 KiB  stack (mapped from the bottom)
//!   +512 KiB   512 KiB  guard above the stack
//!   +1 MiB       1 MiB  guard below the memory
//!   +2 MiB       1 GiB  memory (mapped from the bottom, 2 MiB aligned)
//!   +1 GiB + 2 MiB ...  guard above the memory, to the end of the slot
//! ```
//!
//! A slot's place is fixed, so an address alone tells a fault report whose it
//! is and what it was for, without a lock or a table. Guards are address space
//! that is never mapped and cost nothing, so they are wide: an index that runs
//! away by some hundred KiB is still told from a wild pointer. Areas are filled
//! from the bottom so that the end a stack overflows has its guard right there,
//! whatever the stack's size; the unused rest above is told by
//! [`classify_used`].

/// Task slots.
pub const TASK_SLOTS: u16 = 128;
/// First address of slot 0.
pub const TASKS_BASE: u64 = 0xFFFF_E000_0000_0000;
/// From one slot to the next, in bytes.
pub const SLOT_BYTES: u64 = 2 << 30;
/// Largest stack of a task, in bytes.
pub const STACK_MAX_BYTES: u64 = 256 << 10;
/// Largest memory of a task, in bytes.
pub const MEMORY_MAX_BYTES: u64 = 1 << 30;

/// Cores that have stacks here.
pub const MAX_CORES: u16 = 256;
/// Stacks of one core: its own and those of interrupts that need one.
pub const CORE_STACKS: u16 = 8;
/// First address of core 0's stacks.
pub const CORES_BASE: u64 = 0xFFFF_D000_0000_0000;
/// First address of the kernel's heap and objects, above the cores' stacks.
pub const OBJECTS_BASE: u64 = CORES_BASE + (1 << 30);
/// Bytes there are for them, guards included.
pub const OBJECTS_BYTES: u64 = 256 << 30;
/// Largest stack of a core, in bytes.
pub const CORE_STACK_MAX_BYTES: u64 = 64 << 10;

const STACK_START: u64 = 256 << 10;
const STACK_END: u64 = STACK_START + STACK_MAX_BYTES;
const MEMORY_GUARD_START: u64 = 1 << 20;
const MEMORY_START: u64 = 2 << 20;
const MEMORY_END: u64 = MEMORY_START + MEMORY_MAX_BYTES;
const CORE_STACK_START: u64 = 64 << 10;
const CORE_STACK_STRIDE: u64 = CORE_STACK_START + CORE_STACK_MAX_BYTES;

const _: () = assert!(STACK_END < MEMORY_GUARD_START && MEMORY_END < SLOT_BYTES);
const _: () = assert!(SLOT_BYTES * (TASK_SLOTS as u64) <= 512 << 30);
const _: () = assert!(CORE_STACK_STRIDE * (CORE_STACKS as u64) * (MAX_CORES as u64) <= 1 << 30);
const _: () = assert!(OBJECTS_BASE + OBJECTS_BYTES <= CORES_BASE + (512 << 30));

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// Below or above the stack of the task in this slot.
    StackGuard(u16),
    /// The stack of the task in this slot.
    Stack(u16),
    /// Below or above the memory of the task in this slot.
    MemoryGuard(u16),
    /// The memory of the task in this slot.
    Memory(u16),
    /// Below a stack of a core.
    CoreGuard {
        /// The core.
        core: u16,
        /// Which of its stacks.
        stack: u16,
    },
    /// A stack of a core.
    CoreStack {
        /// The core.
        core: u16,
        /// Which of its stacks.
        stack: u16,
    },
    /// Nothing laid out here.
    Elsewhere,
}

impl core::fmt::Display for Region {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::StackGuard(slot) => write!(f, "stack guard of task {slot}"),
            Self::Stack(slot) => write!(f, "stack of task {slot}"),
            Self::MemoryGuard(slot) => write!(f, "memory guard of task {slot}"),
            Self::Memory(slot) => write!(f, "memory of task {slot}"),
            Self::CoreGuard { core, stack } => write!(f, "guard of core {core}'s stack {stack}"),
            Self::CoreStack { core, stack } => write!(f, "core {core}'s stack {stack}"),
            Self::Elsewhere => f.write_str("outside every task and core stack"),
        }
    }
}

/// How much of its areas a task has mapped, in bytes from the bottom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Of the stack area.
    pub stack_bytes: u64,
    /// Of the memory area.
    pub memory_bytes: u64,
}

/// What `address` is for, by the areas' full sizes. No loop.
#[must_use]
pub const fn classify(address: u64) -> Region {
    classify_used(address, Used { stack_bytes: STACK_MAX_BYTES, memory_bytes: MEMORY_MAX_BYTES })
}

/// What `address` is for, where the task it belongs to has mapped `used`:
/// beyond that an area counts as guard. No loop.
#[must_use]
pub const fn classify_used(address: u64, used: Used) -> Region {
    if let Some((slot, offset)) = locate(address, TASKS_BASE, SLOT_BYTES, TASK_SLOTS) {
        let stack_bytes = if used.stack_bytes < STACK_MAX_BYTES { used.stack_bytes } else { STACK_MAX_BYTES };
        let memory_bytes =
            if used.memory_bytes < MEMORY_MAX_BYTES { used.memory_bytes } else { MEMORY_MAX_BYTES };
        return if offset >= MEMORY_GUARD_START {
            let inside = offset >= MEMORY_START && offset - MEMORY_START < memory_bytes;
            if inside { Region::Memory(slot) } else { Region::MemoryGuard(slot) }
        } else {
            let inside = offset >= STACK_START && offset - STACK_START < stack_bytes;
            if inside { Region::Stack(slot) } else { Region::StackGuard(slot) }
        };
    }
    if let Some((index, offset)) = locate(address, CORES_BASE, CORE_STACK_STRIDE, MAX_CORES * CORE_STACKS) {
        let (core, stack) = (index / CORE_STACKS, index % CORE_STACKS);
        return if offset < CORE_STACK_START {
            Region::CoreGuard { core, stack }
        } else {
            Region::CoreStack { core, stack }
        };
    }
    Region::Elsewhere
}

/// Bottom and end of a slot's stack area; none where there is no such slot.
/// A stack of `n` bytes is mapped from the bottom; its pointer starts at
/// bottom + `n`.
#[must_use]
pub const fn stack_area(slot: u16) -> Option<(u64, u64)> {
    area(TASKS_BASE, SLOT_BYTES, slot, TASK_SLOTS, STACK_START, STACK_MAX_BYTES)
}

/// Bottom and end of a slot's memory area; none where there is no such slot.
#[must_use]
pub const fn memory_area(slot: u16) -> Option<(u64, u64)> {
    area(TASKS_BASE, SLOT_BYTES, slot, TASK_SLOTS, MEMORY_START, MEMORY_MAX_BYTES)
}

/// Bottom and end of stack number `stack` of a core; none where there is no
/// such core or stack.
#[must_use]
pub const fn core_stack(core: u16, stack: u16) -> Option<(u64, u64)> {
    if core >= MAX_CORES || stack >= CORE_STACKS {
        return None;
    }
    let index = core * CORE_STACKS + stack;
    let count = MAX_CORES * CORE_STACKS;
    area(CORES_BASE, CORE_STACK_STRIDE, index, count, CORE_STACK_START, CORE_STACK_MAX_BYTES)
}

const fn area(base: u64, stride: u64, index: u16, count: u16, start: u64, bytes: u64) -> Option<(u64, u64)> {
    if index >= count {
        return None;
    }
    let bottom = base + stride * (index as u64) + start;
    Some((bottom, bottom + bytes))
}

/// Which of `count` strides from `base` an address lies in, and where in it.
const fn locate(address: u64, base: u64, stride: u64, count: u16) -> Option<(u16, u64)> {
    let Some(distance) = address.checked_sub(base) else { return None };
    let index = distance / stride;
    if index >= count as u64 {
        return None;
    }
    let [low, high, ..] = index.to_le_bytes();
    Some((u16::from_le_bytes([low, high]), distance % stride))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn areas_are_apart_with_guards_on_both_sides() {
        let mut areas: Vec<(u64, u64)> = Vec::new();
        for core in 0..MAX_CORES {
            areas.extend((0..CORE_STACKS).filter_map(|stack| core_stack(core, stack)));
        }
        for slot in 0..TASK_SLOTS {
            areas.extend(stack_area(slot).into_iter().chain(memory_area(slot)));
        }
        assert_eq!(areas.len(), 256 * 8 + 128 * 2);
        for pair in areas.windows(2) {
            assert!(pair[0].1 + (64 << 10) <= pair[1].0, "at least 64 KiB between {pair:x?}");
        }
        for (bottom, end) in areas {
            assert!(bottom >= 0xFFFF_8000_0000_0000 && bottom % 4096 == 0 && end % 4096 == 0);
            assert!(
                matches!(
                    classify(bottom - 1),
                    Region::StackGuard(_) | Region::MemoryGuard(_) | Region::CoreGuard { .. }
                ),
                "guard below {bottom:#x}"
            );
        }
        assert_eq!(memory_area(5).map(|(bottom, _)| bottom % (2 << 20)), Some(0), "large pages fit");
    }

    #[test]
    fn addresses_name_their_slot() {
        let (bottom, end) = stack_area(127).expect("the last slot");
        assert_eq!(
            (bottom, end - bottom),
            (0xFFFF_E000_0000_0000 + 127 * (2 << 30) + (256 << 10), 256 << 10)
        );
        assert_eq!(classify(bottom), Region::Stack(127));
        assert_eq!(classify(bottom - 1), Region::StackGuard(127));
        assert_eq!(classify(end - 1), Region::Stack(127));
        assert_eq!(classify(end), Region::StackGuard(127));
        let (bottom, end) = memory_area(0).expect("the first slot");
        assert_eq!(classify(bottom - 1), Region::MemoryGuard(0));
        assert_eq!((classify(bottom), classify(end - 1)), (Region::Memory(0), Region::Memory(0)));
        assert_eq!(classify(end), Region::MemoryGuard(0));
        let (bottom, end) = core_stack(3, 7).expect("a core's last stack");
        assert_eq!(classify(bottom), Region::CoreStack { core: 3, stack: 7 });
        assert_eq!(classify(bottom - 1), Region::CoreGuard { core: 3, stack: 7 });
        assert_eq!(classify(end), Region::CoreGuard { core: 4, stack: 0 }, "the next one's");
        for nowhere in [0, 0x7FFF_FFFF_F000, TASKS_BASE - 1, TASKS_BASE + 128 * SLOT_BYTES, u64::MAX] {
            assert_eq!(classify(nowhere), Region::Elsewhere, "{nowhere:#x}");
        }
    }

    #[test]
    fn what_is_not_mapped_counts_as_guard() {
        let used = Used { stack_bytes: 16 << 10, memory_bytes: 4096 };
        let (stack, _) = stack_area(9).expect("a slot");
        let (memory, _) = memory_area(9).expect("a slot");
        assert_eq!(classify_used(stack + (16 << 10) - 1, used), Region::Stack(9));
        assert_eq!(classify_used(stack + (16 << 10), used), Region::StackGuard(9));
        assert_eq!(classify_used(memory + 4096, used), Region::MemoryGuard(9));
        assert_eq!(classify_used(memory + 4095, used), Region::Memory(9));
        let all = Used { stack_bytes: u64::MAX, memory_bytes: u64::MAX };
        assert_eq!(classify_used(stack + STACK_MAX_BYTES, all), Region::StackGuard(9));
    }

    #[test]
    fn there_is_nothing_beyond_the_last() {
        assert_eq!((stack_area(128), memory_area(u16::MAX)), (None, None));
        assert_eq!(
            (core_stack(256, 0), core_stack(0, 8), core_stack(u16::MAX, u16::MAX)),
            (None, None, None)
        );
    }

    proptest! {
        #[test]
        fn areas_and_classification_agree(address in prop_oneof![
            any::<u64>(),
            TASKS_BASE..TASKS_BASE + 128 * SLOT_BYTES,
            CORES_BASE..CORES_BASE + (256 << 20),
        ]) {
            let inside = |area: Option<(u64, u64)>| area.is_some_and(|(bottom, end)| (bottom..end).contains(&address));
            match classify(address) {
                Region::Stack(slot) => prop_assert!(inside(stack_area(slot))),
                Region::Memory(slot) => prop_assert!(inside(memory_area(slot))),
                Region::CoreStack { core, stack } => prop_assert!(inside(core_stack(core, stack))),
                Region::StackGuard(slot) | Region::MemoryGuard(slot) => {
                    prop_assert!(slot < 128 && !inside(stack_area(slot)) && !inside(memory_area(slot)));
                }
                Region::CoreGuard { core, stack } => prop_assert!(!inside(core_stack(core, stack))),
                Region::Elsewhere => {
                    prop_assert!((0..128).all(|slot| !inside(stack_area(slot)) && !inside(memory_area(slot))));
                }
            }
        }
    }
}
