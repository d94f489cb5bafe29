use std::path::PathBuf;

use clap::Parser;

/// Says what Umbra would use on a machine: counters, cache and bandwidth
/// allocation, cores, memory, clocks, and every problem found.
#[derive(Debug, Default, Parser)]
#[command(name = "cargo xtask inspect", bin_name = "cargo xtask inspect")]
pub(crate) struct Arguments {
    /// CPUID dumps (InstLatx64, `cpuid -r`, libcpuid raw), folders of ACPI tables
    /// (raw binaries), and `acpidump` texts, told apart by what is in them
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// A CPUID dump
    #[arg(long, value_name = "FILE")]
    pub(crate) cpuid: Option<PathBuf>,

    /// ACPI tables: a folder of raw binaries, one of them, or an `acpidump` text
    #[arg(long, value_name = "PATH")]
    pub(crate) acpi: Option<PathBuf>,

    /// The machine this runs on (its ACPI tables only where they may be read)
    #[arg(long)]
    pub(crate) this: bool,

    /// Prints JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,

    /// Applies files of test vectors and prints how many rows hold; fails if any
    /// does not
    #[arg(long, value_name = "FILE.tsv", num_args = 1..)]
    pub(crate) check: Vec<PathBuf>,
}
