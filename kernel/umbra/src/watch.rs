//! Notices second-class tasks that keep a core busy without ever finishing a
//! unit, and holds them. Others on their core lose nothing meanwhile: fair
//! sharing preempts it like anybody else.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use umbra_control::machine::{Action, Actuator};

use crate::machine::Machine;
use crate::tasks::{self, Phase};
use crate::{log_line, time, workloads};

/// Core time without a finished unit after which a task is held. Units take
/// about a millisecond, preparing the largest of them some tens.
pub(crate) const LIMIT_NS: u64 = 3_000_000_000;
/// How often to look.
const PERIOD_NS: u64 = 100_000_000;

static LAST: AtomicU64 = AtomicU64::new(0);
/// Generation of the tenant that was reported last, by slot.
static REPORTED: [AtomicU32; tasks::SLOTS as usize] = [const { AtomicU32::new(0) }; tasks::SLOTS as usize];

/// Looks at every second-class task, ten times a second. Bound: the slots.
pub(crate) fn look(now_ns: u64) {
    if now_ns.saturating_sub(LAST.load(Ordering::Relaxed)) < PERIOD_NS {
        return;
    }
    LAST.store(now_ns, Ordering::Relaxed);
    for (slot, task) in tasks::second_class() {
        if !matches!(task.phase(), Phase::Running | Phase::Ready) {
            continue;
        }
        let spent = task.counters.cycles_now().saturating_sub(task.counters.progress.load(Ordering::Relaxed));
        let generation = task.generation.load(Ordering::Relaxed);
        let reported = &REPORTED[usize::from(slot)];
        if time::cycles_to_ns(spent) < LIMIT_NS {
            // It has moved on: should it stall again, that is news.
            if reported.load(Ordering::Relaxed) == generation {
                reported.store(0, Ordering::Relaxed);
            }
            continue;
        }
        if reported.swap(generation, Ordering::Relaxed) != generation {
            let ms = time::cycles_to_ns(spent) / 1_000_000;
            log_line!(
                Error,
                "task {slot} {}: held: no unit finished in {ms} ms of core time (resume or stop it)",
                workloads::name_of(slot)
            );
        }
        if Machine.apply(Action::Pause(tasks::id(slot))).is_err() {
            // The mailbox is full; the next look tries again.
            reported.store(0, Ordering::Relaxed);
        }
    }
}
