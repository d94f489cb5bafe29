//! What may stand at the end of an unfinished line.
//!
//! Fixed words come from the table of commands, names that live in the kernel
//! through [`Names`]. Candidates are visited, not collected, so there is no
//! bound on how many there may be.

use crate::parse::{self, Kind, SPECS, Spec};
use heapless::String;

/// Names that only the kernel knows.
pub trait Names {
    /// Calls `found` with each name of that kind, in the order to list them.
    fn each(&self, kind: NameKind, found: &mut dyn FnMut(&str));
}

/// Kinds of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// Workloads that `run` can start.
    Workload,
    /// First-class workloads, which have profiles.
    Profile,
    /// Second-class tasks: their numbers, and the names of their workloads.
    Task,
    /// Policies.
    Policy,
}

/// No names at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn each(&self, _: NameKind, _: &mut dyn FnMut(&str)) {}
}

/// How an unfinished line may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What all candidates have in common beyond what is typed already.
    pub addition: String<{ Self::LONGEST }>,
    /// How many candidates there are.
    pub count: usize,
    /// Whether the word is whole after the addition, so that a space may follow.
    pub whole: bool,
}

impl Completion {
    /// Longest candidate considered, in bytes.
    pub const LONGEST: usize = 64;
}

/// Completes the last word of `text`, which ends at the cursor.
pub fn complete(text: &str, names: &dyn Names) -> Completion {
    let Some(slot) = Slot::at_end_of(text) else {
        return Completion { addition: String::new(), count: 0, whole: false };
    };
    let mut common = String::<{ Completion::LONGEST }>::new();
    let mut count = 0;
    slot.each(names, &mut |candidate| {
        if count == 0 {
            count = usize::from(common.push_str(candidate).is_ok());
            return;
        }
        count += 1;
        let shared = common.chars().zip(candidate.chars()).take_while(|(a, b)| a == b);
        let shared_bytes = shared.map(|(a, _)| a.len_utf8()).sum();
        common.truncate(shared_bytes);
    });
    let addition =
        common.get(slot.typed.len()..).and_then(|rest| String::try_from(rest).ok()).unwrap_or_default();
    Completion { addition, count, whole: count == 1 && !matches!(slot.accepts, Accepts::Kind(Kind::Roles)) }
}

/// Visits every candidate for the last word of `text`.
pub fn candidates(text: &str, names: &dyn Names, found: &mut dyn FnMut(&str)) {
    if let Some(slot) = Slot::at_end_of(text) {
        slot.each(names, found);
    }
}

/// The place of the word being typed.
struct Slot<'t> {
    typed: &'t str,
    accepts: Accepts,
}

enum Accepts {
    Command,
    FlagOf(&'static Spec),
    Kind(Kind),
}

impl<'t> Slot<'t> {
    fn at_end_of(text: &'t str) -> Option<Self> {
        if parse::without_comment(text).len() < text.len() {
            return None;
        }
        let segment = text.rsplit(';').next().unwrap_or(text);
        let typed = segment.rsplit(char::is_whitespace).next().unwrap_or(segment);
        let before = segment.strip_suffix(typed).unwrap_or(segment);
        let mut words = before.split_whitespace();
        let accepts = match words.next() {
            None => Accepts::Command,
            Some(name) => Accepts::argument(parse::find(name)?, words, typed)?,
        };
        let typed = match accepts {
            Accepts::Kind(Kind::Roles) => typed.rsplit(',').next().unwrap_or(typed),
            _ => typed,
        };
        Some(Self { typed, accepts })
    }

    fn each(&self, names: &dyn Names, found: &mut dyn FnMut(&str)) {
        let mut fitting = |word: &str| {
            if word.starts_with(self.typed) && word.len() <= Completion::LONGEST {
                found(word);
            }
        };
        match self.accepts {
            Accepts::Command => SPECS.iter().for_each(|spec| fitting(spec.name)),
            Accepts::FlagOf(spec) => {
                spec.flags.iter().for_each(|flag| fitting(flag.name));
                fitting("--help");
            }
            Accepts::Kind(kind) => {
                if let Some(kind) = name_kind(kind) {
                    names.each(kind, &mut fitting);
                }
                kind.words().iter().for_each(|word| fitting(word));
                if kind == Kind::Command {
                    SPECS.iter().for_each(|spec| fitting(spec.name));
                }
            }
        }
    }
}

impl Accepts {
    /// What may follow `before`, the finished words after the command's name.
    fn argument<'t>(spec: &'static Spec, before: impl Iterator<Item = &'t str>, typed: &str) -> Option<Self> {
        let mut awaits_value = None;
        let mut filled = 0;
        let (mut first, mut previous) = (None, None);
        for word in before {
            if awaits_value.take().is_some() {
                continue;
            }
            if word.starts_with('-') {
                awaits_value = spec.flags.iter().find(|flag| flag.name == word);
            } else {
                filled += 1;
                first = first.or(Some(word));
                previous = Some(word);
            }
        }
        if let Some(flag) = awaits_value {
            return Some(Self::Kind(flag.kind));
        }
        if typed.starts_with('-') {
            return Some(Self::FlagOf(spec));
        }
        let next = spec.positionals.get(filled)?;
        next.need.admits(first, previous).then_some(Self::Kind(next.kind))
    }
}

