//! The console's execution side: what each command of `umbra-console` does.
//!
//! The control task calls [`Shell::poll`] once a round. Whatever is shown is
//! read from atomics or copied out of the line at one moment and printed
//! afterwards, so neither the tick nor another core waits for the port. What
//! takes time is begun, and [`pending`] tells of its end in the log. While the
//! main job measures, commands that would change what it measures are refused.

mod burst;
mod colours;
mod cpus;
mod hardware;
mod look;
mod names;
mod page;
mod pending;
mod policy;
mod predict;
mod profile;
mod quarantine;
mod query;
mod reply;
mod shadow;
mod status;
mod system;
mod tasks;
mod top;
mod trace;

use core::fmt::Display;

use alloc::boxed::Box;

use umbra_console::parse::{
    self, BandwidthVerb, DivideVerb, JobScale, Memory, Mode, PmuVerb, ProfileVerb, QuarantineVerb, ShadowVerb,
};
use umbra_console::{Command, Editor, Event};

use burst::Load;
use hardware::Stat;
use look::{CoreLook, TaskLook};
use names::KernelNames;
use pending::Pending;
use quarantine::Planned;
use reply::{Raw, Reply};
use top::Top;

use crate::serial;

/// Bytes taken in one round at most.
const BYTES_PER_POLL: usize = 64;
/// Silence after which an Escape counts as pressed alone.
const QUIET_NS: u64 = 50_000_000;

/// The console. What is large lies on the heap, so that the control task's
/// stack need not hold it while it is made.
pub(crate) struct Shell {
    editor: Box<Editor>,
    mode: Mode,
    started: bool,
    job: Job,
    load: Load,
    pending: Box<Pending>,
    tasks: Box<TaskLook>,
    cores: Box<CoreLook>,
    stat: Option<Stat>,
    top: Option<Box<Top>>,
    /// Lines that came while `top` had the screen.
    held_back: u32,
    last_byte_ns: u64,
}

/// Whether the main job has the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    No,
    Wanted(JobScale),
    Runs,
}

impl Shell {
    #[inline(never)]
    pub(crate) fn new() -> Self {
        Self {
            editor: Box::new(Editor::new()),
            mode: Mode::Text,
            started: false,
            job: Job::No,
            load: Load::UNMEASURED,
            pending: Box::new(Pending::new()),
            tasks: Box::new(TaskLook::new()),
            cores: Box::new(CoreLook::new()),
            stat: None,
            top: None,
            held_back: 0,
            last_byte_ns: 0,
        }
    }

    /// Puts the prompt on the terminal, and notes that no job runs (any more).
    pub(crate) fn start(&mut self) {
        self.job = Job::No;
        if !self.started {
            self.started = true;
            crate::println!("'help' lists the commands, Tab completes");
            self.editor.prompt(&mut Raw);
        }
    }

    /// Takes over what the main job has measured: how bursts are paced and
    /// when a request is late.
    pub(crate) fn learn_load(&mut self, mean_gap_ns: u64, late_ns: u64) {
        self.load = Load::measured(mean_gap_ns, late_ns);
    }

    /// The main job, if it was asked for since the last call.
    pub(crate) fn wants_job(&mut self) -> Option<JobScale> {
        let Job::Wanted(scale) = self.job else { return None };
        self.job = Job::Runs;
        Some(scale)
    }

    /// Prints lines above the prompt. While `top` has the screen they are only
    /// counted: the log has them.
    pub(crate) fn show_above(&mut self, text: &dyn Display) {
        if self.top.is_some() {
            self.held_back = self.held_back.saturating_add(1);
            return;
        }
        self.editor.interrupt_with(&mut Raw, text);
    }

