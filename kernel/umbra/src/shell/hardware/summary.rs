//! `hw`: everything detected, what is in use, and what stands in for the rest.

use core::fmt::{self, Display, Formatter};

use umbra_hw::pmu::{Counter, Design, Pmu};
use umbra_hw::rdt::{AbsoluteLimit, Allocation, Mba, Monitoring};

use super::bandwidth::InEffect;
use crate::hardware::hold::{self, Status};
use crate::hardware::{self, Hardware};
use crate::memory;
use crate::shell::page::Value;
use crate::shell::reply::{Reply, message};

/// `hw`.
#[inline(never)]
pub(in crate::shell) fn show(reply: Reply) {
    let found = hardware::the();
    let identity = &found.inventory.identity;
    let model = message(format_args!(
        "family {:#x}, model {:#x}, stepping {}, events of {:?}",
        identity.family, identity.model, identity.stepping, found.model
    ));
    let rdt = &found.rdt;
    let in_use = InUse(found);
    let (counters, monitoring) = (Announced(found.pmu.as_ref()), Announced(rdt.monitoring.as_ref()));
    let (level3, level2) = (Announced(rdt.l3.as_ref()), Announced(rdt.l2.as_ref()));
    let (throttle, limit) = (Announced(rdt.mba.as_ref()), Announced(rdt.bandwidth.as_ref()));
    let (slow, stand_in) = (Announced(rdt.slow_bandwidth.as_ref()), StandIn(found));
    let status = hold::status();
    let held = Held(&status);
    reply.show(|page| {
        page.facts(&[
            ("processor", "processor", Value::Text(identity.brand.as_str())),
            ("model", "model", Value::Shown(&model)),
            ("counters", "counters", Value::Shown(&counters)),
            ("  in use", "counters_in_use", Value::Shown(&in_use)),
            ("level 3 ways (CAT)", "l3_allocation", Value::Shown(&level3)),
            ("level 2 ways (CAT)", "l2_allocation", Value::Shown(&level2)),
            ("bandwidth throttle (MBA)", "bandwidth_throttle", Value::Shown(&throttle)),
            ("bandwidth limit (AMD)", "bandwidth_limit", Value::Shown(&limit)),
            ("slow-memory limit (AMD)", "slow_bandwidth_limit", Value::Shown(&slow)),
            ("monitoring (CMT, MBM)", "monitoring", Value::Shown(&monitoring)),
            ("division", "division", Value::Shown(&stand_in)),
            ("bandwidth held by", "bandwidth_held_by", Value::Shown(&held)),
        ])?;
        found.refusals.iter().try_for_each(|refusal| page.line(format_args!("problem: {refusal}")))
    });
}

/// What the processor announces of something, or that it does not.
struct Announced<'a, T>(Option<&'a T>);

impl<T: Describe> Display for Announced<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(there) => there.describe(f),
            None => f.write_str("absent"),
        }
    }
}

trait Describe {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result;
}

impl Describe for Pmu {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let design = match self.design {
            Design::Architectural => "architectural",
            Design::AmdCore => "AMD core",
            Design::AmdLegacy => "AMD legacy",
        };
        write!(
            f,
            "{design} version {}: {} general of {} bits",
            self.version,
            self.general_count(),
            self.general_bits
        )?;
        if self.fixed_count() > 0 {
            write!(f, ", {} fixed of {} bits", self.fixed_count(), self.fixed_bits)?;
        }
        self.l3.map_or(Ok(()), |l3| write!(f, ", {} of the level 3 cache", l3.count))
    }
}

impl Describe for Allocation {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let gaps = if self.rules.non_contiguous { "gaps allowed" } else { "in one piece" };
        let cdp = if self.cdp { ", code and data apart (CDP, off)" } else { "" };
        write!(f, "masks of {} bits {gaps}, {} classes{cdp}", self.rules.length, self.classes)?;
        if self.shareable != 0 {
            write!(f, ", {:#x} shared with devices", self.shareable)?;
        }
        Ok(())
    }
}

impl Describe for Mba {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.step_percent() {
            Some(step) => {
                write!(f, "down to {step} % in steps of {step} %, {} classes", self.classes)?;
            }
            None => write!(f, "not linear, up to {}, {} classes", self.max_throttle, self.classes)?,
        }
        f.write_str(if self.per_thread { ", per thread" } else { ", the slower thread of a core counts" })
    }
}

impl Describe for AbsoluteLimit {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let most_gb = self.unlimited() / 8;
        write!(f, "up to {most_gb} GB/s in steps of 1/8, {} classes", self.classes)
    }
}

impl Describe for Monitoring {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} RMIDs, {} bits in units of {} bytes:",
            u64::from(self.max_rmid) + 1,
            self.counter_bits,
            self.upscale
        )?;
        for (there, name) in [
            (self.occupancy, " occupancy"),
            (self.total, " total bandwidth"),
            (self.local, " local bandwidth"),
        ] {
            f.write_str(if there { name } else { "" })?;
        }
        Ok(())
    }
}

/// The counters that run, or why none do and what stands in.
struct InUse(&'static Hardware);

impl Display for InUse {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let base = match &self.0.base {
            Ok(base) => base,
            Err(why) => return write!(f, "none, {why}; the monitor takes cycles and what tasks report"),
        };
        let mut between = "";
        for (name, counter) in base.each() {
            write!(f, "{between}{name} by {}", Named(counter))?;
            between = ", ";
        }
        f.write_str(", read at each switch")
    }
}

/// A counter in words.
pub(super) struct Named(pub(super) Counter);

impl Display for Named {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Counter::General(index) => write!(f, "general {index}"),
            Counter::Fixed(index) => write!(f, "fixed {index}"),
            Counter::L3(index) => write!(f, "level 3 counter {index}"),
        }
    }
}

/// What holds second-class bandwidth now, or would.
struct Held<'s>(&'s Status);

impl Display for Held<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.acting.is_some() {
            return InEffect(self.0).fmt(f);
        }
        match hold::best() {
            Some(way) => write!(f, "nothing now; there is the {}", way.describe()),
            None => f.write_str("nothing, and there is no way"),
        }
    }
}

/// What divides caches and bandwidth here.
struct StandIn(&'static Hardware);

impl Display for StandIn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rdt = &self.0.rdt;
        let colours = memory::usage().map_or(1, |usage| usage.colours);
        match rdt.l3.or(rdt.l2) {
            Some(_) => f.write_str("caches by ways")?,
            None => write!(f, "caches by {colours} page colours, no ways")?,
        }
        f.write_str(match (rdt.mba, rdt.bandwidth) {
            (Some(_), _) => "; bandwidth by throttle",
            (None, Some(_)) => "; bandwidth by limit",
            (None, None) => "; bandwidth neither by throttle nor by limit",
        })?;
        f.write_str(if hardware::division::is_associating() {
            "; class and RMID follow the task"
        } else {
            ""
        })
    }
}
