//! `topo`: cores, threads, caches with their sharing, memory nodes.

use alloc::boxed::Box;
use core::fmt::Write;

use heapless::{String, Vec};
use umbra_hw::acpi::MemoryCost;
use umbra_hw::cpuid::{Cache, CacheKind, CoreKind, Place};

use super::Numbers;
use crate::cores::{self, MAX_CORES};
use crate::hardware::{self, kinds, nodes::NODES, places};
use crate::memory;
use crate::shell::page::{Page, Value, name, number};
use crate::shell::reply::{Reply, message};

struct CoreRow {
    core: u8,
    apic_id: u32,
    node: usize,
    place: Place,
    threads: Numbers,
    kind: &'static str,
}

struct CacheRow {
    cache: Cache,
    shared: String<120>,
}

struct NodeRow {
    node: usize,
    cores: Numbers,
    bytes: u64,
    free: u32,
    distances: String<80>,
    costs: String<120>,
}

/// `topo`.
#[inline(never)]
pub(in crate::shell) fn show(reply: Reply) {
    let found = hardware::the();
    let topology = &found.inventory.topology;
    let per_core = topology.threads_per_core();
    let source = message(format_args!(
        "{} core{}; {per_core} thread{} a core, from CPUID leaf {:X}H",
        cores::count(),
        if cores::count() == 1 { " runs" } else { "s run" },
        if per_core == 1 { "" } else { "s" },
        topology.source
    ));
    let rows = Box::new(core_rows());
    let caches = Box::new(cache_rows());
    let nodes = Box::new(node_rows());
    reply.show(|page| {
        page.line(format_args!("{source}"))?;
        show_cores(page, &rows)?;
        page.line(format_args!(""))?;
        show_caches(page, &caches)?;
        page.line(format_args!(""))?;
        if !found.nodes.are_described() {
            page.line(format_args!("no SRAT: one memory node"))?;
        }
        show_nodes(page, &nodes)
    });
}

fn core_rows() -> Vec<CoreRow, MAX_CORES> {
    let found = hardware::the();
    let row = |core: &cores::Core| CoreRow {
        core: core.number,
        apic_id: core.apic_id(),
        node: found.nodes.of_processor(core.apic_id()),
        place: found.inventory.topology.place(core.apic_id()),
        kind: match kinds::of(core.number).map(|kind| kind.kind) {
            Some(CoreKind::Performance) => "fast",
            Some(CoreKind::Efficient) => "small",
            Some(CoreKind::Uniform) | None => "-",
        },
        threads: Numbers(places::threads(core.number).0 & !(1 << (core.number % 64))),
    };
    cores::all().map(row).collect()
}

fn show_cores(page: &mut Page<'_, '_>, rows: &[CoreRow]) -> core::fmt::Result {
    let fields = [
        number("core", "CORE"),
        number("apic_id", "APIC"),
        number("node", "NODE"),
        number("package", "PACKAGE"),
        number("die", "DIE"),
        number("cluster", "CLUSTER"),
        number("physical_core", "PHYSICAL"),
        number("thread", "THREAD"),
        name("siblings", "SIBLINGS"),
        name("kind", "KIND"),
    ];
    page.table("cores", fields, rows, |row| {
        let place = &row.place;
        [
            Value::Number(u64::from(row.core)),
            Value::Number(u64::from(row.apic_id)),
            Value::Number(row.node as u64),
            Value::Number(u64::from(place.package)),
            Value::Number(u64::from(place.die)),
            Value::Number(u64::from(place.cluster)),
            Value::Number(u64::from(place.core)),
            Value::Number(u64::from(place.thread)),
            if row.threads.0 == 0 { Value::Text("-") } else { Value::Shown(&row.threads) },
            Value::Text(row.kind),
        ]
    })
}

fn cache_rows() -> Vec<CacheRow, 8> {
    hardware::the()
        .inventory
        .caches
        .iter()
        .map(|cache| CacheRow { cache: *cache, shared: groups(cache) })
        .collect()
}

