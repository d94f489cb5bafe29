//! What moving pages takes, for the planner.

use core::sync::atomic::{AtomicU32, Ordering};

use umbra_control::machine::Colouring;

use super::Report;
use crate::memory::colours;
use crate::tasks::{self, Task};

/// Nanoseconds for each page moved, from a move's begin to its end: the mean of
/// the last moves, the newest for a quarter. Written by the control task, read
/// in its tick.
static PAGE_NS: AtomicU32 = AtomicU32::new(FIRST_GUESS_NS);
/// Until one was measured. Four times what copying alone takes in the SWAP paper
/// (2.9 us a page).
const FIRST_GUESS_NS: u32 = 12_000;
/// Moves of fewer pages say nothing.
const TELLING_PAGES: u32 = 64;

/// Takes a finished move into the mean.
pub(super) fn learn(report: &Report) {
    if report.tally.moved >= TELLING_PAGES && !report.warmed {
        let took = u32::try_from(report.took_ns / u64::from(report.tally.moved)).unwrap_or(u32::MAX);
        let before = PAGE_NS.load(Ordering::Relaxed);
        PAGE_NS.store((before - before / 4).saturating_add(took / 4), Ordering::Relaxed);
    }
}

/// What setting the classes apart would come to. May be called in the tick.
/// Bound: the slots.
pub(crate) fn colouring() -> Colouring {
    let shared = u8::try_from(colours::shared_usually()).unwrap_or(u8::MAX);
    // SAFETY: only the control core fills and empties slots, and it is here.
    let pages =
        |task: &Task| (*unsafe { task.tenancy.get() }).filter(|t| !t.reaped).map_or(0, |t| t.areas.pages());
    let second = tasks::second_class().fold(0u32, |sum, (_, task)| sum.saturating_add(pages(task)));
    Colouring {
        shared: if shared < 2 { 0 } else { shared },
        first_pages: pages(tasks::at(tasks::FIRST)),
        second_pages: second,
        page_ns: PAGE_NS.load(Ordering::Relaxed),
    }
}
