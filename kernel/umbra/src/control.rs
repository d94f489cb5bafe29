//! The control core: the tick that runs the line, and the control task that
//! has the console, the main job and all that may take its time.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use alloc::boxed::Box;
use umbra_control::line::{Config, Line};
use umbra_control::machine::WorkloadId;
use umbra_hw::cpuid::Inventory;
use umbra_ramdisk::Mode;
use umbra_x86_64::cpu;

use crate::boot::{bandwidth, ramdisk};
use crate::cells::ControlCell;
use crate::hardware::{calibrate, confine, hold};
use crate::machine::{self, Machine};
use crate::shell::Shell;
use crate::spawn::SpawnError;
use crate::{
    aside, events, first_class, job, log, log_line, memory, recolour, retired, schedule, selftest, spawn,
    stop, time, watch,
};

/// The first-class workload's identifier; second-class ones have their index
/// in the workload table.
pub(crate) const FIRST_CLASS: WorkloadId = WorkloadId(31);
/// How often the control task looks round.
const PERIOD_NS: u64 = 1_000_000;

static LINE: ControlCell<Line> = ControlCell::filled(Line::new(Config {
    first_class: FIRST_CLASS,
    tick_ns: schedule::TICK_NS,
    shadow_memory_bytes: aside::SHADOW_BYTES,
    ..Config::DEFAULT
}));
/// Time-stamp cycles spent in ticks since boot.
static TICK_CYCLES: AtomicU64 = AtomicU64::new(0);
/// Benchmarks tick by hand.
static TICKING: AtomicBool = AtomicBool::new(false);

/// Prepares the control core. Everything else its task does itself.
pub(crate) fn start(inventory: &Inventory) -> Result<(), SpawnError> {
    let bandwidth = bandwidth::measure();
    if bandwidth.is_none() {
        log_line!(Warn, "memory: bandwidth could not be measured: scores take it as unlimited");
    }
    confine::prepare();
    machine::learn(inventory, bandwidth.unwrap_or(u64::MAX));
    spawn::control(main)
}

/// One tick of the line, in the timer interrupt. Returns when the next one is
/// wanted, in nanoseconds since boot; none while the line does not tick.
pub(crate) fn tick(now_ns: u64) -> Option<u64> {
    if !TICKING.load(Ordering::Relaxed) {
        return None;
    }
    let begun = cpu::timestamp();
    let report = LINE.with(|line| line.tick(now_ns, &mut Machine));
    TICK_CYCLES.fetch_add(cpu::timestamp().wrapping_sub(begun), Ordering::Relaxed);
    report.map(|report| report.next_ns)
}

/// Time-stamp cycles that the line's ticks have taken since boot.
pub(crate) fn tick_cycles() -> u64 {
    TICK_CYCLES.load(Ordering::Relaxed)
}

/// Lets the tick run the line, or keeps it from it.
pub(crate) fn set_ticking(on: bool) {
    TICKING.store(on, Ordering::Relaxed);
}

/// Runs `body` on the line, with interrupts off: it should be short.
pub(crate) fn with_line<R>(body: impl FnOnce(&mut Line, &mut Machine) -> R) -> Option<R> {
    LINE.with(|line| body(line, &mut Machine))
}

extern "sysv64" fn main(_slot: u64) -> ! {
    spawn::begin();
    let config = ramdisk::the_config();
    match memory::evidence::gather(machine::llc_ways(), confine::shares().ways > 1) {
        Some(verdict) if verdict.is_contradicted() => log_line!(Warn, "memory: page colours: {verdict}"),
        Some(verdict) => log_line!(Info, "memory: page colours: {verdict}"),
        None => log_line!(Warn, "memory: page colours: not tried"),
    }
    if let Err(error) = create_tasks() {
        log_line!(Error, "first-class: {error}");
    }
    calibrate::at_boot();
    set_ticking(true);
    match config.mode {
        Mode::Test => selftest::run(config.case),
        Mode::Bench => selftest::bench(config.case),
        Mode::Main | Mode::Console | Mode::Soak => {}
    }
    first_class::begin_preparing();
    let mut shell = Box::new(Shell::new());
    let mut job = job::Runner::new();
    if config.mode == Mode::Main {
        job.start(&config, &mut shell);
    } else {
        shell.start();
    }
    loop {
        let now_ns = time::now_ns();
        log::collect(&mut |record| shell.show_above(record));
        with_line(|line, _| events::collect(line));
        spawn::reap();
        retired::look(now_ns);
        recolour::look(now_ns);
        stop::look(now_ns);
        watch::look(now_ns);
        hold::look(now_ns);
        shell.poll(now_ns);
        if let Some(scale) = shell.wants_job() {
            job.start_scale(scale, &mut shell);
        }
        job.step(&mut shell);
        schedule::sleep_until(time::tsc_at(now_ns + PERIOD_NS));
    }
}

/// Makes the tasks that live as long as the kernel.
fn create_tasks() -> Result<(), SpawnError> {
    aside::create(crate::cores::CONTROL)?;
    first_class::create(machine::first_class_core())
}
