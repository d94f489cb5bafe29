//! Costs of the hot paths, for a machine whose time-stamp counter counts
//! instructions (an emulator's instruction-counting mode): there every figure
//! repeats exactly. Elsewhere they are cycles.

use core::cell::UnsafeCell;
use core::hint::black_box;

use umbra_control::demand::Compact;
use umbra_control::machine::{Burst, Stage};
use umbra_control::policy::Policy;
use umbra_control::predict::{Relation, System, score};
use umbra_sched::Ring;
use umbra_x86_64::{context, cpu};

use super::harness::{self, Reason, reason, start, wait_for};
use super::{bench_hardware, frames};
use crate::first_class::{self, State};
use crate::machine::Machine;
use crate::schedule::{self, Message};
use crate::{control, cores, ensure, exit, memory, println, time};

/// The part that needs counters and registers for division.
const HARDWARE: &str = "hardware";

/// Measures everything, or what counting and dividing cost, and ends the
/// machine.
pub(super) fn run(group: Option<&str>) -> ! {
    let outcome = if group == Some(HARDWARE) { bench_hardware::measure() } else { all() };
    harness::clear();
    match outcome {
        Ok(()) => exit::end(exit::Code::Success),
        Err(reason) => {
            println!("bench: {reason}");
            exit::end(exit::Code::Failure)
        }
    }
}

fn all() -> Result<(), Reason> {
    figure("boot_to_console", crate::boot::cycles_to_console() / (time::tsc_hz() / 1_000).max(1), "guest ms");
    figure("memory_at_rest", at_rest(), "bytes");
    let overhead = least(1_000, || {});
    figure("context_switch", context_switch(overhead), "instructions");
    figure("reschedule", reschedule(overhead), "instructions");
    figure("prediction", prediction(overhead), "instructions");
    figure("ring_transfer", ring_transfer(overhead), "instructions");
    figure("frame_allocation_and_free", frame_pair(overhead), "instructions");
    frames::measure()?;
    prepare()?;
    for (tasks, mean, worst) in
        [(1, "tick_1", "tick_1_worst"), (8, "tick_8", "tick_8_worst"), (64, "tick_64", "tick_64_worst")]
    {
        let (of_all, longest) = ticks(tasks)?;
        figure(mean, of_all, "instructions");
        figure(worst, longest, "instructions");
    }
    shadow_cost()
}

/// Shows a figure and records it for the host.
pub(super) fn figure(name: &str, value: u64, unit: &str) {
    println!("{name:<32} {value:>12} {unit}");
    crate::records::send(|object| {
        object.text("record", "bench")?;
        object.text("name", name)?;
        object.number("value", value)?;
        object.text("unit", unit)
    });
}

/// Bytes the running kernel holds beside corpus and index.
fn at_rest() -> u64 {
    let frames = memory::usage().map_or(0, |usage| usage.managed - usage.free - usage.corpus);
    u64::from(frames) * 4096 + memory::fixed_bytes()
}

/// Counter difference around `body`, the least of `rounds`, interrupts off.
fn least(rounds: u32, mut body: impl FnMut()) -> u64 {
    cpu::without_interrupts(|| {
        (0..rounds)
            .map(|_| {
                let begun = cpu::timestamp();
                body();
                cpu::timestamp().wrapping_sub(begun)
            })
            .min()
            .unwrap_or(0)
    })
}

struct Contexts(UnsafeCell<[u64; 2]>);

// SAFETY: only the benchmark's two contexts use it, one at a time, on one core.
unsafe impl Sync for Contexts {}

static CONTEXTS: Contexts = Contexts(UnsafeCell::new([0; 2]));

extern "sysv64" fn partner(_argument: u64) -> ! {
    let contexts = CONTEXTS.0.get().cast::<u64>();
    loop {
        // SAFETY: interrupts are off; the other context waits in `switch`.
        unsafe { context::switch(contexts.add(1), *contexts) };
    }
}

/// There and back, halved.
fn context_switch(overhead: u64) -> u64 {
    switch_there_and_back(|there_and_back| least(1_000, there_and_back)).saturating_sub(overhead) / 2
}

/// Lets `measure` call what switches to another context and back.
pub(super) fn switch_there_and_back(measure: impl FnOnce(&mut dyn FnMut()) -> u64) -> u64 {
    let mut stack = alloc::vec![0u64; 512];
    let contexts = CONTEXTS.0.get().cast::<u64>();
    // SAFETY: the partner does not run yet.
    unsafe { *contexts.add(1) = context::prepare(&mut stack, partner, 0) };
    // SAFETY: interrupts are off in `least`; the partner's stack lives until
    // the last switch is over, after which it never runs again.
    measure(&mut || unsafe { context::switch(contexts, *contexts.add(1)) })
}

