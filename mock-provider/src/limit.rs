//! The limit on inquiries: a token bucket, and a block for those who don't listen.
//!
//! Pure: it is told the unscaled time.

use std::time::Duration;

/// How many inquiries over the limit are answered 429, after the first, before the client is blocked.
const PATIENCE: u32 = 10;

/// How long a block lasts, and how long one has to behave until earlier excesses are forgotten;
/// unscaled.
const BLOCK_MS: u64 = 60_000;

/// What the limit says to one inquiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// Over the limit; a token will be there in so many unscaled ms.
    TooMany {
        retry_after_ms: u64,
    },
    /// Blocked for so many more unscaled ms.
    Blocked {
        retry_after_ms: u64,
    },
}

/// One bucket for all clients: to the provider they are one merchant.
#[derive(Debug, Clone)]
pub(crate) struct StatusLimit {
    per_second: f64,
    burst: f64,
    tokens: f64,
    at_ms: u64,
    strikes: u32,
    last_strike_ms: u64,
    blocked_until_ms: u64,
}

impl StatusLimit {
    /// `per_second` is positive and finite.
    pub(crate) fn new(per_second: f64) -> Self {
        let burst = per_second.ceil().max(1.0);
        Self {
            per_second,
            burst,
            tokens: burst,
            at_ms: 0,
            strikes: 0,
            last_strike_ms: 0,
            blocked_until_ms: 0,
        }
    }

    pub(crate) fn ask(&mut self, now_ms: u64) -> Verdict {
        if now_ms < self.blocked_until_ms {
            return Verdict::Blocked {
                retry_after_ms: self.blocked_until_ms - now_ms,
            };
        }
        let passed_s = now_ms.saturating_sub(self.at_ms) as f64 / 1_000.0;
        self.at_ms = now_ms;
        self.tokens = (self.tokens + passed_s * self.per_second).min(self.burst);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Verdict::Pass;
        }
        if now_ms.saturating_sub(self.last_strike_ms) > BLOCK_MS {
            self.strikes = 0;
        }
        self.strikes += 1;
        self.last_strike_ms = now_ms;
        if self.strikes > PATIENCE {
            self.strikes = 0;
            self.blocked_until_ms = now_ms + BLOCK_MS;
        }
        Verdict::TooMany {
            retry_after_ms: ((1.0 - self.tokens) / self.per_second * 1_000.0).ceil() as u64,
        }
    }
}

/// A wait as `Retry-After` says it: whole seconds, at least one.
pub(crate) fn retry_after_s(wait: Duration) -> u64 {
    wait.as_secs_f64().ceil().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::{StatusLimit, Verdict};

    #[test]
    fn the_rate_passes_for_ever() {
        let mut limit = StatusLimit::new(2.0);
        for n in 0..1_000 {
            assert_eq!(limit.ask(n * 500), Verdict::Pass, "inquiry {n}");
        }
    }

    #[test]
    fn a_slow_rate_still_lets_one_through() {
        let mut limit = StatusLimit::new(0.1);
        assert_eq!(limit.ask(0), Verdict::Pass);
        let retry_after_ms = 10_000;
        assert_eq!(limit.ask(0), Verdict::TooMany { retry_after_ms });
        assert_eq!(limit.ask(10_000), Verdict::Pass);
    }

    #[test]
    fn who_does_not_listen_is_blocked_for_a_minute() {
        let mut limit = StatusLimit::new(1.0);
        assert_eq!(limit.ask(0), Verdict::Pass);
        for n in 0..11 {
            assert!(
                matches!(limit.ask(0), Verdict::TooMany { .. }),
                "over the limit {n}"
            );
        }
        let retry_after_ms = 60_000;
        assert_eq!(limit.ask(0), Verdict::Blocked { retry_after_ms });
        assert_eq!(limit.ask(59_999), Verdict::Blocked { retry_after_ms: 1 });
        assert_eq!(limit.ask(60_000), Verdict::Pass);
    }

    /// Asks five times too often every `period_ms` and says whether that ends in a block.
    fn ends_in_a_block(period_ms: u64) -> bool {
        let mut limit = StatusLimit::new(1.0);
        (0..100)
            .flat_map(|round| [round * period_ms; 6])
            .any(|now_ms| matches!(limit.ask(now_ms), Verdict::Blocked { .. }))
    }

    #[test]
    fn patience_comes_back_after_a_minute() {
        assert!(ends_in_a_block(60_000));
        assert!(!ends_in_a_block(60_001));
    }
}
