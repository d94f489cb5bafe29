use super::{Leaf, Reader, Registers};

/// A feature that something in Umbra depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Feature {
    /// Local APIC.
    Apic,
    /// RDMSR and WRMSR.
    Msr,
    /// Timestamp counter.
    Tsc,
    /// Page attribute table.
    Pat,
    /// Global pages.
    Pge,
    /// Machine-check exception.
    Mce,
    /// Machine-check banks.
    Mca,
    /// More than one logical processor in the package.
    Htt,
    /// MONITOR and MWAIT.
    Monitor,
    /// Performance capabilities register.
    Pdcm,
    /// Process-context identifiers.
    Pcid,
    /// x2APIC mode.
    X2Apic,
    /// Timer fires at a TSC value.
    TscDeadline,
    /// XSAVE.
    Xsave,
    /// AVX.
    Avx,
    /// RDRAND.
    Rdrand,
    /// Runs under a hypervisor.
    Hypervisor,
    /// The APIC timer runs in deep idle states.
    Arat,
    /// RDFSBASE and its like.
    Fsgsbase,
    /// TSC adjust register.
    TscAdjust,
    /// AVX2.
    Avx2,
    /// No execution of user pages by the kernel.
    Smep,
    /// INVPCID.
    Invpcid,
    /// Resource director technology, monitoring.
    Pqm,
    /// Resource director technology, allocation.
    Pqe,
    /// AVX-512 foundation.
    Avx512f,
    /// RDSEED.
    Rdseed,
    /// No access of user pages by the kernel.
    Smap,
    /// CLFLUSHOPT.
    Clflushopt,
    /// User-mode instruction prevention.
    Umip,
    /// 57-bit linear addresses.
    La57,
    /// RDPID.
    Rdpid,
    /// Cores of different kinds.
    Hybrid,
    /// SYSCALL and SYSRET.
    Syscall,
    /// No-execute pages.
    Nx,
    /// 1 GiB pages.
    Page1Gib,
    /// RDTSCP.
    Rdtscp,
    /// 64-bit mode.
    LongMode,
    /// AMD cache and topology leaves 8000001DH and 8000001EH.
    Topoext,
    /// AMD: six core counters.
    PerfctrCore,
    /// AMD: data-fabric counters.
    PerfctrNb,
    /// AMD: L3 counters.
    PerfctrLlc,
    /// TSC of constant rate in every state.
    InvariantTsc,
    /// AMD memory-bandwidth enforcement.
    AmdMba,
    /// AMD slow-memory bandwidth enforcement.
    AmdSmba,
    /// AMD performance monitoring version 2.
    PerfmonV2,
}

/// One of CPUID's four registers.
#[derive(Clone, Copy)]
enum Output {
    Eax,
    Ebx,
    Ecx,
    Edx,
}

