//! Register numbers, each once. Sources: Intel SDM volume 4; AMD APM volume 2,
//! appendix A, and Processor Programming References; Linux `msr-index.h`.

/// First general counter, Intel; the others follow.
pub const PMC: u32 = 0xc1;
/// First event select, Intel.
pub const PERFEVTSEL: u32 = 0x186;
/// First fixed counter.
pub const FIXED_CTR: u32 = 0x309;
/// What the PMU can do beyond CPUID.
pub const PERF_CAPABILITIES: u32 = 0x345;
/// Control of the fixed counters, four bits each.
pub const FIXED_CTR_CTRL: u32 = 0x38d;
/// Which counters have overflowed; read only.
pub const PERF_GLOBAL_STATUS: u32 = 0x38e;
/// Which counters run.
pub const PERF_GLOBAL_CTRL: u32 = 0x38f;
/// Clears overflow flags.
pub const PERF_GLOBAL_STATUS_RESET: u32 = 0x390;
/// Sets overflow flags (version 4).
pub const PERF_GLOBAL_STATUS_SET: u32 = 0x391;
/// First general counter, written in its full width.
pub const A_PMC: u32 = 0x4c1;
/// First general counter of version 6; event select is the next register.
pub const PMC_V6_GP0: u32 = 0x1900;
/// First fixed counter of version 6.
pub const PMC_V6_FX0: u32 = 0x1980;
/// Registers from one counter to the next in version 6.
pub const PMC_V6_STEP: u32 = 4;

/// First event select, AMD before family 15H (four counters).
pub const K7_EVNTSEL: u32 = 0xc001_0000;
/// First counter, AMD before family 15H.
pub const K7_PERFCTR: u32 = 0xc001_0004;
/// First event select, AMD; the counter is the next register.
pub const AMD_PERF_CTL: u32 = 0xc001_0200;
/// First L3 event select, AMD; the counter is the next register.
pub const AMD_L3_CTL: u32 = 0xc001_0230;
/// Overflow flags, AMD version 2; read only.
pub const AMD_GLOBAL_STATUS: u32 = 0xc000_0300;
/// Which counters run, AMD version 2.
pub const AMD_GLOBAL_CTRL: u32 = 0xc000_0301;
/// Clears overflow flags, AMD version 2.
pub const AMD_GLOBAL_STATUS_CLEAR: u32 = 0xc000_0302;

/// Code and data prioritization of the level 3 cache: bit 0.
pub const L3_QOS_CFG: u32 = 0xc81;
/// Code and data prioritization of the level 2 cache: bit 0.
pub const L2_QOS_CFG: u32 = 0xc82;
/// Memory bandwidth allocation per thread rather than per core: bit 0.
pub const MBA_CFG: u32 = 0xc84;
/// Which event of which RMID [`QM_CTR`] shows.
pub const QM_EVTSEL: u32 = 0xc8d;
/// The monitoring counter; read only.
pub const QM_CTR: u32 = 0xc8e;
/// The RMID and class of the logical processor.
pub const PQR_ASSOC: u32 = 0xc8f;
/// First capacity mask of the level 3 cache.
pub const L3_MASK: u32 = 0xc90;
/// Where sub-NUMA clusters make this another register instead of the mask of
/// class 16.
pub const RMID_SNC_CONFIG: u32 = 0xca0;
/// First capacity mask of the level 2 cache.
pub const L2_MASK: u32 = 0xd10;
/// First throttle value of memory bandwidth allocation.
pub const MBA_THROTTLE: u32 = 0xd50;
/// First bandwidth limit, AMD.
pub const AMD_BANDWIDTH: u32 = 0xc000_0200;
/// First slow-memory bandwidth limit, AMD.
pub const AMD_SLOW_BANDWIDTH: u32 = 0xc000_0280;
