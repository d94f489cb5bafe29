//! Named machines. The file is part of the crate, so the plugin needs no path
//! to it; another file of the same form may be given instead.
//!
//! Sizes must be powers of two where an address is cut into fields; whatever
//! the hot path relies on is checked here, once.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The machines that come with Umbra.
const BUILT_IN: &str = include_str!("../../machines.toml");

/// Whose manual the registers follow.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// Intel SDM: architectural counters, CAT, MBA.
    Intel,
    /// AMD APM: core counters, QoS extensions.
    Amd,
}

/// The first private level; a hit there costs nothing beyond the instruction.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstLevel {
    /// Size in KiB.
    pub kib: u64,
    /// Ways.
    pub ways: usize,
}

/// The second private level.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondLevel {
    /// Size in KiB.
    pub kib: u64,
    /// Ways.
    pub ways: usize,
    /// Load-to-use latency in cycles.
    pub cycles: u64,
}

/// The level that all cores share.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedLevel {
    /// Slices; a hash of the line address chooses one.
    pub slices: u64,
    /// Sets of one slice; taken straight from the address, so colours work.
    pub sets_per_slice: u64,
    /// Ways, which are also the bits of a capacity mask.
    pub ways: usize,
    /// Latency of a hit in cycles.
    pub cycles: u64,
}

/// Memory: latency = idle + queue * u / (1 - u) at utilisation u.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryTiming {
    /// Latency of an idle memory in tenths of a nanosecond.
    pub idle_tenths_ns: u64,
    /// The factor of u / (1 - u), in tenths of a nanosecond.
    pub queue_tenths_ns: u64,
    /// Bandwidth at u = 1, in 10^6 bytes a second.
    pub mb_per_s: u64,
}

/// The counters of one logical processor.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Architectural version (CPUID.0AH:EAX[7:0]); 0 on AMD.
    pub version: u32,
    /// General counters.
    pub general: u32,
    /// Fixed counters.
    pub fixed: u32,
    /// Bits of a counter.
    pub width: u32,
}

/// Allocation and monitoring of shared resources.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// Classes of capacity masks.
    pub mask_classes: u32,
    /// Classes of the bandwidth throttle.
    pub throttle_classes: u32,
    /// Monitoring identities, at most 256.
    pub resource_ids: u32,
    /// Largest linear throttle value in percent; unused on AMD.
    pub throttle_max: u32,
    /// Bytes that one unit of a monitoring count stands for.
    pub scale_bytes: u32,
    /// Classes of capacity masks of the second level; 0 without such masks.
    #[serde(default)]
    pub second_mask_classes: u32,
    /// Whether each level with masks can have one for code and one for data.
    #[serde(default)]
    pub code_and_data: bool,
    /// Whether threads of a core are throttled apart, instead of both as the
    /// slower of their classes.
    #[serde(default)]
    pub throttle_per_thread: bool,
}

/// One machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Its name in the file.
    #[serde(skip)]
    pub name: String,
    /// One line for people.
    pub about: String,
    /// Whose registers.
    pub vendor: Vendor,
    /// Physical cores.
    pub cores: usize,
    /// Threads of a core, 1 or 2.
    pub threads_per_core: usize,
    /// Cycles per microsecond.
    pub clock_mhz: u64,
    /// Misses that one core may have outstanding.
    pub miss_buffers: usize,
    /// Lines on their way to memory that the machine can hold.
    pub writeback_buffers: u64,
    /// Whether the second level fetches the next line of a page on a miss.
    pub prefetch: bool,
    /// First private level.
    pub first_level: FirstLevel,
    /// Second private level.
    pub second_level: SecondLevel,
    /// Shared level.
    pub shared_level: SharedLevel,
    /// Memory.
    pub memory: MemoryTiming,
    /// Performance counters.
    pub counters: Counters,
    /// Absent on a machine that cannot divide its shared resources.
    pub allocation: Option<Allocation>,
}

