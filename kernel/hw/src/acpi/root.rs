use super::{
    Problem, Signature, Table,
    field::{array, sum, u8_at, u32_at, u64_at},
};

/// Gives bytes at physical addresses, for as long as the implementer lives.
pub trait Physical {
    /// Exactly `length` bytes at `address`, or none when any of them is not
    /// readable memory.
    fn bytes(&self, address: u64, length: usize) -> Option<&[u8]>;
}

/// The root pointer: where the list of tables is (section 5.2.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// Revision: 0 is ACPI 1.0, 2 and above have the 64-bit list.
    pub revision: u8,
    /// Physical address of the RSDT, 0 when absent.
    pub rsdt: u32,
    /// Physical address of the XSDT, 0 when absent.
    pub xsdt: u64,
    /// Revision 2 was announced but its second part could not be read.
    pub truncated: bool,
}

const SIGNATURE: &[u8; 8] = b"RSD PTR ";
const FIRST_PART: usize = 20;
const WHOLE: usize = 36;

impl Root {
    /// Reads and checks the root pointer at `address`.
    ///
    /// # Errors
    /// [`Problem::Unreadable`], [`Problem::NoRootPointer`],
    /// [`Problem::RootChecksum`] or [`Problem::NoRootTable`].
    pub fn read(memory: &impl Physical, address: u64) -> Result<Self, Problem> {
        let first =
            memory.bytes(address, FIRST_PART).ok_or(Problem::Unreadable { address, length: FIRST_PART })?;
        if !first.starts_with(SIGNATURE) {
            return Err(Problem::NoRootPointer { address });
        }
        checked(first)?;
        let revision = u8_at(first, 15).unwrap_or(0);
        let whole = if revision >= 2 { memory.bytes(address, WHOLE) } else { None };
        whole.map_or(Ok(()), checked)?;
        let root = Self {
            revision,
            rsdt: u32_at(first, 16).unwrap_or(0),
            xsdt: whole.and_then(|bytes| u64_at(bytes, 24)).unwrap_or(0),
            truncated: revision >= 2 && whole.is_none(),
        };
        if root.rsdt == 0 && root.xsdt == 0 { Err(Problem::NoRootTable) } else { Ok(root) }
    }

    /// Searches where BIOSes put it (section 5.2.5.1): on 16-byte steps in the
    /// first KiB of the extended BIOS data area, then from E0000H to FFFFFH.
    /// A root pointer with a wrong checksum does not end the search.
    ///
    /// # Errors
    /// The problem of the last candidate, or [`Problem::NoRootPointer`].
    pub fn search(memory: &impl Physical) -> Result<Self, Problem> {
        let segment = memory.bytes(0x40e, 2).and_then(|bytes| array(bytes, 0)).map_or(0, u16::from_le_bytes);
        let data_area = u64::from(segment) << 4;
        let areas = [(data_area, if segment == 0 { 0 } else { 0x400 }), (0xe_0000, 0x2_0000)];
        let mut worst = Problem::NoRootPointer { address: 0xe_0000 };
        for (start, length) in areas {
            for address in (start..start + length).step_by(16) {
                match Self::read(memory, address) {
                    Ok(root) => return Ok(root),
                    Err(Problem::Unreadable { .. } | Problem::NoRootPointer { .. }) => {}
                    Err(problem) => worst = problem,
                }
            }
        }
        Err(worst)
    }
}

fn checked(bytes: &[u8]) -> Result<(), Problem> {
    match sum(bytes) {
        0 => Ok(()),
        sum => Err(Problem::RootChecksum { sum }),
    }
}

/// The tables that the root pointer leads to.
#[derive(Debug)]
pub struct Tables<'m, P> {
    memory: &'m P,
    list: Table<'m>,
}

impl<'m, P: Physical> Tables<'m, P> {
    /// More are not looked at; real machines have about 30.
    pub const LIMIT: usize = 256;

    /// Opens the list of tables: the 64-bit one, or the 32-bit one when that is
    /// absent or broken (`report` then says why).
    ///
    /// # Errors
    /// The problem of the last list tried.
    pub fn open(memory: &'m P, root: Root, report: &mut dyn FnMut(Problem)) -> Result<Self, Problem> {
        if root.truncated {
            report(Problem::RootTruncated);
        }
        let mut problem = Problem::NoRootTable;
        for (address, signature) in [(root.xsdt, b"XSDT"), (u64::from(root.rsdt), b"RSDT")] {
            if address == 0 {
                continue;
            }
            match table_at(memory, address).and_then(|table| table.expect(signature)) {
                Ok(list) => return Ok(Self { memory, list }),
                Err(found) => {
                    problem = found;
                    report(found);
                }
            }
        }
        Err(problem)
    }

    /// Every table of the list in order, each checked. At most
    /// [`Self::LIMIT`] items.
    pub fn iter(&self) -> impl Iterator<Item = Result<Table<'m>, Problem>> {
        let memory = self.memory;
        self.addresses().map(move |address| table_at(memory, address))
    }

    /// The first sound table with this signature; broken ones that come before
    /// it are reported.
    ///
    /// # Errors
    /// [`Problem::Missing`] when there is none.
    pub fn find(&self, signature: &[u8; 4], report: &mut dyn FnMut(Problem)) -> Result<Table<'m>, Problem> {
        for address in self.addresses() {
            let named = self.memory.bytes(address, 4).is_some_and(|name| name == signature);
            if !named {
                continue;
            }
            match table_at(self.memory, address) {
                Ok(table) => return Ok(table),
                Err(problem) => report(problem),
            }
        }
        Err(Problem::Missing(Signature(*signature)))
    }

    fn addresses(&self) -> impl Iterator<Item = u64> + use<'m, P> {
        let wide = self.list.signature().0 == *b"XSDT";
        self.list
            .body()
            .chunks_exact(if wide { 8 } else { 4 })
            .take(Self::LIMIT)
            .filter_map(move |entry| if wide { u64_at(entry, 0) } else { u32_at(entry, 0).map(u64::from) })
            .filter(|address| *address != 0)
    }
}

/// The table at a physical address, checked.
fn table_at<P: Physical>(memory: &P, address: u64) -> Result<Table<'_>, Problem> {
    let unreadable = |length| Problem::Unreadable { address, length };
    let header = memory.bytes(address, Table::HEADER).ok_or(unreadable(Table::HEADER))?;
    let length = usize::try_from(Table::checked_length(header)?).unwrap_or(usize::MAX);
    Table::check(memory.bytes(address, length).ok_or(unreadable(length))?)
}

/// The DSDT, which the FADT names and no list does.
impl<'m, P: Physical> Tables<'m, P> {
    /// The table at `address`, checked; for the DSDT.
    ///
    /// # Errors
    /// What [`Table::check`] says, or [`Problem::Unreadable`].
    pub fn at(&self, address: u64) -> Result<Table<'m>, Problem> {
        table_at(self.memory, address)
    }
}
