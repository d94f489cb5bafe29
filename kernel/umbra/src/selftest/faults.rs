//! What a second-class task does to itself stays with it: it is ended or held
//! with a report that names it, and a task on the same core goes on.

use umbra_control::machine::{Action, Actuator};

use super::harness::{Outcome, Reason, phase, second_class_cores, start, units, wait_for, wait_for_units};
use crate::machine::Machine;
use crate::tasks::{self, Phase};
use crate::{cores, ensure};

pub(super) fn panic() -> Result<Outcome, Reason> {
    ends_with("fault-panic", "panicked at")
}

pub(super) fn overflow() -> Result<Outcome, Reason> {
    ends_with("fault-overflow", "stack overflow")
}

pub(super) fn divide() -> Result<Outcome, Reason> {
    ends_with("fault-divide", "divide by zero")
}

pub(super) fn hardware() -> Result<Outcome, Reason> {
    ends_with("fault-hardware", "divide error")
}

pub(super) fn exhaust() -> Result<Outcome, Reason> {
    ends_with("fault-exhaust", "out of memory")
}

/// Five times, so that a core that answers one fault answers the next.
fn ends_with(name: &str, expected: &str) -> Result<Outcome, Reason> {
    let core = second_class_cores().last();
    let healthy = start("hash", core)?;
    for _ in 0..5 {
        let slot = start(name, core)?;
        wait_for("the fault's report", || phase(slot) == Phase::Faulted)?;
        let report = tasks::at(slot).report();
        ensure!(report.contains(expected), "the report says: {report}");
        wait_for_units(healthy, 3)?;
        for core in cores::all() {
            ensure!(core.current.load(core::sync::atomic::Ordering::Relaxed) != slot, "it still runs");
        }
    }
    Ok(Outcome::Passed)
}

pub(super) fn spin() -> Result<Outcome, Reason> {
    let core = second_class_cores().last();
    let (healthy, slot) = (start("hash", core)?, start("fault-spin", core)?);
    wait_for_units(healthy, 3)?;
    wait_for("the task's being held", || phase(slot) == Phase::Paused)?;
    let at = units(slot);
    ensure!(at == crate::workloads::GOOD_UNITS, "held after {at} units");
    wait_for_units(healthy, 3)?;
    ensure!(Machine.holds(Action::Pause(tasks::id(slot))), "it was let go");
    Ok(Outcome::Passed)
}
