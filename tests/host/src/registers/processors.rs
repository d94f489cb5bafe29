//! Processors of every kind that there is, as CPUID would describe them.

use umbra_hw::cpuid::{Features, Reader, Vendor};
use umbra_hw::rdt::Rdt;

/// What leaves 7, 0FH, 10H and 80000020H say.
#[derive(Clone, Copy, Debug)]
pub struct Processor {
    /// AMD, or else Intel.
    pub amd: bool,
    /// Ways of the level 3 cache, 1 to 32; 0 for none to divide.
    pub ways: u32,
    /// The same of the level 2 cache.
    pub l2_ways: u32,
    /// Classes of each resource.
    pub classes: u32,
    /// Classes of bandwidth, throttle or limit; 0 for none.
    pub bandwidth_classes: u32,
    /// Intel: masks with gaps; code and data; linear throttle; throttle per
    /// thread.
    pub flags: [bool; 4],
    /// Largest throttle value, or bits of a limit.
    pub most: u32,
    /// Largest RMID; 0 for no monitoring.
    pub max_rmid: u32,
}

/// The kinds that are sold, and the corners of what the leaves can say.
#[must_use]
pub fn processors() -> [Processor; 8] {
    let xeon = Processor {
        amd: false,
        ways: 11,
        l2_ways: 0,
        classes: 16,
        bandwidth_classes: 8,
        flags: [false, true, true, false],
        most: 90,
        max_rmid: 0xcf,
    };
    let epyc = Processor { amd: true, ways: 16, bandwidth_classes: 16, most: 11, max_rmid: 0xff, ..xeon };
    [
        xeon,
        Processor { ways: 15, bandwidth_classes: 15, classes: 15, flags: [true, true, true, true], ..xeon },
        Processor { ways: 20, bandwidth_classes: 0, flags: [false; 4], ..xeon },
        Processor { ways: 0, l2_ways: 8, classes: 4, bandwidth_classes: 0, max_rmid: 0, ..xeon },
        Processor { ways: 12, l2_ways: 20, flags: [true, true, false, true], most: 64, ..xeon },
        epyc,
        Processor { ways: 32, classes: 128, bandwidth_classes: 0, ..epyc },
        Processor { ways: 1, classes: 1, bandwidth_classes: 1, max_rmid: 0, ..epyc },
    ]
}

impl Processor {
    /// What the kernel makes of it.
    #[must_use]
    pub fn rdt(&self) -> Rdt {
        let leaf = |leaf: u32, subleaf: u32| self.cpuid(leaf, subleaf);
        let reader = Reader::new(&leaf);
        let vendor = if self.amd { Vendor::Amd } else { Vendor::Intel };
        Rdt::read(&reader, vendor, Features::read(&reader), &mut |_| {})
    }

    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let [gaps, cdp, linear, per_thread] = self.flags.map(u32::from);
        let cache = |ways: u32| [ways.saturating_sub(1), 0, gaps << 3 | cdp << 2, self.classes - 1];
        let has = |there: bool, bit: u32| u32::from(there) << bit;
        let throttle = self.bandwidth_classes > 0 && !self.amd;
        match (leaf, subleaf) {
            (0, _) => [0x10, 0, 0, 0],
            (7, 0) => [0, has(self.max_rmid > 0, 12) | 1 << 15, 0, 0],
            (0xf, 0) => [0, self.max_rmid, 0, has(self.max_rmid > 0, 1)],
            (0xf, 1) => [0, 0x1000, self.max_rmid, 7],
            (0x10, 0) => [0, has(self.ways > 0, 1) | has(self.l2_ways > 0, 2) | has(throttle, 3), 0, 0],
            (0x10, 1) => cache(self.ways),
            (0x10, 2) => cache(self.l2_ways),
            (0x10, 3) => [
                self.most.saturating_sub(1),
                0,
                linear << 2 | per_thread,
                self.bandwidth_classes.saturating_sub(1),
            ],
            (0x8000_0000, _) => [0x8000_0020, 0, 0, 0],
            (0x8000_0020, 0) => [0, has(self.bandwidth_classes > 0 && self.amd, 1), 0, 0],
            (0x8000_0020, 1) => [self.most, 0, 0, self.bandwidth_classes.saturating_sub(1)],
            _ => [0; 4],
        }
    }
}
