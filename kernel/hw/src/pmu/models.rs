use super::Event;
use crate::cpuid::{CoreKind, Identity, Vendor};

/// A family of processors with the same events. Only events go by the model:
/// nothing announces them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Skylake-SP and Cascade Lake.
    SkylakeServer,
    /// Ice Lake-SP and -D.
    IceLakeServer,
    /// Sapphire Rapids and Emerald Rapids.
    SapphireRapids,
    /// Granite Rapids.
    GraniteRapids,
    /// Fast cores of Alder Lake and Raptor Lake.
    GoldenCove,
    /// Small cores of these, and Alder Lake-N.
    Gracemont,
    /// AMD Zen 2.
    Zen2,
    /// AMD Zen 3.
    Zen3,
    /// AMD Zen 4.
    Zen4,
    /// AMD Zen 5.
    Zen5,
    /// Any other: architectural events only.
    Other,
}

/// What an event tells about interference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Cycles without execution while a load that missed level 2 is out.
    L2MissStalls,
    /// The same for level 3.
    L3MissStalls,
    /// Cycles in which nothing retires because the oldest load is not done.
    LoadStalls,
    /// Lines brought into level 2, prefetches included.
    L2LinesIn,
    /// Core requests that missed level 2.
    L2Misses,
    /// Loads that the level 3 cache served.
    LlcHitLoads,
    /// Loads that it did not.
    LlcMissLoads,
    /// Cycles bound by stores.
    StoreStalls,
    /// Level 3 cache: lookups.
    L3Lookups,
    /// Level 3 cache: misses.
    L3Misses,
}

type Table = &'static [(Role, Event)];

/// intel/perfmon SKX and CLX.
const SKYLAKE_SERVER: Table = &[
    (
        Role::L2MissStalls,
        Event::core("cycle_activity.stalls_l2_miss", 0xa3, 0x05).at_least(5).on_first_four(),
    ),
    (
        Role::L3MissStalls,
        Event::core("cycle_activity.stalls_l3_miss", 0xa3, 0x06).at_least(6).on_first_four(),
    ),
    (Role::L2LinesIn, Event::core("l2_lines_in.all", 0xf1, 0x1f).on_first_four()),
    (Role::LlcHitLoads, Event::core("mem_load_retired.l3_hit", 0xd1, 0x04).on_first_four()),
    (Role::LlcMissLoads, Event::core("mem_load_retired.l3_miss", 0xd1, 0x20).on_first_four()),
    (Role::StoreStalls, Event::core("exe_activity.bound_on_stores", 0xa6, 0x40)),
];

/// intel/perfmon ICX.
const ICE_LAKE_SERVER: Table = &[
    (
        Role::L2MissStalls,
        Event::core("cycle_activity.stalls_l2_miss", 0xa3, 0x05).at_least(5).on_first_four(),
    ),
    (
        Role::L3MissStalls,
        Event::core("cycle_activity.stalls_l3_miss", 0xa3, 0x06).at_least(6).on_first_four(),
    ),
    (Role::L2LinesIn, Event::core("l2_lines_in.all", 0xf1, 0x1f).on_first_four()),
    (Role::LlcHitLoads, Event::core("mem_load_retired.l3_hit", 0xd1, 0x04).on_first_four()),
    (Role::LlcMissLoads, Event::core("mem_load_retired.l3_miss", 0xd1, 0x20).on_first_four()),
    (Role::StoreStalls, Event::core("exe_activity.bound_on_stores", 0xa6, 0x40).at_least(2)),
];

/// intel/perfmon SPR, EMR and GNR.
const SAPPHIRE_RAPIDS: Table = &[
    (
        Role::L2MissStalls,
        Event::core("memory_activity.stalls_l2_miss", 0x47, 0x05).at_least(5).on_first_four(),
    ),
    (
        Role::L3MissStalls,
        Event::core("memory_activity.stalls_l3_miss", 0x47, 0x09).at_least(9).on_first_four(),
    ),
    (Role::L2LinesIn, Event::core("l2_lines_in.all", 0x25, 0x1f).on_first_four()),
    (Role::LlcHitLoads, Event::core("mem_load_retired.l3_hit", 0xd1, 0x04).on_first_four()),
    (Role::LlcMissLoads, Event::core("mem_load_retired.l3_miss", 0xd1, 0x20).on_first_four()),
    (Role::StoreStalls, Event::core("exe_activity.bound_on_stores", 0xa6, 0x40).at_least(2)),
];

/// intel/perfmon ADL, small cores (Linux `pmu-events/arch/x86/alderlake`,
/// `cpu_atom`). Their stalls on loads are told apart by who served them.
const GRACEMONT: Table = &[
    (Role::LoadStalls, Event::core("mem_bound_stalls.load", 0x34, 0x07)),
    (Role::L3MissStalls, Event::core("mem_bound_stalls.load_dram_hit", 0x34, 0x04)),
    (Role::LlcHitLoads, Event::core("mem_load_uops_retired.l3_hit", 0xd1, 0x04)),
    (Role::LlcMissLoads, Event::core("mem_load_uops_retired.dram_hit", 0xd1, 0x80)),
];

/// Linux `pmu-events/arch/x86/amdzen2`. The two refill sources that are memory
/// are counted together.
const ZEN2: Table = &[
    (Role::L2Misses, Event::core("l2_cache_req_stat.ic_dc_miss_in_l2", 0x64, 0x09)),
    (Role::LlcHitLoads, Event::core("ls_refills_from_sys.ls_mabresp_lcl_cache", 0x43, 0x02)),
    (Role::LlcMissLoads, Event::core("ls_refills_from_sys.dram", 0x43, 0x48)),
    (Role::StoreStalls, Event::core("de_dis_dispatch_token_stalls1.store_queue_token_stall", 0xae, 0x04)),
    (Role::L3Lookups, Event::l3("l3_lookup_state.all_l3_req_typs", 0x04, 0xff)),
    (Role::L3Misses, Event::l3("l3_comb_clstr_state.request_miss", 0x06, 0x01)),
];

