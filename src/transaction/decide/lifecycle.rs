//! The actor comes back without a memory of time, or is about to lose it.

use std::time::Duration;

use super::super::event::Effect;
use super::super::record::{DeliveryRecord, Fact};
use super::super::state::{Delivery, State, Volatile};
use super::super::timers::Timer;
use super::step::{Brings, Step};
use super::{Decision, Ignored, dispute};

const STOPPED: &str = "teller stopped while the request was out";

/// Rebuilt from the journal. What was in flight is unknown and asked about at once. Its ghost window
/// restarts in full, because it is not known when the request really left (law 3), or whether the former
/// life has noticed yet that it is over. Only a request that had come home, and of which it is written on a
/// timeline that still runs when it had left, keeps its window.
pub(super) fn recovered(mut step: Step<'_>) -> Result<Decision, Ignored> {
    step.next.volatile = Volatile::default();
    let passed = time_since_sending(&step);
    match step.next.state {
        State::Accepted => step.ask_to_submit(),
        State::Submitting { attempt } => {
            let why = STOPPED.to_owned();
            step.enter_unknown(Fact::AnswerLost { attempt, why }, attempt, None);
            step.arm(Timer::Inquire, step.now.mono);
        }
        State::Pending { .. } | State::Unknown { .. } => {
            step.start_doubt(None);
            step.arm(Timer::Inquire, step.now.mono);
        }
        State::InReview { .. } => {
            dispute::lose_call_in_review(&mut step, STOPPED);
            step.start_doubt(None);
            step.disarm(Timer::Review);
            step.arm(Timer::Inquire, step.now.mono);
        }
        State::BackingOff { attempt } => {
            let wait = step.policy.backoff(&step.next.key, attempt, 0);
            step.arm(Timer::Submit, step.now.mono + wait);
            step.arm_expiry();
        }
        State::Completed | State::Declined | State::Failed => {}
    }
    if let Some(ends) = &mut step.next.volatile.window_ends {
        *ends = match passed {
            Some(passed) => (*ends - passed).max(step.now.mono),
            None => *ends + step.policy.max_pause,
        };
    }
    // The former life may have ended between the commit that taught a reference and the claim.
    if step.next.is_open() && !step.next.provider_references().is_empty() {
        step.effect(Effect::ClaimInbox);
    }
    tell_again(&mut step);
    step.done()
}

/// How long ago the last attempt's last sending surely left, if that is known.
fn time_since_sending(step: &Step<'_>) -> Option<Duration> {
    let sent = step.next.attempt()?.sent?;
    step.now.lasting?.since(sent)
}

/// Goes on telling the app where the former life left off. A profile that was changed meanwhile may
/// have no delivery left for it: then it is given up, visibly, and not forgotten (laws 4 and 6).
fn tell_again(step: &mut Step<'_>) {
    let untold = step
        .next
        .notice
        .as_ref()
        .filter(|notice| notice.delivery == Delivery::Open)
        .map(|notice| (notice.version, notice.failures));
    let Some((told_version, failures)) = untold else {
        return;
    };
    step.arm_notification(failures);
    if step.next.volatile.timers.due(Timer::Notify).is_none() {
        let why = "the profile as it is now has no delivery left for it".to_owned();
        let delivery = DeliveryRecord::GivenUp { why };
        let fact = Fact::Notified {
            told_version,
            delivery,
            status: None,
            took_ms: None,
        };
        step.note(fact, Brings::default());
    }
}

/// The process stops: nobody will hear the answer that is still out.
pub(super) fn stopping(mut step: Step<'_>) -> Result<Decision, Ignored> {
    match step.next.state {
        State::Submitting { attempt } => {
            let why = "teller was stopped while the request was out".to_owned();
            step.enter_unknown(Fact::AnswerLost { attempt, why }, attempt, None);
            step.done()
        }
        State::Accepted
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::BackingOff { .. }
        | State::InReview { .. }
        | State::Completed
        | State::Declined
        | State::Failed => Err(Ignored::Uninformative),
    }
}
