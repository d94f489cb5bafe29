//! `mon`: cache occupancy and memory bandwidth of each workload.

use alloc::boxed::Box;

use heapless::Vec;
use umbra_control::machine::Topology;
use umbra_hw::rdt::{Monitoring, QmEvent, bytes, chunks_between, max_interval_ms};

use crate::hardware::division::{self, Order, RMIDS};
use crate::hardware::{self, places};
use crate::machine::Machine;
use crate::shell::page::{Value, name, number};
use crate::shell::reply::Reply;
use crate::{schedule, time, workloads};

/// How long bandwidth is measured, unless counters would go round before.
const WINDOW_MS: u64 = 200;
/// Memory may be this much faster than what boot measured.
const MARGIN: u64 = 4;
const ALL: usize = RMIDS as usize;

struct Row {
    rmid: u32,
    occupancy: Option<u64>,
    bandwidth: Option<u64>,
}

impl Row {
    const fn new(rmid: u32) -> Self {
        Self { rmid, occupancy: None, bandwidth: None }
    }

    fn is_worth_showing(&self) -> bool {
        self.occupancy.is_some_and(|bytes| bytes > 0) || self.bandwidth.is_some_and(|rate| rate > 0)
    }
}

/// `mon`. Sleeps between two readings.
#[inline(never)]
pub(in crate::shell) fn show(reply: Reply) {
    let Some(monitoring) = &hardware::the().rdt.monitoring else {
        return reply.fail(
            &"the processor has no cache and bandwidth monitoring; 'ps' has what tasks report themselves",
        );
    };
    let mut rows: Box<Vec<Row, ALL>> = Box::new((0..division::rmids()).map(Row::new).collect());
    let window_ms = window_ms(monitoring);
    let took_ns = match measure(monitoring, &mut rows, window_ms * 1_000_000) {
        Ok(took_ns) => took_ns,
        Err(error) => return reply.fail(&error),
    };
    rows.retain(Row::is_worth_showing);
    reply.show(|page| {
        let fields = [
            name("workload", "WORKLOAD"),
            number("rmid", "RMID"),
            number("occupancy_bytes", "OCCUPANCY"),
            number("bandwidth_bytes_per_s", "BANDWIDTH"),
        ];
        page.table("workloads", fields, &rows, |row| {
            [
                Value::Text(name_of(row.rmid)),
                Value::Number(u64::from(row.rmid)),
                row.occupancy.map_or(Value::Unknown, Value::Bytes),
                row.bandwidth.map_or(Value::Unknown, Value::BytesPerSecond),
            ]
        })?;
        page.note(
            format_args!("bandwidth: over {} ms", took_ns / 1_000_000),
            "interval_ns",
            Value::Ns(took_ns),
        )
    });
}

/// Counters must not go round twice between two readings.
fn window_ms(monitoring: &Monitoring) -> u64 {
    let most = Machine.memory_bandwidth().saturating_mul(MARGIN);
    let limit = max_interval_ms(monitoring.counter_bits, monitoring.upscale, most);
    limit.map_or(WINDOW_MS, |limit| limit.clamp(1, WINDOW_MS))
}

/// Fills the rows in; over how long bandwidth was measured, at the last cache.
fn measure(monitoring: &Monitoring, rows: &mut [Row], window_ns: u64) -> Result<u64, division::OrderError> {
    let in_bytes = |chunks: u64| u64::try_from(bytes(chunks, monitoring.upscale)).unwrap_or(u64::MAX);
    let event = if monitoring.total { QmEvent::TotalBandwidth } else { QmEvent::LocalBandwidth };
    let mut took_ns = 0;
    for leader in places::leaders(3) {
        if monitoring.occupancy {
            let values = division::give(leader, Order::Monitor(QmEvent::Occupancy))?;
            for (row, value) in rows.iter_mut().zip(values) {
                row.occupancy = add(row.occupancy, value.map(in_bytes));
            }
        }
        if !monitoring.counts(event) {
            continue;
        }
        let begun_ns = time::now_ns();
        let before = division::give(leader, Order::Monitor(event))?;
        schedule::sleep_until(time::tsc_at(begun_ns + window_ns));
        took_ns = time::now_ns().saturating_sub(begun_ns);
        let after = division::give(leader, Order::Monitor(event))?;
        for ((row, before), after) in rows.iter_mut().zip(before).zip(after) {
            let moved = before
                .zip(after)
                .map(|(before, after)| chunks_between(before, after, monitoring.counter_bits));
            row.bandwidth = add(row.bandwidth, moved.map(|chunks| rate(in_bytes(chunks), took_ns)));
        }
    }
    Ok(took_ns)
}

fn add(sum: Option<u64>, more: Option<u64>) -> Option<u64> {
    more.map_or(sum, |more| Some(sum.unwrap_or(0).saturating_add(more)))
}

fn rate(bytes: u64, ns: u64) -> u64 {
    u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(ns.max(1))).unwrap_or(u64::MAX)
}

fn name_of(rmid: u32) -> &'static str {
    match rmid {
        0 => "the rest",
        1 => workload_search::SPEC.name,
        2 => "shadow",
        3 => "echo",
        _ => {
            let index = usize::try_from(rmid - 4).unwrap_or(usize::MAX);
            workloads::TABLE.get(index).map_or("-", |entry| entry.spec.name)
        }
    }
}
