//! A guest made for measuring: scripts of simple operations, one for each
//! vCPU, run on the modelled machine without any firmware or kernel. The
//! assembler that comes with the compiler builds it into this test; it is
//! never called here, only written to a file.

use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use umbra_qemu::{Modelled, ModelledQemu, ensure_modelled_qemu, modelled_command};

core::arch::global_asm!(include_str!("boot.s"));

unsafe extern "C" {
    static guest_start: [u8; 0x10000];
}

const SCRIPTS: usize = 0x8000;
const SCRIPT_BYTES: usize = 0x1000;

/// An operation; addresses are physical, sizes in lines of 64 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    End,
    WriteRegister(u64, u64),
    ReadRegister(u64),
    ReadCounter(u64),
    Cpuid(u64, u64),
    Random { base: u64, lines: u64, count: u64 },
    Read { base: u64, lines: u64, rounds: u64 },
    Time,
    Barrier { address: u64, vcpus: u64 },
    StartOthers,
    Sleep(u64),
    Store(u64, u64),
    Load(u64),
    ReadUntil { base: u64, lines: u64, flag: u64 },
    WriteUntil { base: u64, lines: u64, flag: u64 },
    Print(u64),
    AllowInterrupts,
    Spin(u64),
}

impl Op {
    fn words(self) -> [u64; 4] {
        match self {
            Self::End => [0, 0, 0, 0],
            Self::WriteRegister(register, value) => [1, register, value, 0],
            Self::ReadRegister(register) => [2, register, 0, 0],
            Self::ReadCounter(number) => [3, number, 0, 0],
            Self::Cpuid(leaf, subleaf) => [4, leaf, subleaf, 0],
            Self::Random { base, lines, count } => [5, base, lines, count],
            Self::Read { base, lines, rounds } => [6, base, lines, rounds],
            Self::Time => [8, 0, 0, 0],
            Self::Barrier { address, vcpus } => [9, address, vcpus, 0],
            Self::StartOthers => [10, 0, 0, 0],
            Self::Sleep(count) => [11, count, 0, 0],
            Self::Store(address, value) => [12, address, value, 0],
            Self::Load(address) => [13, address, 0, 0],
            Self::ReadUntil { base, lines, flag } => [14, base, lines, flag],
            Self::WriteUntil { base, lines, flag } => [15, base, lines, flag],
            Self::Print(value) => [16, value, 0, 0],
            Self::AllowInterrupts => [17, 0, 0, 0],
            Self::Spin(rounds) => [18, rounds, 0, 0],
        }
    }
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) numbers: Vec<u64>,
    pub(crate) text: Vec<u8>,
    pub(crate) errors: String,
    pub(crate) code: Option<i32>,
}

/// QEMU's exit code when the first script ends.
pub(crate) const ENDED: i32 = 33;

/// Where things are on this host, or why the tests cannot run on it.
pub(crate) struct Bench {
    qemu: ModelledQemu,
    plugin: PathBuf,
    folder: PathBuf,
}

impl Bench {
    /// None, with the reason printed, where the modelled QEMU cannot be had;
    /// the name tells the files of tests apart.
    pub(crate) fn set_up(name: &str) -> Option<Self> {
        let program = env::current_exe().expect("this test's path");
        let built = program.ancestors().nth(2).expect("a build folder").to_path_buf();
        let plugin = built.join("deps/libumbra_model_plugin.so");
        assert!(plugin.exists(), "{} was not built", plugin.display());
        let target = built.parent().expect("a target folder");
        static FETCHING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
        match ensure_modelled_qemu(target, &mut |line| println!("{line}")) {
            Ok(qemu) => {
                let folder = env::temp_dir().join(format!("umbra-model-{}-{name}", process::id()));
                fs::create_dir_all(&folder).expect("a temporary folder");
                Some(Self { qemu, plugin, folder })
            }
            Err(why) => {
                println!("not run: {why}");
                None
            }
        }
    }

    /// Runs one script a vCPU, all of it modelled.
    pub(crate) fn run(&self, machine: &str, scripts: &[Vec<Op>]) -> Outcome {
        self.run_from(0, machine, scripts)
    }

    /// Runs one script a vCPU, modelled from the first block at `start` on.
    pub(crate) fn run_from(&self, start: u64, machine: &str, scripts: &[Vec<Op>]) -> Outcome {
        self.finish(start, machine, scripts, None)
    }

    /// Runs one script a vCPU and returns what the model wrote of the run.
    pub(crate) fn run_traced(&self, machine: &str, scripts: &[Vec<Op>]) -> (Outcome, String) {
        let trace = self.folder.join("trace");
        let outcome = self.finish(0, machine, scripts, Some(trace.clone()));
        (outcome, fs::read_to_string(trace).expect("a trace"))
    }

    fn finish(&self, start: u64, machine: &str, scripts: &[Vec<Op>], trace: Option<PathBuf>) -> Outcome {
        let serial = self.folder.join("serial");
        let mut child = self.start(start, machine, scripts, &serial, trace);
        let status = wait(&mut child);
        let mut errors = String::new();
        if let Some(mut stream) = child.stderr.take() {
            std::io::Read::read_to_string(&mut stream, &mut errors).expect("messages");
        }
        let text = fs::read(&serial).expect("serial output");
        let numbers = String::from_utf8_lossy(&text)
            .lines()
            .map(|line| {
                u64::from_str_radix(line, 16).unwrap_or_else(|_| panic!("the guest printed {line:?}"))
            })
            .collect();
        Outcome { numbers, text, errors, code: status.code() }
    }

    fn start(
        &self,
        start: u64,
        machine: &str,
        scripts: &[Vec<Op>],
        serial: &Path,
        trace: Option<PathBuf>,
    ) -> Child {
        let image = self.folder.join("image");
        fs::write(&image, rom(scripts)).expect("the guest's image");
        let run = Modelled {
            plugin: self.plugin.clone(),
            machine: machine.into(),
            vcpus: scripts.len(),
            memory_mib: 1024,
            start: Some(start),
            quantum: None,
            report: None,
            trace,
        };
        modelled_command(&self.qemu, &run)
            .expect("a machine of that many threads")
            .args(["-machine", "pc"])
            .arg("-bios")
            .arg(&image)
            .args(["-serial", &format!("file:{}", serial.display())])
            .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("QEMU starts")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What is left in a temporary folder does no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Waits for the end, but not for ever: a guest that hangs is a failed test.
fn wait(child: &mut Child) -> ExitStatus {
    const LONGEST: Duration = Duration::from_secs(300);
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("QEMU") {
            return status;
        }
        if begun.elapsed() > LONGEST {
            child.kill().expect("QEMU ends");
            panic!("the guest hangs");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn rom(scripts: &[Vec<Op>]) -> Vec<u8> {
    // SAFETY: the assembler lays out exactly this many bytes.
    let mut image = unsafe { guest_start }.to_vec();
    for (vcpu, script) in scripts.iter().enumerate() {
        let words = script.iter().chain([&Op::End]).flat_map(|op| op.words());
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        assert!(bytes.len() <= SCRIPT_BYTES, "script of {} bytes", bytes.len());
        let at = SCRIPTS + vcpu * SCRIPT_BYTES;
        // Scripts end where the reset vector is.
        image[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    image
}
