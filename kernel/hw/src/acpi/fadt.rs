use super::{
    Problem, Signature, Table,
    field::{u8_at, u16_at, u32_at, u64_at},
};

/// Where a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Physical memory.
    Memory,
    /// An I/O port.
    Port,
    /// Configuration space of a PCI device on bus 0.
    PciConfiguration,
    /// Any other address space.
    Other(u8),
}

/// A register (Generic Address Structure, section 5.2.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Where it is.
    pub space: Space,
    /// Its address there; 0 means that it is absent.
    pub address: u64,
    /// Its width in bits, 0 when not stated.
    pub bits: u8,
}

/// How to reset the machine: write the value to the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// The register.
    pub register: Register,
    /// The value.
    pub value: u8,
}

/// The Fixed ACPI Description Table, signature `FACP` (section 5.2.9).
/// Older revisions end earlier: what they lack is absent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fadt {
    /// The system control interrupt.
    pub sci: u16,
    /// The power-management timer, 3.579545 MHz, read only.
    pub pm_timer: Option<Register>,
    /// The timer counts 32 bits instead of 24.
    pub pm_timer_is_32_bit: bool,
    /// PM1a control: sleep type and sleep enable go here.
    pub pm1a_control: Option<Register>,
    /// PM1b control, on machines that split it.
    pub pm1b_control: Option<Register>,
    /// Command port of the firmware; 0 when there is none.
    pub smi_command: u32,
    /// Written to that port to turn ACPI mode on; 0 when it is always on.
    pub acpi_enable: u8,
    /// The reset register as the table gives it.
    pub reset_register: Register,
    /// The value to write there.
    pub reset_value: u8,
    /// Fixed feature flags.
    pub flags: u32,
    /// IA-PC boot architecture flags: bit 0 legacy devices, bit 1 8042,
    /// bit 2 no VGA, bit 3 no MSI, bit 4 no ASPM, bit 5 no CMOS clock.
    pub boot_architecture: u16,
    /// Physical address of the DSDT, 0 when absent.
    pub dsdt: u64,
}

/// Frequency of the power-management timer in Hz (section 4.8.3.3).
pub(crate) const PM_TIMER_HZ: u32 = 3_579_545;

impl Fadt {
    /// Frequency of the power-management timer in Hz.
    pub const PM_TIMER_HZ: u32 = PM_TIMER_HZ;

    /// Decodes the table, whatever its revision.
    ///
    /// # Errors
    /// [`Problem::WrongTable`], or [`Problem::Length`] when it is shorter than
    /// that of ACPI 1.0 (116 bytes).
    pub fn parse(table: Table<'_>) -> Result<Self, Problem> {
        const NAME: Signature = Signature(*b"FACP");
        let bytes = table.expect(&NAME.0)?.bytes();
        let short = Problem::Length { table: NAME, length: u32::try_from(bytes.len()).unwrap_or(u32::MAX) };
        let flags = u32_at(bytes, 112).ok_or(short)?;
        Ok(Self {
            sci: u16_at(bytes, 46).ok_or(short)?,
            pm_timer: block(bytes, 208, 76),
            pm_timer_is_32_bit: flags & 1 << 8 != 0,
            pm1a_control: block(bytes, 172, 64),
            pm1b_control: block(bytes, 184, 68),
            smi_command: u32_at(bytes, 48).ok_or(short)?,
            acpi_enable: u8_at(bytes, 52).ok_or(short)?,
            reset_register: register(bytes, 116).unwrap_or(Register::ABSENT),
            reset_value: u8_at(bytes, 128).unwrap_or(0),
            flags,
            boot_architecture: u16_at(bytes, 109).ok_or(short)?,
            dsdt: wide_or_narrow(u64_at(bytes, 140), u32_at(bytes, 40)),
        })
    }

    /// How to reset the machine, if the table says that the register works.
    #[must_use]
    pub fn reset(&self) -> Option<Reset> {
        let supported = self.flags & 1 << 10 != 0 && self.reset_register.address != 0;
        supported.then_some(Reset { register: self.reset_register, value: self.reset_value })
    }

    /// No fixed hardware: neither timer nor PM1 registers may be touched.
    #[must_use]
    pub fn is_hardware_reduced(&self) -> bool {
        self.flags & 1 << 20 != 0
    }
}

impl Register {
    const ABSENT: Self = Self { space: Space::Memory, address: 0, bits: 0 };
}

/// The 64-bit form of a register block if it is there and usable, else the
/// 32-bit port number.
fn block(bytes: &[u8], wide: usize, narrow: usize) -> Option<Register> {
    let usable = |block: &Register| block.address != 0 && matches!(block.space, Space::Memory | Space::Port);
    register(bytes, wide).filter(usable).or_else(|| {
        let address = u64::from(u32_at(bytes, narrow)?);
        Some(Register { space: Space::Port, address, bits: 32 }).filter(usable)
    })
}

/// The Generic Address Structure at `offset`.
pub(crate) fn register(bytes: &[u8], offset: usize) -> Option<Register> {
    let structure = bytes.get(offset..)?;
    let space = match u8_at(structure, 0)? {
        0 => Space::Memory,
        1 => Space::Port,
        2 => Space::PciConfiguration,
        other => Space::Other(other),
    };
    Some(Register { space, address: u64_at(structure, 4)?, bits: u8_at(structure, 1)? })
}

fn wide_or_narrow(wide: Option<u64>, narrow: Option<u32>) -> u64 {
    wide.filter(|address| *address != 0).or(narrow.map(u64::from)).unwrap_or(0)
}
