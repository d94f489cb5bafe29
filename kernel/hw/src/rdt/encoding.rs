use super::{Monitoring, Refusal};

/// What [`crate::msr::PQR_ASSOC`] says: the RMID that the logical processor's
/// accesses are counted under and the class they are limited by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Association {
    /// Class.
    pub class: u32,
    /// RMID.
    pub rmid: u32,
}

impl Association {
    /// The register's value: RMID from bit 0, class from bit 32 (SDM volume 3B,
    /// section 18.18.6). `classes` and `max_rmid` are what the processor has.
    ///
    /// # Errors
    /// [`Refusal::Class`] or [`Refusal::Rmid`]: writing it would fault.
    pub fn bits(self, classes: u32, max_rmid: u32) -> Result<u64, Refusal> {
        if self.class >= classes {
            return Err(Refusal::Class { class: self.class, count: classes });
        }
        if self.rmid > max_rmid {
            return Err(Refusal::Rmid { rmid: self.rmid, max: max_rmid });
        }
        Ok(u64::from(self.class) << 32 | u64::from(self.rmid))
    }

    /// Takes a register's value apart.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        let half = |bits: u64| u32::try_from(bits & 0xffff_ffff).unwrap_or(0);
        Self { class: half(bits >> 32), rmid: half(bits) }
    }
}

/// What can be monitored for an RMID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum QmEvent {
    /// Bytes of the level 3 cache.
    Occupancy = 1,
    /// Bytes to and from all memory.
    TotalBandwidth = 2,
    /// Bytes to and from the memory next to the cache.
    LocalBandwidth = 3,
}

/// The value for [`crate::msr::QM_EVTSEL`]: event from bit 0, RMID from bit 32.
///
/// # Errors
/// [`Refusal::Absent`] for an event the processor does not count,
/// [`Refusal::Rmid`] for an RMID it does not have.
pub fn qm_event_select(event: QmEvent, rmid: u32, monitoring: &Monitoring) -> Result<u64, Refusal> {
    if !monitoring.counts(event) {
        return Err(Refusal::Absent(match event {
            QmEvent::Occupancy => "cache occupancy monitoring",
            QmEvent::TotalBandwidth => "total bandwidth monitoring",
            QmEvent::LocalBandwidth => "local bandwidth monitoring",
        }));
    }
    if rmid > monitoring.max_rmid {
        return Err(Refusal::Rmid { rmid, max: monitoring.max_rmid });
    }
    Ok(u64::from(rmid) << 32 | u64::from(event as u8))
}
