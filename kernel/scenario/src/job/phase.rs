//! The order of the phases and the recipe of each.

use core::fmt;

use umbra_console::format::{Ns, Permille};
use umbra_control::machine::Share;

use super::series::Series;
use crate::plan::{BASELINE, DIVIDED_UNDER, Plan};
use crate::results::Results;
use crate::rig::{Reason, SECOND_MAX};

/// A part of the job. Numbers are places in the plan's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The first-class workload is prepared.
    Prepare,
    /// Its mean service time is taken, back to back.
    Calibrate,
    /// Its profile is recorded.
    Profile,
    /// It runs alone.
    Alone,
    /// It runs alone at another load.
    Load(usize),
    /// The second-class mix runs alone.
    SecondAlone,
    /// It runs beside one second-class workload.
    Pair(usize),
    /// It runs beside all of them under a policy.
    Policy(usize),
    /// It runs beside all of them, kept to a share.
    Divided(usize),
    /// Everything is stopped.
    Leave,
    /// There is no job.
    Over,
}

/// What a phase is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recipe {
    /// The policy in force.
    pub(super) policy: &'static str,
    /// Whether bursts are recorded as the profile.
    pub(super) profile: bool,
    company: [bool; SECOND_MAX],
    /// The bursts to serve, or none to watch second-class workloads.
    pub(super) series: Option<Series>,
    /// How long to watch.
    pub(super) watch_ns: u64,
    /// What second-class workloads are kept to.
    pub(super) share: Option<Share>,
}

impl Recipe {
    /// The second-class workloads to start, in order.
    pub(super) fn company(&self) -> impl Iterator<Item = usize> + use<> {
        let company = self.company;
        (0..SECOND_MAX).filter(move |second| company.get(*second) == Some(&true))
    }

    /// Whether there are any.
    pub(super) fn has_company(&self) -> bool {
        self.company().next().is_some()
    }
}

impl Phase {
    /// The phase after this one.
    pub(super) fn next(self, plan: &Plan) -> Self {
        match self {
            Self::Prepare => Self::Calibrate,
            Self::Calibrate => Self::Profile,
            Self::Profile => Self::Alone,
            Self::Alone => Self::load(0, plan),
            Self::Load(load) => Self::load(load + 1, plan),
            Self::SecondAlone if !plan.pairs => Self::policy(0, plan),
            Self::SecondAlone => Self::Pair(0),
            Self::Pair(second) if second + 1 < plan.second_class.len() => Self::Pair(second + 1),
            Self::Pair(_) => Self::policy(0, plan),
            Self::Policy(policy) => Self::policy(policy + 1, plan),
            Self::Divided(division) => Self::division(division + 1, plan),
            Self::Leave | Self::Over => Self::Over,
        }
    }

    /// The phase after this one has failed: nothing can be measured without a
    /// first-class workload or its rate.
    pub(super) fn after_failure(self, plan: &Plan) -> Self {
        match self {
            Self::Prepare | Self::Calibrate => Self::Leave,
            other => other.next(plan),
        }
    }

    fn load(load: usize, plan: &Plan) -> Self {
        if load < plan.loads_permille.len() {
            Self::Load(load)
        } else if plan.second_class.is_empty() {
            Self::policy(0, plan)
        } else {
            Self::SecondAlone
        }
    }

    fn policy(policy: usize, plan: &Plan) -> Self {
        if policy < plan.policies.len() { Self::Policy(policy) } else { Self::division(0, plan) }
    }

    fn division(division: usize, plan: &Plan) -> Self {
        if division < plan.divisions.len() { Self::Divided(division) } else { Self::Leave }
    }

    fn pairs(plan: &Plan) -> usize {
        if plan.pairs { plan.second_class.len() } else { 0 }
    }

    /// The number of the step before the first that has company.
    fn steps_alone(plan: &Plan) -> usize {
        4 + plan.loads_permille.len()
    }

    /// The number of the step before the first policy.
    fn steps_before_policies(plan: &Plan) -> usize {
        Self::steps_alone(plan) + usize::from(!plan.second_class.is_empty()) + Self::pairs(plan)
    }

    /// How many phases count as steps for the user.
    pub(super) fn steps(plan: &Plan) -> usize {
        Self::steps_before_policies(plan) + plan.policies.len() + plan.divisions.len()
    }

    /// Which step this is, from 1.
    pub(super) fn step(self, plan: &Plan) -> Option<usize> {
        match self {
            Self::Prepare => Some(1),
            Self::Calibrate => Some(2),
            Self::Profile => Some(3),
            Self::Alone => Some(4),
            Self::Load(load) => Some(5 + load),
            Self::SecondAlone => Some(Self::steps_alone(plan) + 1),
            Self::Pair(second) => Some(Self::steps_alone(plan) + 2 + second),
            Self::Policy(policy) => Some(Self::steps_before_policies(plan) + 1 + policy),
            Self::Divided(division) => {
                Some(Self::steps_before_policies(plan) + plan.policies.len() + 1 + division)
            }
            Self::Leave | Self::Over => None,
        }
    }

