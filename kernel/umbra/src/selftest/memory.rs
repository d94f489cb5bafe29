//! Memory: protection, guards, and nothing lost.

use alloc::vec::Vec;

use super::harness::{
    Outcome, Reason, free_at_rest, second_class_cores, start, units, wait_for, wait_for_units,
};
use crate::{cores, ensure, hardware, heap, memory, stop, tasks, time};

pub(super) fn write_xor_execute() -> Result<Outcome, Reason> {
    let audit = memory::enforce_write_xor_execute();
    ensure!(audit.executable > 0, "the kernel's own text is not executable?");
    ensure!(audit.repaired == 0, "{} pages were writable and executable", audit.repaired);
    Ok(Outcome::Passed)
}

pub(super) fn guards_are_unmapped() -> Result<Outcome, Reason> {
    for core in cores::all() {
        for stack in 0..=u16::try_from(umbra_x86_64::descriptors::INTERRUPT_STACKS).unwrap_or(0) {
            let Some((bottom, _)) = umbra_memory::core_stack(u16::from(core.number), stack) else { continue };
            ensure!(memory::is_mapped(bottom), "core {} stack {stack} is not mapped", core.number);
            ensure!(!memory::is_mapped(bottom - 8), "core {} stack {stack} has no guard", core.number);
        }
    }
    let slot = start("hash", None)?;
    let bottom = tasks::at(slot).stack_bottom.load(core::sync::atomic::Ordering::Relaxed);
    ensure!(memory::is_mapped(bottom) && !memory::is_mapped(bottom - 8), "the task's stack has no guard");
    Ok(Outcome::Passed)
}

pub(super) fn heap_round_trip() -> Result<Outcome, Reason> {
    let before = heap::used();
    let mut kept: Vec<Vec<u64>> = Vec::new();
    for size in 1..64 {
        kept.push((0..size).collect());
    }
    let sums: u64 = kept.iter().map(|numbers| numbers.iter().sum::<u64>()).sum();
    ensure!(sums == (1..64u64).map(|size| size * (size - 1) / 2).sum(), "heap blocks overlap");
    drop(kept);
    ensure!(heap::used() == before, "{} bytes of heap were not given back", heap::used() - before);
    Ok(Outcome::Passed)
}

pub(super) fn tasks_leave_nothing() -> Result<Outcome, Reason> {
    let before = free_at_rest()?;
    for round in 0..6 {
        let slot = start("chase", None)?;
        wait_for_units(slot, 2)?;
        ensure!(memory::used_by_task(slot) > 1024, "chase has 4 MiB, {} frames", memory::used_by_task(slot));
        stop::request(slot, time::now_ns());
        wait_for("the task's end", || tasks::at(slot).phase() == tasks::Phase::Empty)?;
        ensure!(memory::used_by_task(slot) == 0, "frames left behind after {} units", units(slot));
        let free = free_at_rest()?;
        ensure!(free == before, "round {round}: {before} frames free before, {free} now");
    }
    Ok(Outcome::Passed)
}

pub(super) fn near_frames_first() -> Result<Outcome, Reason> {
    let nodes = &hardware::the().nodes;
    if nodes.count() < 2 {
        return Ok(Outcome::Needs("two memory nodes"));
    }
    for number in second_class_cores() {
        let slot = start("chase", Some(number))?;
        wait_for_units(slot, 1)?;
        let near = cores::get(number).map_or(0, |core| nodes.of_processor(core.apic_id()));
        // SAFETY: only the control core fills and empties slots, and it is here.
        let areas = (*unsafe { tasks::at(slot).tenancy.get() }).map(|tenancy| tenancy.areas);
        let found = areas.map_or(0, |areas| memory::nodes_under(&areas));
        ensure!(found == 1 << near, "core {number} is of node {near}, its task's frames of nodes {found:#b}");
    }
    Ok(Outcome::Passed)
}