/// The running cores by the cache they share; cut where it gets long.
fn groups(cache: &Cache) -> String<120> {
    let mut text = String::new();
    for core in cores::all() {
        let set = places::sharing(cache, core.number).0;
        if set.trailing_zeros() == u32::from(core.number) {
            let gap = if text.is_empty() { "" } else { " " };
            // What does not fit is not shown.
            let _ = write!(text, "{gap}{}", Numbers(set));
        }
    }
    text
}

fn show_caches(page: &mut Page<'_, '_>, rows: &[CacheRow]) -> core::fmt::Result {
    let fields = [
        number("level", "LEVEL"),
        name("kind", "KIND"),
        number("bytes", "SIZE"),
        number("ways", "WAYS"),
        number("sets", "SETS"),
        number("line_bytes", "LINE"),
        number("colours", "COLOURS"),
        name("shared_by", "SHARED BY CORES"),
    ];
    page.table("caches", fields, rows, |row| {
        let cache = &row.cache;
        let kind = match cache.kind {
            CacheKind::Data => "data",
            CacheKind::Instruction => "code",
            CacheKind::Unified => "both",
        };
        [
            Value::Number(u64::from(cache.level)),
            Value::Text(kind),
            Value::Bytes(cache.bytes()),
            Value::Number(u64::from(cache.ways)),
            Value::Number(u64::from(cache.sets)),
            Value::Number(u64::from(cache.line_bytes)),
            Value::Number(u64::from(cache.colouring().colours())),
            Value::Text(&row.shared),
        ]
    })
}

fn node_rows() -> Vec<NodeRow, NODES> {
    let nodes = &hardware::the().nodes;
    (0..nodes.count())
        .map(|node| {
            let here = cores::all().filter(|core| nodes.of_processor(core.apic_id()) == node);
            let cores = here.fold(0, |set, core| set | 1u64 << (core.number % 64));
            let mut distances = String::new();
            for distance in nodes.distances(node) {
                let gap = if distances.is_empty() { "" } else { " " };
                // There is room for all of them.
                let _ = write!(distances, "{gap}{distance}");
            }
            let (bytes, free, costs) = (nodes.bytes(node), memory::free_on(node), costs(nodes.costs(node)));
            NodeRow { node, cores: Numbers(cores), bytes, free, distances, costs }
        })
        .collect()
}

/// What reading each node costs: nanoseconds and MB/s, `-` where the platform
/// does not say; nothing when it says nothing at all.
fn costs(costs: &[MemoryCost]) -> String<120> {
    let mut text = String::new();
    if costs.iter().all(|cost| *cost == MemoryCost::default()) {
        return text;
    }
    for cost in costs {
        let gap = if text.is_empty() { "" } else { " " };
        // What does not fit is not shown.
        let _ = text.write_str(gap);
        let _ = match cost.read_latency_ps {
            Some(ps) => write!(text, "{} ns", ps / 1000),
            None => text.write_str("-"),
        };
        let _ = match cost.read_bandwidth_mb_per_s {
            Some(rate) => write!(text, "/{rate} MB/s"),
            None => Ok(()),
        };
    }
    text
}

fn show_nodes(page: &mut Page<'_, '_>, rows: &[NodeRow]) -> core::fmt::Result {
    let fields = [
        number("node", "NODE"),
        name("cores", "CORES"),
        number("bytes", "MEMORY"),
        number("free_frames", "FREE FRAMES"),
        name("distances", "DISTANCES"),
        name("costs", "READING COSTS"),
    ];
    page.table("nodes", fields, rows, |row| {
        [
            Value::Number(row.node as u64),
            Value::Shown(&row.cores),
            if row.bytes == 0 { Value::Unknown } else { Value::Bytes(row.bytes) },
            Value::Number(u64::from(row.free)),
            if row.distances.is_empty() { Value::Text("-") } else { Value::Text(&row.distances) },
            if row.costs.is_empty() { Value::Text("-") } else { Value::Text(&row.costs) },
        ]
    })
}
