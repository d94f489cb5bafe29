//! Runs beside the work: the shadow and the echo, each a parked task on the
//! shadow core that is handed one job at a time.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use umbra_control::machine::{AsideProgress, Count, Counts, Refusal};
use umbra_control::shadow::{Shadow, ShadowPlan};
use umbra_memory::{Class, Owner};
use workload_api::{Meter, Workload};

use crate::cells::Handed;
use crate::hardware::counters::Quality;
use crate::schedule::{self, Message};
use crate::spawn::{self, SpawnError};
use crate::tasks::{self, Phase};
use crate::{first_class, hardware};

/// Most memory a shadow works on. A larger sampled working set is cut to it,
/// which the monitor's counts then show.
pub(crate) const SHADOW_BYTES: u64 = 2 << 20;

/// One kind of run, and how its last one stands.
pub(crate) struct Aside {
    slot: u16,
    number: AtomicU32,
    done: AtomicBool,
    over_budget: AtomicBool,
    /// The task's cycles when the run began and since.
    begun: AtomicU64,
    cycles: AtomicU64,
}

/// The shadow.
pub(crate) static SHADOW: Aside = Aside::new(tasks::SHADOW);
/// The echo.
pub(crate) static ECHO: Aside = Aside::new(tasks::ECHO);

static PLAN: Handed<ShadowPlan> = Handed::new(ShadowPlan::new());
static ECHO_JOB: Handed<EchoJob> = Handed::new(EchoJob { first_unit: 0, requests: 0, budget_cycles: 0 });

/// What an echo is to do.
#[derive(Clone, Copy, Debug)]
struct EchoJob {
    first_unit: u64,
    requests: u32,
    budget_cycles: u64,
}

/// Makes both tasks on the shadow core. The echo's memory is its scratch.
pub(crate) fn create(core: u8) -> Result<(), SpawnError> {
    spawn::parked(tasks::SHADOW, core, SHADOW_BYTES, Class::Shadow, Owner::SHADOW, shadow_main)?;
    // The echo is the first-class workload's own code: it is to meet its cache.
    spawn::parked(tasks::ECHO, core, first_class::SCRATCH_BYTES, Class::First, Owner::SHADOW, echo_main)?;
    Ok(())
}

/// Hands a plan to the shadow.
pub(crate) fn start_shadow(plan: &ShadowPlan) -> Result<(), Refusal> {
    if SHADOW.is_busy() {
        return Err(Refusal::Busy);
    }
    // SAFETY: no shadow runs, so the plan is the control core's.
    unsafe { PLAN.get() }.clone_from(plan);
    SHADOW.start()
}

/// Hands a stretch of real requests to the echo.
pub(crate) fn start_echo(first_unit: u64, requests: u32, budget_cycles: u64) -> Result<(), Refusal> {
    if ECHO.is_busy() || first_class::search().is_none() {
        return Err(Refusal::Busy);
    }
    // SAFETY: no echo runs, so the job is the control core's.
    unsafe { *ECHO_JOB.get() = EchoJob { first_unit, requests, budget_cycles } };
    ECHO.start()
}

