//! What counting and dividing cost, in instructions that the processor's own
//! counter counts: only where there is one, and registers to divide by.

use core::hint::black_box;

use umbra_control::machine::{Monitor, TaskId};
use umbra_hw::rdt::{Confinement, Limit, Part, Resource, Session};
use umbra_x86_64::cpu;

use super::bench::{figure, switch_there_and_back};
use super::harness::{Reason, reason};
use crate::hardware::bus::MsrBus;
use crate::hardware::counters::{self, Base};
use crate::hardware::{division, the};
use crate::machine::Machine;
use crate::{cores, ensure, tasks};

const ROUNDS: u32 = 200;
/// A class that nothing runs under here.
const CLASS: u32 = 3;

/// Measures it all. Nothing else runs on this core meanwhile.
pub(super) fn measure() -> Result<(), Reason> {
    let Ok(base) = &the().base else { return Err(reason(format_args!("nothing counts instructions here"))) };
    let ruler = Ruler::new(base)?;
    let figure = |name: &str, value: u64| figure(name, value, "instructions");

    let bare = switch_there_and_back(|body| ruler.least(body)) / 2;
    figure("context_switch_bare", bare);
    let core = cores::this();
    let charge = ruler.least(&mut || counters::charge(core, Some(tasks::CONTROL)));
    figure("switch_counters", charge);
    ensure!(division::is_associating(), "no classes and identities here");
    let own = ruler.least(&mut || division::enter(core, tasks::CONTROL));
    figure("switch_association_unchanged", own);
    let both = ruler.least(&mut || {
        division::enter(core, tasks::FIRST);
        division::enter(core, tasks::CONTROL);
    });
    figure("switch_association_changed", both / 2);
    figure("context_switch_counted_and_divided", bare + charge + both / 2);
    figure(
        "monitor_sample",
        ruler.least(&mut || {
            black_box(Machine.counts(black_box(TaskId(tasks::FIRST))));
        }),
    );
    masks(&ruler, &figure)
}

/// Setting a mask, as the console does, and confining a class and giving it
/// back, as a quarantine does: with every check and reading back.
fn masks(ruler: &Ruler, figure: &impl Fn(&str, u64)) -> Result<(), Reason> {
    let rdt = &the().rdt;
    let l3 = rdt.l3.ok_or_else(|| reason(format_args!("no ways to divide here")))?;
    let mut session = Session::new(rdt);
    let mut outcome = Ok(());
    let mut set = |mask| outcome = session.set_mask(&mut MsrBus, Resource::L3, Part::Both, CLASS, mask);
    set(1);
    let two = ruler.least(&mut || {
        set(3);
        set(1);
    });
    outcome.map_err(|refusal| reason(format_args!("{refusal}")))?;
    figure("mask_change", two / 2);
    session.undo(&mut MsrBus).map_err(|refusal| reason(format_args!("{refusal}")))?;
    let mut confinement = Confinement::new(rdt, CLASS);
    let limit = rdt.mba.map(|_| Limit::Throttle(50));
    let mut outcome = Ok(());
    let both = ruler.least(&mut || {
        outcome = [(Some(2), limit), (None, None)].into_iter().try_for_each(|(ways, limit)| {
            confinement.set_ways(&mut MsrBus, ways)?;
            confinement.set_limit(&mut MsrBus, limit)
        });
    });
    outcome.map_err(|refusal| reason(format_args!("{refusal}")))?;
    figure("confine_and_give_back", both);
    ensure!(l3.rules.full() & 3 == 3, "two ways were set and there are not two");
    Ok(())
}

/// The counter of instructions.
struct Ruler {
    index: u32,
    overhead: u64,
}

impl Ruler {
    fn new(base: &Base) -> Result<Self, Reason> {
        let index = base.instructions().ok_or_else(|| reason(format_args!("no counter of instructions")))?;
        let mut ruler = Self { index, overhead: 0 };
        ruler.overhead = ruler.least(&mut || {});
        Ok(ruler)
    }

    /// Instructions of `body`, the least of some rounds, interrupts off.
    fn least(&self, body: &mut dyn FnMut()) -> u64 {
        // SAFETY: the counter exists and runs on every core.
        let read = || unsafe { cpu::read_counter(self.index) };
        let counted = cpu::without_interrupts(|| {
            (0..ROUNDS)
                .map(|_| {
                    let begun = read();
                    body();
                    read().wrapping_sub(begun)
                })
                .min()
        });
        counted.unwrap_or(0).saturating_sub(self.overhead)
    }
}
