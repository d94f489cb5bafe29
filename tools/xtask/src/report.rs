//! The main job's figures: the guest's record, plus where it was measured.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::{process, qemu, say, workspace};

/// Where a report was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    /// Compiler of the kernel.
    pub(crate) toolchain: String,
    /// QEMU's.
    pub(crate) command_line: String,
    /// `bios` or `uefi`.
    pub(crate) firmware: &'static str,
    /// The modelled machine and the QEMU it ran in; none for plain emulation.
    pub(crate) model: Option<(String, OsString)>,
}

/// Takes reports from the guest's records; the last one counts.
#[derive(Debug)]
pub(crate) struct Report {
    host: Host,
    file: Option<PathBuf>,
    complete: bool,
}

impl Report {
    /// Reports are written to `file`, if there is one.
    pub(crate) const fn new(host: Host, file: Option<PathBuf>) -> Self {
        Self { host, file, complete: false }
    }

    /// Whether a report has come.
    pub(crate) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Looks for reports in `records` and writes them.
    ///
    /// # Errors
    /// If a report holds no figures or the file cannot be written.
    pub(crate) fn take(&mut self, records: Vec<Value>) -> Result<()> {
        for record in records {
            let Some(figures) = figures_of(record)? else { continue };
            self.complete = true;
            if let Some(file) = &self.file {
                let text = format!("{:#}\n", with_host(figures, &self.host));
                std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
                say::step(&format!("figures written to {}", file.display()));
            }
        }
        Ok(())
    }
}

/// The record without its tag if it is a report; `None` if it is another
/// kind of record.
fn figures_of(record: Value) -> Result<Option<Map<String, Value>>> {
    let Value::Object(mut figures) = record else { bail!("the guest sent a record that is not an object") };
    match figures.shift_remove("record") {
        Some(Value::String(kind)) if kind == "report" => {
            if figures.is_empty() {
                bail!("the guest sent a report without figures");
            }
            Ok(Some(figures))
        }
        _ => Ok(None),
    }
}

fn with_host(figures: Map<String, Value>, host: &Host) -> Value {
    let mut all = Map::new();
    all.insert("host".to_owned(), describe(host));
    all.extend(figures);
    Value::Object(all)
}

/// Where and from what something was measured.
pub(crate) fn describe(host: &Host) -> Value {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    json!({
        "commit": git(&["rev-parse", "HEAD"]),
        "modified": git(&["status", "--porcelain"]).map(|changes| !changes.is_empty()),
        "unix_time_s": now.as_secs(),
        "qemu": qemu::version(host.model.as_ref().map(|(_, program)| program.as_os_str())),
        "machine": host.model.as_ref().map(|(machine, _)| machine),
        "command_line": host.command_line,
        "firmware": host.firmware,
        "accelerator": "tcg",
        "toolchain": host.toolchain,
    })
}

fn git(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(workspace::root());
    process::output_of(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_keeps_its_figures_and_gains_its_host() {
        let record =
            json!({"record": "report", "seed": 7, "policies": [{"name": "none", "p99_permille": 2310}]});
        let figures = figures_of(record).expect("an object").expect("a report");
        let host = Host { firmware: "bios", ..Host::default() };
        let all = with_host(figures, &host);
        assert_eq!(all["host"]["firmware"], "bios");
        assert_eq!(all["policies"][0]["p99_permille"], 2310);
        assert!(all.get("record").is_none());
    }

    #[test]
    fn other_records_are_not_reports() {
        assert_eq!(figures_of(json!({"record": "progress", "done": 3})).expect("an object"), None);
        assert!(figures_of(json!({"record": "report"})).is_err());
        assert!(figures_of(json!([1])).is_err());
    }
}
