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
use super::super::state::{Errand, State};
use super::super::time::Mono;
use super::super::timers::Timer;
use super::conclusion::{self, Claim};
use super::step::{Brings, Step};
use super::{Decision, Ignored, inquiry};

#[cfg(doc)]
use super::super::state::Transaction;

/// How the provider can be asked about the last attempt now.
pub(super) fn way(step: &Step<'_>) -> Way {
    let Some(attempt) = step.next.attempt() else {
        // Nothing of ours went out that the provider could be asked about.
        return Way::Never;
    };
    let ways = step.policy.inquiry;
    let way = match attempt.provider_reference {
        Some(_) => ways.with_reference,
        None => ways.without_reference,
    };
    match way {
        Way::Ask => Way::Ask,
        Way::Resend if step.next.may_resend(step.now.wall) => Way::Resend,
        Way::Resend | Way::Never => Way::Never,
    }
}

/// The gate granted an inquiry: the request goes out again once that is durable.
pub(super) fn send_again(step: &mut Step<'_>) {
    let attempt = step.next.attempt_no();
    step.note(Fact::Resent { attempt }, Brings::default());
    restart_window(step, step.now.mono);
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
    if present && step.next.volatile.inquiry == Errand::Out {
        step.next.volatile.inquiry = Errand::Idle;
        step.disarm(Timer::InquiryOverdue);
        step.came_home = true;
    }
    step.next.volatile.last_asked = Some(sent_at.unwrap_or(step.now.mono));
    if let Some(sent_at) = sent_at.filter(|_| present) {
        restart_window(&mut step, sent_at);
    }
    let (outcome, finding) = (report.finding.outcome(), report.finding.clone());
    let fact = Fact::Answered {
        attempt,
        report,
        resend: true,
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
    if !present {
        return Err(Ignored::Stale);
    }
    match step.next.state {
        State::Unknown { .. } => match finding {
            Finding::Pending => step.enter_pending(fact, attempt, None),
            Finding::Completed
            | Finding::Declined
            | Finding::NotFound
            | Finding::NotExecuted { .. }
            | Finding::Unclear { .. } => ask_again(&mut step, fact),
        },
        State::Pending { .. } | State::InReview { .. } => ask_again(&mut step, fact),
        State::Accepted | State::Submitting { .. } | State::BackingOff { .. } => {
            return Err(Ignored::Stale);
        }
        State::Completed | State::Declined | State::Failed => return Err(Ignored::Late),
    }
    step.done()
}

fn ask_again(step: &mut Step<'_>, fact: Fact) {
    step.note(fact, Brings::default());
    if step.next.volatile.inquiry == Errand::Idle {
        step.arm_next_inquiry();
    }
}

/// The window of the last attempt ends a whole window after its last sending. Where none runs (it has
/// ended with the doubt, or the profile states none), none starts.
fn restart_window(step: &mut Step<'_>, sent_at: Mono) {
    let window = step
        .next
        .attempt()
        .and_then(|attempt| attempt.intent.window);
    let ends = &mut step.next.volatile.window_ends;
    if let (Some(window), Some(ends)) = (window, ends) {
        *ends = (*ends).max(sent_at + window.whole());
    }
}
