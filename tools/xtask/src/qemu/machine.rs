//! One virtual machine, as QEMU's arguments.
//!
//! Emulation (TCG) is always asked for by name: figures of two runs can be
//! compared only if both were emulated, and KVM is not there on every host.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use super::Model;
use super::firmware::Uefi;
use crate::image::Images;

/// Which firmware starts the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Firmware {
    /// SeaBIOS
    Bios,
    /// OVMF
    Uefi,
}

impl Firmware {
    /// As the user writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
        }
    }
}

/// Where the serial line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serial {
    /// Standard input and output, shared with QEMU's monitor: Ctrl-A X ends
    /// QEMU, Ctrl-C reaches the guest.
    Terminal,
    /// Standard input and output, every byte as it is.
    Pipe,
}

/// The machine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// The disk.
    pub(crate) image: PathBuf,
    /// UEFI firmware, or BIOS if absent.
    pub(crate) uefi: Option<Uefi>,
    /// Virtual CPUs.
    pub(crate) cpus: u32,
    /// As QEMU's `-m` takes it.
    pub(crate) memory: String,
    /// Where the serial line goes.
    pub(crate) serial: Serial,
    /// Where QEMU copies every byte that the guest sends, with [`Serial::Pipe`].
    pub(crate) serial_copy: Option<PathBuf>,
    /// Whether one instruction takes one virtual nanosecond, on one thread,
    /// so that runs repeat exactly.
    pub(crate) counted: bool,
    /// The model of caches, memory and counters that the machine runs under,
    /// or none for plain emulation.
    pub(crate) model: Option<Model>,
    /// Whether a reset restarts the machine instead of ending QEMU.
    pub(crate) may_reboot: bool,
    /// More of the user's own.
    pub(crate) extra: Vec<OsString>,
}

impl Machine {
    /// A machine that ends on a reset and whose serial line is a pipe.
    ///
    /// # Errors
    /// If UEFI firmware is asked for and not there.
    pub(crate) fn new(images: &Images, firmware: Firmware, cpus: u32) -> Result<Self> {
        let (image, uefi) = match firmware {
            Firmware::Bios => (&images.bios, None),
            Firmware::Uefi => (&images.uefi, Some(Uefi::beside(&images.uefi)?)),
        };
        Ok(Self {
            image: image.clone(),
            uefi,
            cpus,
            memory: "1G".to_owned(),
            serial: Serial::Pipe,
            serial_copy: None,
            counted: false,
            model: None,
            may_reboot: false,
            extra: Vec::new(),
        })
    }

    /// The arguments, without the program.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> =
            self.model.as_ref().map_or_else(|| self.plain(), |model| model.arguments.clone());
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
        add(&["-machine", "q35", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]);
        if let Some(uefi) = &self.uefi {
            add(&["-drive", &format!("if=pflash,format=raw,readonly=on,file={}", value(&uefi.code))]);
            add(&["-drive", &format!("if=pflash,format=raw,file={}", value(&uefi.variables))]);
        }
        add(&["-drive", &format!("format=raw,file={}", value(&self.image))]);
        match self.serial {
            Serial::Terminal => {
                add(&["-chardev", "stdio,id=console,mux=on,signal=off"]);
                add(&["-serial", "chardev:console", "-mon", "chardev=console"]);
            }
            Serial::Pipe => {
                let copy = self
                    .serial_copy
                    .as_ref()
                    .map_or_else(String::new, |file| format!(",logfile={},logappend=off", value(file)));
                add(&["-chardev", &format!("stdio,id=console,signal=off{copy}")]);
                add(&["-serial", "chardev:console", "-monitor", "none"]);
            }
        }
        arguments.extend(self.extra.iter().cloned());
        arguments
    }

    /// Processors, memory and clock under plain emulation.
    fn plain(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
        add(&["-cpu", "max", "-smp", &self.cpus.to_string(), "-m", &self.memory]);
        add(&["-accel", if self.counted { "tcg,thread=single" } else { "tcg,thread=multi" }]);
        if self.counted {
            add(&["-icount", "shift=0,sleep=off"]);
        }
        add(&["-display", "none", "-nic", "none"]);
        if !self.may_reboot {
            add(&["-no-reboot"]);
        }
        arguments
    }

    /// The program that emulates it.
    pub(crate) fn program(&self) -> OsString {
        self.model.as_ref().map_or_else(super::program, |model| model.program.clone())
    }

    /// QEMU as a command.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.program());
        command.args(self.arguments());
        for (key, value) in self.model.iter().flat_map(|model| &model.environment) {
            command.env(key, value);
        }
        command
    }

    /// The whole command line as a shell would take it.
    pub(crate) fn command_line(&self) -> String {
        let words = std::iter::once(self.program()).chain(self.arguments());
        words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }
}

/// A path inside a `key=value` list, where QEMU wants commas doubled.
fn value(path: &std::path::Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=,./:+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        let images = Images { bios: "a,b.img".into(), uefi: "u.img".into() };
        Machine::new(&images, Firmware::Bios, 4).expect("BIOS needs no files")
    }

    #[test]
    fn a_piped_machine_ends_on_reset() {
        let line = machine().command_line();
        for part in
            ["-smp 4 ", "-m 1G ", "-accel tcg,thread=multi ", "-no-reboot ", "iobase=0xf4,iosize=0x04 "]
        {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(line.contains("file=a,,b.img"), "{line}");
        assert!(!line.contains("pflash") && !line.contains("icount") && !line.contains("mux=on"), "{line}");
    }

    #[test]
    fn a_terminal_machine_restarts_and_takes_more_arguments() {
        let extra = vec!["-d".into(), "int x".into()];
        let line = Machine { serial: Serial::Terminal, may_reboot: true, extra, ..machine() }.command_line();
        assert!(line.contains("mux=on,signal=off") && !line.contains("-no-reboot"), "{line}");
        assert!(line.ends_with("-d 'int x'"), "{line}");
    }

    #[test]
    fn a_counted_machine_has_one_thread() {
        let line = Machine { counted: true, ..machine() }.command_line();
        assert!(line.contains("-accel tcg,thread=single -icount shift=0,sleep=off"), "{line}");
    }

    #[test]
    fn what_the_guest_sends_may_be_copied() {
        let line = Machine { serial_copy: Some("a.bin".into()), ..machine() }.command_line();
        assert!(line.contains("stdio,id=console,signal=off,logfile=a.bin,logappend=off "), "{line}");
    }

    #[test]
    fn uefi_firmware_comes_as_flash() {
        let uefi = Some(Uefi { code: "code.fd".into(), variables: "vars.fd".into() });
        let line = Machine { uefi, ..machine() }.command_line();
        assert!(line.contains("if=pflash,format=raw,readonly=on,file=code.fd"), "{line}");
        assert!(line.contains("-drive if=pflash,format=raw,file=vars.fd"), "{line}");
    }
}
