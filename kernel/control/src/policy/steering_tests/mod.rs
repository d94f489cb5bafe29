//! Each steering policy against its paper's rule, tick by tick.

use super::*;
use crate::machine::{CoreId, CoreSet, Count, Share, TaskId};
use crate::quarantine::TaskSet;
use crate::sample::Watched;
use std::vec::Vec;

mod any;
mod oracle;

const MS: u64 = 1_000_000;
const FIRST: CoreSet = CoreSet(0b0010);
const ALL_CORES: CoreSet = CoreSet(0b1110);
const RDT: Shares = Shares { ways: 11, least_percent: 10 };

fn task(id: u16, traffic: u64) -> Watched {
    Watched {
        id: TaskId(id),
        generation: 1,
        workload: WorkloadId(u8::try_from(id).expect("few")),
        core: CoreId(2),
        runnable: true,
        traffic: Count::Counted(traffic),
        misses_per_kilocycle: Some(1),
        working_set_bytes: 1 << 20,
        work: 1000,
    }
}

fn burst(answered: u32, late: u32, close: Close) -> View {
    View {
        first_class: WorkloadId(31),
        threshold_q16: 0,
        horizon_ns: 0,
        late_permille: 10,
        requests: 64,
        answered,
        late,
        close,
    }
}

fn sight(tasks: &[Watched]) -> Sight<'_> {
    Sight {
        now_ns: MS,
        burst: None,
        load_permille: None,
        first_class_cores: FIRST,
        second_class_cores: ALL_CORES,
        cores: 4,
        idle: Some(FIRST),
        traffic_permille: Some(100),
        bandwidth: 10_000_000_000,
        llc_bytes: 1 << 22,
        shares: RDT,
        holds: false,
        steady_ticks: 1,
        tasks,
    }
}

fn policies(policy: Policy) -> Policies {
    let mut policies = Policies::new();
    policies.set(policy);
    policies
}

fn paused(holding: &Holding) -> Vec<u16> {
    (0..128).filter(|id| holding.paused.has(TaskId(*id))).collect()
}

#[test]
fn perfiso_keeps_its_buffer_idle() {
    let mut policies = policies(Policy::PerfIso);
    let mut clear = |idle: u64| {
        let sight = Sight { idle: Some(CoreSet(idle)), ..sight(&[]) };
        policies.hooks().steer(&sight).clear.0
    };
    // One core of four is the buffer (8 of 48), and it begins with the first-class one.
    assert_eq!(clear(0b0010), 0b0010, "it is idle: enough");
    assert_eq!(clear(0b0000), 0b1010, "it is busy: another core, the highest");
    assert_eq!(clear(0b0000), 0b1010, "the last second-class core stays");
    assert_eq!(clear(0b1000), 0b1010, "the buffer is there");
    assert_eq!([0b1010; 3].map(&mut clear), [0b1010; 3], "one to spare, but not for long");
    assert_eq!(clear(0b1010), 0b0010, "given back");
    assert_eq!([0b1010; 9].map(&mut clear), [0b0010; 9], "the first-class core never is");
    let blind = |idle, steady_ticks| Sight { idle, steady_ticks, ..sight(&[]) };
    for unseen in [blind(None, 9), blind(Some(CoreSet(0)), 0)] {
        assert_eq!(policies.hooks().steer(&unseen).clear, FIRST, "it does not act on what it has not seen");
    }
    let one_core = Sight { second_class_cores: FIRST, cores: 1, ..sight(&[]) };
    assert_eq!(policies.hooks().steer(&one_core), Holding::NOTHING);
}

#[test]
fn reactive_takes_from_the_worst_and_gives_back_last_first() {
    let tasks = [task(3, 10), task(4, 900), task(5, 500)];
    let mut policies = policies(Policy::Reactive);
    let mut after = |traffic_permille: Option<u32>| {
        paused(&policies.hooks().steer(&Sight { traffic_permille, ..sight(&tasks) }))
    };
    assert_eq!(after(Some(799)), [0u16; 0]);
    assert_eq!(after(Some(800)), [0u16; 0], "the first poll above the limit only looks");
    assert_eq!(after(Some(900)), [4]);
    assert_eq!(after(Some(900)), [4]);
    assert_eq!(after(Some(900)), [4, 5], "every second poll");
    assert_eq!(after(Some(750)), [4, 5], "between the limits nothing changes");
    assert_eq!(after(None), [4, 5], "unknown is no reason");
    assert_eq!(after(Some(710)), [4]);
    assert_eq!(after(Some(710)), [0u16; 0]);
}

