use super::{Part, Rdt, Refusal, Resource, Session};
use crate::bus::Bus;

/// Keeps one class to a few ways of a level 3 cache and to a share of the
/// bandwidth, at one cache, and gives back exactly what it had. The ways are
/// the lowest: those that devices share are the highest where there are any.
#[derive(Debug)]
pub struct Confinement<'r> {
    rdt: &'r Rdt,
    class: u32,
    session: Session<'r>,
}

impl<'r> Confinement<'r> {
    /// Nothing is confined yet.
    #[must_use]
    pub fn new(rdt: &'r Rdt, class: u32) -> Self {
        Self { rdt, class, session: Session::new(rdt) }
    }

    /// Whether nothing is confined, or all has been given back.
    #[must_use]
    pub fn is_lifted(&self) -> bool {
        self.session.is_unchanged()
    }

    /// Confines the class to `ways` and `percent`, instead of what it was
    /// confined to before; 100 and more percent leave bandwidth alone. What the
    /// processor cannot divide is left alone too. At most two registers.
    ///
    /// # Errors
    /// Says what was wrong; the class has what it had at first.
    pub fn set(&mut self, bus: &mut impl Bus, ways: u8, percent: u8) -> Result<(), Refusal> {
        self.lift(bus)?;
        let result = self.try_to_set(bus, ways, percent);
        if result.is_err() {
            self.lift(bus)?;
        }
        result
    }

    /// Gives back what the class had at first, each register read back.
    ///
    /// # Errors
    /// The first register that would not take its old value; it stays remembered.
    pub fn lift(&mut self, bus: &mut impl Bus) -> Result<(), Refusal> {
        self.session.undo(bus)
    }

    fn try_to_set(&mut self, bus: &mut impl Bus, ways: u8, percent: u8) -> Result<(), Refusal> {
        if self.rdt.l3.is_some() {
            let mask = 1u64.checked_shl(u32::from(ways)).map_or(u64::MAX, |bit| bit - 1);
            self.session.set_mask(bus, Resource::L3, Part::Both, self.class, mask)?;
        }
        let linear = self.rdt.mba.is_some_and(|mba| mba.linear);
        if linear && percent < 100 {
            self.session.set_bandwidth_percent(bus, self.class, u32::from(percent))?;
        }
        Ok(())
    }
}
