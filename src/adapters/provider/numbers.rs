//! A profile's numbers as the core and the gate use them, at the scale that time runs at.

use std::time::Duration;

use super::duration::TimeScale;
use super::profile::{Absence, AuthKind, InquiryMethod, ProfileFile};
use crate::adapters::notifier::LONGEST_DELIVERY;
use crate::ports::Limits;
use crate::transaction::{Inquiries, OnAbsence, Policy, Way};

/// How much longer than its time-out a call may be without a word before it counts as lost: a busy
/// machine must not be taken for a broken one.
const OVERDUE_SLACK: Duration = Duration::from_secs(10);
/// The slack at any scale: machines don't get faster with the rehearsal.
const OVERDUE_SLACK_MIN: Duration = Duration::from_secs(1);

/// The numbers that decisions depend on.
pub(super) fn policy(file: &ProfileFile, scale: TimeScale) -> Policy {
    let (ghost, schedule) = (&file.ghost, &file.schedule);
    let asking = file
        .lost
        .iter()
        .chain([&file.inquiry])
        .map(|one| one.time_out.0);
    let fetching = match file.auth.kind {
        AuthKind::Oauth2 => file.auth.token_time_out.0,
        AuthKind::None | AuthKind::Basic | AuthKind::Bearer | AuthKind::Headers => Duration::ZERO,
    };
    let slowest_call = asking
        .fold(file.submit.time_out.0, Duration::max)
        .max(LONGEST_DELIVERY)
        // Two in a row: one may wait for another's fetch that fails, and then try its own.
        + 2 * fetching;
    Policy {
        ghost_window: ghost.window.map(|window| scale.duration(window.0)),
        ghost_margin: scale.duration(ghost.margin.0),
        resend_safe_for: file.resend_safe_for.map(|safe| scale.duration(safe.0)),
        inquiry_gaps: schedule.inquiry_gaps.0,
        pending_ladder: schedule.pending.scaled(scale),
        retry_ladder: schedule.retry.scaled(scale),
        review_ladder: schedule.review.scaled(scale),
        review_after: scale.duration(schedule.review_after.0),
        pending_review_after: scale.duration(
            schedule
                .pending_review_after
                .as_ref()
                .unwrap_or(&schedule.review_after)
                .0,
        ),
        inquiry: Inquiries {
            with_reference: way(file.inquiry.method),
            without_reference: way(file.inquiry_for(false).method),
        },
        on_absence: match ghost.on_absence {
            Absence::Resubmit => OnAbsence::Resubmit,
            Absence::Fail => OnAbsence::Fail,
        },
        max_attempts: ghost.max_attempts.0,
        backoff_ladder: schedule.backoff.scaled(scale),
        submit_within: scale.duration(schedule.submit_within.0),
        call_overdue_after: scale.duration(slowest_call)
            + scale.duration(OVERDUE_SLACK).max(OVERDUE_SLACK_MIN),
        // The notifier says how an app is told.
        max_pause: Duration::ZERO,
        notify: None,
    }
}

fn way(method: InquiryMethod) -> Way {
    match method {
        InquiryMethod::Get | InquiryMethod::Post => Way::Ask,
        InquiryMethod::Resend => Way::Resend,
        InquiryMethod::None => Way::Never,
    }
}

/// What the gate lets through.
pub(super) fn limits(file: &ProfileFile, scale: TimeScale) -> Limits {
    let limits = &file.limits;
    Limits {
        submissions_at_once: limits.submissions_at_once.0,
        submissions_per_second: limits.submissions_per_second.map(|rate| scale.rate(rate.0)),
        inquiries_per_second: scale.rate(limits.inquiries_per_second.0),
        inquiry_burst: limits.inquiry_burst.0,
        inquiries_at_once: limits.inquiries_at_once.0,
        breaker_failures: limits.breaker_failures.0,
        breaker_pause: scale.duration(limits.breaker_pause.0),
    }
}
