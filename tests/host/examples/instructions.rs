//! Ticks and scores to be counted by callgrind:
//!
//! ```text
//! cargo build --release -p umbra-host-tests --example instructions
//! valgrind --tool=callgrind --dump-instr=no target/release/examples/instructions 8
//! callgrind_annotate --inclusive=yes callgrind.out.* | grep 'tick_\|score_'
//! ```
//!
//! The argument is the number of second-class tasks. Each function below runs
//! as often as is printed, so its inclusive count divided by that is the cost
//! of one tick (with the simulated machine's answers) or of one score.

use std::hint::black_box;
use umbra_control::demand::Compact;
use umbra_control::fixed::ONE;
use umbra_control::line::{Config, Line, Prep};
use umbra_control::machine::Burst;
use umbra_control::policy::Policy;
use umbra_control::predict::{Relation, Score, System, score};
use umbra_host_tests::drive::{MS, SEARCH, SECOND_CLASS};
use umbra_host_tests::sim::Sim;

#[inline(never)]
fn tick_at_rest(line: &mut Line, sim: &mut Sim) -> u64 {
    black_box(0);
    line.tick(sim.now_ns(), sim).next_ns
}

#[inline(never)]
fn tick_preparing(line: &mut Line, sim: &mut Sim) -> u64 {
    black_box(1);
    line.tick(sim.now_ns(), sim).next_ns
}

#[inline(never)]
fn tick_in_run(line: &mut Line, sim: &mut Sim) -> u64 {
    black_box(2);
    line.tick(sim.now_ns(), sim).next_ns
}

#[inline(never)]
fn score_one(first: &Compact, second: &Compact, relation: Relation, system: &System) -> Score {
    score(first, second, relation, system)
}

fn main() {
    let tasks: u8 = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(8);
    let (mut sim, mut line) = (Sim::new(4, SEARCH), Box::new(Line::new(Config::DEFAULT)));
    for task in 0..tasks {
        sim.start(SECOND_CLASS[usize::from(task % 5)], task % 5 + 1, task % 4);
    }
    line.set_policy(Policy::Concept, 0);
    let mut counts = [0u32; 3];
    for number in 1..=12u32 {
        let burst = Burst {
            number,
            first_unit: 0,
            requests: 32,
            mean_gap_ns: MS,
            seed: u64::from(number),
            late_ns: 4 * MS,
        };
        let release_ns = sim.now_ns() + 150 * MS;
        line.schedule(burst, release_ns).expect("one at a time");
        let mut finished = false;
        while sim.now_ns() < release_ns + 150 * MS || !finished {
            let before = line.stats().bursts;
            let next_ns = if sim.now_ns() >= release_ns && !finished {
                counts[2] += 1;
                tick_in_run(&mut line, &mut sim)
            } else if line.preparation() != Prep::Idle {
                counts[1] += 1;
                tick_preparing(&mut line, &mut sim)
            } else {
                counts[0] += 1;
                tick_at_rest(&mut line, &mut sim)
            };
            finished |= line.stats().bursts > before;
            while line.take_event().is_some() {}
            sim.advance(next_ns);
        }
    }
    let side = Compact { cores: ONE / 2, cache: ONE / 3, patterned: ONE, ..Compact::UNSEEN };
    for same_core in [true, false] {
        for _ in 0..500 {
            black_box(score_one(
                black_box(&side),
                black_box(&side),
                Relation::usual(same_core),
                &System { load: ONE / 4 },
            ));
        }
    }
    println!(
        "tick_at_rest {}  tick_preparing {}  tick_in_run {}  score_one 1000",
        counts[0], counts[1], counts[2]
    );
    println!("shadows planned to take {} instructions", line.stats().shadow_instructions);
    println!(
        "line {} bytes, {} plans, {} late",
        size_of::<Line>(),
        line.stats().plans,
        line.stats().late_bursts
    );
}
