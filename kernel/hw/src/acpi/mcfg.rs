use super::{
    Problem, Signature, Table,
    field::{u8_at, u16_at, u64_at},
};

/// The PCI Express memory-mapped configuration table (PCI Firmware
/// Specification 3.3, section 4.1.2).
#[derive(Clone, Copy, Debug)]
pub struct Mcfg<'t> {
    entries: &'t [u8],
}

/// A window onto the configuration space of some buses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Physical address of the window for bus 0 of the segment.
    pub base: u64,
    /// Segment group.
    pub number: u16,
    /// First bus.
    pub first_bus: u8,
    /// Last bus.
    pub last_bus: u8,
}

const NAME: Signature = Signature(*b"MCFG");
const ENTRIES_AT: usize = 44;
const ENTRY: usize = 16;

impl<'t> Mcfg<'t> {
    /// Accepts the table.
    ///
    /// # Errors
    /// [`Problem::WrongTable`].
    pub fn parse(table: Table<'t>) -> Result<Self, Problem> {
        Ok(Self { entries: table.expect(&NAME.0)?.bytes().get(ENTRIES_AT..).unwrap_or_default() })
    }

    /// The sound windows in order. Windows at address 0 or with buses in the
    /// wrong order, and a partial entry at the end, come as errors.
    pub fn segments(&self) -> impl Iterator<Item = Result<Segment, Problem>> + use<'t> {
        let whole = self.entries.chunks_exact(ENTRY);
        let rest = whole.remainder().len();
        let offset = ENTRIES_AT.saturating_add(self.entries.len().saturating_sub(rest));
        let partial =
            (rest != 0).then_some(Err(Problem::EntryPastEnd { table: NAME, offset, length: ENTRY }));
        whole.filter_map(decode).chain(partial)
    }
}

fn decode(entry: &[u8]) -> Option<Result<Segment, Problem>> {
    let segment = Segment {
        base: u64_at(entry, 0)?,
        number: u16_at(entry, 8)?,
        first_bus: u8_at(entry, 10)?,
        last_bus: u8_at(entry, 11)?,
    };
    Some(if segment.base == 0 {
        Err(Problem::BadAddress { table: NAME, address: 0 })
    } else if segment.first_bus > segment.last_bus {
        Err(Problem::BadBusRange { first: segment.first_bus, last: segment.last_bus })
    } else {
        Ok(segment)
    })
}
