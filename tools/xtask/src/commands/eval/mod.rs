//! `cargo xtask eval`: search at several loads beside several mixes under
//! several policies, on a modelled machine.
//!
//! One boot measures one load beside one mix with one seed under all policies,
//! so that they are compared against the same figures alone. Where search's
//! tail begins to grow (its knee) is measured first, in a boot of its own, and
//! loads are shares of that. Figures are the guest's; here they are only
//! gathered. The files are written anew after each boot: whoever ends the
//! command early keeps what there is.

mod boot;
mod cell;
mod html;
mod interference;
mod knee;
mod latencies;
mod matrix;
mod table;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use umbra_control::policy::Policy;

use crate::image::Builder;
use crate::qemu::{Emulator, Firmware, Outputs, described};
use crate::report::{self, Host};
use crate::{say, setup, workspace};
use boot::{Booter, Order, configuration};
use cell::Cell;
use knee::Knee;
use matrix::{ANTAGONISTS, Key, Mix};

/// Compare all policies at several loads beside several antagonists.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A small part of it: one load, two mixes, few requests and policies
    #[arg(long)]
    quick: bool,
    /// Measure interference instead: search on a core of its own beside each
    /// antagonist, with the cache divided, the bandwidth, and both
    #[arg(long, conflicts_with_all = ["loads", "policies", "html"])]
    interference: bool,
    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the page with the plots to this file instead of target/eval.html
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The modelled machine, of `qemu/machines.toml`
    #[arg(long, value_name = "NAME", default_value = "xeon4")]
    machine: String,
    /// Repeat with so many seeds
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// Loads, in percent of the knee's
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=100))]
    loads: Vec<u32>,
    /// Second-class mixes: `main`, or antagonists (llc, read, write, writeback,
    /// sibling, phases) joined by `+`
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    mixes: Vec<String>,
    /// Policies to compare
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    policies: Vec<String>,
    /// Boots at a time, each of which keeps one core of the host busy and takes
    /// up to 1 GiB; as many as the host has cores, at most 8, if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: Option<u8>,
}

impl Arguments {
    fn jobs(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or(cores.min(8), usize::from)
    }
}

/// The loads of a full comparison, in percent of the knee's.
const LOADS: [u32; 5] = [10, 30, 50, 70, 90];
const QUICK_LOADS: [u32; 1] = [50];
const QUICK_MIXES: [&str; 2] = ["llc", "writeback"];
/// Those of them that there are.
const QUICK_POLICIES: [&str; 4] = ["none", "static", "reactive", "concept"];
/// Bursts and requests of a quick step: enough for a p99, not for a p99.9.
const QUICK_SIZE: [(&str, &str); 2] = [("bursts", "4"), ("requests", "64")];
/// The same for the knee, whose bursts are long.
const QUICK_KNEE: [(&str, &str); 2] = [("bursts", "1"), ("requests", "512")];
/// Most cores that second-class tasks are given by the mix of one antagonist.
const MOST_CORES: usize = 7;

/// What is to be compared, checked.
#[derive(Debug)]
struct Plan {
    mixes: Vec<Mix>,
    /// Mixes left out, and why.
    left_out: Vec<String>,
    loads_percent: Vec<u32>,
    policies: Vec<&'static str>,
    seeds: Vec<u64>,
    cpus: u32,
}

impl Plan {
    fn of(arguments: &Arguments) -> Result<Self> {
        let machine = described(&arguments.machine)?;
        let threads = machine.threads();
        if threads < 3 {
            bail!("{} has {threads} cores: expected a machine with 3 at least", arguments.machine);
        }
        let all = ANTAGONISTS.iter().map(|(name, _)| *name).chain(["main"]);
        let mut names: Vec<&str> = arguments.mixes.iter().map(String::as_str).collect();
        if names.is_empty() {
            names =
                if arguments.quick && !arguments.interference { QUICK_MIXES.to_vec() } else { all.collect() };
        }
        let mut left_out = Vec::new();
        if machine.threads_per_core == 1 && names.contains(&"sibling") {
            left_out.push(format!(
                "sibling: not applicable, no two threads of {} share a core",
                arguments.machine
            ));
            names.retain(|name| *name != "sibling");
        }
        let loads = if arguments.quick { QUICK_LOADS.to_vec() } else { LOADS.to_vec() };
        Ok(Self {
            mixes: distinct(names.into_iter().map(|name| Mix::named(name, (threads - 1).min(MOST_CORES))))?,
            left_out,
            loads_percent: if arguments.loads.is_empty() { loads } else { arguments.loads.clone() },
            policies: policies(&arguments.policies, arguments.quick)?,
            seeds: (1..=arguments.seeds).collect(),
            cpus: u32::try_from(threads)?,
        })
    }
}

