use serde_json::{Value, json};
use umbra_hw::cpuid::{Cache, CacheKind, Colouring, Feature, Inventory, TscRate};

use super::{Builder, place};
use crate::machine::Machine;

impl Builder {
    /// Who it is, its clock, caches and how its cores are numbered.
    pub(super) fn processor(&mut self, inventory: &Inventory, machine: &Machine) {
        let identity = &inventory.identity;
        let letters = |id: &[u8]| String::from_utf8_lossy(id).trim_end_matches('\0').to_owned();
        self.section(
            "processor",
            json!({
                "vendor": letters(&identity.vendor_id),
                "name": identity.brand.as_str(),
                "family": identity.family,
                "model": identity.model,
                "stepping": identity.stepping,
                "signature": format!("{:#x}", identity.signature),
                "hypervisor": identity.hypervisor.map(|id| letters(&id)),
                "core_kind": format!("{:?}", inventory.core_kind),
                "max_basic_leaf": format!("{:#x}", inventory.max_basic),
                "max_extended_leaf": format!("{:#x}", inventory.max_extended),
                "physical_bits": inventory.physical_bits,
                "linear_bits": inventory.linear_bits,
                "features": inventory.features.names().collect::<Vec<_>>(),
            }),
        );
        self.needed(inventory);
        self.clock(inventory);
        self.section("caches", inventory.caches.iter().map(cache).collect());
        self.colours(inventory);
        self.numbering(inventory, machine);
    }

    fn needed(&mut self, inventory: &Inventory) {
        for (feature, what) in [
            (Feature::LongMode, "64-bit mode"),
            (Feature::Apic, "local APIC"),
            (Feature::Tsc, "timestamp counter"),
            (Feature::Msr, "model-specific registers"),
        ] {
            if !inventory.features.has(feature) {
                self.problems.push(format!("the processor has no {what}: Umbra does not run on it"));
            }
        }
        for (feature, text) in [
            (Feature::Nx, "no no-execute pages: data can be executed"),
            (Feature::Smep, "no SMEP: the kernel could execute user pages"),
            (Feature::Smap, "no SMAP: the kernel could read user pages by mistake"),
            (Feature::Umip, "no UMIP: user code can read descriptor table addresses"),
            (Feature::Page1Gib, "no 1 GiB pages: 2 MiB pages instead"),
        ] {
            if !inventory.features.has(feature) {
                self.fallback(text);
            }
        }
    }

    fn clock(&mut self, inventory: &Inventory) {
        let has = |feature| inventory.features.has(feature);
        let source = inventory.tsc.map_or("not stated: HPET, PM timer or PIT", |rate| match rate {
            TscRate::Exact { .. } => "CPUID 15H",
            TscRate::FromBaseFrequency { .. } => "CPUID 16H, to the MHz",
            TscRate::Hypervisor { .. } => "CPUID 40000010H",
        });
        self.section(
            "clock",
            json!({
                "tsc_hz": inventory.tsc.map(TscRate::hz),
                "tsc_rate_from": source,
                "tsc_invariant": has(Feature::InvariantTsc),
                "timer": if has(Feature::TscDeadline) { "TSC deadline" } else { "local APIC one-shot" },
                "apic_mode": if has(Feature::X2Apic) { "x2APIC" } else { "xAPIC" },
            }),
        );
        if !has(Feature::InvariantTsc) {
            self.fallback("the TSC is not announced as invariant: time may drift when frequencies change");
        }
        if !has(Feature::TscDeadline) {
            self.fallback("no TSC deadline timer: one-shot local APIC timer instead");
        }
        if !has(Feature::X2Apic) {
            self.fallback("no x2APIC: processors with ids above 254 cannot be reached");
        }
    }

    fn colours(&mut self, inventory: &Inventory) {
        let Some(llc) = inventory.last_level_cache() else {
            self.fallback("no cache is described: one page colour");
            return;
        };
        let (how, note) = match llc.colouring() {
            Colouring::Linear { .. } => {
                ("set bits of the address", "to be confirmed by measuring: slices may hash")
            }
            Colouring::WithinSlices { .. } => {
                ("set bits within hashed slices", "2048 sets a slice assumed; to be confirmed by measuring")
            }
        };
        self.section(
            "colours",
            json!({ "level": llc.level, "colours": llc.colouring().colours(), "from": how, "note": note }),
        );
    }

    fn numbering(&mut self, inventory: &Inventory, machine: &Machine) {
        let topology = &inventory.topology;
        let levels: Vec<Value> = topology
            .levels
            .iter()
            .map(|level| {
                json!({
                    "level": format!("{:?}", level.kind),
                    "apic_id_bits": format!("{}..{}", level.low, level.high),
                    "logical_processors": level.logical,
                })
            })
            .collect();
        let in_dump: Vec<Value> = machine
            .processors
            .iter()
            .map(|dump| {
                let inventory = Inventory::read(dump);
                let mut fields = place(Some(topology), inventory.topology.apic_id);
                fields.insert("kind".into(), json!(format!("{:?}", inventory.core_kind)));
                Value::Object(fields)
            })
            .collect();
        self.section(
            "topology",
            json!({
                "from_leaf": format!("{:#x}", topology.source),
                "threads_per_core": topology.threads_per_core(),
                "levels": levels,
                "processors_in_dump": in_dump,
            }),
        );
    }
}

fn cache(cache: &Cache) -> Value {
    let kind = match cache.kind {
        CacheKind::Data => "data",
        CacheKind::Instruction => "instructions",
        CacheKind::Unified => "both",
    };
    json!({
        "level": cache.level,
        "holds": kind,
        "kib": cache.bytes() / 1024,
        "ways": cache.ways,
        "sets": cache.sets,
        "line_bytes": cache.line_bytes,
        "shared_by": cache.sharing,
        "inclusive": cache.inclusive,
        "hashed": cache.complex_indexing,
        "colours": cache.colouring().colours(),
    })
}
