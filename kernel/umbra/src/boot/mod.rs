//! Bringing the machine up, one step a function, in the order of
//! [`crate::kernel_main`].

pub(crate) mod clock;
pub(crate) mod local_apic;
pub(crate) mod processor;
pub(crate) mod ramdisk;
pub(crate) mod report;
pub(crate) mod start_cores;
pub(crate) mod steps;
pub(crate) mod tables;
