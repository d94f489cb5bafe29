//! The modelled machines of `qemu/machines.toml`: a QEMU with the model of
//! caches, memory and counters loaded into it.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, anyhow};
use umbra_qemu::{Modelled, ensure_modelled_qemu, modelled_command};

use crate::setup::host_cargo;
use crate::{process, say, workspace};

/// What a model brings in place of plain emulation.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// The QEMU that the model was made for.
    pub(crate) program: OsString,
    /// Its environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Processors, memory, clock and plugin.
    pub(crate) arguments: Vec<OsString>,
}

impl Model {
    /// Builds the model, fetches its QEMU if need be, and describes `machine`
    /// with so many virtual CPUs and so much memory.
    ///
    /// # Errors
    /// If there is no such machine, it has fewer threads, or QEMU cannot be
    /// had.
    pub(crate) fn of(machine: &str, cpus: u32, memory_mib: u32) -> Result<Self> {
        let qemu = ensure_modelled_qemu(&workspace::target(""), &mut |text| say::step(text))
            .map_err(|reason| anyhow!(reason))?;
        say::step("building the machine model");
        let mut cargo = host_cargo("build");
        cargo.args(["--quiet", "--release", "--package", "umbra-model-plugin"]);
        process::run(cargo)?;
        let run = Modelled {
            plugin: workspace::target("release/libumbra_model_plugin.so"),
            machine: machine.to_owned(),
            vcpus: usize::try_from(cpus)?,
            memory_mib,
            start: None,
            quantum: None,
            report: None,
        };
        let command = modelled_command(&qemu, &run).map_err(|reason| anyhow!(reason))?;
        Ok(Self::from(&command))
    }

    /// The QEMU that the model was made for, without the model: a newer one than
    /// the system's may be. Fetched if need be.
    ///
    /// # Errors
    /// If it cannot be had.
    pub(crate) fn without_model(cpus: u32, memory: &str) -> Result<Self> {
        let qemu = ensure_modelled_qemu(&workspace::target(""), &mut |text| say::step(text))
            .map_err(|reason| anyhow!(reason))?;
        let mut command = qemu.command();
        command.args(["-accel", "tcg", "-smp", &cpus.to_string(), "-m", memory]);
        command.args(["-display", "none", "-nic", "none", "-no-reboot"]);
        Ok(Self::from(&command))
    }

    /// The same, with a report of what the model counted in the end.
    pub(crate) fn reporting(mut self, report: &Path) -> Self {
        let mut words = self.arguments.iter_mut();
        if words.any(|word| word == "-plugin")
            && let Some(plugin) = words.next()
        {
            plugin.push(format!(",report={}", report.display()));
        }
        self
    }
}

impl From<&Command> for Model {
    fn from(command: &Command) -> Self {
        let environment = command.get_envs();
        Self {
            program: command.get_program().to_owned(),
            environment: environment
                .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
                .collect(),
            arguments: command.get_args().map(ToOwned::to_owned).collect(),
        }
    }
}
