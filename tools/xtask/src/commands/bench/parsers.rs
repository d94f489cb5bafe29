//! Every parser of tables that others wrote, with very many random inputs.
//!
//! These are the property tests that `cargo xtask test` runs with a few hundred
//! cases each, here optimised and with as many cases as are asked for: no panic,
//! no endless loop, nothing read out of bounds (the portable crates forbid
//! unsafe code, so that would be a panic).

use std::time::Instant;

use anyhow::Result;

use crate::setup::host_cargo;
use crate::{process, say};

/// The packages that read tables.
const PACKAGES: [&str; 4] = ["umbra-hw", "umbra-inspect", "umbra-ramdisk", "umbra-control"];
/// Parts of the names of their tests with random input.
const TESTS: [&str; 3] = ["survived", "read_or_refused", "any_leaves"];

/// Runs them with `cases` inputs each.
pub(super) fn run(cases: u32) -> Result<()> {
    say::step(&format!("{cases} random inputs for every parser of tables; a million take some minutes"));
    let start = Instant::now();
    let mut cargo = host_cargo("test");
    cargo.args(["--release", "--lib", "--bins"]).env("PROPTEST_CASES", cases.to_string());
    cargo.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    cargo.arg("--").args(TESTS);
    process::run(cargo)?;
    println!("{cases} inputs for every parser of tables: {} s", start.elapsed().as_secs());
    Ok(())
}
