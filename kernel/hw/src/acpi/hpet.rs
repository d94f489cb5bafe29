use super::{
    Problem, Signature, Table,
    fadt::{Space, register},
    field::{u8_at, u16_at, u32_at},
};

/// The High Precision Event Timer's table (IA-PC HPET Specification 1.0a,
/// section 3.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hpet {
    /// Physical address of the registers.
    pub address: u64,
    /// Low half of the capability register: revision, comparators, vendor.
    pub event_block: u32,
    /// Which HPET this is.
    pub number: u8,
    /// Least ticks between interrupts in periodic mode.
    pub minimum_tick: u16,
}

impl Hpet {
    /// Decodes the table.
    ///
    /// # Errors
    /// [`Problem::WrongTable`]; [`Problem::Length`] when it ends early;
    /// [`Problem::BadAddress`] when its registers are not in memory.
    pub fn parse(table: Table<'_>) -> Result<Self, Problem> {
        const NAME: Signature = Signature(*b"HPET");
        let bytes = table.expect(&NAME.0)?.bytes();
        let short = Problem::Length { table: NAME, length: u32::try_from(bytes.len()).unwrap_or(u32::MAX) };
        let block = register(bytes, 40).ok_or(short)?;
        if block.space != Space::Memory || block.address == 0 {
            return Err(Problem::BadAddress { table: NAME, address: block.address });
        }
        Ok(Self {
            address: block.address,
            event_block: u32_at(bytes, 36).ok_or(short)?,
            number: u8_at(bytes, 52).ok_or(short)?,
            minimum_tick: u16_at(bytes, 53).ok_or(short)?,
        })
    }
}
