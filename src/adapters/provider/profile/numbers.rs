//! `[ghost]`, `[schedule]` and `[limits]`: the numbers.

use std::time::Duration;

use serde::Deserialize;

use super::words::{Positive, Rate};
use crate::adapters::provider::duration::{Ladder, Written};

/// `[ghost]`: what may become of an attempt that timed out for us.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Ghost {
    /// Left out if the provider states none; then absence is never proven.
    #[serde(default)]
    pub(in super::super) window: Option<Written>,
    #[serde(default = "margin")]
    pub(in super::super) margin: Written,
    pub(in super::super) on_absence: Absence,
    pub(in super::super) max_attempts: Positive,
}

/// What follows a proven absence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Absence {
    Resubmit,
    Fail,
}

/// `[schedule]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Schedule {
    pub(in super::super) inquiry_gaps: Positive,
    pub(in super::super) pending: Ladder,
    pub(in super::super) retry: Ladder,
    pub(in super::super) review: Ladder,
    pub(in super::super) review_after: Written,
    /// Left out: as long as `review_after`.
    pub(in super::super) pending_review_after: Option<Written>,
    pub(in super::super) backoff: Ladder,
    pub(in super::super) submit_within: Written,
}

impl Default for Schedule {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_hours(1);
        Self {
            inquiry_gaps: Positive(6),
            pending: Ladder::of_seconds(&[5, 5, 10, 20, 30, 60]),
            retry: Ladder::of_seconds(&[15, 30, 60, 120, 300]),
            review: Ladder::of_seconds(&[600, 3_600, 21_600, 86_400]),
            review_after: Written(HOUR),
            pending_review_after: None,
            backoff: Ladder::of_seconds(&[1, 2, 5, 10, 30, 60]),
            submit_within: Written(HOUR),
        }
    }
}

/// `[limits]`. The defaults are what any provider should bear.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct LimitsTable {
    pub(in super::super) submissions_at_once: Positive,
    pub(in super::super) submissions_per_second: Option<Rate>,
    pub(in super::super) inquiries_per_second: Rate,
    pub(in super::super) inquiry_burst: Positive,
    pub(in super::super) inquiries_at_once: Positive,
    pub(in super::super) breaker_failures: Positive,
    pub(in super::super) breaker_pause: Written,
}

impl Default for LimitsTable {
    fn default() -> Self {
        Self {
            submissions_at_once: Positive(100),
            submissions_per_second: None,
            inquiries_per_second: Rate(1.0),
            inquiry_burst: Positive(1),
            inquiries_at_once: Positive(4),
            breaker_failures: Positive(10),
            breaker_pause: Written(Duration::from_secs(10)),
        }
    }
}

fn margin() -> Written {
    Written(Duration::from_secs(1))
}
