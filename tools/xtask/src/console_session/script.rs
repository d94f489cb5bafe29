//! One session, as data: what is typed and what must appear.

use anyhow::{Result, bail};

use super::Session;

/// One step of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// What it shows; names it in the summary.
    pub(crate) name: &'static str,
    /// What is typed.
    pub(crate) typed: Typed,
    /// Texts that must appear in the reply, in this order.
    pub(crate) expected: &'static [&'static str],
    /// Texts that must not appear.
    pub(crate) refused: &'static [&'static str],
}

/// What is typed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Typed {
    /// A line and Enter; the reply is what comes before the next prompt.
    Line(&'static str),
    /// Keys as they are; the reply is what appears until the line is quiet.
    Keys(&'static [u8]),
    /// A line and Enter, and what the log says when the work that it asked
    /// for is done; the reply is what came before the next prompt.
    Until(&'static str, &'static str),
}

const fn line(name: &'static str, typed: &'static str, expected: &'static [&'static str]) -> Step {
    Step { name, typed: Typed::Line(typed), expected, refused: &["error:"] }
}

const fn until(name: &'static str, typed: &'static str, logged: &'static str) -> Step {
    Step { name, typed: Typed::Until(typed, logged), expected: &["ok:"], refused: &["error:"] }
}

const fn wrong(name: &'static str, typed: &'static str, expected: &'static [&'static str]) -> Step {
    Step { name, typed: Typed::Line(typed), expected, refused: &[] }
}

const fn keys(name: &'static str, typed: &'static [u8], expected: &'static [&'static str]) -> Step {
    Step { name, typed: Typed::Keys(typed), expected, refused: &[] }
}

/// The session that `cargo xtask test` drives. After it comes `poweroff`.
pub(crate) const SESSION: &[Step] = &[
    line("help lists the commands", "help", &["help", "poweroff"]),
    line("help explains one command", "help run", &["run", "example: run"]),
    line("--help explains it too", "run --help", &["example: run"]),
    line("version", "version", &["0.1"]),
    line("every core is listed", "cpus", &["0", "1", "2", "3"]),
    line("memory is accounted for", "mem", &["frames free", "heap"]),
    wrong("an unknown command gets the nearest", "hepl", &["error:", "help"]),
    wrong("a bad value gets what was expected", "burst many", &["error:"]),
    wrong("a crash must be confirmed", "crash", &["error:", "yes"]),
    line("several commands on a line", "version; uptime # and a comment", &["0.1", ":"]),
    keys("tab completes a command", b"versi\t\r", &["version", "0.1"]),
    keys("Ctrl-U clears the line", b"nonsense\x15version\r", &["0.1"]),
    keys("Ctrl-C leaves the line", b"nonsense\x03version\r", &["0.1"]),
    keys("the arrow up brings the last line back", b"\x1b[A\r", &["version", "0.1"]),
    keys("Ctrl-A and Ctrl-K edit inside the line", b"sion\x01ver\x05junk\x02\x02\x02\x02\x0b\r", &["0.1"]),
    keys("a torn escape sequence does no harm", b"\x1b[99999999;\x03version\r", &["0.1"]),
    until("a profile is recorded", "profile record", "latency mean"),
    line("it is shown", "profile", &["search"]),
    until("a shadow is run from it", "shadow run", "foresees"),
    until("an echo runs real requests", "echo 4", "echo: 4 requests"),
    line("help explains tracing", "help trace", &["show|on|off|dump", "example: trace on"]),
    wrong("nothing was traced yet", "trace dump", &["error:", "trace on"]),
    line("tracing begins", "trace on", &["ok:"]),
    until("a burst is answered", "burst 16", "16 of 16 requests"),
    line("a workload starts", "run hash", &["ok:"]),
    line("it is listed", "ps", &["hash"]),
    line("it pauses", "pause hash", &["ok:"]),
    line("it resumes", "resume hash", &["ok:"]),
    line("its score is explained", "predict hash", &["hash"]),
    line("it stops", "stop hash", &["ok:"]),
    Step { name: "it is gone", typed: Typed::Line("ps"), expected: &[], refused: &["hash", "error:"] },
    wrong("an unknown workload is refused", "run hush", &["error:", "hash"]),
    line("roles are shown", "roles", &["first", "second"]),
    line("a policy is chosen", "policy set concept", &["ok:"]),
    line("the policy is kept", "policy", &["concept"]),
    line("the status is shown", "status", &["concept"]),
    line("the quarantine is shown", "quarantine", &[]),
    line("the statistics are shown", "stats", &[]),
    line("the log is shown", "log -n 5", &["INFO"]),
    line("what was traced is shown", "trace dump", &["\"event\":\"released\"", "core 0", "control"]),
    line("tracing ends", "trace off; trace", &["ok:", "recording", "no"]),
    line("replies become records", "mode json", &[]),
    line("a record has its marks", "uptime", &["\"cmd\":\"uptime\"", "\"ok\":true"]),
    line(
        "a trace is sent as records",
        "trace dump",
        &["\"kind\":\"clock\"", "\"event\":\"released\"", "\"kind\":\"switches\""],
    ),
    line("records become text", "mode text", &[]),
    line("the up-time is shown", "uptime", &["00:"]),
];

impl Step {
    /// Runs the step.
    ///
    /// # Errors
    /// What was expected and what came instead.
    pub(crate) fn run(&self, session: &mut Session) -> Result<()> {
        let reply = match self.typed {
            Typed::Line(line) => session.command(line)?,
            Typed::Keys(keys) => session.press(keys)?,
            Typed::Until(line, logged) => {
                let reply = session.command(line)?;
                session.wait_for(logged)?;
                reply
            }
        };
        self.check(&reply)
    }

    fn check(&self, reply: &str) -> Result<()> {
        let mut rest = reply;
        for expected in self.expected {
            let Some(at) = rest.find(expected) else {
                bail!("expected `{expected}` in the reply, which was `{}`", reply.trim())
            };
            rest = rest.get(at + expected.len()..).unwrap_or_default();
        }
        if let Some(found) = self.refused.iter().find(|refused| reply.contains(**refused)) {
            bail!("did not expect `{found}` in the reply, which was `{}`", reply.trim());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_are_ordered() {
        let step = line("two words", "x", &["a", "b"]);
        assert!(step.check("a then b").is_ok());
        assert!(step.check("b then a").is_err());
        assert!(step.check("a b error: no").is_err());
    }

    #[test]
    fn lines_are_commands_unless_they_are_meant_to_be_wrong() {
        for step in SESSION {
            let (Typed::Line(line) | Typed::Until(line, _)) = step.typed else { continue };
            if step.refused.contains(&"error:") {
                assert!(umbra_console::parse::commands(line).all(|command| command.is_ok()), "{line}");
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = SESSION.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SESSION.len());
    }
}
