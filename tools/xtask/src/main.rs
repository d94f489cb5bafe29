//! Everything the host does for Umbra: install what is missing, build images,
//! run them in QEMU, test and measure. `cargo xtask --help` lists the
//! commands.
#![forbid(unsafe_code)]

mod commands;
mod console_session;
mod image;
mod process;
mod qemu;
mod random;
mod report;
mod say;
mod setup;
mod trace;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, runs, tests and measures Umbra.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(commands::run::Arguments),
    Image(commands::image::Arguments),
    Test(commands::test::Arguments),
    Bench(commands::bench::Arguments),
    Eval(commands::eval::Arguments),
    Inspect(commands::inspect::Arguments),
    Soak(commands::soak::Arguments),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    let result = match &arguments.command {
        // It has its own exit status: a failed check is no error.
        Command::Inspect(arguments) => return commands::inspect::run(arguments),
        Command::Run(arguments) => commands::run::run(arguments),
        Command::Image(arguments) => commands::image::run(arguments),
        Command::Test(arguments) => commands::test::run(arguments),
        Command::Bench(arguments) => commands::bench::run(arguments),
        Command::Eval(arguments) => commands::eval::run(arguments),
        Command::Soak(arguments) => commands::soak::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Help goes out as it is; anything else becomes one line.
fn explain(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
        // A closed standard output is no reason to fail.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    say::error(&one_line(&error.to_string()));
    ExitCode::from(2)
}

/// The first paragraph and any "similar" tip of clap's message.
fn one_line(message: &str) -> String {
    let first = message.lines().take_while(|line| !line.trim().is_empty());
    let tips = message.lines().filter(|line| line.contains("similar"));
    let words: Vec<_> = first.chain(tips).map(str::trim).collect();
    let line = words.join(" ");
    format!("{}; see --help", line.strip_prefix("error: ").unwrap_or(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> String {
        let error = Arguments::try_parse_from(line.split(' ')).err().expect("refused");
        one_line(&error.to_string())
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn unknown_arguments_get_one_line() {
        assert_eq!(
            refusal("xtask run --smpp 3"),
            "unexpected argument '--smpp' found tip: a similar argument exists: '--smp'; see --help"
        );
        assert_eq!(
            refusal("xtask run --firmware coreboot"),
            "invalid value 'coreboot' for '--firmware <FIRMWARE>' [possible values: bios, uefi]; see --help"
        );
        assert_eq!(refusal("xtask fly"), "unrecognized subcommand 'fly'; see --help");
        assert_eq!(refusal("xtask run --smp 0").lines().count(), 1);
    }
}
