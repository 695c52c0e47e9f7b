//! A token bucket on the monotonic clock.

use std::time::Duration;

use crate::transaction::Mono;

/// Grants that refill at a steady rate. It starts empty: after a restart nobody knows what was
/// spent just before, so nothing is assumed to be left.
#[derive(Debug)]
pub(super) struct Budget {
    per_second: f64,
    burst: f64,
    tokens: f64,
    as_of: Mono,
}

impl Budget {
    pub(super) fn empty(per_second: f64, burst: f64, now: Mono) -> Self {
        Self {
            per_second,
            burst: burst.max(1.0),
            tokens: 0.0,
            as_of: now,
        }
    }

    /// Takes one token, if there is one.
    pub(super) fn take(&mut self, now: Mono) -> bool {
        self.refill(now);
        let granted = self.tokens >= 1.0;
        if granted {
            self.tokens -= 1.0;
        }
        granted
    }

    /// Whether a token is there.
    pub(super) fn has(&mut self, now: Mono) -> bool {
        self.refill(now);
        self.tokens >= 1.0
    }

    /// When the next token will be there; `now` if one is.
    pub(super) fn next_at(&mut self, now: Mono) -> Mono {
        self.refill(now);
        let missing = (1.0 - self.tokens).max(0.0);
        if missing == 0.0 {
            return now;
        }
        // Rounded up to the clock's grain, or the waker would come a moment early, again and again.
        let wait_ms = (missing / self.per_second.max(f64::MIN_POSITIVE) * 1000.0)
            .ceil()
            .clamp(1.0, 1e12);
        now + Duration::from_millis(wait_ms as u64)
    }

    /// From now on it refills at another rate and saves up another amount; it is not refilled.
    pub(super) fn resize(&mut self, per_second: f64, burst: f64, now: Mono) {
        self.refill(now);
        self.per_second = per_second;
        self.burst = burst.max(1.0);
        self.tokens = self.tokens.min(self.burst);
    }

    /// Everything that was saved up is lost.
    pub(super) fn spill(&mut self, now: Mono) {
        self.refill(now);
        self.tokens = 0.0;
    }

    /// Whole tokens at hand.
    pub(super) fn left(&self) -> f64 {
        self.tokens.floor()
    }

    fn refill(&mut self, now: Mono) {
        let passed = now.since(self.as_of);
        self.as_of = self.as_of.max(now);
        self.tokens = (self.tokens + passed.as_secs_f64() * self.per_second).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_empty_and_never_grants_more_than_rate_and_burst() {
        let at = Mono::from_millis;
        let mut budget = Budget::empty(5.0, 5.0, at(0));
        assert!(!budget.take(at(0)), "a fresh bucket grants nothing");
        let granted = (0..10_000).filter(|ms| budget.take(at(*ms))).count();
        assert!(
            (49..=50).contains(&granted),
            "5 per second over 10 s, got {granted}"
        );
        let burst = (0..100).filter(|_| budget.take(at(100_000))).count();
        assert_eq!(burst, 5, "a long rest saves up no more than the burst");
    }

    #[test]
    fn the_next_token_is_there_when_promised() {
        let at = Mono::from_millis;
        let mut budget = Budget::empty(3.0, 1.0, at(0));
        let next = budget.next_at(at(0));
        assert!(budget.take(next));
        assert!(!budget.take(next));
    }
}