#[test]
fn reactive_has_nobody_to_take_from_where_nobody_moves_anything() {
    let tasks = [Watched { traffic: Count::Unknown, ..task(3, 0) }, task(4, 0)];
    let mut policies = policies(Policy::Reactive);
    let above = Sight { traffic_permille: Some(990), ..sight(&tasks) };
    for _ in 0..5 {
        assert_eq!(policies.hooks().steer(&above), Holding::NOTHING);
    }
}

#[test]
fn reactive_clears_the_first_class_core_only_during_a_burst() {
    let mut policies = policies(Policy::Reactive);
    let runs = Sight { burst: Some(burst(0, 0, Close::NONE)), ..sight(&[]) };
    assert_eq!(policies.hooks().steer(&runs).clear, FIRST);
    assert_eq!(policies.hooks().steer(&sight(&[])).clear, CoreSet(0));
}

/// Ticks `policies` once a period with ten more answers each time, which came
/// as close to being late as `close` says.
struct Periods {
    policies: Policies,
    tasks: Vec<Watched>,
    now_ns: u64,
    period_ns: u64,
    answered: u32,
    late: u32,
    close: Close,
    load_permille: u32,
    traffic_permille: Option<u32>,
    shares: Shares,
}

#[derive(Clone, Copy)]
enum Came {
    Easily,
    WithinFifth,
    WithinTenth,
    WithinTwentieth,
    Late,
}

impl Periods {
    fn of(policy: Policy, shares: Shares) -> Self {
        let mut this = Self {
            policies: policies(policy),
            tasks: (0..4).map(|id| task(id, 100 * u64::from(id))).collect(),
            now_ns: MS,
            period_ns: policy.period(MS).expect("has one").ours_ns,
            answered: 0,
            late: 0,
            close: Close::NONE,
            load_permille: 400,
            traffic_permille: Some(100),
            shares,
        };
        this.tick();
        this
    }

    fn tick(&mut self) -> Holding {
        let sight = Sight {
            now_ns: self.now_ns,
            burst: Some(burst(self.answered, self.late, self.close)),
            load_permille: Some(self.load_permille),
            traffic_permille: self.traffic_permille,
            shares: self.shares,
            ..sight(&self.tasks)
        };
        self.policies.hooks().steer(&sight)
    }

    fn next(&mut self, came: Came) -> Holding {
        self.now_ns += self.period_ns;
        self.answered += 10;
        let near = |yes: bool| u32::from(yes);
        self.late += near(matches!(came, Came::Late));
        self.close.twentieth += near(matches!(came, Came::Late | Came::WithinTwentieth));
        self.close.tenth += near(matches!(came, Came::Late | Came::WithinTwentieth | Came::WithinTenth));
        self.close.fifth += near(!matches!(came, Came::Easily));
        self.tick()
    }
}

fn held(holding: &Holding) -> (usize, Option<(u8, u8)>) {
    (paused(holding).len(), holding.share.map(|share| (share.ways, share.percent)))
}

#[test]
fn heracles_grows_with_slack_a_way_and_a_core_in_turn() {
    let mut periods = Periods::of(Policy::Heracles, RDT);
    // It begins with one task of four and a tenth of 11 ways.
    assert_eq!(held(&periods.tick()), (3, Some((1, 100))));
    assert_eq!(held(&periods.next(Came::Easily)), (3, Some((2, 100))));
    assert_eq!(held(&periods.next(Came::WithinFifth)), (2, Some((2, 100))));
    assert_eq!(held(&periods.next(Came::WithinTenth)), (2, Some((2, 100))), "less than 10 % slack");
    assert_eq!(held(&periods.next(Came::Easily)), (2, Some((3, 100))));
    assert_eq!(held(&periods.next(Came::Easily)), (1, Some((3, 100))));
    assert_eq!(held(&periods.next(Came::WithinTwentieth)), (2, Some((3, 100))), "two cores are kept");
    assert_eq!(held(&periods.next(Came::Late)), (4, Some((3, 100))), "disabled");
    // 300 s are 150 ms, 20 periods of the top level: none earlier, then from the beginning.
    for _ in 0..19 {
        assert_eq!(held(&periods.next(Came::Easily)).0, 4);
    }
    assert_eq!(held(&periods.next(Came::Easily)), (3, Some((2, 100))));
}

#[test]
fn heracles_minds_load_and_bandwidth() {
    let mut periods = Periods::of(Policy::Heracles, Shares::default());
    for _ in 0..4 {
        periods.next(Came::Easily);
    }
    assert_eq!(held(&periods.tick()), (1, None), "without ways, every second turn is a core's");
    periods.traffic_permille = Some(950);
    // 50 over the limit, 316 a core: one core goes.
    assert_eq!(held(&periods.next(Came::Easily)), (2, None));
    periods.traffic_permille = Some(800);
    assert_eq!(held(&periods.next(Came::Easily)).0, 2, "another 400 would pass the limit");
    periods.traffic_permille = None;
    for _ in 0..2 {
        periods.next(Came::Easily);
    }
    assert_eq!(held(&periods.tick()).0, 1, "unknown traffic holds nothing up");
    periods.load_permille = 851;
    assert_eq!(held(&periods.next(Came::Easily)).0, 4);
    periods.load_permille = 820;
    assert_eq!(held(&periods.next(Came::Easily)).0, 4, "between the two nothing changes");
    periods.load_permille = 799;
    assert_eq!(held(&periods.next(Came::Easily)).0, 3, "enabled, from the beginning");
}