fn distinct<T: PartialEq>(all: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut kept = Vec::new();
    for one in all {
        let one = one?;
        if !kept.contains(&one) {
            kept.push(one);
        }
    }
    Ok(kept)
}

/// The policies asked for, in the order they are always compared in.
fn policies(asked: &[String], quick: bool) -> Result<Vec<&'static str>> {
    let known = Policy::ALL.map(Policy::name);
    if let Some(unknown) = asked.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no policy {unknown:?}: expected some of {}", known.join(", "));
    }
    let wanted = |name: &&'static str| match asked {
        [] if quick => QUICK_POLICIES.contains(name),
        [] => true,
        asked => asked.iter().any(|asked| asked == name),
    };
    Ok(known.into_iter().filter(wanted).collect())
}

/// Compares.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let plan = Plan::of(arguments)?;
    let start = Instant::now();
    let toolchain = setup::prepare(setup::Needs { emulator: true, lints: false })?;
    let builder = Builder::new(&toolchain)?;
    let model =
        Emulator::find()?.model(&arguments.machine, plan.cpus, boot::MEMORY_MIB, Outputs::default())?;
    let booter = Booter { builder: &builder, model: &model, cpus: plan.cpus };
    let host = Host {
        toolchain: toolchain.describe(),
        command_line: model.program.to_string_lossy().into_owned(),
        firmware: Firmware::Bios.name(),
        model: Some((model.name.clone(), model.program.clone())),
    };
    for reason in &plan.left_out {
        say::step(reason);
    }
    if arguments.interference {
        return interference::run(&booter, arguments, &plan, &host);
    }
    let knee = measure_knee(&booter, arguments.quick)?;
    let keys = matrix::keys(&plan.mixes, &plan.loads_percent, knee.permille, &plan.seeds);
    let mut files = Files::new(arguments, &plan, host, knee, keys.len());
    booter.all(orders(keys, &plan, arguments.quick), arguments.jobs(), |done| {
        files.take(Cell::new(done.of, done.sent, done.failure, done.host_seconds))
    })?;
    print!("{}", table::text(&files.cells));
    say::step(&format!(
        "{} cells in {} s; the page is {}",
        files.cells.len(),
        start.elapsed().as_secs(),
        files.html.display()
    ));
    if files.cells.iter().any(|cell| cell.policies.is_empty()) {
        bail!("some cells were not measured; see the notes");
    }
    Ok(())
}

fn measure_knee(booter: &Booter<'_>, quick: bool) -> Result<Knee> {
    let mut more = vec![("policies", "none".to_owned())];
    more.extend(size(quick, QUICK_KNEE));
    let title = "knee".to_owned();
    let order = Order { of: (), title, configuration: configuration("knee", 1, more) };
    let mut knee = Err(anyhow::anyhow!("the guest sent no report"));
    booter.all(vec![order], 1, |done| {
        knee = match (done.failure, done.sent.report) {
            (Some(failure), _) => Err(anyhow::anyhow!("{failure}")),
            (None, report) => Knee::of(&report.unwrap_or_default()),
        };
        Ok(())
    })?;
    let knee = knee.context("the knee of search was not found")?;
    say::step(&format!("search's knee is at {:.1} % of what it can serve", f64::from(knee.permille) / 10.0));
    Ok(knee)
}

