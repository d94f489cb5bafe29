//! Whole-line tests on the host: a simulated machine that drives the line
//! under any policy, and plain-text snapshots.
//!
//! The simulation is a function of its seed: same seed, same events, to the
//! nanosecond. `UPDATE_SNAPSHOTS=1 cargo test -p umbra-host-tests` rewrites
//! the expected texts; read the difference before committing it.
#![forbid(unsafe_code)]

pub mod drive;
pub mod registers;
pub mod sim;
pub mod snapshot;
