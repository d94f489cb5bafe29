//! The commands as values. Printing one gives a line that parses to it again.

use super::{
    BandwidthVerb, DivideVerb, JobScale, Level, MemVerb, Mode, PmuVerb, ProfileVerb, QuarantineVerb, RoleSet,
    ShadowVerb, Spec, TraceVerb, value::number,
};
use core::fmt::{self, Display, Formatter};

/// One command, checked; names are borrowed from the line and may still be
/// unknown to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each command and argument is described once, in the table of specs")]
pub enum Command<'a> {
    Help {
        topic: Option<&'static Spec>,
    },
    Version,
    Cpus,
    Ps,
    Top {
        interval_ms: Option<u32>,
    },
    Run {
        name: &'a str,
        core: Option<u8>,
        count: Option<u16>,
    },
    Stop {
        target: Target<'a>,
    },
    Pause {
        target: Target<'a>,
    },
    Resume {
        target: Target<'a>,
    },
    Migrate {
        task: u16,
        core: u8,
    },
    Roles {
        change: Option<RoleChange>,
    },
    Profile {
        verb: ProfileVerb,
        name: Option<&'a str>,
    },
    Shadow {
        verb: ShadowVerb,
    },
    Echo {
        requests: Option<u32>,
    },
    Predict {
        target: Option<Target<'a>>,
    },
    Quarantine {
        verb: QuarantineVerb,
    },
    Policy {
        set: Option<&'a str>,
    },
    Stats {
        reset: bool,
    },
    Mem {
        what: Memory<'a>,
    },
    Hw,
    Topo,
    Pmu {
        verb: PmuVerb,
        events: Option<&'a str>,
        core: Option<u8>,
        task: Option<u16>,
        duration_ms: Option<u16>,
    },
    Cat {
        verb: DivideVerb,
        settings: Option<&'a str>,
        class: Option<u8>,
    },
    Mba {
        verb: BandwidthVerb,
        settings: Option<&'a str>,
        class: Option<u8>,
    },
    Mon,
    Log {
        count: Option<u16>,
        level: Option<Level>,
    },
    Trace {
        verb: TraceVerb,
    },
    Burst {
        requests: Option<u32>,
    },
    Query {
        text: &'a str,
    },
    Job {
        scale: Option<JobScale>,
    },
    Status,
    Mode {
        mode: Mode,
    },
    Uptime,
    Reboot,
    Poweroff,
    Crash {
        confirmed: bool,
    },
    Clear,
}

/// Whom a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// The task of this number.
    Task(u16),
    /// Every task of the workload of this name.
    Name(&'a str),
    /// Every second-class task.
    All,
}

impl<'a> Target<'a> {
    /// Digits are a task number and nothing else.
    pub(crate) fn read(word: &'a str) -> Option<Self> {
        if word == "all" {
            return Some(Self::All);
        }
        if word.bytes().all(|byte| byte.is_ascii_digit()) {
            return number(word, 0, u32::from(u16::MAX))
                .and_then(|task| u16::try_from(task).ok())
                .map(Self::Task);
        }
        Some(Self::Name(word))
    }
}

impl Display for Target<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(task) => task.fmt(f),
            Self::Name(name) => f.write_str(name),
            Self::All => f.write_str("all"),
        }
    }
}

/// What `mem` is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory<'a> {
    /// Totals, by owner.
    Totals,
    /// Rows of colours.
    Colours,
    /// The colours of a task.
    Show {
        /// The task.
        task: u16,
    },
    /// Moves a task's pages.
    Move {
        /// The task.
        task: u16,
        /// A list like `4-8,10`.
        colours: &'a str,
    },
    /// Checks every mapping.
    Verify,
}

impl Display for Memory<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Totals => Ok(()),
            Self::Colours => write!(f, " {}", MemVerb::Colours),
            Self::Show { task } => write!(f, " {} {task}", MemVerb::Show),
            Self::Move { task, colours } => write!(f, " {} {task} {colours}", MemVerb::Move),
            Self::Verify => write!(f, " {}", MemVerb::Verify),
        }
    }
}

/// Roles that a core is to have from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleChange {
    /// The core.
    pub core: u8,
    /// All roles it will have.
    pub roles: RoleSet,
}

