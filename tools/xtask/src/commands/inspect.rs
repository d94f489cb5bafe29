//! `cargo xtask inspect`: what Umbra would use on a machine.

use std::ffi::OsString;
use std::iter;
use std::process::ExitCode;

/// Say what Umbra would use on a machine, from CPUID dumps and ACPI tables, or
/// apply test vectors
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// As `cargo xtask inspect --help` explains
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    rest: Vec<OsString>,
}

/// Hands the arguments on as they are.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    umbra_inspect::run(words(arguments))
}

/// The arguments after a program's name, which parsers expect first.
fn words(arguments: &Arguments) -> impl Iterator<Item = OsString> {
    iter::once(OsString::from("inspect")).chain(arguments.rest.iter().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn arguments_are_handed_on_untouched() {
        let typed = ["inspect", "--json", "--cpuid", "dump.txt", "-h", "--check", "a.tsv"];
        let line = Line::parse_from(typed);
        let handed: Vec<_> = words(&line.arguments).collect();
        assert_eq!(handed, typed.map(OsString::from));
    }

    #[test]
    fn vectors_that_hold_succeed_and_absent_files_fail() {
        let vectors =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/rdt_pmu/cat_mask_validity.tsv");
        let check = |file: &str| run(&Arguments { rest: vec!["--check".into(), file.into()] });
        assert_eq!(check(vectors), ExitCode::SUCCESS);
        assert_eq!(check("no such file.tsv"), ExitCode::FAILURE);
    }
}
