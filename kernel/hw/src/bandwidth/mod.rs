//! Holding memory bandwidth to a target in bytes per second.
//!
//! Throttle values of Intel's MBA are not bandwidth: they slow each core, by an
//! amount that depends on the processor and on how many cores stream, and
//! neighbouring values often do the same (intel-cmt-cat issues 115, 185 and
//! 277). Three ways to a target, decided here and carried out by the caller:
//!
//! - [`Calibration`]: what each throttle value left when it was measured, for
//!   each number of cores, made monotone and inverted. Sets once, checks nothing.
//! - [`Steering`]: a closed loop on a bandwidth monitor. Corrects what the table
//!   gets wrong, and what the mix of reads and writes changes.
//! - [`Ration`]: where bandwidth cannot be throttled, so many misses of the
//!   last-level cache a core and period; whoever has used them up waits for the
//!   next period (after Yun et al., "MemGuard", RTAS 2013).
//!
//! Time and counts are arguments; every decision takes constant time, or that
//! of one walk over the table.

mod calibration;
mod ration;
mod steering;

pub use calibration::{Calibration, Fit, MAX_COLUMNS, MAX_ROWS};
pub use ration::{Overflow, Ration, events_per_period};
pub use steering::{Steering, Verdict};
