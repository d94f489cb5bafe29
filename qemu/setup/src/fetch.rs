//! Fetches Debian's packages with apt-get, from the backports, into a folder
//! of the build, and unpacks them with dpkg. Uses apt's own keys and caches
//! of its own, so it changes nothing on the system and needs no root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SUITE: &str = "bookworm-backports";
const PACKAGES: [&str; 4] = ["qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios"];
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where the packages are unpacked.
pub(crate) fn root(target: &Path) -> PathBuf {
    target.join("qemu-10").join("root")
}

/// Fetches and unpacks; says what it does.
pub(crate) fn fetch(target: &Path, say: &mut dyn FnMut(&str)) -> Result<(), String> {
    let folder = absolute(&target.join("qemu-10"))?;
    say(&format!(
        "fetching QEMU {} from {SUITE} into {} (14 MB; the machine model needs this version; nothing is installed)",
        crate::VERSION,
        folder.display(),
    ));
    let apt = Apt::new(&folder)?;
    apt.run(&["update"])?;
    let wanted: Vec<String> = PACKAGES.iter().map(|package| format!("{package}/{SUITE}")).collect();
    let mut arguments = vec!["download"];
    arguments.extend(wanted.iter().map(String::as_str));
    apt.run(&arguments)?;
    let fresh = folder.join("root.new");
    let root = folder.join("root");
    for stale in [&fresh, &root] {
        if stale.exists() {
            fs::remove_dir_all(stale).map_err(|error| format!("{}: {error}", stale.display()))?;
        }
    }
    for package in packages(&apt.packages)? {
        let mut unpack = Command::new("dpkg");
        unpack.arg("-x").arg(&package).arg(&fresh);
        run(&mut unpack, "dpkg -x")?;
    }
    fs::rename(&fresh, &root).map_err(|error| format!("{}: {error}", root.display()))
}

/// apt-get with lists and caches of its own.
struct Apt {
    options: Vec<String>,
    packages: PathBuf,
}

impl Apt {
    fn new(folder: &Path) -> Result<Self, String> {
        let [state, cache, packages] = ["state", "cache", "packages"].map(|name| folder.join(name));
        for needed in [&state.join("lists/partial"), &cache.join("archives/partial"), &packages] {
            fs::create_dir_all(needed).map_err(|error| format!("{}: {error}", needed.display()))?;
        }
        let sources = folder.join("sources.list");
        let archive = archive()?;
        let line = format!("deb [signed-by={KEYS}] {archive} {SUITE} main\n");
        fs::write(&sources, line).map_err(|error| format!("{}: {error}", sources.display()))?;
        let options = [
            format!("Dir::Etc::sourcelist={}", sources.display()),
            "Dir::Etc::sourceparts=/dev/null".into(),
            format!("Dir::State::lists={}", state.join("lists").display()),
            format!("Dir::Cache={}", cache.display()),
            // The sandbox user of apt may not reach a private folder.
            "APT::Sandbox::User=".into(),
        ];
        Ok(Self { options: options.to_vec(), packages })
    }

    fn run(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new("apt-get");
        command.current_dir(&self.packages).arg("-qq");
        for option in &self.options {
            command.arg("-o").arg(option);
        }
        command.args(arguments);
        run(&mut command, &format!("apt-get {}", arguments.first().unwrap_or(&"")))
    }
}

/// The archive that the system itself uses, so that a mirror is respected.
fn archive() -> Result<String, String> {
    let more = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = more.map(|entry| entry.path()).collect();
    files.sort();
    files.insert(0, "/etc/apt/sources.list".into());
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    texts.filter_map(|text| archive_in(&text)).next().ok_or_else(|| {
        "apt's sources name no Debian archive; the machine model needs Debian 12 or QEMU 10.0.2 in PATH"
            .into()
    })
}

/// The first archive of a sources file, in either of apt's formats.
fn archive_in(text: &str) -> Option<String> {
    text.lines().map(str::trim).filter(|line| !line.starts_with('#')).find_map(|line| {
        let words = line.strip_prefix("URIs:").or_else(|| line.strip_prefix("deb "))?;
        let archive = words.split_whitespace().find(|word| word.contains("://"))?;
        let archive = archive.trim_end_matches('/');
        archive.ends_with("/debian").then(|| archive.to_string())
    })
}

fn packages(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    found.sort();
    if found.len() < PACKAGES.len() {
        return Err(format!(
            "{}: expected {} packages, found {}",
            folder.display(),
            PACKAGES.len(),
            found.len()
        ));
    }
    Ok(found)
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs a command; its last words become the error.
fn run(command: &mut Command, what: &str) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(format!("{what} failed ({}): {last}", output.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_archive_is_found_in_both_formats() {
        let modern = "Types: deb\n# URIs: http://old.example/debian\nURIs: http://mirror.example/debian/\nSuites: bookworm\n";
        assert_eq!(archive_in(modern).as_deref(), Some("http://mirror.example/debian"));
        let classic = "# c\ndeb [signed-by=/k] http://deb.example/debian bookworm main\n";
        assert_eq!(archive_in(classic).as_deref(), Some("http://deb.example/debian"));
        assert_eq!(archive_in("deb https://other.example/apt stable main"), None);
    }

    #[test]
    fn a_failed_command_says_why_in_one_line() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo first >&2; echo last >&2; exit 3"]);
        let error = run(&mut command, "the test").expect_err("exit 3");
        assert!(error.starts_with("the test failed") && error.ends_with(": last"), "{error}");
    }
}
