//! What one core asks of another, or tells it, through a [`Ring`](crate::Ring).
//!
//! Only the core that owns a task touches it: everyone else sends a message.
//! Ownership travels with [`Message::Enqueue`]: whoever sends it has let go of
//! the task before, and whoever receives it owns it. A core that may not take it
//! (its roles have changed since) sends it on. Messages are small values; what
//! does not fit (a burst's parameters) lies in a place both know and is named by
//! number. A core reads at most as many messages a turn as its rings hold.

use crate::queue::Class;
use crate::roles::Roles;
use crate::task::TaskRef;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// To a core: this task is yours; run it.
    Enqueue {
        /// The task.
        task: TaskRef,
        /// Its class.
        class: Class,
        /// Its weight.
        weight: u16,
    },
    /// To the owner: take it off the queue until it is resumed.
    Pause(TaskRef),
    /// To the owner: put it back.
    Resume(TaskRef),
    /// To the owner: let go of it and send it to that core.
    MigrateOut {
        /// The task.
        task: TaskRef,
        /// The core that is to own it.
        to: u8,
    },
    /// To the owner: end it.
    Stop(TaskRef),
    /// To a core: become this.
    SetRoles(Roles),
    /// To the first-class core: the burst of this number begins.
    Release {
        /// The burst's number.
        burst: u32,
    },
    /// To the shadow core: run the shadow of this number.
    StartShadow {
        /// The shadow's number.
        shadow: u32,
    },
    /// To the shadow core: run the echo of this number.
    StartEcho {
        /// The echo's number.
        echo: u32,
    },
    /// To the control core: the task has left its owner's queue for good and
    /// its memory may be taken back.
    Ended(TaskRef),
    /// To the control core: the same, by a fault whose epitaph lies in the
    /// owner's place.
    Faulted(TaskRef),
}

const _: () = assert!(size_of::<Message>() <= 32, "two messages a cache line at least");

impl Message {
    /// The task it is about, to tell stale messages by its generation.
    #[must_use]
    pub const fn task(self) -> Option<TaskRef> {
        match self {
            Self::Enqueue { task, .. }
            | Self::Pause(task)
            | Self::Resume(task)
            | Self::MigrateOut { task, .. }
            | Self::Stop(task)
            | Self::Ended(task)
            | Self::Faulted(task) => Some(task),
            Self::SetRoles(_) | Self::Release { .. } | Self::StartShadow { .. } | Self::StartEcho { .. } => {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskIndex;

    #[test]
    fn messages_are_small_and_name_their_task() {
        assert!(size_of::<Message>() <= 16, "{} bytes", size_of::<Message>());
        let task = TaskRef { index: TaskIndex(5), generation: 9 };
        assert_eq!(Message::Enqueue { task, class: Class::Second, weight: 64 }.task(), Some(task));
        assert_eq!(Message::MigrateOut { task, to: 1 }.task(), Some(task));
        assert_eq!(Message::Release { burst: 3 }.task(), None);
    }
}