const fn name_kind(kind: Kind) -> Option<NameKind> {
    match kind {
        Kind::Workload => Some(NameKind::Workload),
        Kind::Profile => Some(NameKind::Profile),
        Kind::Task | Kind::Target | Kind::TargetOrAll => Some(NameKind::Task),
        Kind::Policy => Some(NameKind::Policy),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{string::ToString, vec::Vec};

    struct Fake;

    impl Names for Fake {
        fn each(&self, kind: NameKind, found: &mut dyn FnMut(&str)) {
            let names: &[&str] = match kind {
                NameKind::Workload => &["compress", "hash", "chase"],
                NameKind::Profile => &["search"],
                NameKind::Task => &["3", "compress"],
                NameKind::Policy => &["none", "static", "concept"],
            };
            names.iter().for_each(|name| found(name));
        }
    }

    fn all(text: &str) -> Vec<std::string::String> {
        let mut list = Vec::new();
        candidates(text, &Fake, &mut |name| list.push(name.to_string()));
        list
    }

    fn added(text: &str) -> (std::string::String, usize, bool) {
        let completion = complete(text, &Fake);
        (completion.addition.as_str().to_string(), completion.count, completion.whole)
    }

    #[test]
    fn lists_what_may_follow() {
        assert_eq!(all("").len(), SPECS.len());
        assert_eq!(all("po"), ["policy", "poweroff"]);
        assert_eq!(all("ps; run c"), ["compress", "chase"]);
        assert_eq!(all("run compress -"), ["-c", "-n", "--help"]);
        assert_eq!(all("log -l w"), ["warn"]);
        assert_eq!(all("run -c 1 h"), ["hash"]);
        assert_eq!(all("run -c 1 -n 2 h"), ["hash"]);
        assert_eq!(all("log -n 1 -l w"), ["warn"]);
        assert_eq!(all("stop "), ["3", "compress", "all"]);
        assert_eq!(all("policy set "), ["none", "static", "concept"]);
        assert_eq!(all("policy s"), ["show", "set"]);
        assert_eq!(all("profile record "), ["search"]);
        assert_eq!(all("roles 1 shadow,s"), ["shadow", "second-class"]);
        assert_eq!(all("help cr"), ["crash"]);
        for nothing in ["policy show ", "ps ", "ps # ru", "nonsense ", "run compress ", "migrate 3 "] {
            assert!(all(nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn adds_what_all_have_in_common() {
        assert_eq!(added("quar"), ("antine".to_string(), 1, true));
        assert_eq!(added("po"), (String::<1>::new().to_string(), 2, false));
        assert_eq!(added("run ch"), ("ase".to_string(), 1, true));
        assert_eq!(added("roles 1 con"), ("trol".to_string(), 1, false));
        assert_eq!(added("xyz"), (String::<1>::new().to_string(), 0, false));
    }

    proptest! {
        #[test]
        fn any_text_completes_to_a_candidate(text in "(run|roles|policy|log|stop| |;|#|-|[a-z,0-9é]){0,6}") {
            let completion = complete(&text, &Fake);
            let list = all(&text);
            prop_assert_eq!(list.len(), completion.count);
            let word = text.rsplit([' ', ';', ',']).next().unwrap_or("");
            if completion.whole {
                prop_assert_eq!(std::format!("{word}{}", completion.addition), list[0].as_str());
            }
            for candidate in list {
                prop_assert!(candidate.starts_with(&std::format!("{word}{}", completion.addition)), "{candidate}");
            }
        }

        #[test]
        fn no_text_panics(text in any::<std::string::String>()) {
            let _ = complete(&text, &Fake);
        }
    }
}
