//! `burst`: one first-class burst through the whole line, now.

use umbra_console::format::Ns;
use umbra_control::machine::{Burst, Stage};

use super::pending::Pending;
use super::pending::burst::Awaited;
use super::reply::{Message, Reply, message};
use crate::control::with_line;
use crate::first_class::{self, State};
use crate::machine::Machine;
use crate::schedule::TICK_NS;

/// Requests unless said otherwise.
const REQUESTS: u32 = 64;
/// Numbers of the console's bursts begin above those of any job, so that
/// neither takes the other's for its own.
const FIRST_NUMBER: u32 = 1 << 24;

/// How bursts are paced and judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    mean_gap_ns: u64,
    late_ns: u64,
}

impl Load {
    /// Until the main job has measured what a request takes.
    pub(super) const UNMEASURED: Self = Self { mean_gap_ns: 2_000_000, late_ns: 10_000_000 };

    /// As the main job found it.
    pub(super) const fn measured(mean_gap_ns: u64, late_ns: u64) -> Self {
        Self { mean_gap_ns, late_ns }
    }
}

/// `burst [REQUESTS]`.
#[inline(never)]
pub(super) fn run(reply: Reply, pending: &mut Pending, load: Load, requests: Option<u32>) {
    match release(pending, load, requests, reply.now_ns) {
        Ok(announced) => reply.done(format_args!("{announced}")),
        Err(error) => reply.fail(&error),
    }
}

/// Announces a burst as early as the policy wants it, and says so.
pub(super) fn release(
    pending: &mut Pending,
    load: Load,
    requests: Option<u32>,
    now_ns: u64,
) -> Result<Message, Message> {
    ready()?;
    if pending.burst.is_some() {
        return Err(message(format_args!("the burst before has not ended yet")));
    }
    let number = Machine.burst().number.wrapping_add(1).max(FIRST_NUMBER);
    let requests = requests.unwrap_or(REQUESTS);
    let burst = Burst {
        number,
        first_unit: u64::from(number.wrapping_sub(FIRST_NUMBER)).wrapping_mul(u64::from(requests)),
        requests,
        mean_gap_ns: load.mean_gap_ns,
        seed: u64::from(number),
        late_ns: load.late_ns,
    };
    let scheduled = with_line(|line, _| {
        let release_ns = now_ns.saturating_add(line.horizon_ns()).saturating_add(2 * TICK_NS);
        line.schedule(burst, release_ns).map(|()| release_ns)
    });
    match scheduled {
        Some(Ok(release_ns)) => {
            pending.burst = Some(Awaited::new(number, requests, release_ns));
            Ok(message(format_args!(
                "a burst of {requests} requests in {}, {} apart in the mean, late above {}",
                Ns(release_ns.saturating_sub(now_ns)),
                Ns(load.mean_gap_ns),
                Ns(load.late_ns)
            )))
        }
        Some(Err(error)) => Err(message(format_args!("{error}"))),
        None => Err(message(format_args!("the line is not there"))),
    }
}

/// Whether the first-class workload can serve.
pub(super) fn ready() -> Result<(), Message> {
    let problem = match first_class::state() {
        State::Ready => return Ok(()),
        State::Absent => "there is no corpus in the ramdisk to search",
        State::Preparing => "search is still building its index",
        State::Failed => "search could not be prepared or has faulted (see 'log' and 'ps')",
    };
    Err(message(format_args!("{problem}")))
}
