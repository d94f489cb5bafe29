use super::{Leaf, Reader};

/// How fast the timestamp counter runs, as CPUID says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TscRate {
    /// Leaf 15H names the crystal's frequency and its ratio to the counter.
    Exact {
        /// Ticks a second.
        hz: u64,
    },
    /// Leaf 15H lacks the crystal; leaf 16H's base frequency in whole MHz
    /// stands in, as Linux does. Right to about a thousandth.
    FromBaseFrequency {
        /// Ticks a second.
        hz: u64,
    },
    /// The hypervisor's leaf 40000010H (VMware's, also KVM's and QEMU's).
    Hypervisor {
        /// Ticks a second.
        hz: u64,
    },
}

impl TscRate {
    /// Ticks a second.
    #[must_use]
    pub fn hz(self) -> u64 {
        let (Self::Exact { hz } | Self::FromBaseFrequency { hz } | Self::Hypervisor { hz }) = self;
        hz
    }
}

/// The counter's rate from leaves 15H, 16H and 40000010H (SDM volume 3B,
/// section 20.7.3); none when the processor does not say.
pub fn tsc_rate<L: Leaf + ?Sized>(reader: &Reader<'_, L>) -> Option<TscRate> {
    crystal(reader).or_else(|| hypervisor(reader))
}

fn crystal<L: Leaf + ?Sized>(reader: &Reader<'_, L>) -> Option<TscRate> {
    let ratio = reader.get(0x15, 0).filter(|leaf| leaf.eax != 0 && leaf.ebx != 0)?;
    if ratio.ecx != 0 {
        let ticks = u128::from(ratio.ecx) * u128::from(ratio.ebx) / u128::from(ratio.eax);
        return u64::try_from(ticks).ok().map(|hz| TscRate::Exact { hz });
    }
    let base_mhz = reader.get(0x16, 0)?.eax & 0xffff;
    (base_mhz != 0).then(|| TscRate::FromBaseFrequency { hz: u64::from(base_mhz) * 1_000_000 })
}

fn hypervisor<L: Leaf + ?Sized>(reader: &Reader<'_, L>) -> Option<TscRate> {
    let khz = reader.get(0x4000_0010, 0)?.eax;
    (khz != 0).then(|| TscRate::Hypervisor { hz: u64::from(khz) * 1000 })
}