/// Linux `pmu-events/arch/x86/amdzen3`.
const ZEN3: Table = &[
    (Role::L2Misses, Event::core("l2_cache_req_stat.ic_dc_miss_in_l2", 0x64, 0x09)),
    (Role::LlcHitLoads, Event::core("ls_dmnd_fills_from_sys.int_cache", 0x43, 0x02)),
    (Role::LlcMissLoads, Event::core("ls_dmnd_fills_from_sys.mem_io", 0x43, 0x48)),
    (Role::StoreStalls, Event::core("de_dis_dispatch_token_stalls1.store_queue_rsrc_stall", 0xae, 0x04)),
    (Role::L3Lookups, Event::l3("l3_lookup_state.all_coherent_accesses_to_l3", 0x04, 0xff)),
    (Role::L3Misses, Event::l3("l3_lookup_state.l3_miss", 0x04, 0x01)),
];

/// Linux `pmu-events/arch/x86/amdzen4`.
const ZEN4: Table = &[
    (Role::LoadStalls, Event::core("ex_no_retire.load_not_complete", 0xd6, 0xa2)),
    (Role::L2Misses, Event::core("l2_cache_req_stat.ic_dc_miss_in_l2", 0x64, 0x09)),
    (Role::LlcHitLoads, Event::core("ls_dmnd_fills_from_sys.local_ccx", 0x43, 0x02)),
    (Role::LlcMissLoads, Event::core("ls_dmnd_fills_from_sys.dram_io_all", 0x43, 0x48)),
    (Role::StoreStalls, Event::core("de_dis_dispatch_token_stalls1.store_queue_rsrc_stall", 0xae, 0x04)),
    (Role::L3Lookups, Event::l3("l3_lookup_state.all_coherent_accesses_to_l3", 0x04, 0xff)),
    (Role::L3Misses, Event::l3("l3_lookup_state.l3_miss", 0x04, 0x01)),
];

/// Linux `pmu-events/arch/x86/amdzen5`.
const ZEN5: Table = &[
    (Role::LoadStalls, Event::core("ex_no_retire.load_not_complete", 0xd6, 0xa2)),
    (Role::L2Misses, Event::core("l2_cache_req_stat.ic_dc_miss_in_l2", 0x64, 0x09)),
    (Role::LlcHitLoads, Event::core("ls_dmnd_fills_from_sys.local_ccx", 0x43, 0x02)),
    (Role::LlcMissLoads, Event::core("ls_dmnd_fills_from_sys.dram_io_all", 0x43, 0x48)),
    (
        Role::StoreStalls,
        Event::core("de_dispatch_stall_cycle_dynamic_tokens_part1.store_queue_rsrc_stall", 0xae, 0x04),
    ),
    (Role::L3Lookups, Event::l3("l3_lookup_state.all_coherent_accesses_to_l3", 0x04, 0xff)),
    (Role::L3Misses, Event::l3("l3_lookup_state.l3_miss", 0x04, 0x01)),
];

impl Model {
    /// The family of a processor's cores (perf's `mapfile.csv`), which on hybrid
    /// ones depends on their kind.
    #[must_use]
    pub fn of(identity: &Identity, kind: CoreKind) -> Self {
        match (identity.vendor, identity.family, identity.model) {
            (Vendor::Intel, 6, 0x97 | 0x9a | 0xb7 | 0xba | 0xbf) => match kind {
                CoreKind::Performance => Self::GoldenCove,
                CoreKind::Efficient => Self::Gracemont,
                // With the small cores switched off the others do not say.
                CoreKind::Uniform => Self::GoldenCove,
            },
            (Vendor::Intel, 6, 0xbe) => Self::Gracemont,
            (Vendor::Intel, 6, 0x55) => Self::SkylakeServer,
            (Vendor::Intel, 6, 0x6a | 0x6c) => Self::IceLakeServer,
            (Vendor::Intel, 6, 0x8f | 0xcf) => Self::SapphireRapids,
            (Vendor::Intel, 6, 0xad | 0xae) => Self::GraniteRapids,
            (Vendor::Amd, 0x17, 0x30..) => Self::Zen2,
            (Vendor::Amd, 0x19, 0x00..=0x0f | 0x20..=0x5f) => Self::Zen3,
            (Vendor::Amd, 0x19, _) => Self::Zen4,
            (Vendor::Amd, 0x1a, 0x00..=0x2f | 0x40..=0x4f | 0x60..=0x7f) => Self::Zen5,
            _ => Self::Other,
        }
    }

    fn table(self) -> Table {
        match self {
            Self::SkylakeServer => SKYLAKE_SERVER,
            Self::IceLakeServer => ICE_LAKE_SERVER,
            Self::SapphireRapids | Self::GraniteRapids | Self::GoldenCove => SAPPHIRE_RAPIDS,
            Self::Gracemont => GRACEMONT,
            Self::Zen2 => ZEN2,
            Self::Zen3 => ZEN3,
            Self::Zen4 => ZEN4,
            Self::Zen5 => ZEN5,
            Self::Other => &[],
        }
    }
}

/// The model's own events.
pub fn events_of(model: Model) -> impl Iterator<Item = (Role, Event)> {
    model.table().iter().copied()
}

/// The model's event for a purpose.
#[must_use]
pub fn for_role(model: Model, role: Role) -> Option<Event> {
    events_of(model).find(|(known, _)| *known == role).map(|(_, event)| event)
}
