//! What Umbra would use on a machine, from its CPUID dump and ACPI tables.
//!
//! The decoding is the kernel's own ([`umbra_hw`]): what this says before the
//! first boot is what the console says after it. One tree of values
//! ([`report`]) is printed as text or as JSON, so that neither can say more than
//! the other. Vector files ([`check`]) put the same code to the test row by row.
#![forbid(unsafe_code)]

mod acpi_folder;
mod arguments;
mod check;
mod dump;
mod machine;
mod report;
mod text;

use std::{ffi::OsString, io::Write, process::ExitCode};

use arguments::Arguments;
use clap::Parser;

/// Runs the command with its arguments (the program's name first) and prints to
/// standard output; what stops it goes to standard error in one line.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    match execute(&arguments, &mut std::io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what was asked; whether it went well.
fn execute(arguments: &Arguments, out: &mut impl Write) -> Result<bool, String> {
    let failed = |error: std::io::Error| format!("cannot print: {error}");
    if !arguments.check.is_empty() {
        return check::files(&arguments.check, out);
    }
    let machine = machine::read(arguments)?;
    let report = report::build(&machine);
    if arguments.json {
        let text = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
        writeln!(out, "{text}").map_err(failed)?;
    } else {
        write!(out, "{}", text::render(&report)).map_err(failed)?;
    }
    Ok(true)
}

/// Help goes out as it is; anything else becomes one line.
fn explain(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        print!("{error}");
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    eprintln!("{}", text.lines().next().unwrap_or("error: wrong arguments"));
    ExitCode::from(2)
}
