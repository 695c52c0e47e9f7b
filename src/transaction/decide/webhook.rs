//! The provider calls us: as evidence where the profile trusts the webhook, else as a hint.

use super::super::evidence::{Finding, Report, Source};
use super::super::record::Fact;
use super::super::state::{Errand, State};
use super::super::timers::Timer;
use super::conclusion::{self, Claim};
use super::step::Step;
use super::{Decision, Ignored};

/// A trusted webhook came in.
pub(super) fn arrived(
    mut step: Step<'_>,
    attempt: Option<u32>,
    report: Report,
) -> Result<Decision, Ignored> {
    if let Some(outcome) = report.finding.outcome() {
        let claim = Claim {
            outcome,
            source: Source::Webhook,
            attempt,
        };
        return conclusion::conclude(step, claim, Fact::Webhook { attempt, report });
    }
    let present = step.next.attempt_no();
    if attempt.is_some_and(|attempt| attempt != present) {
        return Err(Ignored::Stale);
    }
    match step.next.state {
        State::Unknown { .. } => match report.finding {
            Finding::Pending => {
                step.enter_pending(Fact::Webhook { attempt, report }, present, None);
                step.done()
            }
            Finding::Completed
            | Finding::Declined
            | Finding::NotFound
            | Finding::NotExecuted { .. }
            | Finding::Unclear { .. } => Err(Ignored::Uninformative),
        },
        State::Accepted
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::BackingOff { .. }
        | State::InReview { .. } => Err(Ignored::Uninformative),
        State::Completed | State::Declined | State::Failed => Err(Ignored::Late),
    }
}

/// Somebody who can't prove who they are says that something happened: worth one early inquiry.
pub(super) fn hinted(mut step: Step<'_>) -> Result<Decision, Ignored> {
    match step.next.state {
        State::Pending { .. } | State::Unknown { .. } | State::InReview { .. } => {
            if step.next.volatile.inquiry != Errand::Idle {
                return Err(Ignored::Duplicate);
            }
            step.arm(Timer::Inquire, step.now.mono);
            step.done()
        }
        State::Accepted | State::Submitting { .. } | State::BackingOff { .. } => {
            Err(Ignored::Uninformative)
        }
        State::Completed | State::Declined | State::Failed => Err(Ignored::Late),
    }
}