/// The kernel's own sizes, or those of a quick run.
fn size(quick: bool, sizes: [(&'static str, &str); 2]) -> Vec<(&'static str, String)> {
    let sizes = if quick { sizes.as_slice() } else { &[] };
    sizes.iter().map(|(key, value)| (*key, (*value).to_owned())).collect()
}

fn orders(keys: Vec<Key>, plan: &Plan, quick: bool) -> Vec<Order<Key>> {
    let count = keys.len();
    let order = |(place, key): (usize, Key)| {
        let mut more = vec![
            ("policies", plan.policies.join(",")),
            ("second_class", key.mix.workloads.join(",")),
            ("load_permille", key.load_permille.to_string()),
        ];
        more.extend(size(quick, QUICK_SIZE));
        Order {
            title: format!("({}/{count}) {}", place + 1, key.title()),
            configuration: configuration("eval", key.seed, more),
            of: key,
        }
    };
    keys.into_iter().enumerate().map(order).collect()
}

/// The cells so far, and where they are written.
struct Files {
    title: String,
    json: Option<PathBuf>,
    html: PathBuf,
    head: Value,
    knee: Knee,
    planned: usize,
    cells: Vec<Cell>,
}

impl Files {
    fn new(arguments: &Arguments, plan: &Plan, host: Host, knee: Knee, planned: usize) -> Self {
        let head = json!({
            "host": report::describe(&host),
            "machine": arguments.machine,
            "quick": arguments.quick,
            "knee": knee.to_json(),
            "policies": plan.policies,
            "loads_percent": plan.loads_percent,
            "mixes": plan.mixes.iter().map(|mix| mix.name.as_str()).collect::<Vec<_>>(),
            "left_out": plan.left_out,
            "seeds": plan.seeds,
        });
        Self {
            title: format!("Umbra on {}", arguments.machine),
            json: arguments.json.clone(),
            html: arguments.html.clone().unwrap_or_else(|| workspace::target("eval.html")),
            head,
            knee,
            planned,
            cells: Vec::new(),
        }
    }

    fn take(&mut self, cell: Cell) -> Result<()> {
        let p99 = |run: &cell::PolicyRun| {
            format!("{} {}", run.name, table::shown(run.figure("p99_multiple_milli"), table::multiple))
        };
        let found: Vec<_> = cell.policies.iter().map(p99).chain(cell.notes.iter().cloned()).collect();
        // Cells end in any order; files have them in the matrix's.
        let place = self.place(&cell.key);
        let before = self.cells.iter().take_while(|other| self.place(&other.key) < place).count();
        self.cells.insert(before, cell);
        say::step(&format!("{} of {} cells done: p99 {}", self.cells.len(), self.planned, found.join(", ")));
        if let Some(file) = &self.json {
            let mut all = self.head.clone();
            all["cells"] = self.cells.iter().map(Cell::to_json).collect();
            write(file, &format!("{all:#}\n"))?;
        }
        write(&self.html, &html::page(&self.title, Some(&self.knee), &self.cells, self.planned))
    }

    /// Where in the matrix.
    fn place(&self, key: &Key) -> (u64, usize, u32) {
        let mixes = self.head["mixes"].as_array();
        let mix = mixes.and_then(|mixes| mixes.iter().position(|mix| *mix == key.mix.name));
        (key.seed, mix.unwrap_or(usize::MAX), key.knee_percent)
    }
}

/// Writes beside the file first, so that what was there is whole until it is
/// replaced.
fn write(file: &Path, text: &str) -> Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn plan(line: &str) -> Result<Plan> {
        let words = std::iter::once("eval").chain(line.split_whitespace());
        Plan::of(&Line::try_parse_from(words)?.arguments)
    }

    #[test]
    fn a_full_comparison_has_everything() {
        let plan = plan("").expect("defaults");
        let mixes: Vec<_> = plan.mixes.iter().map(|mix| mix.name.as_str()).collect();
        assert_eq!(mixes, ["llc", "read", "write", "writeback", "phases", "main"]);
        assert_eq!(plan.left_out, ["sibling: not applicable, no two threads of xeon4 share a core"]);
        assert_eq!((plan.loads_percent.as_slice(), plan.cpus), (&LOADS[..], 4));
        assert_eq!(plan.policies, Policy::ALL.map(Policy::name));
    }

    #[test]
    fn threads_that_share_a_core_have_a_sibling() {
        let plan = plan("--machine xeon8smt --mixes sibling --seeds 3").expect("two threads a core");
        assert_eq!(plan.mixes[0].workloads, ["sibling"; 7]);
        assert_eq!((plan.seeds.as_slice(), plan.left_out.len()), (&[1, 2, 3][..], 0));
    }

    #[test]
    fn a_quick_comparison_is_small() {
        let plan = plan("--quick").expect("defaults");
        assert_eq!((plan.mixes.len(), plan.loads_percent.as_slice()), (2, &[50][..]));
        assert!(["none", "static", "concept"].iter().all(|name| plan.policies.contains(name)));
    }

    #[test]
    fn bad_arguments_get_one_clear_line() {
        for (line, expected) in [
            ("--machine vax", "vax"),
            ("--machine tiny", "tiny has 2 cores: expected a machine with 3 at least"),
            ("--mixes llc,fog", "there is no second-class mix \"fog\""),
            ("--policies none,umbrella", "there is no policy \"umbrella\": expected some of none, static"),
        ] {
            let error = plan(line).expect_err(line).to_string();
            assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
        }
        for line in
            ["--loads 0", "--loads 101", "--loads x", "--seeds 0", "--jobs 0", "--interference --loads 5"]
        {
            assert!(plan(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_kernel_reads_what_cells_are_configured_with() {
        let plan = plan("--quick --mixes read+write --loads 30,60").expect("in range");
        let keys = matrix::keys(&plan.mixes, &plan.loads_percent, 900, &plan.seeds);
        let orders = orders(keys, &plan, true);
        assert_eq!(orders[1].title, "(2/2) read+write at 60 % of the knee, seed 1");
        let text = orders[1].configuration.to_text();
        let config = umbra_ramdisk::Config::parse(&text).expect("valid");
        assert_eq!((config.load_permille, config.requests, config.exit), (Some(540), Some(64), true));
        assert_eq!(config.second_class.expect("given").as_slice(), ["read", "write", "read"]);
        assert_eq!(config.scenario, umbra_ramdisk::Scenario::Eval);
    }
}
