use serde_json::{Value, json};
use umbra_hw::{
    cpuid::{Inventory, Leaf, Reader},
    pmu::{ARCHITECTURAL, Design, Event, Model, Pmu, events_of, generic},
};

use super::Builder;

impl Builder {
    /// Performance counters and the events they can count.
    pub(super) fn counters<L: Leaf + ?Sized>(&mut self, reader: &Reader<'_, L>, inventory: &Inventory) {
        let identity = &inventory.identity;
        let pmu = Pmu::read(reader, identity.vendor, identity.family, inventory.features);
        let model = Model::of(identity, inventory.core_kind);
        let Some(pmu) = pmu else {
            self.section("counters", Value::Null);
            self.fallback("no performance counters: the monitor counts in software, with less confidence");
            return;
        };
        self.section(
            "counters",
            json!({
                "design": match pmu.design {
                    Design::Architectural => "Intel architectural",
                    Design::AmdCore => "AMD core",
                    Design::AmdLegacy => "AMD legacy",
                },
                "version": pmu.version,
                "general": pmu.general_count(),
                "general_bits": pmu.general_bits,
                "fixed": pmu.fixed_count(),
                "fixed_bitmap": format!("{:#x}", pmu.fixed),
                "fixed_bits": pmu.fixed_bits,
                "global_control": pmu.has_global_control(),
                "any_thread": pmu.any_thread,
                "level_3_counters": pmu.l3.map(|l3| l3.count),
                "architectural_events": architectural(&pmu),
                "model": format!("{model:?}"),
                "events": generic(&pmu, identity.vendor).map(|event| described(&event, None)).chain(
                    events_of(model).map(|(role, event)| described(&event, Some(format!("{role:?}")))),
                ).collect::<Vec<_>>(),
            }),
        );
        if model == Model::Other {
            self.fallback(
                "no model events for this processor: stalls are not counted, misses only as a whole",
            );
        }
    }
}

fn architectural(pmu: &Pmu) -> Vec<&'static str> {
    let available =
        ARCHITECTURAL.iter().enumerate().filter(|(bit, _)| pmu.architectural_events >> bit & 1 == 1);
    available.map(|(_, event)| event.name).collect()
}

fn described(event: &Event, role: Option<String>) -> Value {
    json!({
        "name": event.name,
        "event": format!("{:#x}", event.select.event),
        "umask": format!("{:#x}", event.select.unit_mask),
        "cmask": event.select.counter_mask,
        "fixed": event.fixed,
        "for": role,
    })
}
