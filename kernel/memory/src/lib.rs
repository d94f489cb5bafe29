//! The portable half of memory: which colour a frame has, who owns which
//! frame, where a task lives in the address space, what it may ask for.
//!
//! Nothing here touches the memory it manages: page tables and mapping are the
//! privileged layer's. The allocator's own bookkeeping is one word a frame in
//! storage that is handed in, so a free frame is never written to, stays
//! unmapped if the kernel likes, and cannot be corrupted through.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod budget;
mod colour;
mod division;
mod evidence;
mod frames;
mod layout;
mod notation;
mod recolour;

pub use budget::{Budget, Demand, DemandError, Shortage};
pub use colour::{Colour, ColourSet, Colours, Geometry, GeometryError, MAX_COLOURS};
pub use division::{Class, Division, Holding, Holdings, Refusal};
pub use evidence::{Finding, Probe, Reliance, TRIALS, Timings, Verdict};
pub use frames::{
    Added, Block, ByColour, CACHE_DEPTH, FRAME_BYTES, FRAME_SHIFT, Fingerprint, Frame, FrameAllocator,
    FrameCache, FrameState, FreeError, Kept, NODES, NoRun, Node, OutOfFrames, Owner, Sweep,
};
pub use layout::{
    CORE_STACK_MAX_BYTES, CORE_STACKS, CORES_BASE, MAX_CORES, MEMORY_MAX_BYTES, OBJECTS_BASE, OBJECTS_BYTES,
    Region, SLOT_BYTES, STACK_MAX_BYTES, TASK_SLOTS, TASKS_BASE, Used, classify, classify_used, core_stack,
    memory_area, stack_area,
};
pub use notation::NotationError;
pub use recolour::{Pages, Recolouring, STEP_PAGES, Step, StepBudget, Tally};
