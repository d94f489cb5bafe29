//! What is compared: every load beside every mix with every seed. The policies
//! are not a dimension of their own here, since one boot compares them all
//! against the same figures alone.

use anyhow::{Result, bail};

/// The mix of the main job.
const MAIN: &str = "main";
const MAIN_MIX: [&str; 5] = ["compress", "hash", "stream", "chase", "matrix"];
/// Antagonists, and what each presses on.
pub(crate) const ANTAGONISTS: [(&str, &str); 6] = [
    ("llc", "capacity of the shared cache"),
    ("read", "read bandwidth"),
    ("write", "write bandwidth"),
    ("writeback", "buffers of lines written back"),
    ("sibling", "the core's own caches, from its other thread"),
    ("phases", "memory and arithmetic in turn"),
];
/// Most second-class tasks that one run takes.
const MOST_TASKS: usize = 8;

/// One second-class mix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mix {
    /// As the user names it.
    pub(crate) name: String,
    /// The workloads to start, in order, one for each core that takes them.
    pub(crate) workloads: Vec<&'static str>,
}

impl Mix {
    /// `main`, or antagonists joined by `+`, repeated until each of `cores`
    /// has one.
    ///
    /// # Errors
    /// One line that says which names there are.
    pub(crate) fn named(name: &str, cores: usize) -> Result<Self> {
        if name == MAIN {
            return Ok(Self { name: name.to_owned(), workloads: MAIN_MIX.to_vec() });
        }
        let mut parts = Vec::new();
        for part in name.split('+') {
            match ANTAGONISTS.iter().map(|(known, _)| *known).chain(MAIN_MIX).find(|known| *known == part) {
                Some(known) => parts.push(known),
                None => {
                    bail!(
                        "there is no second-class mix {part:?}: expected main, or with + between: {}",
                        names()
                    )
                }
            }
        }
        let count = cores.max(parts.len());
        if count > MOST_TASKS {
            bail!("the mix {name:?} is of {count} tasks: expected at most {MOST_TASKS}");
        }
        Ok(Self { name: name.to_owned(), workloads: parts.into_iter().cycle().take(count).collect() })
    }
}

fn names() -> String {
    let names: Vec<_> = ANTAGONISTS.iter().map(|(name, _)| *name).chain(MAIN_MIX).collect();
    names.join(", ")
}

/// One boot of the matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Its place in the mix list.
    pub(crate) mix: Mix,
    /// Load as a share of the knee's.
    pub(crate) knee_percent: u32,
    /// The same as a share of what the first-class workload can serve alone.
    pub(crate) load_permille: u32,
    /// Seed of arrivals.
    pub(crate) seed: u64,
}

impl Key {
    /// A few words.
    pub(crate) fn title(&self) -> String {
        format!("{} at {} % of the knee, seed {}", self.mix.name, self.knee_percent, self.seed)
    }
}

/// All boots: seeds outside, so that one whole comparison is there first; then
/// mixes, then loads.
pub(crate) fn keys(mixes: &[Mix], loads_percent: &[u32], knee_permille: u32, seeds: &[u64]) -> Vec<Key> {
    let mut keys = Vec::new();
    for seed in seeds {
        for mix in mixes {
            for knee_percent in loads_percent {
                keys.push(Key {
                    mix: mix.clone(),
                    knee_percent: *knee_percent,
                    load_permille: (knee_permille * knee_percent / 100).clamp(1, 1000),
                    seed: *seed,
                });
            }
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_fills_the_cores() {
        let workloads = |name, cores| Mix::named(name, cores).expect("known").workloads;
        assert_eq!(workloads("llc", 3), ["llc", "llc", "llc"]);
        assert_eq!(workloads("read+write", 3), ["read", "write", "read"]);
        assert_eq!(workloads("main", 3), MAIN_MIX);
        assert_eq!(workloads("llc+read+write", 1), ["llc", "read", "write"]);
    }

    #[test]
    fn what_is_no_mix_gets_one_line() {
        for bad in ["", "llcc", "llc+", "llc main", "main+llc"] {
            let error = Mix::named(bad, 3).expect_err(bad).to_string();
            assert!(
                error.starts_with("there is no second-class mix") && error.lines().count() == 1,
                "{error}"
            );
        }
        assert!(Mix::named("llc", 9).is_err());
    }

    #[test]
    fn one_whole_comparison_comes_first() {
        let mixes = [Mix::named("llc", 3).expect("known"), Mix::named("read", 3).expect("known")];
        let keys = keys(&mixes, &[10, 90], 800, &[1, 2]);
        let order: Vec<_> =
            keys.iter().map(|key| (key.seed, key.mix.name.as_str(), key.load_permille)).collect();
        let expected = [
            (1, "llc", 80),
            (1, "llc", 720),
            (1, "read", 80),
            (1, "read", 720),
            (2, "llc", 80),
            (2, "llc", 720),
            (2, "read", 80),
            (2, "read", 720),
        ];
        assert_eq!(order, expected);
        assert_eq!(keys[1].title(), "llc at 90 % of the knee, seed 1");
    }
}
