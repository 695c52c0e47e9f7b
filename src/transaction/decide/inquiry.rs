//! The provider is asked, and what its status report changes.

use std::time::Duration;

use super::super::attempts::{Attempt, Fate};
use super::super::event::Effect;
use super::super::evidence::{Finding, Report, Source};
use super::super::policy::Way;
use super::super::record::Fact;
use super::super::state::{Errand, Repetition, State};
use super::super::time::Mono;
use super::super::timers::Timer;
use super::conclusion::{self, Claim};
use super::step::Step;
use super::{Decision, Ignored, pending, resend, submission};

/// The gate granted an inquiry that this transaction queued for.
pub(super) fn permitted(mut step: Step<'_>, waited: Duration) -> Result<Decision, Ignored> {
    if step.next.volatile.inquiry != Errand::Queued {
        return Err(Ignored::Stale);
    }
    match step.next.state {
        State::Pending { .. } | State::Unknown { .. } | State::InReview { .. } => {
            let attempt = step.next.asked_about();
            step.next.volatile.held += waited;
            match resend::way(&step) {
                Way::Ask => step.effect(Effect::Inquire { attempt }),
                Way::Resend => resend::send_again(&mut step),
                // The time in which it could be sent again has passed while it queued.
                Way::Never => {
                    step.next.volatile.inquiry = Errand::Idle;
                    step.arm_next_inquiry();
                    return step.done();
                }
            }
            step.next.volatile.inquiry = Errand::Out;
            step.arm(
                Timer::InquiryOverdue,
                step.now.mono + step.policy.call_overdue_after,
            );
            step.done()
        }
        State::Accepted
        | State::Submitting { .. }
        | State::BackingOff { .. }
        | State::Completed
        | State::Declined
        | State::Failed => Err(Ignored::Stale),
    }
}

/// A status report came back.
pub(super) fn answered(
    mut step: Step<'_>,
    attempt: u32,
    sent_at: Mono,
    report: Report,
) -> Result<Decision, Ignored> {
    let present = attempt == step.next.attempt_no();
    // A report about an earlier attempt is one that had been given up: the present inquiry is still out.
    let asked = step.next.volatile.inquiry == Errand::Out
        && step.next.volatile.repetition != Repetition::Out;
    if asked && (present || attempt == step.next.asked_about()) {
        step.next.volatile.inquiry = Errand::Idle;
        step.disarm(Timer::InquiryOverdue);
        step.came_home = true;
    }
    step.next.volatile.last_asked = Some(sent_at);
    let report = step.about(attempt, report);
    let after_window = present
        && step
            .next
            .volatile
            .window_ends
            .is_some_and(|ends| sent_at >= ends);
    let proves_absence = after_window && absence_is_provable(&step);
    let outcome = report.finding.outcome();
    let finding = report.finding.clone();
    let fact = Fact::Inquired {
        attempt,
        report,
        after_window,
    };
    if let Some(outcome) = outcome {
        let attempt = tells_attempts_apart(&step, attempt).then_some(attempt);
        return conclusion::conclude(
            step,
            Claim {
                outcome,
                source: Source::Inquiry,
                attempt,
            },
            fact,
        );
    }
    if finding == Finding::Pending
        && let Some(news) = pending::news(&step.next, attempt)
    {
        return pending::take(step, news, fact, attempt, None);
    }
    if !present {
        // Of an earlier attempt only what decides counts; the next inquiry follows all the same.
        if step.came_home {
            ask_again(&mut step, fact);
        }
        return step.ignored(Ignored::Stale);
    }
    match step.next.state {
        State::Unknown { .. } => match finding {
            Finding::NotFound if proves_absence => submission::absent(&mut step, fact, attempt),
            Finding::NotFound
            | Finding::Pending
            | Finding::Unclear { .. }
            | Finding::NotExecuted { .. }
            | Finding::Completed
            | Finding::Declined => ask_again(&mut step, fact),
        },
        // The provider said that it has it. "Not found" after that is a riddle, not a proof.
        State::Pending { .. } => ask_again(&mut step, fact),
        State::InReview { .. } => {
            let never_seen = step.next.last_fate() == Some(Fate::Unknown);
            match finding {
                Finding::NotFound if proves_absence && never_seen => {
                    submission::absent(&mut step, fact, attempt)
                }
                Finding::NotFound
                | Finding::Pending
                | Finding::Unclear { .. }
                | Finding::NotExecuted { .. }
                | Finding::Completed
                | Finding::Declined => ask_again(&mut step, fact),
            }
        }
        State::Accepted | State::Submitting { .. } | State::BackingOff { .. } => {
            return Err(Ignored::Stale);
        }
        State::Completed | State::Declined | State::Failed => return Err(Ignored::Late),
    }
    step.done()
}

/// Whether "not found" can prove that the last attempt was never executed: not while a request of ours may
/// still leave, and not once the provider has shown that it has the attempt.
fn absence_is_provable(step: &Step<'_>) -> bool {
    let acknowledged = |attempt: &Attempt| attempt.is_acknowledged();
    !step.next.volatile.own_request_is_out() && !step.next.attempt().is_some_and(acknowledged)
}

fn ask_again(step: &mut Step<'_>, fact: Fact) {
    step.note_inconclusive(fact);
    step.bring_review_forward();
    if step.next.volatile.inquiry == Errand::Idle {
        step.arm_next_inquiry();
    }
}

/// Whether a report about this attempt's reference can only mean this attempt.
pub(super) fn tells_attempts_apart(step: &Step<'_>, attempt: u32) -> bool {
    step.next.numbered(attempt).is_some_and(|asked| {
        let attempts = step.next.attempts.iter();
        let same = attempts.filter(|other| other.intent.reference == asked.intent.reference);
        same.count() == 1
    })
}
