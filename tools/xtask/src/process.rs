//! Running other programs: cleaned environment, visible progress, errors that
//! name the program.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::say;

/// Runs `command` to its end with its output shown.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let name = name(&command);
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// Like [`run`], and says every ten seconds that it is still `doing`.
pub(crate) fn run_with_heartbeat(mut command: Command, doing: &str) -> Result<()> {
    const EVERY: Duration = Duration::from_secs(10);
    let name = name(&command);
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let start = Instant::now();
    let mut next = EVERY;
    loop {
        if let Some(status) = child.try_wait()? {
            return if status.success() { Ok(()) } else { Err(anyhow::anyhow!("{name} failed ({status})")) };
        }
        if start.elapsed() >= next {
            say::step(&format!("still {doing}, {} s so far", next.as_secs()));
            next += EVERY;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The standard output of a command that succeeds, trimmed; `None` otherwise.
pub(crate) fn output_of(mut command: Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Whether `program` is found on the path.
pub(crate) fn on_path(program: impl AsRef<Path>) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program.as_ref()).is_file())
}

fn name(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.get_args().next().map(OsStr::to_string_lossy) {
        Some(first) if !first.starts_with('-') => format!("{program} {first}"),
        _ => program,
    }
}
