//! How fast the machine model runs on this host: modelled instructions a
//! second with 1, 4 and 8 virtual CPUs, all of them busy.
//!
//! Of all the figures of `bench` only these depend on the host and on what
//! else it does, so beside the rate by the clock there is the one by the
//! processor time that QEMU used. They have an aim and are not asserted.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Figure;
use crate::image::{Builder, Configuration, configuration::Mode};
use crate::qemu::{Emulator, Firmware, Guest, Machine, Outcome, Outputs};
use crate::{say, workspace};

const LIMIT: Duration = Duration::from_secs(900);
const MEMORY_MIB: u32 = 512;
/// The machines that have so many threads.
const MACHINES: [(&str, u32); 3] = [("xeon4", 1), ("xeon4", 4), ("epyc8", 8)];
/// The main job with all five second-class workloads, as short as it gets.
const JOB: [(&str, &str); 3] = [("bursts", "1"), ("requests", "16"), ("policies", "none")];

/// The rates.
///
/// # Errors
/// If a run does not end well.
pub(super) fn measure(builder: &Builder, emulator: &Emulator) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (machine, cpus) in MACHINES {
        say::step(&format!("measuring the model's speed: {machine} with {cpus} virtual CPUs"));
        let report = run(builder, emulator, machine, cpus)
            .with_context(|| format!("the model's speed with {cpus} virtual CPUs"))?;
        figures.extend(rates(&report, cpus)?);
    }
    Ok(figures)
}

fn run(builder: &Builder, emulator: &Emulator, machine: &str, cpus: u32) -> Result<Value> {
    let configuration = Configuration {
        exit: true,
        scenario: Some("quick".to_owned()),
        more: JOB.map(|(key, value)| (key, value.to_owned())).to_vec(),
        ..Configuration::new(Mode::Main)
    };
    let file = |ending: &str| workspace::target("logs").join(format!("bench-model-{cpus}.{ending}"));
    let mut modelled = Machine::new(&builder.images("bench-model", &configuration)?, Firmware::Bios, cpus)?;
    let outputs = Outputs { report: Some(file("json")), trace: None };
    modelled.model = Some(emulator.model(machine, cpus, MEMORY_MIB, outputs)?);
    let (outcome, _) = Guest::start(&modelled, Some(&file("log")))?.run_to_end(LIMIT, |_| Ok(()))?;
    if outcome != Outcome::Success {
        bail!("{outcome}; its log is {}", workspace::shown(&file("log")));
    }
    let bytes = std::fs::read(file("json")).context("the model wrote no counts")?;
    serde_json::from_slice(&bytes).context("the model's counts are not JSON")
}

fn rates(report: &Value, cpus: u32) -> Result<[Figure; 2]> {
    let vcpus = report["vcpus"].as_array().context("the model's counts name no vCPUs")?;
    let instructions: u64 = vcpus.iter().filter_map(|vcpu| vcpu["instructions"].as_u64()).sum();
    let rate = |key: &str| {
        let ms = report[key].as_u64().with_context(|| format!("the model's counts lack {key}"))?;
        Ok::<_, anyhow::Error>(instructions / 1000 / ms.max(1))
    };
    let figure = |name: &str, value| Figure {
        name: format!("model_{cpus}_cpus{name}"),
        value,
        unit: "million/s".to_owned(),
    };
    Ok([figure("", rate("host_ms")?), figure("_processor_time", rate("processor_ms")?)])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rates_are_instructions_of_all_over_the_time() {
        let report = json!({"host_ms": 2000, "processor_ms": 1000,
            "vcpus": [{"instructions": 150_000_000}, {"instructions": 50_000_000}]});
        let [clock, processor] = rates(&report, 4).expect("complete");
        assert_eq!((clock.name.as_str(), clock.value), ("model_4_cpus", 100));
        assert_eq!((processor.name.as_str(), processor.value), ("model_4_cpus_processor_time", 200));
        assert!(rates(&json!({"vcpus": []}), 4).is_err());
    }
}
