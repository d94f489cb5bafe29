/// Executes CPUID, or looks the answer up in a dump.
pub trait Leaf {
    /// EAX, EBX, ECX and EDX for a leaf and subleaf.
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4];
}

impl<F: Fn(u32, u32) -> [u32; 4]> Leaf for F {
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        self(leaf, subleaf)
    }
}

/// One answer of CPUID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// EAX.
    pub eax: u32,
    /// EBX.
    pub ebx: u32,
    /// ECX.
    pub ecx: u32,
    /// EDX.
    pub edx: u32,
}

impl Registers {
    /// Whether all four are zero: how most leaves say "nothing here".
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

/// Asks only for leaves that exist.
#[derive(Debug)]
pub struct Reader<'l, L: ?Sized> {
    leaf: &'l L,
    max_basic: u32,
    max_extended: u32,
    max_hypervisor: u32,
}

impl<L: ?Sized> Clone for Reader<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L: ?Sized> Copy for Reader<'_, L> {}

const EXTENDED: u32 = 0x8000_0000;
const HYPERVISOR: u32 = 0x4000_0000;

impl<'l, L: Leaf + ?Sized> Reader<'l, L> {
    /// Asks for the largest leaf of each range. A processor without extended
    /// leaves answers 80000000H with something else, and one without a
    /// hypervisor has no range 40000000H (leaf 1, ECX bit 31).
    pub fn new(leaf: &'l L) -> Self {
        let [max_basic, ..] = leaf.cpuid(0, 0);
        let [max_extended, ..] = leaf.cpuid(EXTENDED, 0);
        let [_, _, features, _] = if max_basic >= 1 { leaf.cpuid(1, 0) } else { [0; 4] };
        let [max_hypervisor, ..] = if features >> 31 == 1 { leaf.cpuid(HYPERVISOR, 0) } else { [0; 4] };
        Self {
            leaf,
            max_basic: if max_basic < HYPERVISOR { max_basic } else { 0 },
            max_extended: in_range(EXTENDED, max_extended),
            max_hypervisor: in_range(HYPERVISOR, max_hypervisor),
        }
    }

    /// The answer for a leaf and subleaf, or none if the processor has no such
    /// leaf.
    #[must_use]
    pub fn get(&self, leaf: u32, subleaf: u32) -> Option<Registers> {
        let max = match leaf {
            EXTENDED.. => self.max_extended,
            HYPERVISOR.. => self.max_hypervisor,
            _ => self.max_basic,
        };
        if leaf > max {
            return None;
        }
        let [eax, ebx, ecx, edx] = self.leaf.cpuid(leaf, subleaf);
        Some(Registers { eax, ebx, ecx, edx })
    }

    /// Largest basic leaf.
    #[must_use]
    pub fn max_basic(&self) -> u32 {
        self.max_basic
    }

    /// Largest extended leaf, 0 when there are none.
    #[must_use]
    pub fn max_extended(&self) -> u32 {
        self.max_extended
    }

    /// Largest hypervisor leaf, 0 when there are none.
    #[must_use]
    pub fn max_hypervisor(&self) -> u32 {
        self.max_hypervisor
    }
}

/// A range's answer counts only if it lies in that range.
fn in_range(start: u32, max: u32) -> u32 {
    if max & 0xffff_0000 == start { max } else { 0 }
}
