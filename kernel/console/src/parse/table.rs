//! Every command, once.

use super::{
    BandwidthVerb, Command, DivideVerb, Flag, Group, JobScale, Kind, MemVerb, Memory, Mode, Need, PmuVerb,
    Positional, ProfileVerb, QuarantineVerb, RoleChange, ShadowVerb, Spec, TraceVerb,
};

const CORE: Kind = Kind::Core;
const INTERVAL: Kind = Kind::Number { placeholder: "INTERVAL_MS", min: 100, max: 60_000 };
const COUNT: Kind = Kind::Number { placeholder: "COUNT", min: 1, max: 64 };
const DURATION: Kind = Kind::Number { placeholder: "DURATION_MS", min: 1, max: 60_000 };
const LINES: Kind = Kind::Number { placeholder: "COUNT", min: 1, max: 10_000 };
const CLASS: Kind = Kind::Number { placeholder: "CLASS", min: 0, max: 127 };
const REQUESTS: Kind = Kind::Number { placeholder: "REQUESTS", min: 1, max: 1_000_000 };

/// The command of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Spec> {
    SPECS.iter().find(|spec| spec.name == name)
}

/// All commands, in the order in which help lists them.
pub static SPECS: [Spec; 37] = [
    // Look
    Spec {
        summary: "at a glance: policy, profile, next burst, quarantine, tasks",
        build: |_| Some(Command::Status),
        ..plain("status", Group::Look)
    },
    Spec {
        summary: "cores with their roles, ticks, load and what runs on them",
        build: |_| Some(Command::Cpus),
        ..plain("cpus", Group::Look)
    },
    Spec {
        summary: "tasks with their class, state, core, share and counts",
        build: |_| Some(Command::Ps),
        ..plain("ps", Group::Look)
    },
    Spec {
        summary: "tasks and cores, refreshed until a key is pressed",
        example: "top 500",
        positionals: &[optional(INTERVAL)],
        build: |values| Some(Command::Top { interval_ms: values.number(0) }),
        ..plain("top", Group::Look)
    },
    Spec {
        summary: "latencies, lead times, predictions and actions; or start anew",
        example: "stats reset",
        positionals: &[optional(Kind::Word(&["reset"]))],
        build: |values| Some(Command::Stats { reset: values.word(0).is_some() }),
        ..plain("stats", Group::Look)
    },
    Spec {
        summary: "memory by owner or by colour; move a task to other colours",
        example: "mem move 4 8-15",
        positionals: &[
            optional(Kind::Word(&MemVerb::NAMES)),
            Positional { kind: Kind::Task, need: Need::With(&["show", "move"]) },
            Positional { kind: Kind::Colours, need: Need::With(&["move"]) },
        ],
        build: |values| {
            let what = match values.word(0).and_then(MemVerb::read) {
                None => Memory::Totals,
                Some(MemVerb::Colours) => Memory::Colours,
                Some(MemVerb::Verify) => Memory::Verify,
                Some(MemVerb::Show) => Memory::Show { task: values.number(1)? },
                Some(MemVerb::Move) => Memory::Move { task: values.number(1)?, colours: values.name(2)? },
            };
            Some(Command::Mem { what })
        },
        ..plain("mem", Group::Look)
    },
    Spec {
        summary: "the last log lines, or those of a level and worse",
        example: "log -n 20 -l warn",
        flags: &[flag("-n", LINES), flag("-l", Kind::Level)],
        build: |values| Some(Command::Log { count: values.flag_number(0), level: values.flag_level(1) }),
        ..plain("log", Group::Look)
    },
    Spec {
        summary: "who ran where and what the line did: record, stop, print",
        example: "trace on",
        positionals: &[optional(Kind::Word(&TraceVerb::NAMES))],
        build: |values| {
            let verb = values.word(0).and_then(TraceVerb::read).unwrap_or(TraceVerb::Show);
            Some(Command::Trace { verb })
        },
        ..plain("trace", Group::Look)
    },
    Spec { summary: "time since boot", build: |_| Some(Command::Uptime), ..plain("uptime", Group::Look) },
    Spec {
        summary: "what this build is",
        build: |_| Some(Command::Version),
        ..plain("version", Group::Look)
    },
    // Hardware
    Spec {
        summary: "what the hardware offers, what is in use, and what stands in",
        build: |_| Some(Command::Hw),
        ..plain("hw", Group::Hardware)
    },
    Spec {
        summary: "cores, threads and caches with their sharing, memory nodes",
        build: |_| Some(Command::Topo),
        ..plain("topo", Group::Hardware)
    },
    Spec {
        summary: "performance counters: the events there are, or count some",
        example: "pmu stat instructions,cache-misses -C 1",
        positionals: &[
            optional(Kind::Word(&PmuVerb::NAMES)),
            Positional { kind: Kind::Events, need: Need::After("stat") },
        ],
        flags: &[flag("-C", CORE), flag("-t", Kind::Task), flag("-d", DURATION)],
        build: |values| {
            Some(Command::Pmu {
                verb: values.word(0).and_then(PmuVerb::read).unwrap_or(PmuVerb::List),
                events: values.name(1),
                core: values.flag_number(0),
                task: values.flag_number(1),
                duration_ms: values.flag_number(2),
            })
        },
        ..plain("pmu", Group::Hardware)
    },
    Spec {
        summary: "ways of the caches that each class may fill: show or set",
        example: "cat set llc:1=0xf",
        positionals: &[optional(Kind::Word(&DivideVerb::NAMES)), SETTINGS],
        flags: &[flag("-c", CLASS)],
        build: |values| {
            let verb = values.word(0).and_then(DivideVerb::read).unwrap_or(DivideVerb::Show);
            Some(Command::Cat { verb, settings: values.name(1), class: values.flag_number(0) })
        },
        ..plain("cat", Group::Hardware)
    },
    Spec {
        summary: "memory bandwidth of classes; hold second-class tasks to MBps",
        example: "mba set 1=4000MBps",
        positionals: &[optional(Kind::Word(&BandwidthVerb::NAMES)), SETTINGS],
        flags: &[flag("-c", CLASS)],
        build: |values| {
            let verb = values.word(0).and_then(BandwidthVerb::read).unwrap_or(BandwidthVerb::Show);
            Some(Command::Mba { verb, settings: values.name(1), class: values.flag_number(0) })
        },
        ..plain("mba", Group::Hardware)
    },
    Spec {
        summary: "cache occupancy and memory bandwidth of each workload",
        build: |_| Some(Command::Mon),
        ..plain("mon", Group::Hardware)
    },
    // Tasks
    Spec {
        summary: "start second-class tasks, on one core or where there is room",
        example: "run compress -c 2 -n 2",
        positionals: &[required(Kind::Workload)],
        flags: &[flag("-c", CORE), flag("-n", COUNT)],
        build: |values| {
            Some(Command::Run {
                name: values.name(0)?,
                core: values.flag_number(0),
                count: values.flag_number(1),
            })
        },
        ..plain("run", Group::Tasks)
    },
    Spec {
        summary: "end second-class tasks and take their memory back",
        example: "stop compress",
        positionals: &[required(Kind::TargetOrAll)],
        build: |values| Some(Command::Stop { target: values.target(0)? }),
        ..plain("stop", Group::Tasks)
    },
    Spec {
        summary: "take second-class tasks off their run queues",
        example: "pause 3",
        positionals: &[required(Kind::Target)],
        build: |values| Some(Command::Pause { target: values.target(0)? }),
        ..plain("pause", Group::Tasks)
    },
    Spec {
        summary: "let paused tasks run again",
        example: "resume 3",
        positionals: &[required(Kind::Target)],
        build: |values| Some(Command::Resume { target: values.target(0)? }),
        ..plain("resume", Group::Tasks)
    },
    Spec {
        summary: "move a second-class task to another core",
        example: "migrate 3 2",
        positionals: &[required(Kind::Task), required(CORE)],
        build: |values| Some(Command::Migrate { task: values.number(0)?, core: values.number(1)? }),
        ..plain("migrate", Group::Tasks)
    },
    Spec {
        summary: "show what each core may run, or change it for one core",
        example: "roles 2 shadow,second-class",
        positionals: &[optional(CORE), Positional { kind: Kind::Roles, need: Need::WithPrevious }],
        build: |values| {
            let core = values.number(0);
            Some(Command::Roles {
                change: match core {
                    Some(core) => Some(RoleChange { core, roles: values.roles(1)? }),
                    None => None,
                },
            })
        },
        ..plain("roles", Group::Tasks)
    },
    // Line
    Spec {
        summary: "what the first-class workload demands: show, record, forget",
        example: "profile record search",
        positionals: &[optional(Kind::Word(&ProfileVerb::NAMES)), optional(Kind::Profile)],
        build: |values| {
            let verb = values.word(0).and_then(ProfileVerb::read).unwrap_or(ProfileVerb::Show);
            Some(Command::Profile { verb, name: values.name(1) })
        },
        ..plain("profile", Group::Line)
    },
    Spec {
        summary: "the shadow made from the profile: show what it felt, or run it",
        example: "shadow run",
        positionals: &[optional(Kind::Word(&ShadowVerb::NAMES))],
        build: |values| {
            let verb = values.word(0).and_then(ShadowVerb::read).unwrap_or(ShadowVerb::Show);
            Some(Command::Shadow { verb })
        },
        ..plain("shadow", Group::Line)
    },
    Spec {
        summary: "run real first-class requests on the shadow core and compare",
        example: "echo 8",
        positionals: &[optional(REQUESTS)],
        build: |values| Some(Command::Echo { requests: values.number(0) }),
        ..plain("echo", Group::Line)
    },
    Spec {
        summary: "predicted interference, the score explained term by term",
        example: "predict stream",
        positionals: &[optional(Kind::Target)],
        build: |values| Some(Command::Predict { target: values.target(0) }),
        ..plain("predict", Group::Line)
    },
    Spec {
        summary: "lease and lead time of the quarantine; plan, apply or undo one",
        example: "quarantine plan",
        positionals: &[optional(Kind::Word(&QuarantineVerb::NAMES))],
        build: |values| {
            let verb = values.word(0).and_then(QuarantineVerb::read).unwrap_or(QuarantineVerb::Show);
            Some(Command::Quarantine { verb })
        },
        ..plain("quarantine", Group::Line)
    },
    Spec {
        summary: "show the policies and the one in force, or choose one",
        example: "policy set concept",
        positionals: &[
            optional(Kind::Word(&["show", "set"])),
            Positional { kind: Kind::Policy, need: Need::After("set") },
        ],
        build: |values| Some(Command::Policy { set: values.name(1) }),
        ..plain("policy", Group::Line)
    },
    Spec {
        summary: "release one first-class burst now",
        example: "burst 64",
        positionals: &[optional(REQUESTS)],
        build: |values| Some(Command::Burst { requests: values.number(0) }),
        ..plain("burst", Group::Line)
    },
    Spec {
        summary: "ask the first-class workload something: search the sources",
        example: "query allocator \"out of memory\"",
        positionals: &[required(Kind::Text)],
        build: |values| Some(Command::Query { text: values.name(0)? }),
        ..plain("query", Group::Line)
    },
    Spec {
        summary: "run the main job again: every policy measured side by side",
        example: "job quick",
        positionals: &[optional(Kind::Word(&JobScale::NAMES))],
        build: |values| Some(Command::Job { scale: values.word(0).and_then(JobScale::read) }),
        ..plain("job", Group::Line)
    },
    // Console
    Spec {
        summary: "all commands, or one with its arguments and an example",
        example: "help run",
        positionals: &[optional(Kind::Command)],
        build: |values| Some(Command::Help { topic: values.command(0) }),
        ..plain("help", Group::Console)
    },
    Spec {
        summary: "replies as text for people or as one JSON object a line",
        example: "mode json",
        positionals: &[required(Kind::Word(&Mode::NAMES))],
        build: |values| Some(Command::Mode { mode: values.word(0).and_then(Mode::read)? }),
        ..plain("mode", Group::Console)
    },
    Spec {
        summary: "clear the screen (as Ctrl-L does)",
        build: |_| Some(Command::Clear),
        ..plain("clear", Group::Console)
    },
    Spec {
        summary: "start the machine again",
        build: |_| Some(Command::Reboot),
        ..plain("reboot", Group::Console)
    },
    Spec {
        summary: "switch the machine off",
        build: |_| Some(Command::Poweroff),
        ..plain("poweroff", Group::Console)
    },
    Spec {
        summary: "panic on purpose, to see the epitaph; only with 'yes'",
        example: "crash yes",
        positionals: &[optional(Kind::Word(&["yes"]))],
        build: |values| Some(Command::Crash { confirmed: values.word(0).is_some() }),
        ..plain("crash", Group::Console)
    },
];

const SETTINGS: Positional = Positional { kind: Kind::Settings, need: Need::After("set") };

/// A command without arguments, whose name is its own example.
const fn plain(name: &'static str, group: Group) -> Spec {
    Spec { name, group, summary: "", example: name, positionals: &[], flags: &[], build: |_| None }
}

const fn required(kind: Kind) -> Positional {
    Positional { kind, need: Need::Required }
}

const fn optional(kind: Kind) -> Positional {
    Positional { kind, need: Need::Optional }
}

const fn flag(name: &'static str, kind: Kind) -> Flag {
    Flag { name, kind }
}
