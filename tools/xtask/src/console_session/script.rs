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
}

const fn line(name: &'static str, typed: &'static str, expected: &'static [&'static str]) -> Step {
    Step { name, typed: Typed::Line(typed), expected, refused: &["error:"] }
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
    line("help explains one command", "help run", &["run"]),
    line("version", "version", &["0.1"]),
    line("every core is listed", "cpus", &["0", "1", "2", "3"]),
    line("memory is accounted for", "mem", &["free"]),
    wrong("an unknown command gets one line", "hepl", &["error:", "help"]),
    keys("tab completes a command", b"versi\t", &["version"]),
    keys("Ctrl-U clears the line", b"\x15", &["umbra> "]),
    keys("Ctrl-C leaves a line", b"nonsense\x03", &["umbra> "]),
    line("a workload starts", "run hash", &[]),
    line("it is listed", "ps", &["hash"]),
    line("it pauses", "pause hash", &[]),
    line("it resumes", "resume hash", &[]),
    line("it stops", "stop hash", &[]),
    Step { name: "it is gone", typed: Typed::Line("ps"), expected: &[], refused: &["hash", "error:"] },
    line("a policy is chosen", "policy set concept", &[]),
    line("the policy is kept", "policy", &["concept"]),
    line("the status is shown", "status", &["concept"]),
    line("the log is shown", "log -n 5", &[]),
    line("the up-time is shown", "uptime", &[]),
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
            let Typed::Line(line) = step.typed else { continue };
            let parses = umbra_console::parse::commands(line).all(|command| command.is_ok());
            assert_eq!(parses, !step.expected.contains(&"error:"), "{line}");
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
