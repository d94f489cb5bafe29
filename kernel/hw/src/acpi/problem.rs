use super::Signature;
use core::fmt;

/// What was wrong with a table. Each says in one line what was found and what
/// was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No readable memory at this physical address.
    Unreadable {
        /// The physical address.
        address: u64,
        /// Bytes wanted.
        length: usize,
    },
    /// The root pointer's signature is not at the address.
    NoRootPointer {
        /// The physical address.
        address: u64,
    },
    /// The root pointer's bytes do not sum to zero.
    RootChecksum {
        /// The sum found.
        sum: u8,
    },
    /// A root pointer of revision 2 that cannot be read to its end; the 32-bit
    /// table list is used.
    RootTruncated,
    /// The root pointer names neither list of tables.
    NoRootTable,
    /// A list of tables was expected here.
    NotARootTable {
        /// What was there.
        found: Signature,
    },
    /// More tables than are looked at.
    TooManyTables {
        /// The limit.
        limit: usize,
    },
    /// No table of this signature.
    Missing(Signature),
    /// The length field is smaller than the header or larger than any table.
    Length {
        /// Which table.
        table: Signature,
        /// Its length field.
        length: u32,
    },
    /// The table ends before its length field says.
    Truncated {
        /// Which table.
        table: Signature,
        /// Its length field.
        length: u32,
        /// Bytes there are.
        readable: usize,
    },
    /// The table's bytes do not sum to zero.
    Checksum {
        /// Which table.
        table: Signature,
        /// The sum found.
        sum: u8,
    },
    /// Another table was expected.
    WrongTable {
        /// The one asked for.
        expected: Signature,
        /// The one given.
        found: Signature,
    },
    /// An entry too short for its kind; the entries after it are out of reach
    /// when its length is below 2.
    EntryShort {
        /// Which table.
        table: Signature,
        /// Where in the table.
        offset: usize,
        /// The kind field.
        kind: u16,
        /// The length field.
        length: usize,
    },
    /// An entry that runs past the end of its table.
    EntryPastEnd {
        /// Which table.
        table: Signature,
        /// Where in the table.
        offset: usize,
        /// The length field.
        length: usize,
    },
    /// Two entries for the same processor; the first counts.
    DuplicateApicId(u32),
    /// A broadcast id given to one processor.
    BroadcastApicId(u32),
    /// An ISA interrupt sent to one that no I/O APIC of the table can serve.
    UnservedInterrupt {
        /// The ISA interrupt.
        source: u8,
        /// Where the table sends it.
        gsi: u32,
    },
    /// More processors than are kept.
    TooManyProcessors {
        /// The limit.
        limit: usize,
    },
    /// A register block that is absent or in an address space it cannot be in.
    BadAddress {
        /// Which table.
        table: Signature,
        /// What it says.
        address: u64,
    },
    /// A range of memory whose end is beyond 64 bits, or an empty one.
    BadRange {
        /// Which table.
        table: Signature,
        /// Start.
        base: u64,
        /// Length.
        length: u64,
    },
    /// Bus numbers in the wrong order.
    BadBusRange {
        /// First bus.
        first: u8,
        /// Last bus.
        last: u8,
    },
    /// A table whose number of localities does not fit its length.
    Localities {
        /// Which table.
        table: Signature,
        /// What it says.
        count: u64,
    },
    /// A distance that the specification rules out.
    BadDistance {
        /// From which locality.
        from: usize,
        /// To which one.
        to: usize,
        /// What the table says.
        distance: u8,
    },
    /// More proximity domains than are kept.
    TooManyDomains {
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unreadable { address, length } => {
                write!(out, "{length} bytes at {address:#x} are not readable memory")
            }
            Self::NoRootPointer { address } => write!(out, "no ACPI root pointer at {address:#x}"),
            Self::RootChecksum { sum } => {
                write!(out, "the ACPI root pointer's bytes sum to {sum:#04x}, expected 0")
            }
            Self::RootTruncated => out.write_str(
                "the ACPI root pointer says revision 2 but ends early; using its 32-bit list only",
            ),
            Self::NoRootTable => out.write_str("the ACPI root pointer names no list of tables"),
            Self::NotARootTable { found } => write!(out, "expected RSDT or XSDT, found {found}"),
            Self::TooManyTables { limit } => {
                write!(out, "more than {limit} ACPI tables; the rest is ignored")
            }
            Self::Missing(table) => write!(out, "no {table} table"),
            Self::Length { table, length } => {
                write!(out, "{table}: length {length} is impossible, table rejected")
            }
            Self::Truncated { table, length, readable } => {
                write!(out, "{table}: says {length} bytes but only {readable} are there, table rejected")
            }
            Self::Checksum { table, sum } => {
                write!(out, "{table}: bytes sum to {sum:#04x}, expected 0, table rejected")
            }
            Self::WrongTable { expected, found } => write!(out, "expected a {expected} table, found {found}"),
            Self::EntryShort { table, offset, kind, length } => {
                write!(out, "{table}: entry of type {kind} at offset {offset} has length {length}, too short")
            }
            Self::EntryPastEnd { table, offset, length } => {
                write!(
                    out,
                    "{table}: entry at offset {offset} with length {length} runs past the table's end"
                )
            }
            Self::DuplicateApicId(id) => write!(out, "APIC: processor {id:#x} is listed twice, counted once"),
            Self::BroadcastApicId(id) => {
                write!(out, "APIC: {id:#x} addresses every processor, entry ignored")
            }
            Self::UnservedInterrupt { source, gsi } => {
                write!(out, "APIC: interrupt {source} goes to {gsi}, which no I/O APIC serves, entry ignored")
            }
            Self::TooManyProcessors { limit } => {
                write!(out, "APIC: more than {limit} processors; the rest is left out")
            }
            Self::BadAddress { table, address } => {
                write!(out, "{table}: address {address:#x} cannot be, entry rejected")
            }
            Self::BadRange { table, base, length } => {
                write!(out, "{table}: {length:#x} bytes from {base:#x} is no range of memory, entry rejected")
            }
            Self::BadBusRange { first, last } => {
                write!(out, "MCFG: buses {first}..{last} are in the wrong order, entry rejected")
            }
            Self::Localities { table, count } => {
                write!(out, "{table}: {count} localities do not fit the table, table rejected")
            }
            Self::BadDistance { from, to, distance } => write!(
                out,
                "SLIT: distance {distance} from {from} to {to} (10 is to itself, more is elsewhere), table rejected"
            ),
            Self::TooManyDomains { limit } => {
                write!(out, "SRAT: more than {limit} proximity domains; the rest counts as the last one")
            }
        }
    }
}

impl core::error::Error for Problem {}
