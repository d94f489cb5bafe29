//! Drives the line over a simulated machine and writes down what happens.

use crate::sim::{Nature, Server, Sim};
use std::fmt::Write;
use umbra_control::line::{Config, Event, Line};
use umbra_control::machine::{Action, Burst, BurstProgress, Topology};
use umbra_control::policy::Policy;
use umbra_control::quarantine::LeaseEvent;

/// One millisecond in nanoseconds.
pub const MS: u64 = 1_000_000;

/// A first-class server much like a text search: 0.4 ms a request, reading
/// through an index that does not fit the cache.
pub const SEARCH: Server = Server {
    nature: Nature {
        name: "search",
        read_per_us: 600,
        write_per_us: 60,
        sequential_permille: 900,
        working_set_bytes: 24 << 20,
    },
    service_ns: 400_000,
};

const fn nature(name: &'static str, read: u64, write: u64, sequential: u64, working_set: u64) -> Nature {
    Nature {
        name,
        read_per_us: read,
        write_per_us: write,
        sequential_permille: sequential,
        working_set_bytes: working_set,
    }
}

/// Five second-class workloads, mild ones and harsh ones.
pub const SECOND_CLASS: [Nature; 5] = [
    nature("compress", 300, 150, 950, 512 << 10),
    nature("hash", 400, 0, 1000, 64 << 10),
    nature("stream", 5000, 2500, 1000, 48 << 20),
    nature("chase", 200, 0, 0, 32 << 20),
    nature("matrix", 900, 100, 800, 1 << 20),
];

/// A line, its machine, and what was written down.
pub struct Drive {
    /// The machine.
    pub sim: Sim,
    /// The line.
    pub line: Box<Line>,
    /// Bursts that ended.
    pub finished: Vec<BurstProgress>,
    /// One line an event.
    pub log: String,
}

impl Drive {
    /// A line over a machine.
    #[must_use]
    pub fn new(sim: Sim, line: Line) -> Self {
        Self { sim, line: Box::new(line), finished: Vec::new(), log: String::new() }
    }

    /// Starts the five second-class workloads, spread over the cores.
    pub fn crowd(&mut self) {
        let cores = u8::try_from(self.sim.cores().count()).expect("at most 64");
        for (workload, nature) in (1..).zip(SECOND_CLASS) {
            self.sim.start(nature, workload, (workload - 1) % cores);
        }
    }

    /// A line under `policy` on a crowded machine. Its profile is learnt from
    /// three bursts of the first-class workload alone; nothing of them is kept.
    #[must_use]
    pub fn crowded(sim: Sim, policy: Policy) -> Self {
        let mut drive = Self::new(sim, Line::new(Config::DEFAULT));
        for number in 1..=3 {
            drive.burst(number, 60 * MS);
        }
        drive.crowd();
        drive.run_until(drive.sim.now_ns() + 100 * MS);
        drive.line.set_policy(policy, drive.sim.now_ns());
        drive.line.reset_stats();
        drive.log.clear();
        drive
    }

    /// Ticks until `until_ns`.
    pub fn run_until(&mut self, until_ns: u64) {
        while self.sim.now_ns() < until_ns {
            let report = self.line.tick(self.sim.now_ns(), &mut self.sim);
            self.finished.extend(report.finished);
            self.write_down();
            self.sim.advance(report.next_ns.min(until_ns));
        }
    }

    /// Schedules a burst `ahead_ns` from now and runs until it has ended, all
    /// is given back, and a little longer.
    ///
    /// # Panics
    /// When the burst has not ended after ten seconds.
    pub fn burst(&mut self, number: u32, ahead_ns: u64) -> BurstProgress {
        let burst = Burst {
            number,
            first_unit: u64::from(number) * 32,
            requests: 32,
            mean_gap_ns: MS,
            seed: u64::from(number),
            late_ns: 4 * MS,
        };
        self.line.schedule(burst, self.sim.now_ns() + ahead_ns).expect("one burst at a time");
        let (before, give_up_ns) = (self.finished.len(), self.sim.now_ns() + 10_000 * MS);
        while self.finished.len() == before {
            assert!(self.sim.now_ns() < give_up_ns, "burst {number} has not ended:\n{}", self.log);
            self.run_until(self.sim.now_ns() + MS);
        }
        self.run_until(self.sim.now_ns() + 40 * MS);
        self.finished[before]
    }

    fn write_down(&mut self) {
        while let Some(dated) = self.line.take_event() {
            let (ms, us) = (dated.at_ns / MS, dated.at_ns % MS / 1000);
            let _ = writeln!(self.log, "{ms:>5}.{us:03} ms  {}", self.words(dated.event));
        }
    }

    fn words(&self, event: Event) -> String {
        let name = |workload: u8| match workload.checked_sub(1).and_then(|n| SECOND_CLASS.get(usize::from(n)))
        {
            Some(nature) => nature.name,
            None => "other",
        };
        match event {
            Event::Scored(task, workload, score) => {
                let thousandths = umbra_control::fixed::to_permille(score);
                format!("task {} ({}) scores 0.{thousandths:03}", task.0, name(workload.0))
            }
            Event::Lease(LeaseEvent::Started(action)) => format!("start {}", action_words(action)),
            Event::Lease(event) => format!("lease: {event:?}"),
            Event::Suspect(task, workload) => format!("suspect: task {} ({})", task.0, name(workload.0)),
            event => format!("{event:?}"),
        }
    }
}

fn action_words(action: Action) -> String {
    match action {
        Action::Pause(task) => format!("pause {}", task.0),
        Action::Resume(task) => format!("resume {}", task.0),
        Action::Migrate { task, to } => format!("migrate {} to core {}", task.0, to.0),
        Action::Dedicate(core) => format!("dedicate core {}", core.0),
        Action::Share(core) => format!("share core {}", core.0),
        Action::Confine(share) => format!("confine to {} ways, {} %", share.ways, share.percent),
        Action::Unconfine => "give cache and bandwidth back".to_owned(),
        Action::Recolour(apart) => format!("keep {} colours for first-class", apart.colours),
        Action::Uncolour => "give colours back".to_owned(),
    }
}
