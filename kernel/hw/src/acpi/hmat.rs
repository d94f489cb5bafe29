use super::{
    Problem, Signature, Table,
    field::{u8_at, u16_at, u32_at, u64_at},
};

/// The Heterogeneous Memory Attribute Table (section 5.2.28): latency and
/// bandwidth between domains, in real units.
#[derive(Clone, Copy, Debug)]
pub struct Hmat<'t> {
    structures: &'t [u8],
    revision: u8,
}

/// What a matrix says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixKind {
    /// Picoseconds for reads and writes alike.
    AccessLatency,
    /// Picoseconds for reads.
    ReadLatency,
    /// Picoseconds for writes.
    WriteLatency,
    /// MB/s for reads and writes alike.
    AccessBandwidth,
    /// MB/s for reads.
    ReadBandwidth,
    /// MB/s for writes.
    WriteBandwidth,
}

/// One matrix of the table (structure type 1).
#[derive(Clone, Copy, Debug)]
pub struct LocalityMatrix<'t> {
    /// What its cells say.
    pub kind: MatrixKind,
    /// 0 for memory itself, 1 to 3 for a memory-side cache of that level.
    pub hierarchy: u8,
    initiators: &'t [u8],
    targets: &'t [u8],
    cells: &'t [u8],
    unit: u64,
}

/// What reading memory of one domain from another takes, in real units, as far as
/// the table says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryCost {
    /// Picoseconds for a read.
    pub read_latency_ps: Option<u64>,
    /// MB/s of reads.
    pub read_bandwidth_mb_per_s: Option<u64>,
}

const NAME: Signature = Signature(*b"HMAT");
const STRUCTURES_AT: usize = 40;

impl<'t> Hmat<'t> {
    /// Accepts the table.
    ///
    /// # Errors
    /// [`Problem::WrongTable`].
    pub fn parse(table: Table<'t>) -> Result<Self, Problem> {
        let table = table.expect(&NAME.0)?;
        let structures = table.bytes().get(STRUCTURES_AT..).unwrap_or_default();
        Ok(Self { structures, revision: table.revision() })
    }

    /// The latency and bandwidth matrices in order. A structure whose length is
    /// below 8 or beyond the table's end is an error and ends the list; one
    /// whose matrix does not fit its length is an error and is left out.
    pub fn matrices(&self) -> impl Iterator<Item = Result<LocalityMatrix<'t>, Problem>> + use<'t> {
        // Revision 1 gave latencies in nanoseconds.
        let latency_unit_ps = if self.revision < 2 { 1000 } else { 1 };
        let mut rest = self.structures;
        let mut offset = STRUCTURES_AT;
        core::iter::from_fn(move || {
            let kind = u16_at(rest, 0)?;
            let length = usize::try_from(u32_at(rest, 4).unwrap_or(0)).unwrap_or(usize::MAX);
            let here = offset;
            let Some((structure, after)) = (if length < 8 { None } else { rest.split_at_checked(length) })
            else {
                rest = &[];
                return Some(Some(Err(broken(here, kind, length))));
            };
            rest = after;
            offset = offset.saturating_add(length);
            let short = Problem::EntryShort { table: NAME, offset: here, kind, length };
            Some((kind == 1).then(|| matrix(structure, latency_unit_ps).ok_or(short)))
        })
        .flatten()
    }
}

impl Hmat<'_> {
    /// What memory itself costs, not a cache in front of it: what is said of
    /// reads, or else of reads and writes alike. The first matrix of a kind that
    /// says something counts; what is broken is passed over.
    #[must_use]
    pub fn cost(&self, initiator: u32, target: u32) -> MemoryCost {
        let said = |kind: MatrixKind| {
            let sound = self.matrices().filter_map(Result::ok);
            sound
                .filter(|matrix| matrix.kind == kind && matrix.hierarchy == 0)
                .find_map(|matrix| matrix.value(initiator, target))
        };
        MemoryCost {
            read_latency_ps: said(MatrixKind::ReadLatency).or_else(|| said(MatrixKind::AccessLatency)),
            read_bandwidth_mb_per_s: said(MatrixKind::ReadBandwidth)
                .or_else(|| said(MatrixKind::AccessBandwidth)),
        }
    }
}

impl LocalityMatrix<'_> {
    /// What the table says from an initiator's domain to a memory domain:
    /// picoseconds or MB/s by [`MatrixKind`]; none when it says nothing or that
    /// one cannot be reached.
    #[must_use]
    pub fn value(&self, initiator: u32, target: u32) -> Option<u64> {
        let row = position(self.initiators, initiator)?;
        let column = position(self.targets, target)?;
        let cell = row.checked_mul(self.targets.len() / 4)?.checked_add(column)?;
        match u16_at(self.cells, cell.checked_mul(2)?)? {
            0 | u16::MAX => None,
            entry => u64::from(entry).checked_mul(self.unit),
        }
    }
}

fn position(domains: &[u8], wanted: u32) -> Option<usize> {
    domains.chunks_exact(4).position(|domain| u32_at(domain, 0) == Some(wanted))
}

fn broken(offset: usize, kind: u16, length: usize) -> Problem {
    if length < 8 {
        Problem::EntryShort { table: NAME, offset, kind, length }
    } else {
        Problem::EntryPastEnd { table: NAME, offset, length }
    }
}

fn matrix(structure: &[u8], latency_unit_ps: u64) -> Option<LocalityMatrix<'_>> {
    let kind = match u8_at(structure, 9)? {
        0 => MatrixKind::AccessLatency,
        1 => MatrixKind::ReadLatency,
        2 => MatrixKind::WriteLatency,
        3 => MatrixKind::AccessBandwidth,
        4 => MatrixKind::ReadBandwidth,
        5 => MatrixKind::WriteBandwidth,
        _ => return None,
    };
    let is_latency =
        matches!(kind, MatrixKind::AccessLatency | MatrixKind::ReadLatency | MatrixKind::WriteLatency);
    let initiator_count = usize::try_from(u32_at(structure, 12)?).ok()?;
    let target_count = usize::try_from(u32_at(structure, 16)?).ok()?;
    let (initiators, rest) = structure.get(32..)?.split_at_checked(initiator_count.checked_mul(4)?)?;
    let (targets, rest) = rest.split_at_checked(target_count.checked_mul(4)?)?;
    let cells = rest.get(..initiator_count.checked_mul(target_count)?.checked_mul(2)?)?;
    let unit = u64_at(structure, 24)?.checked_mul(if is_latency { latency_unit_ps } else { 1 })?;
    Some(LocalityMatrix { kind, hierarchy: u8_at(structure, 8)? & 0xf, initiators, targets, cells, unit })
}
