//! The commands as values. Printing one gives a line that parses to it again.

use super::{Spec, value::number};
use core::fmt::{self, Display, Formatter};

/// One command, checked; names are borrowed from the line and may still be
/// unknown to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each command and argument is described once, in the table of specs")]
pub enum Command<'a> {
    Help { topic: Option<&'static Spec> },
    Version,
    Cpus,
    Ps,
    Top { interval_ms: Option<u32> },
    Run { name: &'a str, core: Option<u8>, count: Option<u16> },
    Stop { target: Target<'a> },
    Pause { target: Target<'a> },
    Resume { target: Target<'a> },
    Migrate { task: u16, core: u8 },
    Roles { change: Option<RoleChange> },
    Profile { verb: ProfileVerb, name: Option<&'a str> },
    Shadow { verb: ShadowVerb },
    Echo { requests: Option<u32> },
    Predict { target: Option<Target<'a>> },
    Quarantine { verb: QuarantineVerb },
    Policy { set: Option<&'a str> },
    Stats { reset: bool },
    Mem,
    Log { count: Option<u16>, level: Option<Level> },
    Burst { requests: Option<u32> },
    Job { scale: Option<JobScale> },
    Status,
    Mode { mode: Mode },
    Uptime,
    Reboot,
    Poweroff,
    Crash { confirmed: bool },
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

/// Roles that a core is to have from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleChange {
    /// The core.
    pub core: u8,
    /// All roles it will have.
    pub roles: RoleSet,
}

/// Declares an enum of words: the name typed for each is written once.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of their names.
            pub const ALL: [Self; Self::NAMES.len()] = [$(Self::$variant,)+];
            /// The words typed for them.
            pub const NAMES: [&'static str; [$($word),+].len()] = [$($word),+];

            /// The word typed for it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            pub(crate) fn read(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|value| value.name() == word)
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

words! {
    /// What a core may run.
    Role {
        /// Console, planner, timekeeping.
        Control = "control",
        /// First-class bursts.
        FirstClass = "first-class",
        /// Shadows and echoes.
        Shadow = "shadow",
        /// Second-class tasks.
        SecondClass = "second-class",
    }
}

words! {
    /// How much a log line matters; a level shows itself and those before it.
    Level {
        /// Something failed.
        Error = "error",
        /// Something is not as it should be.
        Warn = "warn",
        /// What the system does.
        Info = "info",
        /// How it does it.
        Debug = "debug",
        /// Every step.
        Trace = "trace",
    }
}

words! {
    /// What `profile` does.
    ProfileVerb {
        /// Prints it.
        Show = "show",
        /// Records it anew from a run.
        Record = "record",
        /// Forgets it.
        Clear = "clear",
    }
}

words! {
    /// What `shadow` does.
    ShadowVerb {
        /// Prints the plan and what the last run felt.
        Show = "show",
        /// Runs it now.
        Run = "run",
    }
}

words! {
    /// What `quarantine` does.
    QuarantineVerb {
        /// Prints what is in effect, its lease and lead time.
        Show = "show",
        /// Plans, without acting.
        Plan = "plan",
        /// Plans and acts.
        Apply = "apply",
        /// Undoes what is in effect.
        Undo = "undo",
    }
}

words! {
    /// What replies look like.
    Mode {
        /// Text for people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

words! {
    /// How long the main job takes.
    JobScale {
        /// Enough bursts for a p99.
        Standard = "standard",
        /// A look at it.
        Quick = "quick",
    }
}

/// A set of roles; printed and typed as names with commas between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleSet(u8);

impl RoleSet {
    /// The set of these roles.
    #[must_use]
    pub fn of(roles: &[Role]) -> Self {
        roles.iter().fold(Self::default(), |set, role| set.with(*role))
    }

    /// The set with `role` in it.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | 1 << role as u8)
    }

    /// Whether `role` is in it.
    #[must_use]
    pub const fn has(self, role: Role) -> bool {
        self.0 & 1 << role as u8 != 0
    }

    /// One bit a role, in the order of [`Role::ALL`] from bit 0.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of bits numbered as in [`RoleSet::bits`]; others are ignored.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0b1111)
    }

    pub(crate) fn read(word: &str) -> Option<Self> {
        word.split(',').try_fold(Self::default(), |set, name| Some(set.with(Role::read(name)?)))
    }
}

impl Display for RoleSet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for role in Role::ALL.into_iter().filter(|role| self.has(*role)) {
            write!(f, "{between}{role}")?;
            between = ",";
        }
        Ok(())
    }
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
            Self::Echo { requests } | Self::Burst { requests } => optional(f, requests),
            Self::Predict { target } => optional(f, target),
            Self::Quarantine { verb } => write!(f, " {verb}"),
            Self::Policy { set: Some(name) } => write!(f, " set {name}"),
            Self::Stats { reset: true } => f.write_str(" reset"),
            Self::Log { count, level } => {
                flag(f, "-n", count)?;
                flag(f, "-l", level)
            }
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
            Self::Mem => "mem",
            Self::Log { .. } => "log",
            Self::Burst { .. } => "burst",
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
