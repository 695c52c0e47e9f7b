//! The circuit breaker of a provider: while it is down, work waits in the queue instead of failing.

use std::time::Duration;

use serde::Serialize;

use crate::transaction::Mono;

/// A pause is doubled at each failed probe, up to this many times the first.
const PAUSE_GROWTH_MAX: u32 = 8;

/// What the breaker lets through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Everything.
    Closed,
    /// Nothing.
    Open,
    /// One call, to see whether the provider is back.
    Probing,
}

#[derive(Debug)]
pub(super) struct Breaker {
    failures_to_open: u32,
    first_pause: Duration,
    failures: u32,
    pause: Duration,
    open_until: Option<Mono>,
    probe_out: bool,
    opened: u64,
}

impl Breaker {
    pub(super) fn new(failures_to_open: u32, first_pause: Duration) -> Self {
        Self {
            failures_to_open: failures_to_open.max(1),
            first_pause,
            failures: 0,
            pause: first_pause,
            open_until: None,
            probe_out: false,
            opened: 0,
        }
    }

    /// Whether a call may go out now. If the breaker is open and its pause over, this call is the
    /// probe: nothing else goes out until it is back.
    pub(super) fn admit(&mut self, now: Mono) -> bool {
        match self.open_until {
            None => true,
            Some(until) if now >= until && !self.probe_out => {
                self.probe_out = true;
                true
            }
            Some(_) => false,
        }
    }

    /// Whether [`Self::admit`] says no to everybody.
    pub(super) fn is_shut(&self, now: Mono) -> bool {
        self.open_until
            .is_some_and(|until| now < until || self.probe_out)
    }

    /// When [`Self::admit`] may say yes next; `None` while a probe is out.
    pub(super) fn next_at(&self, now: Mono) -> Option<Mono> {
        match self.open_until {
            None => Some(now),
            Some(_) if self.probe_out => None,
            Some(until) => Some(until),
        }
    }

    /// An admitted call was never made.
    pub(super) fn unused(&mut self) {
        self.probe_out = false;
    }

    /// A call came back. Any answer from a provider that works closes the breaker; a failure of a
    /// call that left before it opened says nothing new. Says whether it opened, or opened again.
    pub(super) fn came_back(&mut self, healthy: bool, probe: bool, now: Mono) -> bool {
        if healthy {
            self.failures = 0;
            self.pause = self.first_pause;
            self.open_until = None;
            self.probe_out = false;
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        if probe {
            self.probe_out = false;
            self.pause = (self.pause * 2).min(self.first_pause * PAUSE_GROWTH_MAX);
            self.open_until = Some(now + self.pause);
            true
        } else if self.open_until.is_none() && self.failures >= self.failures_to_open {
            self.opened += 1;
            self.open_until = Some(now + self.pause);
            true
        } else {
            false
        }
    }

    pub(super) fn is_probing(&self) -> bool {
        self.probe_out
    }

    pub(super) fn state(&self) -> BreakerState {
        match (self.open_until, self.probe_out) {
            (None, _) => BreakerState::Closed,
            (Some(_), true) => BreakerState::Probing,
            (Some(_), false) => BreakerState::Open,
        }
    }

    pub(super) fn open_until(&self) -> Option<Mono> {
        self.open_until
    }

    pub(super) fn times_opened(&self) -> u64 {
        self.opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Mono {
        Mono::from_millis(seconds * 1000)
    }

    #[test]
    fn opens_after_failures_in_a_row_and_lets_one_probe_through_after_the_pause() {
        let mut breaker = Breaker::new(3, PAUSE);
        breaker.came_back(false, false, at(0));
        breaker.came_back(true, false, at(0));
        breaker.came_back(false, false, at(0));
        breaker.came_back(false, false, at(0));
        assert!(
            breaker.admit(at(0)),
            "a success in between starts the count anew"
        );
        breaker.came_back(false, false, at(0));
        assert!(!breaker.admit(at(9)));
        assert!(breaker.admit(at(10)));
        assert!(!breaker.admit(at(10)), "one probe at a time");
        breaker.came_back(false, true, at(11));
        assert!(!breaker.admit(at(30)), "the pause doubled");
        assert!(breaker.admit(at(31)));
        breaker.came_back(true, true, at(32));
        assert!(breaker.admit(at(32)) && breaker.admit(at(32)));
    }

    #[test]
    fn it_is_shut_until_its_pause_is_over_and_again_while_the_probe_is_out() {
        let mut breaker = Breaker::new(1, PAUSE);
        assert!(!breaker.is_shut(at(0)));
        assert!(breaker.came_back(false, false, at(0)), "it opened");
        assert!(!breaker.came_back(false, false, at(1)), "nothing new");
        assert!(breaker.is_shut(at(9)) && !breaker.is_shut(at(10)));
        assert!(breaker.admit(at(10)) && breaker.is_shut(at(10)));
        assert!(breaker.came_back(false, true, at(11)), "it opened again");
        assert!(breaker.admit(at(31)));
        assert!(!breaker.came_back(true, true, at(32)) && !breaker.is_shut(at(32)));
    }

    #[test]
    fn a_probe_that_was_never_made_is_given_back() {
        let mut breaker = Breaker::new(1, PAUSE);
        breaker.came_back(false, false, at(0));
        assert!(breaker.admit(at(10)));
        breaker.unused();
        assert!(breaker.admit(at(10)));
    }
}
