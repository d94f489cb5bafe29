use super::{
    Problem, Signature, Table,
    field::{u8_at, u16_at, u32_at, u64_at},
};
use heapless::Vec;

/// The Multiple APIC Description Table, signature `APIC` (section 5.2.12).
#[derive(Clone, Copy, Debug)]
pub struct Madt<'t> {
    entries: &'t [u8],
    /// Physical address of the local APIC's registers, the 64-bit override
    /// applied.
    pub local_apic_address: u64,
    /// Two 8259s are there as well and must be masked.
    pub has_8259: bool,
    /// Entries from this one on are out of reach, since its length says
    /// nothing; the ones before it are used.
    pub stopped: Option<Problem>,
}

/// One entry of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A processor, from a type 0 (local APIC) or 9 (x2APIC) entry.
    Processor(Processor),
    /// Type 1.
    IoApic {
        /// Its id.
        id: u8,
        /// Physical address of its registers.
        address: u32,
        /// The first interrupt it serves.
        first_gsi: u32,
    },
    /// Type 2: an ISA interrupt that is wired elsewhere.
    SourceOverride(Override),
    /// Type 3: an interrupt that arrives as NMI.
    NmiSource {
        /// Which one.
        gsi: u32,
        /// Polarity and trigger.
        flags: u16,
    },
    /// Type 4 and type 10: which local interrupt pin is the NMI.
    LocalNmi {
        /// The processor's ACPI id; `u32::MAX` means all.
        uid: u32,
        /// The pin, 0 or 1.
        pin: u8,
        /// Polarity and trigger.
        flags: u16,
        /// Whether it came from a type 10 entry.
        x2apic: bool,
    },
    /// Type 5: the local APIC's address when it needs 64 bits.
    AddressOverride(u64),
    /// Type 16: processors are woken through this mailbox, not by SIPI.
    WakeupMailbox(u64),
    /// Any other type, skipped by its length.
    Other {
        /// The type.
        kind: u8,
    },
}

/// An ISA interrupt that is wired elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// The ISA interrupt.
    pub source: u8,
    /// Where it arrives.
    pub gsi: u32,
    /// Polarity and trigger (MPS INTI flags).
    pub flags: u16,
}

/// A processor as the table lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// Local APIC id; above 254 only x2APIC mode reaches it.
    pub apic_id: u32,
    /// The id that other entries and the namespace use.
    pub uid: u32,
    /// Ready to be started.
    pub enabled: bool,
    /// Not there yet, may be brought in while the system runs.
    pub online_capable: bool,
    /// Listed by a type 9 entry.
    pub x2apic: bool,
}

const NAME: Signature = Signature(*b"APIC");
const ENTRIES_AT: usize = 44;
/// Room for 65,000 processors; keeps work on a hostile table short.
const MAX_LENGTH: usize = 1 << 20;
const MAX_IO_APICS: usize = 64;

impl<'t> Madt<'t> {
    /// Checks every entry's length once, so that reading them cannot go wrong.
    /// An entry with a length below 2 ends the list ([`Madt::stopped`]).
    ///
    /// # Errors
    /// [`Problem::WrongTable`]; [`Problem::Length`] without the fixed part or
    /// beyond 1 MiB;
    /// [`Problem::EntryPastEnd`], since then the whole list is in doubt.
    pub fn parse(table: Table<'t>) -> Result<Self, Problem> {
        let bytes = table.expect(&NAME.0)?.bytes();
        let short = Problem::Length { table: NAME, length: u32::try_from(bytes.len()).unwrap_or(u32::MAX) };
        let fixed_address = u32_at(bytes, 36).ok_or(short)?;
        let flags = u32_at(bytes, 40).ok_or(short)?;
        let body = bytes.get(ENTRIES_AT..).filter(|body| body.len() <= MAX_LENGTH).ok_or(short)?;
        let (entries, stopped) = sound_part(body)?;
        let mut madt =
            Self { entries, local_apic_address: u64::from(fixed_address), has_8259: flags & 1 != 0, stopped };
        if let Some(address) = madt.address_override() {
            madt.local_apic_address = address;
        }
        Ok(madt)
    }