    /// What the phase is made of, given what has been measured so far.
    pub(super) fn recipe(self, results: &Results) -> Result<Recipe, Reason> {
        let plan = &results.plan;
        let alone = Recipe {
            policy: BASELINE,
            profile: false,
            company: [false; SECOND_MAX],
            series: Some(Series::at_load(results, plan.bursts)),
            watch_ns: 0,
            share: None,
        };
        Ok(match self {
            Self::Calibrate => {
                Recipe { series: Some(Series::back_to_back(plan.calibration_bursts)), ..alone }
            }
            Self::Profile => {
                Recipe { profile: true, series: Some(Series::at_load(results, plan.profile_bursts)), ..alone }
            }
            Self::Load(load) => {
                let load_permille = plan.loads_permille.get(load).copied().unwrap_or(plan.load_permille);
                Recipe { series: Some(Series::at(results, plan.bursts, load_permille)), ..alone }
            }
            Self::Divided(division) => Recipe {
                policy: DIVIDED_UNDER,
                company: all(results)?,
                share: plan.divisions.get(division).copied(),
                ..alone
            },
            Self::SecondAlone => Recipe {
                company: core::array::from_fn(|second| second < plan.second_class.len()),
                series: None,
                watch_ns: plan.second_class_alone_ns,
                ..alone
            },
            Self::Pair(second) => Recipe { company: one(results, second)?, ..alone },
            Self::Policy(policy) => Recipe {
                policy: plan.policies.get(policy).copied().unwrap_or(BASELINE),
                company: all(results)?,
                ..alone
            },
            Self::Prepare | Self::Alone | Self::Leave | Self::Over => alone,
        })
    }

    /// A few words, to begin a note with.
    pub(super) fn title(self, plan: &Plan) -> Title<'_> {
        Title { phase: self, plan }
    }

    /// A line that says what is done.
    pub(super) fn description(self, results: &Results) -> Description<'_> {
        Description { phase: self, results }
    }
}

fn one(results: &Results, second: usize) -> Result<[bool; SECOND_MAX], Reason> {
    if results.second_alone.get(second).is_none_or(Option::is_none) {
        return Err(Reason::new(format_args!("no figure of the second-class workload alone")));
    }
    Ok(core::array::from_fn(|other| other == second))
}

/// All that have been measured alone.
fn all(results: &Results) -> Result<[bool; SECOND_MAX], Reason> {
    let company = results.second_alone.map(|alone| alone.is_some());
    if !results.plan.second_class.is_empty() && !company.contains(&true) {
        return Err(Reason::new(format_args!("no figure of any second-class workload alone")));
    }
    Ok(company)
}

/// See [`Phase::title`].
pub(super) struct Title<'r> {
    phase: Phase,
    plan: &'r Plan,
}

impl fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |list: &[&'static str], place: usize| list.get(place).copied().unwrap_or_default();
        match self.phase {
            Phase::Prepare => f.write_str("prepare"),
            Phase::Calibrate => f.write_str("service time"),
            Phase::Profile => f.write_str("profile"),
            Phase::Alone => f.write_str("alone"),
            Phase::SecondAlone => f.write_str("second class alone"),
            Phase::Pair(second) => write!(f, "pair with {}", name(&self.plan.second_class, second)),
            Phase::Policy(policy) => write!(f, "policy {}", name(&self.plan.policies, policy)),
            Phase::Load(load) => {
                let load_permille = self.plan.loads_permille.get(load).copied().unwrap_or_default();
                write!(f, "alone at {} load", Permille(load_permille))
            }
            Phase::Divided(division) => match self.plan.divisions.get(division) {
                Some(Share { ways, percent }) => write!(f, "kept to {ways} ways and {percent} %"),
                None => f.write_str("kept to nothing"),
            },
            Phase::Leave | Phase::Over => f.write_str("end"),
        }
    }
}

/// See [`Phase::description`].
pub(super) struct Description<'r> {
    phase: Phase,
    results: &'r Results,
}

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.results.plan;
        let (first, title) = (plan.first_class, self.phase.title(plan));
        let (bursts, requests, load) = (plan.bursts, plan.requests, Permille(plan.load_permille));
        match self.phase {
            Phase::Prepare => write!(f, "{title}: {first} builds what it needs"),
            Phase::Calibrate => {
                write!(
                    f,
                    "{title}: {} bursts of {requests} requests back to back",
                    plan.calibration_bursts + 1
                )
            }
            Phase::Profile => {
                write!(f, "{title}: {} bursts of {requests} requests at {load} load", plan.profile_bursts)
            }
            Phase::Alone => write!(f, "{title}: {bursts} bursts of {requests} requests at {load} load"),
            Phase::SecondAlone => {
                let count = plan.second_class.len();
                write!(f, "{title}: {count} workloads for {}", Ns(plan.second_class_alone_ns))
            }
            Phase::Pair(_) | Phase::Load(_) | Phase::Divided(_) => write!(f, "{title}: {bursts} bursts"),
            Phase::Policy(_) => {
                let count = self.results.second_alone.iter().flatten().count();
                write!(f, "{title}: {bursts} bursts beside {count} second-class workloads")
            }
            Phase::Leave | Phase::Over => Ok(()),
        }
    }
}