    /// Takes what was typed, runs finished commands, tells of what has ended
    /// and draws `top`. Before [`Shell::start`] what is typed waits in the port.
    pub(crate) fn poll(&mut self, now_ns: u64) {
        self.tasks.notice(now_ns);
        if self.pending.advance(now_ns) {
            self.show_plan(now_ns);
        }
        self.advance_stat(now_ns);
        if !self.started {
            return;
        }
        for _ in 0..BYTES_PER_POLL {
            let Some(byte) = serial::receive() else { break };
            self.last_byte_ns = now_ns;
            self.take(byte);
        }
        if now_ns.saturating_sub(self.last_byte_ns) >= QUIET_NS {
            self.editor.idle();
        }
        if let Some(top) = &mut self.top {
            top.refresh(now_ns);
        }
    }

    fn take(&mut self, byte: u8) {
        if self.top.take().is_some() {
            self.editor.discard(byte);
            return self.after_top();
        }
        if self.editor.feed(byte, &mut Raw, &KernelNames) == Event::Line {
            let line = self.editor.take_accepted();
            self.run_line(&line);
            if self.top.is_none() {
                self.editor.prompt(&mut Raw);
            }
        }
    }

    /// Commands of a line in order; the first that is not understood ends it.
    fn run_line(&mut self, line: &str) {
        let mut commands = parse::commands(line).peekable();
        while let Some(parsed) = commands.next() {
            let last = commands.peek().is_none();
            match parsed {
                Ok(Command::Top { .. }) if !last => {
                    self.reply("top").fail(&"it keeps the screen: expected as the last command of a line");
                }
                Ok(command) => self.run(&command),
                Err(error) => {
                    return self.reply(error.spec.map_or("", |spec| spec.name)).fail(&error);
                }
            }
        }
    }

    fn reply(&self, command: &'static str) -> Reply {
        Reply { mode: self.mode, command, now_ns: crate::time::now_ns() }
    }

    /// Each command is a call of its own: their frames must not add up.
    fn run(&mut self, command: &Command<'_>) {
        let reply = self.reply(command.name());
        if self.job != Job::No && changes_what_is_measured(command) {
            return reply.fail(&"the main job is measuring; wait for its end");
        }
        let pending = &mut self.pending;
        match *command {
            Command::Help { topic } => system::explain(reply, topic),
            Command::Version => system::version(reply),
            Command::Cpus => cpus::show(reply, &mut self.cores),
            Command::Ps => tasks::list(reply, &mut self.tasks),
            Command::Top { interval_ms } => {
                self.top = Some(Box::new(Top::new(self.mode, interval_ms, reply.now_ns)));
            }
            Command::Run { name, core, count } => tasks::run(reply, pending, name, core, count),
            Command::Stop { target } => tasks::end(reply, pending, target),
            Command::Pause { target } => tasks::pause(reply, target),
            Command::Resume { target } => tasks::resume(reply, target),
            Command::Migrate { task, core } => tasks::migrate(reply, task, core),
            Command::Roles { change: None } => cpus::show_roles(reply),
            Command::Roles { change: Some(change) } => cpus::change_roles(reply, change),
            Command::Profile { verb, name } => profile::run(reply, pending, self.load, verb, name),
            Command::Shadow { verb } => shadow::run(reply, pending, verb),
            Command::Echo { requests } => shadow::echo(reply, pending, requests),
            Command::Predict { target } => predict::run(reply, target),
            Command::Quarantine { verb } => quarantine::run(reply, pending, verb),
            Command::Policy { set: None } => policy::show(reply),
            Command::Policy { set: Some(name) } => policy::set(reply, name),
            Command::Stats { reset } => policy::stats(reply, reset),
            Command::Mem { what } => colours::run(reply, what),
            Command::Hw => hardware::show_summary(reply),
            Command::Topo => hardware::show_places(reply),
            Command::Pmu { verb: PmuVerb::List, .. } => hardware::list(reply),
            Command::Pmu { verb: PmuVerb::Stat, events, core, task, duration_ms } => {
                let limits = hardware::Limits { core, task, duration_ms };
                hardware::begin_stat(reply, &mut self.stat, events.unwrap_or_default(), limits);
            }
            Command::Cat { verb, settings, class } => hardware::run_ways(reply, verb, settings, class),
            Command::Mba { verb, settings, class } => hardware::run_bandwidth(reply, verb, settings, class),
            Command::Mon => hardware::show_monitor(reply),
            Command::Log { count, level } => system::show_log(reply, count, level),
            Command::Trace { verb } => trace::run(reply, verb),
            Command::Burst { requests } => burst::run(reply, pending, self.load, requests),
            Command::Job { scale } => {
                let scale = scale.unwrap_or(JobScale::Standard);
                self.job = Job::Wanted(scale);
                reply.done(format_args!("the {scale} job begins; its table comes when it is done"));
            }
            Command::Status => status::show(reply, self.job != Job::No),
            Command::Mode { mode } => {
                self.mode = mode;
                self.reply("mode").done(format_args!("replies are {mode} from now on"));
            }
            Command::Query { text } => query::run(reply, text),
            Command::Uptime => system::uptime(reply),
            Command::Reboot => system::reboot(reply),
            Command::Poweroff => system::power_off(reply),
            Command::Crash { confirmed } => system::crash(reply, confirmed),
            Command::Clear => system::clear(reply),
        }
    }

