use super::{Allocation, Association, Part, Rdt, Refusal, Resource, Rounding, mask_register};
use crate::{bus::Bus, msr};
use heapless::Vec;

/// Changes made to the classes of one cache (or package), and how to undo them.
/// Each processor that has its own set of these registers needs a session.
#[derive(Debug)]
pub struct Session<'r> {
    rdt: &'r Rdt,
    cdp: [bool; 2],
    changed: Vec<(u32, u64), MAX_CHANGES>,
}

/// Registers whose former value is remembered.
const MAX_CHANGES: usize = 128;

impl<'r> Session<'r> {
    /// Starts with nothing changed and code and data not told apart.
    #[must_use]
    pub fn new(rdt: &'r Rdt) -> Self {
        Self { rdt, cdp: [false; 2], changed: Vec::new() }
    }

    /// Whether nothing has been changed, or all has been undone.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.changed.is_empty()
    }

    /// How many classes a resource has, code and data told apart or not as now.
    #[must_use]
    pub fn classes(&self, resource: Resource) -> u32 {
        self.rdt.classes(resource, self.has_cdp(resource))
    }

    /// Sets the capacity mask of a class. Nothing is written unless the mask, the
    /// class and the part are right; what was written is read back.
    ///
    /// # Errors
    /// Says why nothing was changed, or that the register shows another value.
    pub fn set_mask(
        &mut self,
        bus: &mut impl Bus,
        resource: Resource,
        part: Part,
        class: u32,
        mask: u64,
    ) -> Result<(), Refusal> {
        let rules = self.allocation(resource)?.rules;
        rules.check(mask)?;
        for part in self.parts(resource, part)? {
            let register = self.register(resource, *part, class)?;
            self.write(bus, register, mask)?;
        }
        Ok(())
    }

    /// Gives a class a share of the bandwidth in percent, rounded so that it does
    /// not get less. The throttle value that was set is returned.
    ///
    /// # Errors
    /// Says why nothing was changed.
    pub fn set_bandwidth_percent(
        &mut self,
        bus: &mut impl Bus,
        class: u32,
        percent: u32,
    ) -> Result<u32, Refusal> {
        let mba = self.rdt.mba.ok_or(Refusal::Absent("memory bandwidth allocation"))?;
        let throttle = mba.throttle_for(percent, Rounding::Down)?;
        let register = self.register(Resource::Bandwidth, Part::Both, class)?;
        self.write(bus, register, u64::from(throttle))?;
        Ok(throttle)
    }

    /// Sets the throttle value of a class, rounded down to one that the processor
    /// has; the value that was set is returned.
    ///
    /// # Errors
    /// Says why nothing was changed.
    pub fn set_throttle(&mut self, bus: &mut impl Bus, class: u32, throttle: u32) -> Result<u32, Refusal> {
        let mba = self.rdt.mba.ok_or(Refusal::Absent("memory bandwidth allocation"))?;
        let throttle = mba.round_throttle(throttle)?;
        let register = self.register(Resource::Bandwidth, Part::Both, class)?;
        self.write(bus, register, u64::from(throttle))?;
        Ok(throttle)
    }

    /// Limits a class's bandwidth in units of 1/8 GB/s (AMD), to ordinary or to
    /// slow memory.
    ///
    /// # Errors
    /// Says why nothing was changed.
    pub fn set_bandwidth_limit(
        &mut self,
        bus: &mut impl Bus,
        resource: Resource,
        class: u32,
        eighths_of_gb: u32,
    ) -> Result<(), Refusal> {
        let limit = match resource {
            Resource::AmdBandwidth => self.rdt.bandwidth,
            Resource::AmdSlowBandwidth => self.rdt.slow_bandwidth,
            Resource::L3 | Resource::L2 | Resource::Bandwidth => None,
        };
        let value = limit.ok_or(Refusal::Absent("bandwidth limits"))?.value_for(eighths_of_gb)?;
        let register = self.register(resource, Part::Both, class)?;
        self.write(bus, register, value)
    }

    /// Tells code and data apart, or no longer. Every mask is opened first, since
    /// the registers mean something else afterwards; masks set before are lost,
    /// and [`Self::undo`] restores the registers as they were.
    ///
    /// # Errors
    /// Says why nothing was changed, or what went wrong on the way.
    pub fn set_cdp(&mut self, bus: &mut impl Bus, resource: Resource, on: bool) -> Result<(), Refusal> {
        let allocation = self.allocation(resource)?;
        if !allocation.cdp {
            return Err(Refusal::Absent("code and data prioritization"));
        }
        let register = if resource == Resource::L3 { msr::L3_QOS_CFG } else { msr::L2_QOS_CFG };
        for class in 0..allocation.classes {
            let mask = mask_register(resource, Part::Both, class);
            self.write(bus, mask.ok_or(out_of_range(class, allocation))?, allocation.rules.full())?;
        }
        self.write(bus, register, u64::from(on))?;
        if let Some(state) = self.cdp.get_mut(usize::from(resource != Resource::L3)) {
            *state = on;
        }
        Ok(())
    }

    /// Puts every register back, last change first, and reads each back. What
    /// cannot be put back stays remembered.
    ///
    /// # Errors
    /// The first register that would not take its old value.
    pub fn undo(&mut self, bus: &mut impl Bus) -> Result<(), Refusal> {
        while let Some(&(register, value)) = self.changed.last() {
            write_and_check(bus, register, value)?;
            self.changed.pop();
            let was_on = value & 1 == 1;
            match register {
                msr::L3_QOS_CFG => self.cdp[0] = was_on,
                msr::L2_QOS_CFG => self.cdp[1] = was_on,
                _ => {}
            }
        }
        Ok(())
    }

    /// A register's former value is remembered before its first change.
    fn write(&mut self, bus: &mut impl Bus, register: u32, value: u64) -> Result<(), Refusal> {
        if !self.changed.iter().any(|(known, _)| *known == register) {
            let former = bus.read(register)?;
            if former == value {
                return Ok(());
            }
            self.changed.push((register, former)).map_err(|_| Refusal::TooManyChanges)?;
        }
        write_and_check(bus, register, value)
    }

    fn register(&self, resource: Resource, part: Part, class: u32) -> Result<u32, Refusal> {
        let count = self.classes(resource);
        let absent = Refusal::Class { class, count };
        if class >= count {
            return Err(absent);
        }
        mask_register(resource, part, class).ok_or(absent)
    }

    fn allocation(&self, resource: Resource) -> Result<Allocation, Refusal> {
        match resource {
            Resource::L3 => self.rdt.l3.ok_or(Refusal::Absent("level 3 cache allocation")),
            Resource::L2 => self.rdt.l2.ok_or(Refusal::Absent("level 2 cache allocation")),
            Resource::Bandwidth | Resource::AmdBandwidth | Resource::AmdSlowBandwidth => {
                Err(Refusal::Absent("capacity mask for bandwidth"))
            }
        }
    }

    fn has_cdp(&self, resource: Resource) -> bool {
        match resource {
            Resource::L3 => self.cdp[0],
            Resource::L2 => self.cdp[1],
            Resource::Bandwidth | Resource::AmdBandwidth | Resource::AmdSlowBandwidth => false,
        }
    }

    /// The registers that a part stands for now.
    fn parts(&self, resource: Resource, part: Part) -> Result<&'static [Part], Refusal> {
        match (self.has_cdp(resource), part) {
            (true, Part::Both) => Ok(&[Part::Data, Part::Code]),
            (true, Part::Data) => Ok(&[Part::Data]),
            (true, Part::Code) => Ok(&[Part::Code]),
            (false, Part::Both) => Ok(&[Part::Both]),
            (false, Part::Data | Part::Code) => {
                Err(Refusal::Absent("code and data prioritization switched on"))
            }
        }
    }
}

