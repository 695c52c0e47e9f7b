//! What follows from an event: one file per kind of thing that can happen.
//!
//! Every file matches events and states exhaustively, without `_`: a new state or event does not
//! compile until each pair is decided. What is not expected is a value ([`Ignored`]), not a panic.

mod accept;
mod act;
mod conclusion;
mod dispute;
mod inquiry;
mod lifecycle;
mod notification;
mod pending;
mod resend;
mod schedule;
mod step;
mod submission;
mod timer;
mod webhook;

pub use accept::{Acceptance, accept};
use step::Step;

use super::event::{Effect, Event};
use super::policy::Policy;
use super::record::Record;
use super::state::Transaction;
use super::time::{Mono, Now};
use super::timers::Timer;

/// What to do about an event: commit, then become `next`, then perform.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision {
    /// To be made durable in one commit. Empty when only timers moved.
    pub records: Vec<Record>,
    /// The transaction afterwards.
    pub next: Transaction,
    /// To be performed once the records are durable.
    pub effects: Vec<Effect>,
}

impl Decision {
    /// The same, made durable at `durable`: a commit takes as long as the disk or the store likes, and the
    /// calls that follow it begin only then. So the time that each of them may take counts from there.
    #[must_use]
    pub fn made_durable(mut self, durable: Mono, policy: &Policy) -> Self {
        let call_ends = durable + policy.call_overdue_after;
        for effect in &self.effects {
            let timer = match effect {
                Effect::Submit { .. } => Timer::SubmissionOverdue,
                Effect::Inquire { .. } | Effect::Resend { .. } => Timer::InquiryOverdue,
                Effect::Notify => Timer::NotifyOverdue,
                Effect::AskToSubmit
                | Effect::AskToInquire
                | Effect::LeaveGate
                | Effect::ClaimInbox => continue,
            };
            self.next.volatile.timers.arm(timer, call_ends);
        }
        self
    }
}

/// Why an event changes nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Ignored {
    /// It says what is known already.
    #[error("it says what is known already")]
    Duplicate,
    /// It would have mattered earlier.
    #[error("it came after the outcome")]
    Late,
    /// It speaks of something that is no longer so.
    #[error("it speaks of something that is no longer so")]
    Stale,
    /// It tells nothing that could change anything.
    #[error("it tells nothing new")]
    Uninformative,
    /// Somebody asked for something that must not be done.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Why a command is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The person saw another version.
    #[error("the transaction is at version {present}, not {seen}: look at it again, then act")]
    VersionMismatch {
        /// What they saw.
        seen: u64,
        /// What it is.
        present: u64,
    },
    /// Something may have been executed.
    #[error(
        "attempt {attempt} may have been executed, or may still be: its outcome has to be found out first"
    )]
    MayBeExecuted {
        /// The attempt in doubt.
        attempt: u32,
    },
    /// It ended already.
    #[error("the transaction is final ({}) already", outcome.as_str())]
    AlreadyFinal {
        /// How it ended.
        outcome: super::evidence::Outcome,
    },
    /// It has never been sent, so there is nothing to ask or to resolve.
    #[error(
        "no attempt is out that the provider could know of: nothing can have been executed; cancel it instead"
    )]
    NeverSent,
    /// It can't be asked about.
    #[error(
        "the provider can't be asked about it now: its profile has no inquiry for that, or the time in which the request could be sent again is over"
    )]
    NoInquiry,
    /// It waits for the gate already.
    #[error("the next attempt waits for the provider's gate already")]
    AlreadyQueued,
    /// There is nothing that the app was to be told.
    #[error("the app was not to be told anything yet, so there is nothing to deliver again")]
    NothingToTell,
    /// The app is being told.
    #[error("a delivery to the app is out at this moment: wait for what comes of it")]
    BeingTold,
    /// A call is out or a ghost window open, and the act did not say that it knows.
    #[error(
        "attempt {attempt} can still be executed unseen: say \"while_open\": true to resolve it all the same"
    )]
    StillOpen {
        /// The attempt.
        attempt: u32,
    },
}

/// Decides what follows from `event`.
///
/// # Errors
/// [`Ignored`] when nothing does.
pub fn decide(
    transaction: &Transaction,
    event: Event,
    now: Now,
    policy: &Policy,
) -> Result<Decision, Ignored> {
    let step = Step::new(transaction, now, policy);
    match event {
        Event::SubmissionPermitted { intent } => submission::permitted(step, *intent),
        Event::SubmissionUnrenderable { why } => submission::unrenderable(step, why),
        Event::SubmissionAnswered {
            attempt,
            sent_at,
            report,
        } => submission::answered(step, attempt, sent_at, report),
        Event::InquiryPermitted { waited } => inquiry::permitted(step, waited),
        Event::InquiryAnswered {
            attempt,
            sent_at,
            report,
        } => inquiry::answered(step, attempt, sent_at, report),
        Event::ResendAnswered {
            attempt,
            sent_at,
            report,
        } => resend::answered(step, attempt, sent_at, report),
        Event::WebhookArrived {
            provider,
            attempt,
            event_id,
            report,
        } => webhook::arrived(step, provider, attempt, event_id, report),
        Event::HintArrived => webhook::hinted(step),
        Event::TimerFired(timer) => timer::fired(step, timer),
        Event::NotificationAnswered { version, result } => {
            notification::answered(step, version, &result)
        }
        Event::Acted(act) => act::acted(step, act),
        Event::Recovered => lifecycle::recovered(step),
        Event::Stopping => lifecycle::stopping(step),
    }
}
