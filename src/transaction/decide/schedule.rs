//! When the provider is asked next, when a person is asked, and when the app is told.

use std::time::Duration;

use super::super::policy::{Policy, Way};
use super::super::state::{Errand, State};
use super::super::time::Mono;
use super::super::timers::Timer;
use super::resend;
use super::step::Step;

impl Step<'_> {
    /// How long until a person is asked, and how long the profile allows in all. Both count from what is
    /// durable, so that restarts and changes of owner don't put it off.
    pub(super) fn time_until_review(&self) -> Duration {
        let (passed, allowed) = self.time_in_doubt();
        allowed.saturating_sub(passed)
    }

    /// A review that was put off until the provider was asked once more is due now.
    pub(super) fn bring_review_forward(&mut self) {
        let armed = self.next.volatile.timers.due(Timer::Review).is_some();
        if armed && self.time_until_review().is_zero() {
            self.arm(Timer::Review, self.now.mono);
        }
    }

    /// How long the last attempt has been in doubt, or pending at the provider, by the records; and how
    /// long it may be so before a person is asked.
    pub(super) fn time_in_doubt(&self) -> (Duration, Duration) {
        let attempt = self.next.attempt();
        let (since, allowed) = match self.next.state {
            State::Pending { .. } => (
                attempt.and_then(|attempt| attempt.pending_since),
                self.policy.pending_review_after,
            ),
            State::Accepted
            | State::Submitting { .. }
            | State::Unknown { .. }
            | State::BackingOff { .. }
            | State::InReview { .. }
            | State::Completed
            | State::Declined
            | State::Failed => (
                attempt.and_then(|attempt| attempt.doubt_since),
                self.policy.review_after,
            ),
        };
        let passed = since.map_or(Duration::ZERO, |since| self.now.wall.since(since));
        (passed, allowed)
    }

    /// Arms the next inquiry as the state's schedule says.
    pub(super) fn arm_next_inquiry(&mut self) {
        let due = match self.due_in_window() {
            Some(due) => due,
            None => {
                let wait = Policy::step(self.ladder(), self.next.volatile.rung);
                self.next.volatile.rung = self.next.volatile.rung.saturating_add(1);
                self.now.mono + wait
            }
        };
        self.arm(Timer::Inquire, due);
    }

    /// In doubt with a ghost window: the next gap in it, or, once it is over and nobody has asked
    /// since, at once, because the next "not found" is a proof. `None`: a ladder decides, as it does for
    /// those who can't say "not found".
    fn due_in_window(&self) -> Option<Mono> {
        let (now, volatile) = (self.now.mono, &self.next.volatile);
        let (State::Unknown { .. }, Way::Ask) = (self.next.state, resend::way(self)) else {
            return None;
        };
        let (since, ends) = (volatile.doubt_since?, volatile.window_ends?);
        if now < ends {
            return Some(equal_gap(since, ends, self.policy.inquiry_gaps, now));
        }
        let asked_since = volatile.last_asked.is_some_and(|asked| asked >= ends);
        (!asked_since && volatile.inquiry == Errand::Idle).then_some(now)
    }

    /// The ladder of waits that the state stands on.
    fn ladder(&self) -> &[Duration] {
        match self.next.state {
            State::InReview { .. } => &self.policy.review_ladder,
            State::Unknown { .. } if self.next.volatile.window_ends.is_some() => {
                &self.policy.retry_ladder
            }
            State::Unknown { .. }
            | State::Pending { .. }
            | State::Accepted
            | State::Submitting { .. }
            | State::BackingOff { .. }
            | State::Completed
            | State::Declined
            | State::Failed => &self.policy.pending_ladder,
        }
    }

    /// Arms the delivery number `delivery` (from 0) of the present notice; nothing when the schedule
    /// is used up, which the caller has recorded then.
    pub(super) fn arm_notification(&mut self, delivery: u32) {
        let wait = self
            .policy
            .notify
            .as_ref()
            .and_then(|notify| notify.wait(&self.next.key, delivery));
        if let Some(wait) = wait {
            self.arm(Timer::Notify, self.now.mono + wait);
        }
    }
}

/// The first of `gaps` equally spaced moments in (`since`, `ends`] that lies after `now`; the last is
/// `ends` itself, the first moment at which "not found" proves something.
fn equal_gap(since: Mono, ends: Mono, gaps: u32, now: Mono) -> Mono {
    let whole = ends.since(since);
    let mut inner = (1..gaps).map(|n| since + whole * n / gaps);
    // Compared as the clock counts, in whole milliseconds: an inquiry that is answered within the
    // millisecond of its gap must not be followed by another for the same gap.
    inner.find(|&due| due > now).unwrap_or(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_equal_and_end_exactly_with_the_window() {
        let at = Mono::from_millis;
        let (since, ends) = (at(30_000), at(120_000));
        let mut now = since;
        let mut seen = Vec::new();
        while now < ends {
            now = equal_gap(since, ends, 6, now);
            seen.push(now.as_millis());
        }
        assert_eq!(seen, [45_000, 60_000, 75_000, 90_000, 105_000, 120_000]);
    }

    #[test]
    fn a_late_inquiry_skips_the_gaps_that_have_passed() {
        let at = Mono::from_millis;
        assert_eq!(equal_gap(at(0), at(90), 6, at(44)), at(45));
        assert_eq!(equal_gap(at(0), at(90), 6, at(46)), at(60));
        assert_eq!(equal_gap(at(0), at(90), 6, at(89)), at(90));
    }

    #[test]
    fn a_gap_that_is_no_whole_millisecond_is_not_asked_about_twice() {
        let at = Mono::from_millis;
        let first = equal_gap(at(0), at(100), 7, at(0));
        assert_eq!(first, at(14));
        assert_eq!(equal_gap(at(0), at(100), 7, first), at(28));
    }
}
