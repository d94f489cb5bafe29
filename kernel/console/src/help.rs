//! Help text, derived from the table of commands.

use crate::parse::{Group, Kind, SPECS, Spec};
use core::fmt::{Result, Write};

/// All commands with what they do, by group, and the keys of the editor.
///
/// # Errors
/// Those of the sink.
pub fn overview(sink: &mut dyn Write) -> Result {
    let width = SPECS.iter().map(|spec| spec.name.len()).max().unwrap_or(0);
    for group in Group::ALL {
        writeln!(sink, "{}", group.heading())?;
        for spec in SPECS.iter().filter(|spec| spec.group == group) {
            writeln!(sink, "  {:width$}  {}", spec.name, spec.summary)?;
        }
    }
    sink.write_str("'help COMMAND' explains one; ';' separates commands, '#' begins a comment.\n")?;
    sink.write_str("Tab completes, Up and Ctrl-R recall, '!!' is the last line, Ctrl-C drops it.\n")
}

/// One command with its arguments and an example.
///
/// # Errors
/// Those of the sink.
pub fn command(sink: &mut dyn Write, spec: &Spec) -> Result {
    writeln!(sink, "{}", spec.syntax())?;
    writeln!(sink, "  {}", spec.summary)?;
    for positional in spec.positionals {
        argument(sink, "", positional.kind)?;
    }
    for flag in spec.flags {
        argument(sink, flag.name, flag.kind)?;
    }
    writeln!(sink, "  example: {}", spec.example)
}

fn argument(sink: &mut dyn Write, name: &str, kind: Kind) -> Result {
    if matches!(kind, Kind::Word(_)) {
        return Ok(()); // the syntax line spells the words out
    }
    let gap = if name.is_empty() { "" } else { " " };
    writeln!(sink, "  {name}{gap}{kind}: {}", kind.meaning())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::find;
    use std::string::String;

    #[test]
    fn the_overview_names_every_command_and_fits_a_terminal() {
        let mut out = String::new();
        overview(&mut out).expect("fits");
        for spec in &SPECS {
            assert!(out.contains(&std::format!("\n  {} ", spec.name)), "{}", spec.name);
        }
        assert!(out.lines().all(|line| line.len() < 80), "{out}");
    }

    #[test]
    fn one_command_is_explained() {
        let mut out = String::new();
        command(&mut out, find("run").expect("known")).expect("fits");
        assert_eq!(
            out,
            "run NAME [-c CORE] [-n COUNT]\n\
             \u{20} start second-class tasks, on one core or where there is room\n\
             \u{20} NAME: a workload's name\n\
             \u{20} -c CORE: a core number from 0 to 63 (see 'cpus')\n\
             \u{20} -n COUNT: a whole number from 1 to 64\n\
             \u{20} example: run compress -c 2 -n 2\n"
        );
    }
}
