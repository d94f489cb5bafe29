//! `predict`: the score of every pair, or one explained term by term.

use alloc::vec::Vec;
use umbra_console::parse::Target;
use umbra_control::predict::{Explanation, LOAD_WEIGHT, OVERLAP_WEIGHT, PATTERN_WEIGHT};

use super::names::{Slots, select};
use super::page::{Fact, Field, Value, name, number};
use super::reply::Reply;
use crate::control::with_line;
use crate::tasks;
use crate::workloads;

const FIELDS: [Field; 15] = [
    number("task", "TASK"),
    name("name", "NAME"),
    number("core_permille", "CORE"),
    number("cache_permille", "CACHE"),
    number("read_permille", "READ"),
    number("write_permille", "WRITE"),
    number("disk_permille", "DISK"),
    number("network_permille", "NET"),
    number("overlap_permille", "OVERLAP"),
    number("pattern_permille", "PATTERN"),
    number("load_permille", "LOAD"),
    number("score_permille", "SCORE"),
    number("threshold_permille", "LIMIT"),
    number("samples", "SAMPLES"),
    name("interferes", "INTERFERES"),
];

fn cells(explained: &Explanation) -> [Value<'_>; 15] {
    let score = &explained.score;
    [
        Value::Number(u64::from(explained.task.0)),
        Value::Text(workloads::name_of(explained.task.0)),
        Value::Score(score.cores),
        Value::Score(score.cache),
        Value::Score(score.read),
        Value::Score(score.write),
        Value::Score(score.disk),
        Value::Score(score.network),
        Value::Score(score.overlap),
        Value::Score(score.pattern),
        Value::Score(score.load),
        Value::Score(score.total),
        Value::Score(explained.threshold),
        Value::Number(u64::from(explained.samples)),
        Value::Flag(explained.interferes()),
    ]
}

const WEIGHTS: [Fact<'static>; 3] = [
    ("weight of overlap", "overlap_weight_permille", Value::Score(OVERLAP_WEIGHT)),
    ("weight of pattern", "pattern_weight_permille", Value::Score(PATTERN_WEIGHT)),
    ("weight of load", "load_weight_permille", Value::Score(LOAD_WEIGHT)),
];

/// `predict [TASK|NAME]`.
#[inline(never)]
pub(super) fn run(reply: Reply, target: Option<Target<'_>>) {
    let slots = match select(target.unwrap_or(Target::All)) {
        Ok(slots) => slots,
        Err(error) => return reply.fail(&error),
    };
    let (explained, has_demand) = explain(&slots);
    if explained.is_empty() {
        return reply.fail(if has_demand {
            &"not sampled yet; ask again in a moment"
        } else {
            &"nothing is known of the first-class workload yet ('profile record' changes that)"
        });
    }
    reply.show(|page| {
        if target.is_some() {
            for one in &explained {
                let slot = one.task.0;
                page.line(format_args!("task {slot} {}, {} samples", workloads::name_of(slot), one.samples))?;
                page.line(format_args!("{one}"))?;
            }
        }
        let summary = target.is_none();
        if summary || matches!(page, super::page::Page::Json(_)) {
            page.table("predictions", FIELDS, &explained, cells)?;
            page.facts(&WEIGHTS)?;
        }
        Ok(())
    });
}

/// The scores of these tasks as of now, each pair with interrupts off for
/// itself; and whether the first-class demand is known at all.
fn explain(slots: &Slots) -> (Vec<Explanation>, bool) {
    let one = |slot: &u16| with_line(|line, _| line.explain(tasks::id(*slot))).flatten();
    let known = with_line(|line, _| line.foreseen().is_some() || !line.profile().is_empty());
    (slots.iter().filter_map(one).collect(), known.unwrap_or(false))
}