impl Aside {
    const fn new(slot: u16) -> Self {
        Self {
            slot,
            number: AtomicU32::new(0),
            done: AtomicBool::new(true),
            over_budget: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            cycles: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_busy(&self) -> bool {
        !self.done.load(Ordering::Acquire) || tasks::at(self.slot).phase() != Phase::Parked
    }

    fn start(&self) -> Result<(), Refusal> {
        self.over_budget.store(false, Ordering::Relaxed);
        self.cycles.store(0, Ordering::Relaxed);
        self.number.fetch_add(1, Ordering::Relaxed);
        let counters = &tasks::at(self.slot).counters;
        counters.restart_counted();
        counters.publish(0, &Meter::default(), 0);
        self.done.store(false, Ordering::Release);
        let core = tasks::at(self.slot).core.load(Ordering::Relaxed);
        if schedule::send(core, Message::Wake(self.slot)) {
            return Ok(());
        }
        self.done.store(true, Ordering::Release);
        Err(Refusal::Busy)
    }

    /// How the last run stands.
    pub(crate) fn progress(&self) -> AsideProgress {
        AsideProgress {
            done: self.done.load(Ordering::Acquire),
            over_budget: self.over_budget.load(Ordering::Relaxed),
            counts: Counts {
                cycles: self.cycles.load(Ordering::Relaxed),
                ..counts_of(self.slot, self.number.load(Ordering::Relaxed))
            },
        }
    }

    /// Runs units until `units` are done or `budget_cycles` are spent. Called
    /// by the aside's own task.
    fn run(&self, workload: &impl Workload, first: u64, units: u64, budget_cycles: u64, scratch: &mut [u64]) {
        let counters = &tasks::at(self.slot).counters;
        counters.working_set_bytes.store(workload.working_set_bytes(), Ordering::Relaxed);
        self.begun.store(counters.cycles_now(), Ordering::Relaxed);
        let (mut meter, mut checksum) = (Meter::default(), 0u64);
        for unit in 0..units {
            checksum ^= workload.unit(first.wrapping_add(unit), scratch, &mut meter);
            counters.publish(unit + 1, &meter, checksum);
            let spent = counters.cycles_now().saturating_sub(self.begun.load(Ordering::Relaxed));
            self.cycles.store(spent, Ordering::Relaxed);
            if spent >= budget_cycles {
                self.over_budget.store(unit + 1 < units, Ordering::Relaxed);
                break;
            }
        }
    }
}

/// The published counts of a slot, under a generation of the caller's.
pub(crate) fn counts_of(slot: u16, generation: u32) -> Counts {
    let counters = &tasks::at(slot).counters;
    let quality = |is_counted| if is_counted { Quality::Counted } else { Quality::Unknown };
    let counted = |index: usize, quality| {
        let count = counters.counted.get(index).map_or(0, |count| count.load(Ordering::Relaxed));
        match quality {
            Quality::Counted => Count::Counted(count),
            Quality::Estimated => Count::Estimated(count),
            Quality::Unknown => Count::Unknown,
        }
    };
    Counts {
        generation,
        units: counters.units.load(Ordering::Acquire),
        cycles: counters.cycles_now(),
        instructions: counted(0, quality(hardware::counters::are_counting())),
        llc_misses: counted(1, hardware::counters::misses()),
        read_bytes: counters.read_bytes.load(Ordering::Relaxed),
        written_bytes: counters.written_bytes.load(Ordering::Relaxed),
        sequential_bytes: counters.sequential_bytes.load(Ordering::Relaxed),
        random_accesses: counters.random_accesses.load(Ordering::Relaxed),
        working_set_bytes: counters.working_set_bytes.load(Ordering::Relaxed),
    }
}

extern "sysv64" fn shadow_main(slot: u64) -> ! {
    spawn::begin();
    let _ = slot;
    // SAFETY: the task's own memory, taken once.
    let scratch = unsafe { spawn::memory_of(tasks::SHADOW) };
    loop {
        if !SHADOW.done.load(Ordering::Acquire) {
            // SAFETY: `start` handed the plan over; it is ours until `done`.
            let plan = unsafe { PLAN.get() };
            let shadow = Shadow::new(plan);
            SHADOW.run(&shadow, 0, shadow.units(), u64::MAX, scratch);
            SHADOW.done.store(true, Ordering::Release);
        }
        schedule::park();
    }
}

extern "sysv64" fn echo_main(_slot: u64) -> ! {
    spawn::begin();
    // SAFETY: the task's own memory, taken once.
    let scratch = unsafe { spawn::memory_of(tasks::ECHO) };
    loop {
        if !ECHO.done.load(Ordering::Acquire) {
            // SAFETY: `start` handed the job over; it is ours until `done`.
            let job = unsafe { *ECHO_JOB.get() };
            if let Some(search) = first_class::search() {
                ECHO.run(search, job.first_unit, u64::from(job.requests), job.budget_cycles, scratch);
            }
            ECHO.done.store(true, Ordering::Release);
        }
        schedule::park();
    }
}
