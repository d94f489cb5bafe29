//! `profile`.

use alloc::boxed::Box;
use alloc::vec::Vec;
use umbra_console::NameKind;
use umbra_console::parse::ProfileVerb;
use umbra_console::reply::Unknown;
use umbra_control::demand::{Demand, Profile};

use super::burst;
use super::names::KernelNames;
use super::page::{Fact, Field, Page, Value, number};
use super::pending::Pending;
use super::reply::Reply;
use crate::control::with_line;

const BIN_FIELDS: [Field; 8] = [
    number("from_ns", "FROM"),
    number("cpu_permille", "CPU"),
    number("instructions_per_s", "INSTR/S"),
    number("llc_misses_per_s", "MISSES/S"),
    number("read_bytes_per_s", "READ"),
    number("write_bytes_per_s", "WRITTEN"),
    number("sequential_permille", "IN ORDER"),
    number("working_set_bytes", "WORKING SET"),
];

struct Bin {
    from_ns: u64,
    demand: Demand,
}

/// `profile [VERB [NAME]]`.
#[inline(never)]
pub(super) fn run(
    reply: Reply,
    pending: &mut Pending,
    load: burst::Load,
    verb: ProfileVerb,
    name: Option<&str>,
) {
    let known = workload_search::SPEC.name;
    if let Some(name) = name.filter(|name| *name != known) {
        return reply.fail(&Unknown::new("first-class workload", name, NameKind::Profile, &KernelNames));
    }
    match verb {
        ProfileVerb::Show => show(reply),
        ProfileVerb::Record => record(reply, pending, load),
        ProfileVerb::Clear => {
            with_line(|line, _| line.set_profile(Profile::new()));
            reply.done(format_args!("the profile of {known} is forgotten; the next burst begins a new one"));
        }
    }
}

/// The profile is begun anew by a burst, and the bursts after it refine it.
#[inline(never)]
fn record(reply: Reply, pending: &mut Pending, load: burst::Load) {
    match burst::release(pending, load, None, reply.now_ns) {
        Ok(announced) => {
            with_line(|line, _| line.set_profile(Profile::new()));
            reply.done(format_args!("recording anew: {announced}"));
        }
        Err(error) => reply.fail(&error),
    }
}

#[inline(never)]
fn show(reply: Reply) {
    // Some ten kilobytes: too much for the stack of whoever calls deeper.
    let copy = with_line(|line, _| Box::new(line.profile().clone()));
    let Some(profile) = copy.filter(|profile| !profile.is_empty()) else {
        return reply.fail(&"there is no profile yet ('burst' or 'profile record' makes one)");
    };
    let bins: Vec<Bin> = (0u64..)
        .zip(&profile.bins)
        .map(|(bin, demand)| Bin { from_ns: bin.saturating_mul(profile.bin_ns), demand: *demand })
        .collect();
    reply.show(|page| {
        page.facts(&[
            ("profile of", "workload", Value::Text(workload_search::SPEC.name)),
            ("version", "version", Value::Number(u64::from(profile.version))),
            ("bursts behind it", "runs", Value::Number(u64::from(profile.runs))),
            ("requests in a burst", "requests", Value::Number(u64::from(profile.requests))),
            ("length of a burst", "duration_ns", Value::Ns(profile.duration_ns)),
            ("length of a bin", "bin_ns", Value::Ns(profile.bin_ns)),
        ])?;
        demand(page, &profile.mean)?;
        page.table("bins", BIN_FIELDS, &bins, cells)
    });
}

fn cells(bin: &Bin) -> [Value<'_>; 8] {
    let demand = &bin.demand;
    [
        Value::Ns(bin.from_ns),
        Value::Permille(demand.cpu_permille),
        Value::of(demand.instructions_per_s),
        Value::of(demand.llc_misses_per_s),
        Value::BytesPerSecond(demand.read_bytes_per_s),
        Value::BytesPerSecond(demand.write_bytes_per_s),
        Value::share(demand.sequential_permille),
        Value::Bytes(demand.working_set_bytes),
    ]
}

/// The entries of a demand.
pub(super) fn demand(page: &mut Page<'_, '_>, demand: &Demand) -> core::fmt::Result {
    let facts: [Fact<'_>; 8] = [
        ("  share of a core", "cpu_permille", Value::Permille(demand.cpu_permille)),
        ("  instructions a second", "instructions_per_s", Value::of(demand.instructions_per_s)),
        ("  cache misses a second", "llc_misses_per_s", Value::of(demand.llc_misses_per_s)),
        ("  working set", "working_set_bytes", Value::Bytes(demand.working_set_bytes)),
        ("  read", "read_bytes_per_s", Value::BytesPerSecond(demand.read_bytes_per_s)),
        ("  written", "write_bytes_per_s", Value::BytesPerSecond(demand.write_bytes_per_s)),
        ("  in address order", "sequential_permille", Value::share(demand.sequential_permille)),
        ("  stores among bytes", "write_permille", Value::share(demand.write_permille)),
    ];
    page.facts(&facts)
}