fn reschedule(overhead: u64) -> u64 {
    least(1_000, schedule::reschedule).saturating_sub(overhead)
}

fn prediction(overhead: u64) -> u64 {
    let pairs: [Compact; 8] = core::array::from_fn(|_| Compact::default());
    let (relation, system) = (Relation::usual(true), System::default());
    let eight = least(1_000, || {
        for second in black_box(&pairs) {
            black_box(&score(black_box(&pairs[0]), second, relation, &system));
        }
    });
    eight.saturating_sub(overhead) / 8
}

fn ring_transfer(overhead: u64) -> u64 {
    static RING: Ring<Message, 64> = Ring::new();
    let (Some(mut producer), Some(mut consumer)) = (RING.producer(), RING.consumer()) else { return 0 };
    let transfers = least(1_000, || {
        for _ in 0..16 {
            let _ = black_box(producer.push(Message::Wake(1)));
            black_box(consumer.pop());
        }
    });
    transfers.saturating_sub(overhead) / 16
}

fn frame_pair(overhead: u64) -> u64 {
    let tasks = memory::colours::division().of(umbra_memory::Class::Second);
    least(1_000, || {
        black_box(memory::exercise_frames(tasks));
    })
    .saturating_sub(overhead)
}

/// Builds the index and lets three bursts fill the profile.
fn prepare() -> Result<(), Reason> {
    first_class::begin_preparing();
    wait_for("the index", || first_class::state() != State::Preparing)?;
    ensure!(first_class::state() == State::Ready, "search is {:?}", first_class::state());
    for number in 1..4 {
        let at = time::now_ns() + 20_000_000;
        control::with_line(|line, _| line.schedule(burst(number), at));
        wait_for("a burst's end", || Machine.burst().number == number && Machine.burst().done)?;
        harness::pass_ms(20);
    }
    Ok(())
}

fn burst(number: u32) -> Burst {
    Burst {
        number,
        first_unit: u64::from(number) * 100,
        requests: 32,
        mean_gap_ns: 150_000,
        seed: u64::from(number),
        late_ns: 50_000_000,
    }
}

/// Mean and worst cost of a tick of the line through a whole burst under
/// **concept**: shadow, predictions, plan, release, undo.
fn ticks(tasks: u32) -> Result<(u64, u64), Reason> {
    for _ in 0..tasks {
        start("hash", None)?;
    }
    control::with_line(|line, _| line.set_policy(Policy::Concept, time::now_ns()));
    // Every task is seen and scored before the ticks that are measured.
    harness::pass_ms(200);
    control::set_ticking(false);
    let number = 1_000 + tasks;
    control::with_line(|line, _| line.schedule(burst(number), time::now_ns() + 80_000_000));
    let (mut sum, mut worst, mut count) = (0u64, 0u64, 0u64);
    let limit = time::now_ns() + 20_000_000_000;
    while !(Machine.burst().number == number && Machine.burst().done) && time::now_ns() < limit {
        let cost = control::with_line(|line, machine| {
            let (now_ns, begun) = (time::now_ns(), cpu::timestamp());
            line.tick(now_ns, machine);
            cpu::timestamp().wrapping_sub(begun)
        })
        .unwrap_or(0);
        (sum, worst, count) = (sum + cost, worst.max(cost), count + 1);
        schedule::sleep_until(time::tsc_at(time::now_ns() + 1_000_000));
    }
    control::set_ticking(true);
    schedule::sleep_until(time::tsc_at(time::now_ns() + 5_000_000));
    harness::clear();
    ensure!(Machine.burst().number == number, "the burst with {tasks} tasks was not released");
    Ok((sum / count.max(1), worst))
}

/// What shadows cost beside the bursts they mirror.
fn shadow_cost() -> Result<(), Reason> {
    control::with_line(|line, _| {
        line.set_policy(Policy::Concept, time::now_ns());
        line.reset_stats();
    });
    for number in 2_000..2_004 {
        let at = time::now_ns() + 100_000_000;
        control::with_line(|line, _| line.schedule(burst(number), at));
        wait_for("a burst's end", || Machine.burst().number == number && Machine.burst().done)?;
        harness::pass_ms(20);
    }
    let stats = control::with_line(|line, _| *line.stats()).ok_or_else(|| reason(format_args!("no line")))?;
    ensure!(stats.mirrored_cycles > 0, "no shadow ran: {} cut", stats.shadows_cut);
    let permille = stats.shadow_cycles * 1_000 / stats.mirrored_cycles;
    figure("shadow_share", permille, "permille");
    ensure!(permille * 16 <= 1_000, "the shadow costs more than 1/16 of what it mirrors");
    ensure!(cores::count() == 1 || stats.lead_ns.least > 0, "the quarantine came after the release");
    Ok(())
}
