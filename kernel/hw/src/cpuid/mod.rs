//! What CPUID says the processor is.
//!
//! Every question goes through [`Reader`], which knows the largest leaf that
//! each range has and answers none above it: below it an Intel processor
//! repeats the data of its highest leaf for any it does not have, which reads
//! like features that are not there. Nothing is derived from the model number
//! where a leaf exists. Leaf layouts: Intel SDM volume 2A, CPUID; AMD APM
//! volume 3, appendix E.

mod caches;
mod features;
mod identity;
mod inventory;
mod reader;
mod topology;
mod tsc;

#[cfg(test)]
mod tests;

pub use caches::{Cache, CacheKind, Caches, Colouring};
pub use features::{Feature, Features};
pub use identity::{Brand, Identity, Vendor};
pub use inventory::Inventory;
pub use reader::{Leaf, Reader, Registers};
pub use topology::{CoreKind, Level, LevelKind, Place, Topology};
pub use tsc::{TscRate, tsc_rate};
