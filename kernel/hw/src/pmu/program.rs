use super::{Counter, Design, Event, EventSelect, FixedControl, Group, L3Select, MAX_EVENTS, Pmu};
use crate::msr;
use heapless::Vec;

/// A register and what to write to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// The register.
    pub register: u32,
    /// The value.
    pub value: u64,
}

/// When to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct When {
    user: bool,
    kernel: bool,
}

/// The register writes that make a group of events count.
#[derive(Clone, Debug)]
pub struct Program<'p> {
    pmu: &'p Pmu,
    selects: Vec<(Counter, u64), MAX_EVENTS>,
    fixed_control: u64,
    global_control: u64,
}

impl<'p> Program<'p> {
    /// Programs `group` of `events`, counting in ring 3, ring 0 or both.
    /// Counters that do not exist are left out.
    #[must_use]
    pub fn new(pmu: &'p Pmu, events: &[Event], group: &Group, user: bool, kernel: bool) -> Self {
        let mut program = Self { pmu, selects: Vec::new(), fixed_control: 0, global_control: 0 };
        let when = When { user, kernel };
        for (index, counter) in group {
            if let Some(event) = events.get(*index).filter(|_| counter.exists(pmu)) {
                program.add(event, *counter, when);
            }
        }
        program
    }

    fn add(&mut self, event: &Event, counter: Counter, when: When) {
        let When { user, kernel } = when;
        let select = match counter {
            Counter::Fixed(index) => {
                let control = FixedControl { user, kernel, ..FixedControl::default() };
                self.fixed_control |= control.bits(index);
                self.global_control |= 1u64.checked_shl(32 + u32::from(index)).unwrap_or(0);
                0
            }
            Counter::General(index) => {
                self.global_control |= 1u64.checked_shl(u32::from(index)).unwrap_or(0);
                EventSelect { user, kernel, enable: true, ..event.select }.bits()
            }
            Counter::L3(_) => {
                let event_number = u8::try_from(event.select.event).unwrap_or(0);
                let select = L3Select { event: event_number, unit_mask: event.select.unit_mask };
                self.pmu.l3.map_or(0, |l3| select.bits(l3))
            }
        };
        // As many as a group has.
        let _ = self.selects.push((counter, select));
    }

    /// Everything that makes the counters count from 0, in order: all stop,
    /// selects, counts, all start. At most two writes a counter and four more.
    pub fn start(&self) -> impl Iterator<Item = Write> + '_ {
        self.stop()
            .chain(self.selects.iter().filter_map(|(counter, select)| {
                Some(Write { register: counter.select_register(self.pmu)?, value: *select })
            }))
            .chain(
                self.selects.iter().filter_map(|(counter, _)| {
                    Some(Write { register: counter.register(self.pmu)?, value: 0 })
                }),
            )
            .chain(self.fixed(self.fixed_control))
            .chain(self.global(self.global_control))
    }

    /// Makes them stop: one write where the PMU has global control, else one a
    /// counter.
    pub fn stop(&self) -> impl Iterator<Item = Write> + '_ {
        let one_by_one = !self.pmu.has_global_control();
        let l3_or_single = move |counter: &Counter| one_by_one || matches!(counter, Counter::L3(_));
        self.global(0).chain(self.selects.iter().filter_map(move |(counter, _)| {
            let register = counter.select_register(self.pmu).filter(|_| l3_or_single(counter))?;
            Some(Write { register, value: 0 })
        }))
    }

    /// The counters in the group's order.
    pub fn counters(&self) -> impl Iterator<Item = Counter> + '_ {
        self.selects.iter().map(|(counter, _)| *counter)
    }

    fn fixed(&self, value: u64) -> impl Iterator<Item = Write> + use<> {
        (self.pmu.fixed != 0).then_some(Write { register: msr::FIXED_CTR_CTRL, value }).into_iter()
    }

    fn global(&self, value: u64) -> impl Iterator<Item = Write> + use<> {
        let register = match self.pmu.design {
            Design::Architectural => msr::PERF_GLOBAL_CTRL,
            Design::AmdCore | Design::AmdLegacy => msr::AMD_GLOBAL_CTRL,
        };
        self.pmu.has_global_control().then_some(Write { register, value }).into_iter()
    }
}