struct Bit(Feature, &'static str, u32, Output, u8);

use Feature as F;
use Output::{Eax, Ebx, Ecx, Edx};

/// Where each bit is, with the name Linux shows in /proc/cpuinfo where it has
/// one. All are in subleaf 0.
const BITS: [Bit; 46] = [
    Bit(F::Apic, "apic", 1, Edx, 9),
    Bit(F::Msr, "msr", 1, Edx, 5),
    Bit(F::Tsc, "tsc", 1, Edx, 4),
    Bit(F::Pat, "pat", 1, Edx, 16),
    Bit(F::Pge, "pge", 1, Edx, 13),
    Bit(F::Mce, "mce", 1, Edx, 7),
    Bit(F::Mca, "mca", 1, Edx, 14),
    Bit(F::Htt, "ht", 1, Edx, 28),
    Bit(F::Monitor, "monitor", 1, Ecx, 3),
    Bit(F::Pdcm, "pdcm", 1, Ecx, 15),
    Bit(F::Pcid, "pcid", 1, Ecx, 17),
    Bit(F::X2Apic, "x2apic", 1, Ecx, 21),
    Bit(F::TscDeadline, "tsc_deadline_timer", 1, Ecx, 24),
    Bit(F::Xsave, "xsave", 1, Ecx, 26),
    Bit(F::Avx, "avx", 1, Ecx, 28),
    Bit(F::Rdrand, "rdrand", 1, Ecx, 30),
    Bit(F::Hypervisor, "hypervisor", 1, Ecx, 31),
    Bit(F::Arat, "arat", 6, Eax, 2),
    Bit(F::Fsgsbase, "fsgsbase", 7, Ebx, 0),
    Bit(F::TscAdjust, "tsc_adjust", 7, Ebx, 1),
    Bit(F::Avx2, "avx2", 7, Ebx, 5),
    Bit(F::Smep, "smep", 7, Ebx, 7),
    Bit(F::Invpcid, "invpcid", 7, Ebx, 10),
    Bit(F::Pqm, "cqm", 7, Ebx, 12),
    Bit(F::Pqe, "rdt_a", 7, Ebx, 15),
    Bit(F::Avx512f, "avx512f", 7, Ebx, 16),
    Bit(F::Rdseed, "rdseed", 7, Ebx, 18),
    Bit(F::Smap, "smap", 7, Ebx, 20),
    Bit(F::Clflushopt, "clflushopt", 7, Ebx, 23),
    Bit(F::Umip, "umip", 7, Ecx, 2),
    Bit(F::La57, "la57", 7, Ecx, 16),
    Bit(F::Rdpid, "rdpid", 7, Ecx, 22),
    Bit(F::Hybrid, "hybrid", 7, Edx, 15),
    Bit(F::Syscall, "syscall", 0x8000_0001, Edx, 11),
    Bit(F::Nx, "nx", 0x8000_0001, Edx, 20),
    Bit(F::Page1Gib, "pdpe1gb", 0x8000_0001, Edx, 26),
    Bit(F::Rdtscp, "rdtscp", 0x8000_0001, Edx, 27),
    Bit(F::LongMode, "lm", 0x8000_0001, Edx, 29),
    Bit(F::Topoext, "topoext", 0x8000_0001, Ecx, 22),
    Bit(F::PerfctrCore, "perfctr_core", 0x8000_0001, Ecx, 23),
    Bit(F::PerfctrNb, "perfctr_nb", 0x8000_0001, Ecx, 24),
    Bit(F::PerfctrLlc, "perfctr_llc", 0x8000_0001, Ecx, 28),
    Bit(F::InvariantTsc, "nonstop_tsc", 0x8000_0007, Edx, 8),
    Bit(F::AmdMba, "mba", 0x8000_0008, Ebx, 6),
    Bit(F::AmdSmba, "smba", 0x8000_0020, Ebx, 2),
    Bit(F::PerfmonV2, "perfmon_v2", 0x8000_0022, Eax, 0),
];

/// Which features the processor has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u64);

impl Features {
    /// Reads every leaf the features are in.
    pub fn read<L: Leaf + ?Sized>(reader: &Reader<'_, L>) -> Self {
        let mut features = Self(0);
        for Bit(feature, _, leaf, output, bit) in BITS {
            let answer = reader.get(leaf, 0).unwrap_or_default();
            if output.of(answer) >> bit & 1 == 1 {
                features.0 |= 1 << feature as u8;
            }
        }
        features
    }

    /// Whether the processor has `feature`.
    #[must_use]
    pub fn has(self, feature: Feature) -> bool {
        self.0 >> feature as u8 & 1 == 1
    }

    /// The names of what it has, as /proc/cpuinfo spells them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        BITS.iter().filter(move |bit| self.has(bit.0)).map(|bit| bit.1)
    }
}

impl Output {
    fn of(self, answer: Registers) -> u32 {
        match self {
            Self::Eax => answer.eax,
            Self::Ebx => answer.ebx,
            Self::Ecx => answer.ecx,
            Self::Edx => answer.edx,
        }
    }
}
