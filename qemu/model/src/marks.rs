//! Marks: what everybody had counted when a register was written that begins or
//! ends a count. The report lists them, so that what a guest says it counted can
//! be held against what the model did in the same stretch.

use std::collections::VecDeque;
use std::fmt::Write;

use umbra_model::registers::Raw;

use crate::model::Model;

/// Marks that are kept; older ones are dropped and counted.
const KEPT: usize = 1 << 16;
/// Global counter control, Intel; association; what a monitoring counter shows.
const GLOBAL_CONTROL: u32 = 0x38F;
const ASSOCIATION: u32 = 0xC8F;
const MONITOR_SELECT: u32 = 0xC8D;

struct Mark {
    vcpu: usize,
    register: u32,
    value: u64,
    /// The writer's time in cycles of the modelled clock.
    time: u64,
    /// Instructions, cycles, references and misses of each vCPU.
    counts: Vec<[u64; 4]>,
    /// Occupancy and traffic in bytes of the identity that is selected.
    monitored: Option<[u64; 2]>,
}

/// All marks.
#[derive(Default)]
pub(crate) struct Marks {
    kept: VecDeque<Mark>,
    dropped: u64,
}

impl Marks {
    /// As the report has them.
    pub(crate) fn json(&self) -> String {
        let mut text = format!("\"marks_dropped\":{},\"marks\":[", self.dropped);
        for (at, mark) in self.kept.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let Mark { vcpu, register, value, time, counts, .. } = mark;
            let monitored = mark.monitored.map_or_else(|| "null".into(), |pair| format!("{pair:?}"));
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "{comma}{{\"vcpu\":{vcpu},\"register\":{register},\"value\":{value},\"time\":{time},\
                 \"counts\":{counts:?},\"monitored\":{monitored}}}"
            );
        }
        text.push(']');
        text
    }
}

impl Model {
    /// Makes a mark, if the report is wanted and the register is one of those.
    pub(crate) fn mark(&mut self, vcpu: usize, register: u32, value: u64) {
        let matters = [GLOBAL_CONTROL, ASSOCIATION, MONITOR_SELECT].contains(&register);
        if self.arguments.report.is_none() || !matters {
            return;
        }
        (0..self.vcpus.len()).for_each(|at| self.settle(at));
        let counts = self.vcpus.iter().map(|vcpu| {
            let Raw { cycles, instructions, shared_references, shared_misses } = vcpu.raw;
            [instructions, cycles, shared_references, shared_misses]
        });
        let counts = counts.collect();
        let identity = u8::try_from(value >> 32).ok().filter(|_| register == MONITOR_SELECT);
        let monitored =
            identity.map(|one| [self.hierarchy.occupancy_bytes(one), self.hierarchy.memory_bytes(one)]);
        let time = self.turns.local(vcpu);
        if self.marks.kept.len() == KEPT {
            self.marks.kept.pop_front();
            self.marks.dropped += 1;
        }
        self.marks.kept.push_back(Mark { vcpu, register, value, time, counts, monitored });
    }
}
