use super::{
    Problem, Signature, Table,
    field::{u8_at, u16_at, u32_at, u64_at},
};
use heapless::Vec;

/// The System Resource Affinity Table (section 5.2.16): which processors and
/// which memory are near each other. Proximity domains may be any 32-bit
/// number: [`Srat::domains`] gives them small ones.
#[derive(Clone, Copy, Debug)]
pub struct Srat<'t> {
    entries: &'t [u8],
    revision: u8,
}

/// A processor's domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessorAffinity {
    /// Local APIC id.
    pub apic_id: u32,
    /// Proximity domain.
    pub domain: u32,
}

/// A range of memory and its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAffinity {
    /// Physical address of its first byte.
    pub base: u64,
    /// Bytes.
    pub length: u64,
    /// Proximity domain.
    pub domain: u32,
    /// May be plugged in later; not there until then.
    pub hot_pluggable: bool,
    /// Keeps its contents without power.
    pub non_volatile: bool,
}

const NAME: Signature = Signature(*b"SRAT");
const ENTRIES_AT: usize = 48;

impl<'t> Srat<'t> {
    /// Accepts the table. Entries that are broken are left out when read; one
    /// that runs past the end, or whose length is below 2, ends the list.
    ///
    /// # Errors
    /// [`Problem::WrongTable`].
    pub fn parse(table: Table<'t>) -> Result<Self, Problem> {
        let table = table.expect(&NAME.0)?;
        Ok(Self { entries: table.bytes().get(ENTRIES_AT..).unwrap_or_default(), revision: table.revision() })
    }

    /// The processors that are in use, in table order.
    pub fn processors(&self) -> impl Iterator<Item = ProcessorAffinity> + use<'t> {
        let wide = self.revision >= 2;
        raw_entries(self.entries).filter_map(Result::ok).filter_map(move |(_, entry)| processor(entry, wide))
    }

    /// The memory that is in use, in table order. Broken entries and ranges that
    /// cannot be come as errors.
    pub fn memory(&self) -> impl Iterator<Item = Result<MemoryAffinity, Problem>> + use<'t> {
        let wide = self.revision >= 2;
        raw_entries(self.entries).filter_map(move |entry| match entry {
            Ok((offset, entry)) => memory(offset, entry, wide),
            Err(problem) => Some(Err(problem)),
        })
    }

    /// The domain of a processor.
    #[must_use]
    pub fn domain_of(&self, apic_id: u32) -> Option<u32> {
        self.processors().find(|entry| entry.apic_id == apic_id).map(|entry| entry.domain)
    }

    /// Every domain in use in ascending order: the position of a domain in this
    /// list is its node number, however large the domain's own number is.
    pub fn domains<const N: usize>(&self, report: &mut dyn FnMut(Problem)) -> Vec<u32, N> {
        let mut found: Vec<u32, N> = Vec::new();
        let of_processors = self.processors().map(|entry| entry.domain);
        let of_memory = self.memory().filter_map(Result::ok).map(|entry| entry.domain);
        for domain in of_processors.chain(of_memory) {
            let Err(place) = found.binary_search(&domain) else { continue };
            if found.insert(place, domain).is_err() {
                report(Problem::TooManyDomains { limit: N });
                break;
            }
        }
        found
    }
}

/// Splits entries, each with its offset in the table; the last item may be why
/// the list ended.
fn raw_entries(entries: &[u8]) -> impl Iterator<Item = Result<(usize, &[u8]), Problem>> {
    let mut rest = entries;
    let mut offset = ENTRIES_AT;
    core::iter::from_fn(move || {
        let kind = u8_at(rest, 0)?;
        let length = usize::from(u8_at(rest, 1).unwrap_or(0));
        let here = offset;
        let Some((entry, after)) = (if length < 2 { None } else { rest.split_at_checked(length) }) else {
            rest = &[];
            return Some(Err(if length < 2 {
                Problem::EntryShort { table: NAME, offset: here, kind: u16::from(kind), length }
            } else {
                Problem::EntryPastEnd { table: NAME, offset: here, length }
            }));
        };
        rest = after;
        offset = offset.saturating_add(length);
        Some(Ok((here, entry)))
    })
}

/// Type 0 (APIC) or 2 (x2APIC), if enabled. Revision 1 has only the low byte of
/// the domain; the other three are reserved there.
fn processor(entry: &[u8], wide: bool) -> Option<ProcessorAffinity> {
    let (apic_id, domain, flags) = match u8_at(entry, 0)? {
        0 => {
            // Bytes 9 to 11 are bits 8 to 31 of the domain; byte 8 is something else.
            let high = u32_at(entry, 8)? & if wide { 0xffff_ff00 } else { 0 };
            (u32::from(u8_at(entry, 3)?), u32::from(u8_at(entry, 2)?) | high, u32_at(entry, 4)?)
        }
        2 => (u32_at(entry, 8)?, u32_at(entry, 4)?, u32_at(entry, 12)?),
        _ => return None,
    };
    (flags & 1 != 0).then_some(ProcessorAffinity { apic_id, domain })
}

/// Type 1, if enabled.
fn memory(offset: usize, entry: &[u8], wide: bool) -> Option<Result<MemoryAffinity, Problem>> {
    let kind = u8_at(entry, 0)?;
    if kind != 1 {
        return None;
    }
    decode_memory(entry, wide)
        .unwrap_or(Err(Problem::EntryShort {
            table: NAME,
            offset,
            kind: u16::from(kind),
            length: entry.len(),
        }))
        .transpose()
}

fn decode_memory(entry: &[u8], wide: bool) -> Option<Result<Option<MemoryAffinity>, Problem>> {
    let flags = u32_at(entry, 28)?;
    let domain = if wide { u32_at(entry, 2)? } else { u32::from(u16_at(entry, 2)? & 0xff) };
    let range = MemoryAffinity {
        base: u64_at(entry, 8)?,
        length: u64_at(entry, 16)?,
        domain,
        hot_pluggable: flags & 2 != 0,
        non_volatile: flags & 4 != 0,
    };
    if flags & 1 == 0 {
        return Some(Ok(None));
    }
    let sound = range.length != 0 && range.base.checked_add(range.length - 1).is_some();
    Some(if sound {
        Ok(Some(range))
    } else {
        Err(Problem::BadRange { table: NAME, base: range.base, length: range.length })
    })
}