impl Display for Command<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match *self {
            Self::Help { topic } => optional(f, topic.map(|spec| spec.name)),
            Self::Top { interval_ms } => optional(f, interval_ms),
            Self::Run { name, core, count } => {
                write!(f, " {name}")?;
                flag(f, "-c", core)?;
                flag(f, "-n", count)
            }
            Self::Stop { target } | Self::Pause { target } | Self::Resume { target } => {
                write!(f, " {target}")
            }
            Self::Migrate { task, core } => write!(f, " {task} {core}"),
            Self::Roles { change: Some(change) } => write!(f, " {} {}", change.core, change.roles),
            Self::Profile { verb, name } => {
                write!(f, " {verb}")?;
                optional(f, name)
            }
            Self::Shadow { verb } => write!(f, " {verb}"),
            Self::Trace { verb } => write!(f, " {verb}"),
            Self::Echo { requests } | Self::Burst { requests } => optional(f, requests),
            Self::Predict { target } => optional(f, target),
            Self::Quarantine { verb } => write!(f, " {verb}"),
            Self::Policy { set: Some(name) } => write!(f, " set {name}"),
            Self::Stats { reset: true } => f.write_str(" reset"),
            Self::Log { count, level } => {
                flag(f, "-n", count)?;
                flag(f, "-l", level)
            }
            Self::Pmu { verb, events, core, task, duration_ms } => {
                write!(f, " {verb}")?;
                optional(f, events)?;
                flag(f, "-C", core)?;
                flag(f, "-t", task)?;
                flag(f, "-d", duration_ms)
            }
            Self::Cat { verb, settings, class } => divide(f, verb, settings, class),
            Self::Mba { verb, settings, class } => divide(f, verb, settings, class),
            Self::Mem { what } => what.fmt(f),
            Self::Query { text } => write!(f, " {text}"),
            Self::Job { scale } => optional(f, scale),
            Self::Mode { mode } => write!(f, " {mode}"),
            Self::Crash { confirmed: true } => f.write_str(" yes"),
            _ => Ok(()),
        }
    }
}

fn optional(f: &mut Formatter<'_>, argument: Option<impl Display>) -> fmt::Result {
    argument.map_or(Ok(()), |argument| write!(f, " {argument}"))
}

fn divide(
    f: &mut Formatter<'_>,
    verb: impl Display,
    settings: Option<&str>,
    class: Option<u8>,
) -> fmt::Result {
    write!(f, " {verb}")?;
    optional(f, settings)?;
    flag(f, "-c", class)
}

fn flag(f: &mut Formatter<'_>, name: &str, argument: Option<impl Display>) -> fmt::Result {
    argument.map_or(Ok(()), |argument| write!(f, " {name} {argument}"))
}

impl Command<'_> {
    /// The word that calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Help { .. } => "help",
            Self::Version => "version",
            Self::Cpus => "cpus",
            Self::Ps => "ps",
            Self::Top { .. } => "top",
            Self::Run { .. } => "run",
            Self::Stop { .. } => "stop",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Migrate { .. } => "migrate",
            Self::Roles { .. } => "roles",
            Self::Profile { .. } => "profile",
            Self::Shadow { .. } => "shadow",
            Self::Echo { .. } => "echo",
            Self::Predict { .. } => "predict",
            Self::Quarantine { .. } => "quarantine",
            Self::Policy { .. } => "policy",
            Self::Stats { .. } => "stats",
            Self::Mem { .. } => "mem",
            Self::Hw => "hw",
            Self::Topo => "topo",
            Self::Pmu { .. } => "pmu",
            Self::Cat { .. } => "cat",
            Self::Mba { .. } => "mba",
            Self::Mon => "mon",
            Self::Log { .. } => "log",
            Self::Trace { .. } => "trace",
            Self::Burst { .. } => "burst",
            Self::Query { .. } => "query",
            Self::Job { .. } => "job",
            Self::Status => "status",
            Self::Mode { .. } => "mode",
            Self::Uptime => "uptime",
            Self::Reboot => "reboot",
            Self::Poweroff => "poweroff",
            Self::Crash { .. } => "crash",
            Self::Clear => "clear",
        }
    }
}
