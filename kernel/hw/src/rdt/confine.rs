use super::{Part, Rdt, Refusal, Resource, Session};
use crate::bus::Bus;

/// How a class's bandwidth is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A throttle value of Intel's.
    Throttle(u32),
    /// AMD's units of 1/8 GB/s.
    Eighths(u32),
}

/// Keeps one class to a few ways of a level 3 cache and to a limit of bandwidth,
/// at one cache, and gives back exactly what it had. The two are set and given
/// back apart. The ways are the lowest: those that devices share are the highest
/// where there are any.
#[derive(Debug)]
pub struct Confinement<'r> {
    class: u32,
    ways: Session<'r>,
    bandwidth: Session<'r>,
}

impl<'r> Confinement<'r> {
    /// Nothing is confined yet.
    #[must_use]
    pub fn new(rdt: &'r Rdt, class: u32) -> Self {
        Self { class, ways: Session::new(rdt), bandwidth: Session::new(rdt) }
    }

    /// Whether nothing is confined, or all has been given back.
    #[must_use]
    pub fn is_lifted(&self) -> bool {
        self.ways.is_unchanged() && self.bandwidth.is_unchanged()
    }

    /// Confines the class to so many ways instead of what it was confined to
    /// before; none gives back what it had at first. One register, read back.
    ///
    /// # Errors
    /// Says what was wrong; the class has what it had at first, unless the
    /// register would not take that either: then it stays remembered.
    pub fn set_ways(&mut self, bus: &mut impl Bus, ways: Option<u8>) -> Result<(), Refusal> {
        let Some(ways) = ways else { return self.ways.undo(bus) };
        let mask = 1u64.checked_shl(u32::from(ways)).map_or(u64::MAX, |bit| bit - 1);
        let result = self.ways.set_mask(bus, Resource::L3, Part::Both, self.class, mask);
        or_undo(result, &mut self.ways, bus)
    }

    /// The same for bandwidth.
    ///
    /// # Errors
    /// As [`Self::set_ways`].
    pub fn set_limit(&mut self, bus: &mut impl Bus, limit: Option<Limit>) -> Result<(), Refusal> {
        let (class, session) = (self.class, &mut self.bandwidth);
        let result = match limit {
            None => return session.undo(bus),
            Some(Limit::Throttle(value)) => session.set_throttle(bus, class, value).map(|_| ()),
            Some(Limit::Eighths(eighths)) => {
                session.set_bandwidth_limit(bus, Resource::AmdBandwidth, class, eighths)
            }
        };
        or_undo(result, session, bus)
    }
}

fn or_undo(
    result: Result<(), Refusal>,
    session: &mut Session<'_>,
    bus: &mut impl Bus,
) -> Result<(), Refusal> {
    if result.is_err() {
        session.undo(bus)?;
    }
    result
}