    /// `top` has ended: the prompt comes back below the picture.
    fn after_top(&mut self) {
        let reply = self.reply("top");
        let held_back = core::mem::take(&mut self.held_back);
        reply.show(|page| match held_back {
            0 => Ok(()),
            lines => page.line(format_args!("{lines} lines came meanwhile ('log' has them)")),
        });
        self.editor.prompt(&mut Raw);
    }

    /// Goes on counting events, and shows the figures when they are there.
    fn advance_stat(&mut self, now_ns: u64) {
        let Some(mut stat) = self.stat.take() else { return };
        if !stat.advance(now_ns) {
            self.stat = Some(stat);
            return;
        }
        match stat.mode() {
            Mode::Text => self.show_above(&stat),
            Mode::Json => reply::record("pmu", now_ns, |page| stat.write(page)),
        }
    }

    /// Shows the plan that `quarantine plan` asked for.
    fn show_plan(&mut self, now_ns: u64) {
        let Some(planned) = Planned::last() else { return };
        match self.mode {
            Mode::Text => self.show_above(&planned),
            Mode::Json => reply::record("plan", now_ns, |page| planned.write(page)),
        }
    }
}

/// Whether a command would change what the main job measures.
const fn changes_what_is_measured(command: &Command<'_>) -> bool {
    matches!(
        command,
        Command::Run { .. }
            | Command::Stop { .. }
            | Command::Pause { .. }
            | Command::Resume { .. }
            | Command::Migrate { .. }
            | Command::Roles { change: Some(_) }
            | Command::Mem { what: Memory::Move { .. } }
            | Command::Profile { verb: ProfileVerb::Record | ProfileVerb::Clear, .. }
            | Command::Shadow { verb: ShadowVerb::Run }
            | Command::Echo { .. }
            | Command::Quarantine {
                verb: QuarantineVerb::Plan | QuarantineVerb::Apply | QuarantineVerb::Undo
            }
            | Command::Pmu { verb: PmuVerb::Stat, .. }
            | Command::Mon
            | Command::Cat { verb: DivideVerb::Set, .. }
            | Command::Mba {
                verb: BandwidthVerb::Set
                    | BandwidthVerb::Free
                    | BandwidthVerb::Calibrate
                    | BandwidthVerb::Auto
                    | BandwidthVerb::Loop
                    | BandwidthVerb::Limit
                    | BandwidthVerb::Ration,
                ..
            }
            | Command::Policy { set: Some(_) }
            | Command::Stats { reset: true }
            | Command::Burst { .. }
            | Command::Job { .. }
    )
}
