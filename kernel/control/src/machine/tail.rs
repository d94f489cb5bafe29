//! Counts of a burst's answers that tell of its tail and of its beginning. The
//! first-class core keeps them as it answers: a few comparisons a request.

/// Answers that left little of the bound after which a request is late; late
/// ones are among them. Counts can be compared between any two moments, so the
/// tail of any period can be told from its slack, and no answer is missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Close {
    /// Left less than a fifth of it.
    pub fifth: u32,
    /// Left less than a tenth of it.
    pub tenth: u32,
    /// Left less than a twentieth of it.
    pub twentieth: u32,
}

impl Close {
    /// No answer.
    pub const NONE: Self = Self { fifth: 0, tenth: 0, twentieth: 0 };

    /// Takes in an answer that took `latency_ns` of `late_ns`.
    pub const fn answer(&mut self, latency_ns: u64, late_ns: u64) {
        let left_ns = late_ns.saturating_sub(latency_ns);
        self.fifth += (left_ns < late_ns / 5) as u32;
        self.tenth += (left_ns < late_ns / 10) as u32;
        self.twentieth += (left_ns < late_ns / 20) as u32;
    }
}

/// Requests of a burst that arrived soon after its release, among those
/// answered. What a policy does only once it has seen harm, it does after these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Early {
    /// Arrived within 100 microseconds.
    pub within_100us: u32,
    /// Of those late.
    pub late_within_100us: u32,
    /// Arrived within a millisecond, those above included.
    pub within_1ms: u32,
    /// Of those late.
    pub late_within_1ms: u32,
}

impl Early {
    /// No request.
    pub const NONE: Self = Self { within_100us: 0, late_within_100us: 0, within_1ms: 0, late_within_1ms: 0 };

    /// Adds another burst's.
    pub const fn add(&mut self, other: &Self) {
        self.within_100us = self.within_100us.saturating_add(other.within_100us);
        self.late_within_100us = self.late_within_100us.saturating_add(other.late_within_100us);
        self.within_1ms = self.within_1ms.saturating_add(other.within_1ms);
        self.late_within_1ms = self.late_within_1ms.saturating_add(other.late_within_1ms);
    }

    /// Takes in a request that arrived so long after the release.
    pub const fn answer(&mut self, after_release_ns: u64, late: bool) {
        if after_release_ns <= 1_000_000 {
            self.within_1ms += 1;
            self.late_within_1ms += late as u32;
        }
        if after_release_ns <= 100_000 {
            self.within_100us += 1;
            self.late_within_100us += late as u32;
        }
    }
}
