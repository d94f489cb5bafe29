//! Scheduling without the machine: which task a core runs next, when it has to
//! wake, what role it plays, and how cores talk to each other.
//!
//! Every structure but the ring belongs to one core and is touched by that core
//! alone, so nothing here takes a lock; what another core wants done arrives
//! as a message through a [`Ring`]. Time is an argument, in TSC cycles.
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

mod clock;
mod heap;
mod queue;
mod recorder;
#[expect(
    unsafe_code,
    reason = "slots of the ring are shared by two cores; the module says who may touch which"
)]
mod ring;
mod roles;
mod sync;
mod task;
mod timers;

pub use clock::Stopwatch;
pub use queue::{Class, EnqueueError, FirstClassRule, NOMINAL_WEIGHT, RunQueue};
pub use recorder::Recorder;
pub use ring::{Consumer, Producer, Ring};
pub use roles::{CoreRoles, Occupancy, Refused, Roles, Step, initial_roles, may_dedicate};
pub use task::{MAX_TASKS, TaskIndex};
pub use timers::{TIMERS, Timers, Token};
