//! Ways of asking, and the one that is an attempt of its own: sending the same request again.
//!
//! A provider that is idempotent answers a repeated request with what became of the first. That is an
//! inquiry to teller, and a payment to a provider that has forgotten: so it is committed before it goes
//! out, it is the same bytes, and it goes out only as [`Transaction::may_resend`] allows. It may itself
//! become a ghost, so the ghost window starts anew with it.

use super::super::event::Effect;
use super::super::evidence::{Finding, Report, Source};
use super::super::policy::Way;
use super::super::record::Fact;
use super::super::state::{Errand, Repetition, State};
use super::super::time::Mono;
use super::super::timers::Timer;
use super::conclusion::{self, Claim};
use super::step::{Brings, Step};
use super::{Decision, Ignored, inquiry, pending};

#[cfg(doc)]
use super::super::state::Transaction;

/// How the provider can be asked about the last attempt now.
pub(super) fn way(step: &Step<'_>) -> Way {
    let asked = step.next.asked_about();
    let Some(attempt) = step.next.numbered(asked) else {
        // Nothing of ours went out that the provider could be asked about.
        return Way::Never;
    };
    // Only the last attempt's request is ever sent again.
    let is_last = asked == step.next.attempt_no();
    let ways = step.policy.inquiry;
    let way = match attempt.provider_reference {
        Some(_) => ways.with_reference,
        None => ways.without_reference,
    };
    match way {
        Way::Ask => Way::Ask,
        Way::Resend if is_last && repeats(step) => Way::Resend,
        Way::Resend | Way::Never => Way::Never,
    }
}

/// One repetition at a time: another one is not begun while the last has not come back.
fn repeats(step: &Step<'_>) -> bool {
    step.next.volatile.repetition == Repetition::Home && step.next.may_resend(step.now.wall)
}

/// The gate granted an inquiry: the request goes out again once that is durable.
pub(super) fn send_again(step: &mut Step<'_>) {
    let attempt = step.next.attempt_no();
    step.note(Fact::Resent { attempt }, Brings::default());
    step.move_window(step.now.mono);
    step.next.volatile.repetition = Repetition::Out;
    step.effect(Effect::Resend { attempt });
}

/// A request that was sent again came back. What it says of its own failure says nothing about the
/// first sending.
pub(super) fn answered(
    mut step: Step<'_>,
    attempt: u32,
    sent_at: Option<Mono>,
    report: Report,
) -> Result<Decision, Ignored> {
    let present = attempt == step.next.attempt_no();
    let repetition = std::mem::take(&mut step.next.volatile.repetition);
    if present && repetition == Repetition::Out {
        step.next.volatile.inquiry = Errand::Idle;
        step.disarm(Timer::InquiryOverdue);
    }
    step.came_home = present && repetition != Repetition::Home;
    step.next.volatile.last_asked = Some(sent_at.unwrap_or(step.now.mono));
    if let Some(sent_at) = sent_at.filter(|_| present) {
        step.move_window(sent_at);
    }
    let report = step.about(attempt, report);
    let (outcome, finding) = (report.finding.outcome(), report.finding.clone());
    let fact = Fact::Answered {
        attempt,
        report,
        resend: true,
        sent: step.lasting(sent_at.filter(|_| outcome.is_none())),
    };
    if let Some(outcome) = outcome {
        let attempt = inquiry::tells_attempts_apart(&step, attempt).then_some(attempt);
        let claim = Claim {
            outcome,
            source: Source::Answer,
            attempt,
        };
        return conclusion::conclude(step, claim, fact);
    }
    if finding == Finding::Pending
        && let Some(news) = pending::news(&step.next, attempt)
    {
        return pending::take(step, news, fact, attempt, sent_at);
    }
    if !present {
        return Err(Ignored::Stale);
    }
    match step.next.state {
        State::Unknown { .. } | State::Pending { .. } | State::InReview { .. } => {
            ask_again(&mut step, fact)
        }
        State::Accepted | State::Submitting { .. } | State::BackingOff { .. } => {
            return step.ignored(Ignored::Stale);
        }
        State::Completed | State::Declined | State::Failed => {
            return step.ignored(Ignored::Late);
        }
    }
    step.done()
}

fn ask_again(step: &mut Step<'_>, fact: Fact) {
    step.note(fact, Brings::default());
    step.bring_review_forward();
    if step.next.volatile.inquiry == Errand::Idle {
        step.arm_next_inquiry();
    }
}
