//! A shadow or an echo that was asked for.

use umbra_console::format::{Bytes, Count, Ns};
use umbra_control::line::Stats;
use umbra_control::machine::{AsideProgress, Stage};

use crate::control::with_line;
use crate::{log_line, time};

/// Longest it is waited for.
const PATIENCE_NS: u64 = 15_000_000_000;

/// One of them.
pub(crate) struct Wish {
    /// How many of its kind had ended when it was asked for.
    ended: u32,
    since_ns: u64,
}

/// Shadows that ended, well or not.
pub(crate) const fn shadows(stats: &Stats) -> u32 {
    stats.shadows.wrapping_add(stats.shadows_cut)
}

impl Wish {
    pub(crate) const fn new(ended: u32, since_ns: u64) -> Self {
        Self { ended, since_ns }
    }

    /// Tells of the shadow once it has ended; true then, or when it is not
    /// waited for any more.
    pub(super) fn shadow_is_over(&self, now_ns: u64) -> bool {
        let Some((ended, ran, felt)) =
            with_line(|line, machine| (shadows(line.stats()), machine.shadow(), line.shadow_demand()))
        else {
            return true;
        };
        if ended == self.ended {
            return self.is_lost("shadow", now_ns);
        }
        let AsideProgress { counts, over_budget, .. } = ran;
        let how = if over_budget { "was cut off" } else { "has run" };
        let took = Ns(time::cycles_to_ns(counts.cycles));
        match felt {
            Some(felt) => log_line!(
                Info,
                "shadow: {how} for {took}: foresees {}.{} % of a core, {}/s read, {}/s written",
                felt.cpu_permille / 10,
                felt.cpu_permille % 10,
                Bytes(felt.read_bytes_per_s),
                Bytes(felt.write_bytes_per_s)
            ),
            None => log_line!(Info, "shadow: {how} for {took}"),
        }
        true
    }

    /// The same for an echo.
    pub(super) fn echo_is_over(&self, now_ns: u64) -> bool {
        let Some((ended, ran, correction)) =
            with_line(|line, machine| (line.stats().echoes, machine.echo(), *line.correction()))
        else {
            return true;
        };
        if ended == self.ended {
            return self.is_lost("echo", now_ns);
        }
        let counts = ran.counts;
        let each = time::cycles_to_ns(counts.cycles).checked_div(counts.units).unwrap_or(0);
        log_line!(
            Info,
            "echo: {} requests, {} each, {} read, {} random accesses; the shadow is corrected by {} (cycles), {} (reads)",
            counts.units,
            Ns(each),
            Bytes(counts.read_bytes),
            Count(counts.random_accesses),
            umbra_console::format::Ratio(u64::from(correction.cycles_q16)),
            umbra_console::format::Ratio(u64::from(correction.read_q16))
        );
        true
    }

    fn is_lost(&self, what: &str, now_ns: u64) -> bool {
        let lost = now_ns.saturating_sub(self.since_ns) >= PATIENCE_NS;
        if lost {
            log_line!(Warn, "{what}: none has run in {}", Ns(PATIENCE_NS));
        }
        lost
    }
}
