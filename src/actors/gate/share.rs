//! How much of the provider's limits this node may use, where several nodes share them.
//!
//! A share is leased: when its time is over and no other was granted, nothing goes out. A new one is
//! no refill: what was saved up under a larger share is cut to what the smaller one may save, and
//! after a time without any share the buckets are empty.

use crate::ports::Limits;
use crate::transaction::Mono;

use super::{Gate, GateState, HINT_SHARE};

/// What is lost when a fraction of a whole number is computed.
const ROUNDING: f64 = 1e-9;

/// A part of the limits, and until when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    fraction: f64,
    /// `None`: for ever.
    until: Option<Mono>,
}

impl Share {
    /// That of a node that is alone.
    pub(super) const WHOLE: Self = Self {
        fraction: 1.0,
        until: None,
    };

    /// How many of `limit` places it is; one at least, or a small share would stop everything.
    pub(super) fn places(&self, limit: u32) -> u32 {
        let part = f64::from(limit) * self.fraction + ROUNDING;
        (part as u32).clamp(1, limit.max(1))
    }

    fn is_over(&self, now: Mono) -> bool {
        self.fraction <= 0.0 || self.until.is_some_and(|until| now >= until)
    }
}

impl Gate {
    /// From now on and until `until` this node may use this part (0.0 to 1.0) of the provider's limits:
    /// of both rates, of what may be saved up, and of the places, of which one at least is left. Then
    /// nothing goes out until another share is granted. A gate that was never told has all of it for
    /// ever.
    pub fn grant_share(&self, fraction: f64, until: Mono) {
        let now = self.clock.mono();
        let mut state = self.lock();
        // What the old share earned until now, or until its end, is settled before the new one counts.
        state.has_share(now);
        state.share = Share {
            fraction: fraction.clamp(0.0, 1.0),
            until: Some(until),
        };
        state.resize_buckets(&self.limits, now);
        drop(state);
        self.changed.notify_one();
    }
}

impl GateState {
    /// Whether anything may go out at all. Once the share is over the buckets are emptied: others may
    /// have used it since.
    pub(super) fn has_share(&mut self, now: Mono) -> bool {
        let over = self.share.is_over(now);
        if over {
            let rate = self.submission_rate.iter_mut();
            rate.chain([&mut self.inquiry_budget, &mut self.hint_budget])
                .for_each(|bucket| bucket.spill(now));
        }
        !over
    }

    fn resize_buckets(&mut self, limits: &Limits, now: Mono) {
        let fraction = self.share.fraction;
        if let (Some(bucket), Some(rate)) =
            (&mut self.submission_rate, limits.submissions_per_second)
        {
            bucket.resize(rate * fraction, rate.max(1.0) * fraction, now);
        }
        let (rate, burst) = (
            limits.inquiries_per_second * fraction,
            f64::from(limits.inquiry_burst) * fraction,
        );
        self.inquiry_budget.resize(rate, burst, now);
        self.hint_budget
            .resize(rate * HINT_SHARE, burst * HINT_SHARE, now);
    }
}
