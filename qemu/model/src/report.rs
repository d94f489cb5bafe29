//! What a run amounted to, written when it ends.

use std::ffi::c_void;
use std::fmt::Write;

use crate::api::PluginId;
use crate::model::{Model, model};

pub(crate) unsafe extern "C" fn emulator_ends(_: PluginId, _: *mut c_void) {
    // SAFETY: the emulating thread has stopped or is about to.
    let model = unsafe { model() };
    if model.arguments.report.is_some() {
        (0..model.vcpus.len()).for_each(|at| model.settle(at));
    }
    let Some(path) = &model.arguments.report else { return };
    if let Err(error) = std::fs::write(path, json(model)) {
        eprintln!("umbra model: report {}: {error}", path.display());
    }
}

fn json(model: &Model) -> String {
    let mut text = format!(
        "{{\"host_ms\":{},\"clock_mhz\":{},\"quantum\":{},\"vcpus\":[",
        model.begun.elapsed().as_millis(),
        model.arguments.machine.clock_mhz,
        model.arguments.quantum,
    );
    for (at, vcpu) in model.vcpus.iter().enumerate() {
        let traffic = model.hierarchy.counts(at);
        let comma = if at == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{comma}{{\"instructions\":{},\"cycles\":{},\"first_level_misses\":{},\
             \"shared_references\":{},\"shared_misses\":{},\"stall_cycles\":{}}}",
            vcpu.raw.instructions,
            vcpu.raw.cycles,
            traffic.first_level_misses,
            traffic.shared_references,
            traffic.shared_misses,
            traffic.stall_cycles,
        );
    }
    text.push_str("],");
    text.push_str(&model.marks.json());
    text.push_str("}\n");
    text
}
