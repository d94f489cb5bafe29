//! The number by which queues and timers know a task. What a task *is* belongs
//! to the kernel, whose table has the same numbers.

/// Task slots.
pub const MAX_TASKS: usize = 128;

/// The number of a task slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskIndex(pub u16);
