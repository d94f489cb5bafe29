//! The modelled machines of `qemu/machines.toml`: a QEMU with the model of
//! caches, memory and counters loaded into it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, anyhow};
use umbra_model::Description;
use umbra_qemu::{Modelled, ModelledQemu, ensure_modelled_qemu, modelled_command};

use crate::setup::host_cargo;
use crate::{process, say, workspace};

/// What a model brings in place of plain emulation.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// The machine's name.
    pub(crate) name: String,
    /// The QEMU that the model was made for.
    pub(crate) program: OsString,
    /// Its environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Processors, memory, clock and plugin.
    pub(crate) arguments: Vec<OsString>,
}

/// What the model writes when it ends, beside what the guest says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outputs {
    /// Counts of each vCPU.
    pub(crate) report: Option<PathBuf>,
    /// Figures over the run.
    pub(crate) trace: Option<PathBuf>,
}

/// The model's QEMU, found or fetched.
#[derive(Clone, Debug)]
pub(crate) struct Emulator(ModelledQemu);

/// What `qemu/machines.toml` says of a machine.
///
/// # Errors
/// If there is no such machine.
pub(crate) fn described(machine: &str) -> Result<Description> {
    Description::named(machine).map_err(|reason| anyhow!(reason))
}

impl Emulator {
    /// Finds it, or fetches it.
    ///
    /// # Errors
    /// Why it cannot be had; one line.
    pub(crate) fn find() -> Result<Self> {
        let qemu = ensure_modelled_qemu(&workspace::target(""), &mut |text| say::step(text));
        qemu.map(Self).map_err(|reason| anyhow!(reason))
    }

    /// Builds the model and describes `machine` with so many virtual CPUs and
    /// so much memory.
    ///
    /// # Errors
    /// If there is no such machine, or it has fewer threads, or the model does
    /// not build.
    pub(crate) fn model(&self, machine: &str, cpus: u32, memory_mib: u32, outputs: Outputs) -> Result<Model> {
        let run = Modelled {
            plugin: workspace::target("release/libumbra_model_plugin.so"),
            machine: machine.to_owned(),
            vcpus: usize::try_from(cpus)?,
            memory_mib,
            start: None,
            quantum: None,
            report: outputs.report,
            trace: outputs.trace,
        };
        let command = modelled_command(&self.0, &run).map_err(|reason| anyhow!(reason))?;
        build()?;
        Ok(Model::started_by(&command, machine))
    }

    /// The same QEMU without the model: it knows processors that the system's
    /// may not.
    pub(crate) fn without_model(&self, cpus: u32, memory: &str) -> Model {
        let mut command = self.0.command();
        command.args(["-accel", "tcg", "-smp", &cpus.to_string(), "-m", memory]);
        command.args(["-display", "none", "-nic", "none", "-no-reboot"]);
        Model::started_by(&command, "none")
    }
}

/// Compiles the plugin, once in this process.
fn build() -> Result<()> {
    static BUILT: std::sync::Mutex<bool> = std::sync::Mutex::new(false);
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !*built {
        say::step("building the machine model");
        let mut cargo = host_cargo("build");
        cargo.args(["--quiet", "--release", "--package", "umbra-model-plugin"]);
        process::run(cargo)?;
        *built = true;
    }
    Ok(())
}

impl Model {
    fn started_by(command: &Command, name: &str) -> Self {
        let environment = command.get_envs();
        Self {
            name: name.to_owned(),
            program: command.get_program().to_owned(),
            environment: environment
                .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
                .collect(),
            arguments: command.get_args().map(ToOwned::to_owned).collect(),
        }
    }
}
