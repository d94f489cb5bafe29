//! Page tables of slots that were given up. Another core may still walk them
//! through what it has cached, so they are free for another use only once every
//! core has flushed after they were taken out. Control task only.

use alloc::vec::Vec;
use spin::mutex::SpinMutex;
use umbra_control::machine::Stage;

use crate::cores::{self, Core};
use crate::machine::Machine;
use crate::{memory, schedule, spawn};

/// How long until a core that has not flushed is asked again.
const AGAIN_NS: u64 = 2_000_000;

struct Retired {
    /// Taken out, nobody asked yet.
    waiting: Vec<u64>,
    /// Free once every core has flushed for `generation`.
    flushing: Vec<u64>,
    generation: u64,
    asked_ns: u64,
}

static RETIRED: SpinMutex<Retired> =
    SpinMutex::new(Retired { waiting: Vec::new(), flushing: Vec::new(), generation: 0, asked_ns: 0 });

/// Takes a page table in.
pub(crate) fn add(table: u64) {
    RETIRED.lock().waiting.push(table);
}

/// Asks cores to flush, and gives back what all have flushed for. Bound: the
/// cores, and the tables at hand.
pub(crate) fn look(now_ns: u64) {
    let mut retired = RETIRED.lock();
    let Retired { waiting, flushing, generation, asked_ns } = &mut *retired;
    if flushing.is_empty() {
        if waiting.is_empty() {
            return;
        }
        core::mem::swap(waiting, flushing);
        *generation = spawn::next_mapping_generation();
        *asked_ns = 0;
    }
    if cores::all().all(|core| core.has_flushed_for(*generation)) {
        memory::free_tables(flushing);
        flushing.clear();
        return;
    }
    if now_ns.saturating_sub(*asked_ns) >= AGAIN_NS {
        *asked_ns = now_ns;
        schedule::ask_to_flush(cores::all().filter(|core| !is_in_a_run(core)), *generation);
    }
}

/// Whether every page table that was given up is free again.
pub(crate) fn is_empty() -> bool {
    let retired = RETIRED.lock();
    retired.waiting.is_empty() && retired.flushing.is_empty()
}

/// Whether a first-class run on this core would be disturbed.
fn is_in_a_run(core: &Core) -> bool {
    core.roles().is_dedicated() && !Machine.burst().done
}