#[test]
fn a_judgement_waits_for_answers() {
    let mut periods = Periods::of(Policy::Parties, RDT);
    let before = periods.tick();
    periods.now_ns += 50 * MS;
    periods.answered = 7;
    assert_eq!(periods.tick(), before, "seven answers tell nothing");
    periods.answered = 8;
    assert_ne!(periods.tick(), before);
}

#[test]
fn parties_takes_one_unit_at_a_time_and_takes_back_what_does_not_help() {
    let mut periods = Periods::of(Policy::Parties, RDT);
    // Even halves: 5 of 10 ways that can be taken.
    assert_eq!(held(&periods.tick()), (0, Some((6, 100))));
    assert_eq!(held(&periods.next(Came::WithinTenth)), (0, Some((6, 100))), "5 to 20 %: stay");
    assert_eq!(held(&periods.next(Came::Late)), (1, Some((6, 100))), "a core");
    assert_eq!(held(&periods.next(Came::Late)), (0, Some((5, 100))), "no help: back, and a way");
    assert_eq!(held(&periods.next(Came::WithinTwentieth)), (0, Some((4, 100))), "that helps: another");
    assert_eq!(held(&periods.next(Came::WithinTwentieth)), (0, Some((5, 90))), "no more: a tenth");
    assert_eq!(held(&periods.next(Came::WithinFifth)), (0, Some((5, 90))));
    assert_eq!(held(&periods.next(Came::Easily)), (0, Some((5, 100))), "one is given away");
    assert_eq!(held(&periods.next(Came::Late)), (0, Some((5, 90))), "that was wrong");
    // 30 s are 120 ms, 60 periods.
    for _ in 0..59 {
        assert_eq!(held(&periods.next(Came::Easily)), (0, Some((5, 90))));
    }
    assert_eq!(
        held(&periods.next(Came::Easily)),
        (0, Some((6, 90))),
        "ways come after cores, of which none is held"
    );
}

#[test]
fn parties_has_only_tasks_to_take_where_nothing_divides() {
    let mut periods = Periods::of(Policy::Parties, Shares::default());
    assert_eq!(held(&periods.tick()), (0, None));
    let mut holding = Holding::NOTHING;
    for _ in 0..9 {
        periods.next(Came::Late);
        holding = periods.next(Came::WithinTwentieth);
    }
    assert!(held(&holding).0 >= 1 && holding.share.is_none());
    assert!(holding.paused.has(TaskId(3)), "the task that moves most goes first");
}

#[test]
fn lfoc_packs_those_that_stream() {
    let streams = |id| Watched { misses_per_kilocycle: Some(10), working_set_bytes: 1 << 23, ..task(id, 0) };
    let sensitive = |id| Watched { misses_per_kilocycle: Some(3), ..task(id, 0) };
    let light = |id| Watched { misses_per_kilocycle: Some(2), ..task(id, 0) };
    let unknown = |id| Watched { misses_per_kilocycle: None, ..task(id, 0) };
    let ways = |tasks: &[Watched], shares| {
        let holding = policies(Policy::Lfoc).hooks().steer(&Sight { shares, ..sight(tasks) });
        assert_eq!((holding.clear, holding.paused), (CoreSet(0), TaskSet::NONE), "ways and nothing else");
        holding.share.map(|share| share.ways)
    };
    assert_eq!(ways(&[light(1), sensitive(2), unknown(3)], RDT), None, "nobody streams");
    assert_eq!(ways(&[streams(1), light(2)], RDT), Some(1));
    assert_eq!(
        ways(&[streams(1), streams(2), streams(3), streams(4), streams(5)], RDT),
        Some(1),
        "five a way"
    );
    let six: Vec<Watched> = (0..6).map(streams).collect();
    assert_eq!(ways(&six, RDT), Some(2));
    let many: Vec<Watched> = (0..40).map(streams).collect();
    assert_eq!(ways(&many, RDT), Some(2), "two at most");
    // One way, and half of the other ten beside the first-class workload.
    assert_eq!(ways(&[streams(1), sensitive(2)], RDT), Some(6));
    assert_eq!(ways(&[streams(1)], Shares { ways: 2, least_percent: 0 }), Some(1));
    assert_eq!(ways(&[streams(1)], Shares::default()), None);
}
