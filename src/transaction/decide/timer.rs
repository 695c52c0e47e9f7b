//! A timer was due.

use std::time::Duration;

use super::super::event::{DeliveryResult, Effect};
use super::super::evidence::Source;
use super::super::policy::Way;
use super::super::record::Fact;
use super::super::state::{Delivery, Errand, Repetition, ReviewReason, State};
use super::super::timers::Timer;
use super::step::{Brings, Step};
use super::{Decision, Ignored, dispute, notification, resend, submission};

/// While our own budget holds an inquiry back, the review deadline is looked at again after this.
const REVIEW_POSTPONED: Duration = Duration::from_mins(1);

pub(super) fn fired(mut step: Step<'_>, timer: Timer) -> Result<Decision, Ignored> {
    if step
        .next
        .volatile
        .timers
        .due(timer)
        .is_none_or(|due| due > step.now.mono)
    {
        return Err(Ignored::Stale);
    }
    step.disarm(timer);
    match timer {
        Timer::Submit => submit(step),
        Timer::Expire => expire(step),
        Timer::SubmissionOverdue => submission_overdue(step),
        Timer::Inquire => inquire(step),
        Timer::InquiryOverdue => inquiry_overdue(step),
        Timer::Review => review(step),
        Timer::Notify => notify(step),
        Timer::NotifyOverdue => notify_overdue(step),
    }
}

fn submit(mut step: Step<'_>) -> Result<Decision, Ignored> {
    match step.next.state {
        State::Accepted | State::BackingOff { .. } => {
            step.ask_to_submit();
            step.done()
        }
        State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::InReview { .. }
        | State::Completed
        | State::Declined
        | State::Failed => Err(Ignored::Stale),
    }
}

fn expire(mut step: Step<'_>) -> Result<Decision, Ignored> {
    match step.next.state {
        State::Accepted | State::BackingOff { .. } => {
            if step.now.wall < step.next.request.submit_by {
                // The wall clock was set back: the deadline is a wall time, so it has not come.
                step.arm_expiry();
                return step.done();
            }
            step.enter_failed(
                Fact::Expired,
                Source::Teller,
                submission::EXPIRED,
                Brings::default(),
            );
            step.done()
        }
        State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::InReview { .. }
        | State::Completed
        | State::Declined
        | State::Failed => Err(Ignored::Stale),
    }
}

fn submission_overdue(mut step: Step<'_>) -> Result<Decision, Ignored> {
    match step.next.state {
        State::Submitting { attempt } => {
            let why = "the call did not come back in time".to_owned();
            step.enter_unknown(Fact::AnswerLost { attempt, why }, attempt, None);
            step.done()
        }
        State::InReview { .. } => {
            dispute::lose_call_in_review(&mut step, "the call did not come back in time");
            step.done()
        }
        State::Accepted
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::BackingOff { .. }
        | State::Completed
        | State::Declined
        | State::Failed => Err(Ignored::Stale),
    }
}

fn inquire(mut step: Step<'_>) -> Result<Decision, Ignored> {
    match step.next.state {
        State::Pending { .. } | State::Unknown { .. } | State::InReview { .. } => {
            match (step.next.volatile.inquiry, resend::way(&step)) {
                (Errand::Idle, Way::Ask | Way::Resend) => {
                    step.next.volatile.inquiry = Errand::Queued;
                    step.effect(Effect::AskToInquire);
                }
                // The ladder goes on, because a reference may be learned meanwhile.
                (Errand::Idle, Way::Never) => step.arm_next_inquiry(),
                (Errand::Queued | Errand::Out, _) => {}
            }
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

fn inquiry_overdue(mut step: Step<'_>) -> Result<Decision, Ignored> {
    step.next.volatile.inquiry = Errand::Idle;
    if step.next.volatile.repetition == Repetition::Out {
        step.next.volatile.repetition = Repetition::GivenUp;
    }
    match step.next.state {
        State::Pending { .. } | State::Unknown { .. } | State::InReview { .. } => {
            step.arm_next_inquiry()
        }
        State::Accepted
        | State::Submitting { .. }
        | State::BackingOff { .. }
        | State::Completed
        | State::Declined
        | State::Failed => {}
    }
    step.done()
}

fn review(mut step: Step<'_>) -> Result<Decision, Ignored> {
    match step.next.state {
        State::Pending { .. } | State::Unknown { .. } => {
            let held = std::mem::take(&mut step.next.volatile.held);
            if !held.is_zero() {
                step.arm(Timer::Review, step.now.mono + held);
            } else if step.next.volatile.inquiry == Errand::Queued || asks_first(&step) {
                step.arm(
                    Timer::Review,
                    step.now.mono + REVIEW_POSTPONED.min(step.policy.review_after),
                );
            } else {
                let why =
                    "no evidence within the time that the profile allows for doubt".to_owned();
                step.enter_review(
                    Fact::ReviewOpened { why },
                    ReviewReason::Deadline,
                    Brings::default(),
                );
            }
            step.done()
        }
        State::Accepted
        | State::Submitting { .. }
        | State::BackingOff { .. }
        | State::InReview { .. }
        | State::Completed
        | State::Declined
        | State::Failed => Err(Ignored::Stale),
    }
}

/// Whether the provider is being asked for the first time since the deadline: while teller was away or stood
/// still it could not ask, and that is not the provider's doubt. An inquiry that is due rings before the
/// review. The report brings the review forward, whatever it says.
fn asks_first(step: &Step<'_>) -> bool {
    let (passed, allowed) = step.time_in_doubt();
    let deadline = step.now.mono - passed.saturating_sub(allowed);
    let volatile = &step.next.volatile;
    let asked_since = volatile.last_asked.is_some_and(|asked| asked >= deadline);
    volatile.inquiry == Errand::Out && !asked_since
}

fn notify(mut step: Step<'_>) -> Result<Decision, Ignored> {
    let open = step
        .next
        .notice
        .as_ref()
        .filter(|notice| notice.delivery == Delivery::Open)
        .map(|notice| notice.version);
    // A delivery of an older version that is still out is waited for; its return arms the timer again.
    if open.is_none() || step.next.volatile.delivery == Errand::Out {
        return step.done();
    }
    step.next.volatile.delivery = Errand::Out;
    step.next.volatile.telling = open;
    step.arm(
        Timer::NotifyOverdue,
        step.now.mono + step.policy.call_overdue_after,
    );
    step.effect(Effect::Notify);
    step.done()
}

fn notify_overdue(step: Step<'_>) -> Result<Decision, Ignored> {
    let Some(version) = step.next.volatile.telling else {
        return Err(Ignored::Stale);
    };
    let lost = DeliveryResult::failed("our own delivery did not come back in time");
    notification::answered(step, version, &lost)
}
