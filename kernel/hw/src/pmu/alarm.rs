use super::{Counter, Design, Event, EventSelect, Pmu, Write, preload};
use crate::msr;

/// One general counter that interrupts after so many events: what to write to
/// set it, stop it and acknowledge it. Nothing else is touched; where the PMU has
/// global control, its bit ([`Alarm::global_bit`]) must be on there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    counter: Counter,
    bits: u8,
    select_register: u32,
    count_register: u32,
    rdpmc: u32,
    select: u64,
    acknowledge: Option<Write>,
}

/// Events that it can be set to at most: a first address of Intel's takes 31
/// bits and a sign.
const MOST_EVENTS: u64 = 1 << 30;

impl Alarm {
    /// Takes the highest general counter of `free` that counts `event`; none
    /// when there is none. Low ones are left to events that only they count.
    #[must_use]
    pub fn choose(free: &Pmu, event: &Event) -> Option<Self> {
        let able = event.counters & free.general;
        let index = u8::try_from(able.checked_ilog2()?).ok()?;
        let counter = Counter::General(index);
        let select = EventSelect { user: true, kernel: true, interrupt: true, enable: true, ..event.select };
        Some(Self {
            counter,
            bits: counter.bits(free),
            select_register: counter.select_register(free)?,
            count_register: counter.register(free)?,
            rdpmc: counter.rdpmc_index(free)?,
            select: select.bits(),
            acknowledge: acknowledgement(free, index),
        })
    }

    /// The counter it uses.
    #[must_use]
    pub fn counter(&self) -> Counter {
        self.counter
    }

    /// What RDPMC takes to read it.
    #[must_use]
    pub fn rdpmc_index(&self) -> u32 {
        self.rdpmc
    }

    /// Its bit in the register that starts and stops all counters.
    #[must_use]
    pub fn global_bit(&self) -> u64 {
        match self.counter {
            Counter::General(index) => 1u64.checked_shl(u32::from(index)).unwrap_or(0),
            Counter::Fixed(_) | Counter::L3(_) => 0,
        }
    }

    /// Makes it interrupt after `events` more (1 to 2³⁰; others are taken as
    /// the nearest): stop, count, start.
    #[must_use]
    pub fn set(&self, events: u64) -> [Write; 3] {
        let events = events.clamp(1, MOST_EVENTS);
        // In range of every counter there is, written in full width or not.
        let count = preload(events, self.bits, false).unwrap_or(0);
        [
            self.stop(),
            Write { register: self.count_register, value: count },
            Write { register: self.select_register, value: self.select },
        ]
    }

    /// Stops it.
    #[must_use]
    pub fn stop(&self) -> Write {
        Write { register: self.select_register, value: 0 }
    }

    /// Events to go at a reading; 0 when it has overflowed. An overflow is seen
    /// by the highest bit's being clear, which needs no status register.
    #[must_use]
    pub fn left(&self, reading: u64) -> u64 {
        let range = 1u64.checked_shl(u32::from(self.bits)).unwrap_or(0);
        let reading = reading & range.wrapping_sub(1);
        if reading >= range / 2 { range.wrapping_sub(reading) } else { 0 }
    }

    /// Clears its overflow flag, without which it would not interrupt again;
    /// none where counters have no flags.
    #[must_use]
    pub fn acknowledge(&self) -> Option<Write> {
        self.acknowledge
    }
}

