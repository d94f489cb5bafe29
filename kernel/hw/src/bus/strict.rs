use super::{Bus, Fault, Machine, check_write, rules::counters};
use crate::{msr, rdt::Resource};
use heapless::{LinearMap, Vec};

/// Registers whose values are kept.
const REGISTERS: usize = 512;
/// Writes that are remembered.
const LOG: usize = 1024;
/// Counts that a test can prepare.
const COUNTS: usize = 64;

/// Registers that behave as the manuals say. Those that do not exist fault on
/// reading and writing; values that the processor refuses fault; everything
/// starts as after reset.
#[derive(Debug)]
pub struct StrictBus {
    machine: Machine,
    values: LinearMap<u32, u64, REGISTERS>,
    counts: LinearMap<u64, u64, COUNTS>,
    log: Vec<(u32, u64), LOG>,
    faults: u32,
}

impl StrictBus {
    /// A processor as after reset: masks are full, nothing is throttled or
    /// limited, everything else is zero.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        let mut bus =
            Self { machine, values: LinearMap::new(), counts: LinearMap::new(), log: Vec::new(), faults: 0 };
        let resources = [
            (msr::L3_MASK, Resource::L3, machine.rdt.l3.map(|l3| l3.rules.full())),
            (msr::L2_MASK, Resource::L2, machine.rdt.l2.map(|l2| l2.rules.full())),
            (
                msr::AMD_BANDWIDTH,
                Resource::AmdBandwidth,
                machine.rdt.bandwidth.map(|limit| limit.unlimited()),
            ),
            (
                msr::AMD_SLOW_BANDWIDTH,
                Resource::AmdSlowBandwidth,
                machine.rdt.slow_bandwidth.map(|limit| limit.unlimited()),
            ),
        ];
        for (first, resource, value) in resources {
            for register in (first..).take(usize::try_from(machine.rdt.classes(resource, false)).unwrap_or(0))
            {
                bus.store(register, value.unwrap_or(0));
            }
        }
        bus
    }

    /// Prepares what a monitoring counter shows for a value of the event select
    /// register; others are unavailable.
    ///
    /// # Panics
    /// After 64 different selects.
    pub fn set_count(&mut self, event_select: u64, count: u64) {
        assert!(self.counts.insert(event_select, count).is_ok(), "no room for another count");
    }

    /// Every write that was accepted, in order, up to the first 1024.
    #[must_use]
    pub fn log(&self) -> &[(u32, u64)] {
        &self.log
    }

    /// How many reads and writes faulted.
    #[must_use]
    pub fn faults(&self) -> u32 {
        self.faults
    }

    /// What every written register holds, without reading it.
    pub fn registers(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.values.iter().map(|(register, value)| (*register, *value))
    }

    fn store(&mut self, register: u32, value: u64) {
        assert!(self.values.insert(register, value).is_ok(), "no room for register {register:#x}");
    }

    fn read_checked(&self, register: u32) -> Result<u64, Fault> {
        let value = |register: u32| self.values.get(&register).copied().unwrap_or(0);
        match register {
            msr::QM_CTR if self.machine.rdt.monitoring.is_some() => {
                Ok(self.counts.get(&value(msr::QM_EVTSEL)).copied().unwrap_or(1 << 62))
            }
            msr::PERF_GLOBAL_STATUS | msr::AMD_GLOBAL_STATUS => {
                let written = check_write(&self.machine, register, 0);
                if matches!(written, Err(Fault::ReadOnly { .. })) { Ok(value(register)) } else { written }
            }
            _ => self.read_written(register).map(value),
        }
    }

    /// A register that takes some value can be read. Both addresses of a general
    /// counter are one register.
    fn read_written(&self, register: u32) -> Result<u32, Fault> {
        let absent = matches!(check_write(&self.machine, register, 0), Err(Fault::Absent { .. }));
        if absent { Err(Fault::Absent { register }) } else { Ok(self.canonical(register)) }
    }

    fn canonical(&self, register: u32) -> u32 {
        let Some(pmu) = self.machine.pmu else { return register };
        let index = register.wrapping_sub(msr::A_PMC);
        let aliased =
            counters(&pmu).any(|counter| counter.register(&pmu) == Some(msr::PMC.wrapping_add(index)));
        if self.machine.full_width_writes && index < 8 && aliased { msr::PMC + index } else { register }
    }
}

impl Bus for StrictBus {
    fn read(&mut self, register: u32) -> Result<u64, Fault> {
        self.read_checked(register).inspect_err(|_| self.faults += 1)
    }

    fn write(&mut self, register: u32, value: u64) -> Result<(), Fault> {
        let stored = check_write(&self.machine, register, value).inspect_err(|_| self.faults += 1)?;
        self.store(self.canonical(register), stored);
        // What does not fit is not remembered.
        let _ = self.log.push((register, value));
        Ok(())
    }
}
