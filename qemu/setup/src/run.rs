//! The command line of a modelled run. What is in it is needed for time and
//! output to be the same in every run; the caller adds the board (`-machine`),
//! disks, the serial line and whatever ends QEMU. The plugin itself ends it with
//! 75 when the guest does what raises #GP on the real machine, and with 77 when
//! QEMU is not as the model needs it.

use std::path::PathBuf;
use std::process::Command;

use umbra_model::{Description, Vendor};

use crate::ModelledQemu;

/// A modelled run.
#[derive(Clone, Debug)]
pub struct Modelled {
    /// The built plugin, `libumbra_model_plugin.so`.
    pub plugin: PathBuf,
    /// A machine of `qemu/machines.toml`.
    pub machine: String,
    /// vCPUs; at most the machine's threads.
    pub vcpus: usize,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Where the modelled part begins; none for the plugin's default, which is
    /// whatever a boot loader maps above 512 GiB.
    pub start: Option<u64>,
    /// Cycles that vCPUs may be apart; none for the plugin's default.
    pub quantum: Option<u64>,
    /// Where the plugin writes its counts at the end, as JSON.
    pub report: Option<PathBuf>,
    /// Where the plugin writes figures over the run at the end, as JSON.
    pub trace: Option<PathBuf>,
}

/// Threads of the machine of that name.
///
/// # Errors
/// One line that lists the names there are.
pub fn threads_of(machine: &str) -> Result<usize, String> {
    Ok(Description::named(machine)?.threads())
}

/// The command: one emulating thread, a clock that only the model moves, no
/// display, no default devices, no reboot; a real-time clock that does not
/// follow the host; a processor of the machine's vendor.
///
/// # Errors
/// One line when the machine does not exist or has fewer threads.
pub fn modelled_command(qemu: &ModelledQemu, run: &Modelled) -> Result<Command, String> {
    let machine = Description::named(&run.machine)?;
    if !(1..=machine.threads()).contains(&run.vcpus) {
        return Err(format!("{} vCPUs, but {} has {} threads", run.vcpus, run.machine, machine.threads()));
    }
    let threads = machine.threads_per_core.min(run.vcpus);
    let processor = match machine.vendor {
        Vendor::Intel => "max,vendor=GenuineIntel",
        Vendor::Amd => "max,vendor=AuthenticAMD",
    };
    let mut plugin = format!("{},machine={}", run.plugin.display(), run.machine);
    if let Some(start) = run.start {
        plugin += &format!(",start={start:#x}");
    }
    if let Some(quantum) = run.quantum {
        plugin += &format!(",quantum={quantum}");
    }
    if let Some(report) = &run.report {
        plugin += &format!(",report={}", report.display());
    }
    if let Some(trace) = &run.trace {
        plugin += &format!(",trace={}", trace.display());
    }
    let cores = run.vcpus.div_ceil(threads);
    let smp = format!("cpus={},maxcpus={},cores={cores},threads={threads}", run.vcpus, cores * threads);
    let mut command = qemu.command();
    command
        .args(["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"])
        .args(["-rtc", "base=2026-01-01T00:00:00,clock=vm"])
        // No display is shown, but boot loaders of the BIOS want a screen to write to.
        .args(["-nodefaults", "-no-reboot", "-display", "none", "-vga", "std"])
        .args(["-cpu", processor])
        .args(["-smp", &smp, "-m", &format!("{}M", run.memory_mib)])
        .args(["-plugin", &plugin]);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_plugin_machine_and_clock() {
        let qemu = ModelledQemu { program: "qemu".into(), data: vec!["share".into()], modules: None };
        let run = Modelled {
            plugin: "model.so".into(),
            machine: "xeon8smt".into(),
            vcpus: 8,
            memory_mib: 512,
            start: Some(0x10_0000),
            quantum: None,
            report: Some("counts.json".into()),
            trace: Some("run.json".into()),
        };
        let command = modelled_command(&qemu, &run).expect("eight threads");
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let after = |name: &str| words.iter().skip_while(|word| *word != name).nth(1).cloned();
        assert_eq!(
            after("-plugin").as_deref(),
            Some("model.so,machine=xeon8smt,start=0x100000,report=counts.json,trace=run.json")
        );
        assert_eq!(after("-smp").as_deref(), Some("cpus=8,maxcpus=8,cores=4,threads=2"));
        assert_eq!(after("-cpu").as_deref(), Some("max,vendor=GenuineIntel"));
        assert_eq!(after("-icount").as_deref(), Some("shift=0,sleep=off"));
        assert_eq!(after("-L").as_deref(), Some("share"));
        let crowded = Modelled { vcpus: 9, ..run.clone() };
        assert_eq!(
            modelled_command(&qemu, &crowded).err().as_deref(),
            Some("9 vCPUs, but xeon8smt has 8 threads")
        );
        let unknown = Modelled { machine: "vax".into(), ..run };
        assert!(modelled_command(&qemu, &unknown).is_err());
    }
}