    /// The entries in order; at most one for each two bytes of the table.
    /// Entries too short for their type come as [`Entry::Other`].
    pub fn entries(&self) -> impl Iterator<Item = Entry> + use<'t> {
        raw_entries(self.entries).map(|entry| decode(entry).unwrap_or(Entry::Other { kind: first(entry) }))
    }

    /// The processors that are ready to be started, each APIC id once, in table
    /// order. Duplicates, broadcast ids, short entries and more than `N` are
    /// reported and left out.
    pub fn processors<const N: usize>(&self, report: &mut dyn FnMut(Problem)) -> Vec<Processor, N> {
        let mut found: Vec<Processor, N> = Vec::new();
        self.report_short_entries(report);
        self.report_unserved(report);
        for entry in self.entries() {
            let Entry::Processor(processor) = entry else { continue };
            if !processor.enabled {
                continue;
            }
            if processor.apic_id == u32::MAX {
                report(Problem::BroadcastApicId(processor.apic_id));
            } else if found.iter().any(|other| other.apic_id == processor.apic_id) {
                report(Problem::DuplicateApicId(processor.apic_id));
            } else if found.push(processor).is_err() {
                report(Problem::TooManyProcessors { limit: N });
                break;
            }
        }
        found
    }

    fn report_short_entries(&self, report: &mut dyn FnMut(Problem)) {
        self.stopped.iter().for_each(|problem| report(*problem));
        let mut offset = ENTRIES_AT;
        for entry in raw_entries(self.entries) {
            if decode(entry).is_none() {
                let (kind, length) = (u16::from(first(entry)), entry.len());
                report(Problem::EntryShort { table: NAME, offset, kind, length });
            }
            offset = offset.saturating_add(entry.len());
        }
    }

    /// The overrides that are possible: those to an interrupt that an I/O APIC
    /// of the table may have.
    pub fn overrides(&self) -> impl Iterator<Item = Override> + use<'t> {
        let io_apics = self.io_apics();
        self.entries().filter_map(move |entry| match entry {
            Entry::SourceOverride(wired) if may_serve(&io_apics, wired.gsi) => Some(wired),
            _ => None,
        })
    }

    fn report_unserved(&self, report: &mut dyn FnMut(Problem)) {
        let io_apics = self.io_apics();
        for entry in self.entries() {
            if let Entry::SourceOverride(Override { source, gsi, .. }) = entry
                && !may_serve(&io_apics, gsi)
            {
                report(Problem::UnservedInterrupt { source, gsi });
            }
        }
    }

    /// The first interrupt of each I/O APIC.
    fn io_apics(&self) -> Vec<u32, MAX_IO_APICS> {
        let first = |entry| if let Entry::IoApic { first_gsi, .. } = entry { Some(first_gsi) } else { None };
        self.entries().filter_map(first).take(MAX_IO_APICS).collect()
    }

    fn address_override(&self) -> Option<u64> {
        self.entries().find_map(|entry| match entry {
            Entry::AddressOverride(address) => Some(address),
            _ => None,
        })
    }
}

/// How many interrupts an I/O APIC has is in its registers; the field there has
/// eight bits.
fn may_serve(io_apics: &[u32], gsi: u32) -> bool {
    io_apics.iter().any(|first| gsi.checked_sub(*first).is_some_and(|pin| pin < 256))
}

/// The entries up to the first whose length is below 2.
fn sound_part(body: &[u8]) -> Result<(&[u8], Option<Problem>), Problem> {
    let mut position = 0;
    while let Some(rest) = body.get(position..).filter(|rest| !rest.is_empty()) {
        let offset = ENTRIES_AT.saturating_add(position);
        let length = usize::from(u8_at(rest, 1).unwrap_or(0));
        if length < 2 {
            let problem = Problem::EntryShort { table: NAME, offset, kind: u16::from(first(rest)), length };
            return Ok((body.get(..position).unwrap_or_default(), Some(problem)));
        }
        if length > rest.len() {
            return Err(Problem::EntryPastEnd { table: NAME, offset, length });
        }
        position = position.saturating_add(length);
    }
    Ok((body, None))
}

/// Splits checked entries; ends at the first that does not fit all the same.
fn raw_entries(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let length = usize::from(u8_at(rest, 1)?);
        let (entry, after) = if length < 2 { None } else { rest.split_at_checked(length) }?;
        rest = after;
        Some(entry)
    })
}

fn first(entry: &[u8]) -> u8 {
    u8_at(entry, 0).unwrap_or(0)
}

fn decode(entry: &[u8]) -> Option<Entry> {
    match first(entry) {
        0 => local_apic(entry),
        1 => Some(Entry::IoApic {
            id: u8_at(entry, 2)?,
            address: u32_at(entry, 4)?,
            first_gsi: u32_at(entry, 8)?,
        }),
        2 => Some(Entry::SourceOverride(Override {
            source: u8_at(entry, 3)?,
            gsi: u32_at(entry, 4)?,
            flags: u16_at(entry, 8)?,
        })),
        3 => Some(Entry::NmiSource { flags: u16_at(entry, 2)?, gsi: u32_at(entry, 4)? }),
        4 => local_nmi(entry),
        5 => Some(Entry::AddressOverride(u64_at(entry, 4)?)),
        9 => x2apic(entry),
        10 => Some(Entry::LocalNmi {
            flags: u16_at(entry, 2)?,
            uid: u32_at(entry, 4)?,
            pin: u8_at(entry, 8)?,
            x2apic: true,
        }),
        16 => Some(Entry::WakeupMailbox(u64_at(entry, 8)?)),
        kind => Some(Entry::Other { kind }),
    }
}

fn x2apic(entry: &[u8]) -> Option<Entry> {
    let flags = u32_at(entry, 8)?;
    let listed = processor(u32_at(entry, 4)?, u32_at(entry, 12)?, flags);
    Some(Entry::Processor(Processor { x2apic: true, ..listed }))
}

/// A local APIC entry cannot name id FFH: it is the broadcast.
fn local_apic(entry: &[u8]) -> Option<Entry> {
    let id = u8_at(entry, 3)?;
    let id = if id == u8::MAX { u32::MAX } else { u32::from(id) };
    Some(Entry::Processor(processor(id, u32::from(u8_at(entry, 2)?), u32_at(entry, 4)?)))
}

fn local_nmi(entry: &[u8]) -> Option<Entry> {
    let uid = u8_at(entry, 2)?;
    let uid = if uid == u8::MAX { u32::MAX } else { u32::from(uid) };
    Some(Entry::LocalNmi { uid, flags: u16_at(entry, 3)?, pin: u8_at(entry, 5)?, x2apic: false })
}

fn processor(apic_id: u32, uid: u32, flags: u32) -> Processor {
    Processor { apic_id, uid, enabled: flags & 1 != 0, online_capable: flags & 2 != 0, x2apic: false }
}
