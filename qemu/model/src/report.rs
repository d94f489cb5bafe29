//! What a run amounted to, written when it ends.

use std::ffi::c_void;
use std::fmt::Write;
use std::path::Path;

use crate::api::PluginId;
use crate::model::{Model, model};

pub(crate) unsafe extern "C" fn emulator_ends(_: PluginId, _: *mut c_void) {
    // SAFETY: the emulating thread has stopped or is about to.
    let model = unsafe { model() };
    if model.arguments.report.is_none() && model.trace.is_none() {
        return;
    }
    (0..model.vcpus.len()).for_each(|at| model.settle(at));
    model.sample();
    if let Some(path) = &model.arguments.report {
        write("report", path, &json(model));
    }
    if let (Some(path), Some(trace)) = (&model.arguments.trace, &model.trace) {
        write("trace", path, &trace.json(&model.arguments.machine));
    }
}

fn write(what: &str, path: &Path, text: &str) {
    if let Err(error) = std::fs::write(path, text) {
        eprintln!("umbra model: {what} {}: {error}", path.display());
    }
}

/// Processor time of this process in milliseconds, all threads.
pub(crate) fn processor_ms() -> i64 {
    // SAFETY: all-zero is a valid value of the structure, which the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let ms = |time: libc::timeval| time.tv_sec * 1000 + time.tv_usec / 1000;
    ms(usage.ru_utime) + ms(usage.ru_stime)
}

fn json(model: &Model) -> String {
    let mut text = format!(
        "{{\"host_ms\":{},\"processor_ms\":{},\"clock_mhz\":{},\"quantum\":{},\"vcpus\":[",
        model.begun.elapsed().as_millis(),
        processor_ms() - model.begun_processor_ms,
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
