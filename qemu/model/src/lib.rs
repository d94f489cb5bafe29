//! Umbra's machine model as a plugin of QEMU 10.0: gives a TCG guest caches,
//! memory contention, performance counters and allocation of shared resources,
//! and makes its clocks follow the modelled time.
//!
//! What is modelled is in `umbra-model`; here is how it is fed:
//! - [`translate`]: what is put into translated code;
//! - [`accesses`]: loads and stores, with their physical addresses;
//! - [`emulate`]: CPUID, RDMSR, WRMSR, RDPMC, PAUSE, answered in place;
//! - [`turns`]: who runs when; [`rota`]: carries it out; [`clock`]: what the
//!   guest's clocks show; [`model`]: the state behind all of it;
//! - [`report`], [`trace`]: what is written when the run ends;
//! - [`api`], [`internals`]: QEMU's functions, and the checks without which
//!   the plugin refuses to run. It needs more than the plugin interface
//!   promises (writing registers, leaving a block, the clock), so it is tied
//!   to the one version it was made with.
//!
//! Needs `-icount shift=0,sleep=off` (which also means one emulating thread):
//! then QEMU runs no timer by itself. The instruction count of `-icount`
//! itself is switched off in the translated code: its budgets depend on the
//! host's clock and would cut blocks at points that differ from run to run.
//!
//! Arguments: `machine=NAME`, `file=machines.toml`, `quantum=CYCLES`,
//! `start=ADDRESS` (the first block at or above it begins the modelled part:
//! everything before, firmware and loader, only passes time; 0 models all),
//! `report=FILE` (counts at the end), `trace=FILE` (figures over the run, and
//! every write that divides caches or bandwidth).

mod accesses;
mod api;
mod arguments;
mod clock;
mod decode;
mod emulate;
mod entries;
mod internals;
mod marks;
mod model;
mod report;
mod rota;
mod trace;
mod translate;
mod turns;

use std::ffi::{c_char, c_int, c_void};

use api::{Info, PluginId, Qemu};
use arguments::Arguments;
use model::Model;

/// The interface version that the plugin was written for.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 4;

/// The emulator was refused, or the arguments were.
const REFUSED: c_int = 77;

/// Called by QEMU when it loads the plugin.
///
/// # Safety
/// Only QEMU calls it, with its own structures.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: PluginId,
    info: *const c_void,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    // SAFETY: QEMU hands over `count` C strings and an info block that live during the call.
    let (info, arguments) = unsafe { (info.cast::<Info>().as_ref(), arguments::collect(count, arguments)) };
    let installed = Qemu::find().map_err(refusal).and_then(|qemu| {
        let info = info.filter(|info| info.system_emulation && info.current_version >= 4);
        let info =
            info.ok_or_else(|| refusal("it is not a system emulator with plugin interface 4".into()))?;
        let arguments = Arguments::parse(&arguments)?;
        let vcpus = usize::try_from(info.vcpus).unwrap_or(0);
        let threads = arguments.machine.threads();
        if vcpus > threads {
            return Err(format!("{vcpus} vCPUs, but the machine has {threads} threads"));
        }
        Model::install(qemu, id, arguments, vcpus);
        Ok(())
    });
    match installed {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("umbra model: {why}");
            1
        }
    }
}

fn refusal(why: String) -> String {
    format!("this is not QEMU 10.0 as the model needs it: {why}")
}

/// Ends the emulator at once with one line.
fn refuse(why: &str) -> ! {
    eprintln!("umbra model: {}", refusal(why.into()));
    // SAFETY: ends the process without running anything else of it.
    unsafe { libc::_exit(REFUSED) }
}
