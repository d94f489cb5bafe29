//! The processor's instruments: `hw`, `topo`, `pmu`, `cat`, `mba` and `mon`.

mod bandwidth;
mod divide;
mod events;
mod monitor;
mod places;
mod stat;
mod summary;

use core::fmt::{self, Display, Formatter};

pub(super) use bandwidth::run_bandwidth;
pub(super) use divide::run_ways;
pub(super) use events::list;
pub(super) use monitor::show as show_monitor;
pub(super) use places::show as show_places;
pub(super) use stat::{Limits, Stat, begin as begin_stat};
pub(super) use summary::show as show_summary;

/// Numbers of a set, ranges drawn together: `0-3,6`.
struct Numbers(u64);

impl Display for Numbers {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let has = |number: u32| self.0.checked_shr(number).unwrap_or(0) & 1 == 1;
        let mut between = "";
        for first in (0..64).filter(|number| has(*number) && (*number == 0 || !has(number - 1))) {
            let last = (first..64).find(|number| !has(number + 1)).unwrap_or(63);
            write!(f, "{between}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            between = ",";
        }
        Ok(())
    }
}
