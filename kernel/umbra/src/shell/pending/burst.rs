//! A burst that was asked for.

use umbra_console::format::Ns;
use umbra_control::machine::Stage;
use umbra_scenario::results::Latencies;

use crate::first_class::{self, State};
use crate::log_line;
use crate::machine::Machine;

/// A burst that has not been released after this long is worth a warning.
const PATIENCE_NS: u64 = 30_000_000_000;

/// The burst.
pub(crate) struct Awaited {
    number: u32,
    requests: u32,
    release_ns: u64,
    warned: bool,
}

impl Awaited {
    pub(crate) const fn new(number: u32, requests: u32, release_ns: u64) -> Self {
        Self { number, requests, release_ns, warned: false }
    }

    /// Tells of it once it has ended; true then.
    pub(super) fn advance(&mut self, now_ns: u64) -> bool {
        if first_class::state() != State::Ready {
            log_line!(Error, "burst: search is not there any more (see 'ps')");
            return true;
        }
        let burst = Machine.burst();
        if burst.number == self.number && burst.done {
            self.tell();
            return true;
        }
        let waited_ns = now_ns.saturating_sub(self.release_ns);
        if burst.number != self.number && waited_ns > PATIENCE_NS && !self.warned {
            self.warned = true;
            log_line!(Warn, "burst: still not released after {}", Ns(waited_ns));
        }
        false
    }

    fn tell(&self) {
        let burst = Machine.burst();
        let latencies = first_class::with_histogram(Latencies::of).flatten();
        let took = Ns(burst.ended_ns.saturating_sub(burst.released_ns));
        let (dedicated, interrupts) = first_class::disturbance();
        let core = if dedicated { "a dedicated" } else { "a shared" };
        log_line!(
            Info,
            "burst: {} of {} requests in {took} on {core} core, {} late, {interrupts} interrupts",
            burst.answered,
            self.requests,
            burst.late
        );
        if let Some(seen) = latencies {
            log_line!(
                Info,
                "burst: latency mean {}, p50 {}, p99 {}, worst {}",
                Ns(seen.mean_ns),
                OrDash(seen.p50_ns),
                OrDash(seen.p99_ns),
                Ns(seen.max_ns)
            );
        }
    }
}

/// A percentile, or `-` where there were too few requests for it.
struct OrDash(Option<u64>);

impl core::fmt::Display for OrDash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        umbra_console::format::Known(self.0.map(Ns)).fmt(f)
    }
}