/// Flags exist from version 2 on, and are cleared by writing ones: Intel's
/// 390H (called GLOBAL_OVF_CTRL before version 4, GLOBAL_STATUS_RESET since; SDM
/// volume 3B, sections 20.2.2 and 20.2.4), AMD's C0000302H (APM volume 2,
/// section 13.2.1). AMD's older counters and version 1 have none.
fn acknowledgement(pmu: &Pmu, index: u8) -> Option<Write> {
    let value = 1u64.checked_shl(u32::from(index))?;
    let register = match pmu.design {
        Design::Architectural => msr::PERF_GLOBAL_STATUS_RESET,
        Design::AmdCore | Design::AmdLegacy => msr::AMD_GLOBAL_STATUS_CLEAR,
    };
    pmu.has_global_control().then_some(Write { register, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Bus, Machine, StrictBus, tests::pmu};
    use crate::cpuid::Vendor;
    use crate::pmu::generic;
    use proptest::prelude::*;

    fn misses(pmu: &Pmu, vendor: Vendor) -> Event {
        generic(pmu, vendor).find(|event| event.name == "cache-misses").expect("announced")
    }

    #[test]
    fn the_highest_counter_is_set_to_so_many_before_its_end() {
        let pmu = pmu(4, 4, 3);
        let alarm = Alarm::choose(&pmu, &misses(&pmu, Vendor::Intel)).expect("a counter");
        let mut bus = StrictBus::new(Machine { pmu: Some(pmu), ..Machine::default() });
        for write in alarm.set(1000) {
            bus.write(write.register, write.value).expect("taken");
        }
        // Event 2EH, unit 41H, both rings, interrupt, enabled.
        assert_eq!(bus.read(msr::PERFEVTSEL + 3), Ok(0x53_412e));
        let reading = bus.read(msr::PMC + 3).expect("there");
        assert_eq!((reading, alarm.left(reading)), ((1 << 48) - 1000, 1000));
        assert_eq!((alarm.left(0), alarm.left(5), alarm.left((1 << 48) - 1)), (0, 0, 1));
        assert_eq!(alarm.acknowledge(), Some(Write { register: 0x390, value: 8 }));
        assert_eq!((alarm.global_bit(), alarm.rdpmc_index()), (8, 3));
    }

    #[test]
    fn flags_are_cleared_where_there_are_any() {
        let first = pmu(1, 2, 0);
        let alarm = Alarm::choose(&first, &misses(&first, Vendor::Intel)).expect("a counter");
        assert_eq!(alarm.acknowledge(), None);
        let zen2 = Pmu { design: Design::AmdCore, version: 1, general: 0x3f, fixed: 0, ..pmu(1, 6, 0) };
        let alarm = Alarm::choose(&zen2, &misses(&zen2, Vendor::Amd)).expect("a counter");
        assert_eq!((alarm.acknowledge(), alarm.counter()), (None, Counter::General(5)));
        assert_eq!(alarm.stop(), Write { register: 0xc001_020a, value: 0 });
        let zen4 = Pmu { version: 2, ..zen2 };
        let alarm = Alarm::choose(&zen4, &misses(&zen4, Vendor::Amd)).expect("a counter");
        assert_eq!(alarm.acknowledge(), Some(Write { register: 0xc000_0302, value: 0x20 }));
        assert_eq!(Alarm::choose(&Pmu { general: 0, ..zen4 }, &misses(&zen4, Vendor::Amd)), None);
    }

    proptest! {
        #[test]
        fn nothing_that_it_writes_faults_and_what_is_set_is_left(
            version in 1u8..=6, general in 1u32..=16, full_width_writes: bool, amd: bool, events: u64,
        ) {
            let intel = pmu(version, general, 0);
            let pmu = if amd {
                Pmu { design: Design::AmdCore, version: version.min(2), ..intel }
            } else {
                intel
            };
            let vendor = if amd { Vendor::Amd } else { Vendor::Intel };
            let alarm = Alarm::choose(&pmu, &misses(&pmu, vendor)).expect("a counter");
            let mut bus = StrictBus::new(Machine { pmu: Some(pmu), full_width_writes, ..Machine::default() });
            for write in alarm.set(events).into_iter().chain(alarm.acknowledge()) {
                prop_assert_eq!(bus.write(write.register, write.value), Ok(()), "{:?}", write);
            }
            let register = alarm.counter().register(&pmu).expect("exists");
            prop_assert_eq!(alarm.left(bus.read(register).expect("there")), events.clamp(1, 1 << 30));
            prop_assert_eq!(bus.write(alarm.stop().register, alarm.stop().value), Ok(()));
        }
    }
}
