//! `cargo xtask inspect` on its own.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    umbra_inspect::run(std::env::args_os())
}
