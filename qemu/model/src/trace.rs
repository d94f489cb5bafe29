//! Figures over a run: every so often what each vCPU has done and how busy
//! memory is, and every write that divides caches or bandwidth.

use std::fmt::Write;

use umbra_model::hierarchy::Throttle;
use umbra_model::registers::Effect;
use umbra_model::{Description, Samples};

/// Rows at first this many quanta apart.
const FIRST_INTERVAL: u64 = 5;
/// Rows kept.
const MOST_ROWS: usize = 8192;
/// Writes kept; later ones are counted.
const MOST_WRITES: usize = 4096;
/// Figures of a row before those of the vCPUs: time, utilisation, latency.
const COMMON: usize = 3;
/// Figures of each vCPU.
const EACH: [&str; 4] = ["instructions", "cycles", "shared_references", "shared_misses"];

/// A write that changed who may fill or take what.
#[derive(Clone, Copy, Debug)]
struct Divided {
    cycles: u64,
    vcpu: usize,
    what: &'static str,
    class: usize,
    value: u64,
}

/// What has been seen so far.
pub(crate) struct Trace {
    pub(crate) samples: Samples,
    vcpus: usize,
    writes: Vec<Divided>,
    lost_writes: u64,
}

impl Trace {
    pub(crate) fn new(vcpus: usize, quantum: u64) -> Self {
        Self {
            samples: Samples::new(COMMON + EACH.len() * vcpus, quantum * FIRST_INTERVAL, MOST_ROWS),
            vcpus,
            writes: Vec::new(),
            lost_writes: 0,
        }
    }

    /// Notes what a write changed, if it divides something. Changes of class
    /// are left out: the kernel makes one at every switch of tasks.
    pub(crate) fn note(&mut self, cycles: u64, vcpu: usize, effect: Effect) {
        let (what, class, value) = match effect {
            Effect::None | Effect::Associate { .. } => return,
            Effect::Mask { class, mask } => ("mask", class, u64::from(mask)),
            Effect::SecondMask { class, mask } => ("second level mask", class, u64::from(mask)),
            Effect::CodeAndData { second, apart } => {
                ("code and data apart, by level", if second { 2 } else { 3 }, u64::from(apart))
            }
            Effect::Throttle { class, throttle } => match throttle {
                Throttle::None => ("no limit", class, 0),
                Throttle::Percent(percent) => ("throttle percent", class, u64::from(percent)),
                Throttle::EighthsOfGigabyte(eighths) => ("eighths of GB/s", class, u64::from(eighths)),
            },
        };
        if self.writes.len() < MOST_WRITES {
            self.writes.push(Divided { cycles, vcpu, what, class, value });
        } else {
            self.lost_writes += 1;
        }
    }

    /// All of it, as one object.
    pub(crate) fn json(&self, machine: &Description) -> String {
        let each = EACH.map(|name| format!("\"{name}\"")).join(",");
        let mut text = format!(
            "{{\"machine\":\"{}\",\"clock_mhz\":{},\"vcpus\":{},\"interval_cycles\":{},\
             \"columns\":[\"cycles\",\"utilisation_q16\",\"latency_cycles\"],\"vcpu_columns\":[{each}],\"samples\":[",
            machine.name,
            machine.clock_mhz,
            self.vcpus,
            self.samples.interval(),
        );
        let mut between = "\n";
        for row in self.samples.rows() {
            let figures: Vec<String> = row.iter().map(u64::to_string).collect();
            // Writing to a string cannot fail.
            let _ = write!(text, "{between}[{}]", figures.join(","));
            between = ",\n";
        }
        text.push_str("],\"writes\":[");
        let mut between = "\n";
        for one in &self.writes {
            let Divided { cycles, vcpu, what, class, value } = one;
            let _ = write!(text, "{between}[{cycles},{vcpu},\"{what}\",{class},{value}]");
            between = ",\n";
        }
        let _ = writeln!(text, "],\"lost_writes\":{}}}", self.lost_writes);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_becomes_one_object() {
        let mut trace = Trace::new(1, 100);
        trace.samples.take(1000, [3, 138, 10, 20, 2, 1]);
        trace.note(1100, 0, Effect::Mask { class: 2, mask: 0xF });
        trace.note(1200, 0, Effect::Throttle { class: 3, throttle: Throttle::Percent(90) });
        trace.note(1300, 0, Effect::Associate { class: 3, resource_id: 1 });
        let machine = Description::named("tiny").expect("built in");
        assert_eq!(
            trace.json(&machine),
            "{\"machine\":\"tiny\",\"clock_mhz\":1000,\"vcpus\":1,\"interval_cycles\":500,\
             \"columns\":[\"cycles\",\"utilisation_q16\",\"latency_cycles\"],\
             \"vcpu_columns\":[\"instructions\",\"cycles\",\"shared_references\",\"shared_misses\"],\
             \"samples\":[\n[1000,3,138,10,20,2,1]],\
             \"writes\":[\n[1100,0,\"mask\",2,15],\n[1200,0,\"throttle percent\",3,90]],\"lost_writes\":0}\n"
        );
    }

    #[test]
    fn writes_beyond_the_limit_are_counted() {
        let mut trace = Trace::new(1, 100);
        for _ in 0..MOST_WRITES + 3 {
            trace.note(0, 0, Effect::Mask { class: 1, mask: 1 });
        }
        assert_eq!((trace.writes.len(), trace.lost_writes), (MOST_WRITES, 3));
    }
}
