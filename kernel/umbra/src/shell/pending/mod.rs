//! What commands have begun and what is still to be told about it.
//!
//! Nobody waits: each piece is looked at once a round, and its end becomes a
//! line of the log, so that it can be read again.

pub(super) mod burst;
pub(super) mod quarantine;
pub(super) mod start;
mod stops;
pub(super) mod wish;

use heapless::Deque;

use burst::Awaited;
use quarantine::Preparing;
use start::Start;
use stops::Stops;
use wish::Wish;

/// `run` commands that can be under way.
const STARTS: usize = 4;

/// All of it.
pub(super) struct Pending {
    starts: Deque<Start, STARTS>,
    pub(super) stops: Stops,
    pub(super) burst: Option<Awaited>,
    pub(super) shadow: Option<Wish>,
    pub(super) echo: Option<Wish>,
    pub(super) quarantine: Option<Preparing>,
}

impl Pending {
    pub(super) const fn new() -> Self {
        Self {
            starts: Deque::new(),
            stops: Stops::new(),
            burst: None,
            shadow: None,
            echo: None,
            quarantine: None,
        }
    }

    /// Takes in the rest of a `run`; false when there are too many already.
    pub(super) fn start(&mut self, start: Start) -> bool {
        self.starts.push_back(start).is_ok()
    }

    /// Looks at everything once. True when a plan was made that is to be
    /// shown.
    pub(super) fn advance(&mut self, now_ns: u64) -> bool {
        self.advance_starts();
        self.stops.advance(now_ns);
        if self.burst.as_mut().is_some_and(|burst| burst.advance(now_ns)) {
            self.burst = None;
        }
        if self.shadow.as_ref().is_some_and(|wish| wish.shadow_is_over(now_ns)) {
            self.shadow = None;
        }
        if self.echo.as_ref().is_some_and(|wish| wish.echo_is_over(now_ns)) {
            self.echo = None;
        }
        let made = self.quarantine.as_mut().and_then(|preparing| preparing.advance(now_ns));
        if made.is_some() {
            self.quarantine = None;
        }
        made == Some(quarantine::End::Planned)
    }

    /// One stretch of the first `run` that is not through.
    fn advance_starts(&mut self) {
        let Some(start) = self.starts.front_mut() else { return };
        start.advance();
        if start.is_over() {
            start.tell();
            self.starts.pop_front();
        }
    }
}
