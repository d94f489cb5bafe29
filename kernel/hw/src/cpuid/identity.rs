use super::{Leaf, Reader};
use core::fmt;

/// Who made the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// GenuineIntel.
    Intel,
    /// AuthenticAMD.
    Amd,
    /// HygonGenuine: AMD's Zen under licence.
    Hygon,
    /// CentaurHauls or Shanghai: VIA and Zhaoxin.
    Zhaoxin,
    /// Anybody else.
    Other,
}

impl Vendor {
    /// Follows AMD's leaves and registers.
    #[must_use]
    pub fn is_amd_like(self) -> bool {
        matches!(self, Self::Amd | Self::Hygon)
    }
}

/// The brand string, up to 48 bytes of ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Brand([u8; 48]);

impl Brand {
    /// The text without the padding; empty when the processor has none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| !matches!(byte, b' '..=b'~')).unwrap_or(self.0.len());
        core::str::from_utf8(self.0.get(..end).unwrap_or_default()).unwrap_or_default().trim()
    }
}

impl fmt::Debug for Brand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), out)
    }
}

/// Vendor, model and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The vendor.
    pub vendor: Vendor,
    /// The vendor's twelve letters.
    pub vendor_id: [u8; 12],
    /// Family, the extended part added.
    pub family: u16,
    /// Model, the extended part included.
    pub model: u8,
    /// Stepping.
    pub stepping: u8,
    /// Leaf 1, EAX as it is.
    pub signature: u32,
    /// The name for people.
    pub brand: Brand,
    /// The hypervisor's twelve letters, if one announces itself.
    pub hypervisor: Option<[u8; 12]>,
}

impl Identity {
    /// Reads leaves 0, 1, 80000002H to 80000004H and 40000000H.
    pub fn read<L: Leaf + ?Sized>(reader: &Reader<'_, L>) -> Self {
        let vendor_id = reader.get(0, 0).map_or([0; 12], |leaf| letters([leaf.ebx, leaf.edx, leaf.ecx]));
        let signature = reader.get(1, 0).map_or(0, |leaf| leaf.eax);
        let (family, model, stepping) = decode_signature(signature);
        Self {
            vendor: match &vendor_id {
                b"GenuineIntel" => Vendor::Intel,
                b"AuthenticAMD" => Vendor::Amd,
                b"HygonGenuine" => Vendor::Hygon,
                b"CentaurHauls" | b"  Shanghai  " => Vendor::Zhaoxin,
                _ => Vendor::Other,
            },
            vendor_id,
            family,
            model,
            stepping,
            signature,
            brand: brand(reader),
            hypervisor: reader.get(0x4000_0000, 0).map(|leaf| letters([leaf.ebx, leaf.ecx, leaf.edx])),
        }
    }
}

/// Leaf 1, EAX: the extended family counts at family 15, the extended model at
/// 6 and 15 and, as on AMD, above (SDM volume 2A, figure 3-6).
fn decode_signature(eax: u32) -> (u16, u8, u8) {
    let [low, second, third, fourth] = eax.to_le_bytes();
    let base_family = second & 0xf;
    let extended_family = (third >> 4) | (fourth << 4);
    let family = if base_family == 0xf {
        u16::from(base_family) + u16::from(extended_family)
    } else {
        u16::from(base_family)
    };
    let extended_model = if matches!(base_family, 6 | 0xf) { third & 0xf } else { 0 };
    (family, (extended_model << 4) | (low >> 4), low & 0xf)
}

fn letters(registers: [u32; 3]) -> [u8; 12] {
    let mut letters = [0; 12];
    for (bytes, register) in letters.as_chunks_mut::<4>().0.iter_mut().zip(registers) {
        *bytes = register.to_le_bytes();
    }
    letters
}

fn brand<L: Leaf + ?Sized>(reader: &Reader<'_, L>) -> Brand {
    let mut text = [0; 48];
    for (part, leaf) in text.as_chunks_mut::<16>().0.iter_mut().zip(0x8000_0002u32..) {
        let Some(answer) = reader.get(leaf, 0) else { return Brand([0; 48]) };
        let registers = [answer.eax, answer.ebx, answer.ecx, answer.edx];
        for (bytes, register) in part.as_chunks_mut::<4>().0.iter_mut().zip(registers) {
            *bytes = register.to_le_bytes();
        }
    }
    Brand(text)
}