/// The association of one logical processor, as it was last written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Associate {
    bits: u64,
}

impl Associate {
    /// Starts from what the register holds.
    ///
    /// # Errors
    /// The register cannot be read.
    pub fn read(bus: &mut impl Bus) -> Result<Self, Refusal> {
        Ok(Self { bits: bus.read(msr::PQR_ASSOC)? })
    }

    /// Switches to `next`, at a context switch: one write, or none when nothing
    /// changes. Returns whether it wrote.
    ///
    /// # Errors
    /// [`Refusal::Class`] or [`Refusal::Rmid`], and nothing was written.
    pub fn switch(&mut self, bus: &mut impl Bus, rdt: &Rdt, next: Association) -> Result<bool, Refusal> {
        let bits = next.bits(rdt.association_classes(), rdt.max_rmid())?;
        if bits == self.bits {
            return Ok(false);
        }
        bus.write(msr::PQR_ASSOC, bits)?;
        self.bits = bits;
        Ok(true)
    }
}

fn write_and_check(bus: &mut impl Bus, register: u32, value: u64) -> Result<(), Refusal> {
    bus.write(register, value)?;
    let found = bus.read(register)?;
    if found == value { Ok(()) } else { Err(Refusal::ReadBack { register, written: value, found }) }
}

fn out_of_range(class: u32, allocation: Allocation) -> Refusal {
    Refusal::Class { class, count: allocation.classes }
}