impl Description {
    /// The built-in machine of that name.
    ///
    /// # Errors
    /// One line that lists the names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        Self::from_file(BUILT_IN, name)
    }

    /// The machine `name` of a file in the form of `machines.toml`.
    ///
    /// # Errors
    /// One line: what is wrong with the file, the name or the machine.
    pub fn from_file(text: &str, name: &str) -> Result<Self, String> {
        let mut machines: BTreeMap<String, Self> =
            toml::from_str(text).map_err(|error| format!("machine file: {}", error.message()))?;
        match machines.remove(name) {
            Some(machine) => Self { name: name.into(), ..machine }
                .checked()
                .map_err(|wrong| format!("machine {name}: {wrong}")),
            None => {
                let names: Vec<&str> = machines.keys().map(String::as_str).collect();
                Err(format!("no machine is named {name:?}; there are {}", names.join(", ")))
            }
        }
    }

    /// The names of the built-in machines, in alphabetical order.
    #[must_use]
    pub fn names() -> Vec<String> {
        let machines: BTreeMap<String, Self> = toml::from_str(BUILT_IN).unwrap_or_default();
        machines.into_keys().collect()
    }

    /// Logical processors.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.cores * self.threads_per_core
    }

    fn checked(self) -> Result<Self, String> {
        within("cores", self.cores as u64, 1, 64)?;
        within("threads_per_core", self.threads_per_core as u64, 1, 2)?;
        within("clock_mhz", self.clock_mhz, 100, 10_000)?;
        within("miss_buffers", self.miss_buffers as u64, 1, 64)?;
        within("writeback_buffers", self.writeback_buffers, 1, 4096)?;
        within("first_level.ways", self.first_level.ways as u64, 1, 16)?;
        within("second_level.ways", self.second_level.ways as u64, 1, 16)?;
        within("shared_level.ways", self.shared_level.ways as u64, 1, 20)?;
        within("shared_level.slices", self.shared_level.slices, 1, 16)?;
        within("memory.idle_tenths_ns", self.memory.idle_tenths_ns, 1, 100_000)?;
        within("memory.queue_tenths_ns", self.memory.queue_tenths_ns, 0, 100_000)?;
        within("memory.mb_per_s", self.memory.mb_per_s, 1, 10_000_000)?;
        within("counters.general", u64::from(self.counters.general), 1, 8)?;
        within("counters.fixed", u64::from(self.counters.fixed), 0, 4)?;
        within("counters.width", u64::from(self.counters.width), 32, 48)?;
        power_of_two("first_level sets", sets(self.first_level.kib, self.first_level.ways))?;
        power_of_two("second_level sets", sets(self.second_level.kib, self.second_level.ways))?;
        power_of_two("shared_level.slices", self.shared_level.slices)?;
        power_of_two("shared_level.sets_per_slice", self.shared_level.sets_per_slice)?;
        if let Some(allocation) = self.allocation {
            within("allocation.mask_classes", u64::from(allocation.mask_classes), 1, 64)?;
            within("allocation.second_mask_classes", u64::from(allocation.second_mask_classes), 0, 64)?;
            within("allocation.throttle_classes", u64::from(allocation.throttle_classes), 1, 64)?;
            within("allocation.resource_ids", u64::from(allocation.resource_ids), 1, 256)?;
            within("allocation.throttle_max", u64::from(allocation.throttle_max), 0, 99)?;
            within("allocation.scale_bytes", u64::from(allocation.scale_bytes), 1, 1 << 20)?;
        }
        Ok(self)
    }
}

/// Sets of a private level, 0 when the sizes do not divide.
fn sets(kib: u64, ways: usize) -> u64 {
    let lines = kib * 1024 / crate::LINE_BYTES;
    let ways = ways as u64;
    if lines.is_multiple_of(ways) { lines / ways } else { 0 }
}

fn within(what: &str, value: u64, least: u64, most: u64) -> Result<(), String> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(format!("{what} is {value}, expected {least} to {most}"))
    }
}

fn power_of_two(what: &str, value: u64) -> Result<(), String> {
    if value.is_power_of_two() && value <= 1 << 20 {
        Ok(())
    } else {
        Err(format!("{what}: {value} is not a power of two"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_machine_is_sound() {
        let names = Description::names();
        assert_eq!(names, ["epyc8", "nordt", "rdt4", "tiny", "xeon4", "xeon8smt"]);
        for name in names {
            Description::named(&name).expect("built-in machine");
        }
    }

    #[test]
    fn a_wrong_name_lists_the_right_ones() {
        let error = Description::named("xeon5").expect_err("no such machine");
        assert!(error.contains("xeon4") && error.contains("\"xeon5\""), "{error}");
    }

    #[test]
    fn a_size_that_cannot_be_indexed_is_refused() {
        let text = BUILT_IN.replace("sets_per_slice = 64", "sets_per_slice = 60");
        let error = Description::from_file(&text, "tiny").expect_err("60 sets");
        assert!(error.contains("sets_per_slice: 60"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = BUILT_IN.replace("threads_per_core = 1", "treads = 1");
        assert!(Description::from_file(&text, "tiny").expect_err("typo").contains("treads"));
    }
}
