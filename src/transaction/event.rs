//! What can happen to a transaction, in the past tense, and what may be asked of it.

use std::time::Duration;

use super::evidence::{Outcome, Report};
use super::request::Intent;
use super::time::Mono;
use super::timers::Timer;

/// A fact that reached the actor.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The gate granted a submission; the request is rendered and not yet sent.
    SubmissionPermitted {
        /// What the attempt would do.
        intent: Box<Intent>,
    },
    /// The gate granted a submission, but the profile can't render this transaction.
    SubmissionUnrenderable {
        /// The template's complaint.
        why: String,
    },
    /// The submission's call came back.
    SubmissionAnswered {
        /// Of which attempt.
        attempt: u32,
        /// When the first byte went out; `None` if that is not known.
        sent_at: Option<Mono>,
        /// What the answer says.
        report: Report,
    },
    /// The gate granted an inquiry.
    InquiryPermitted {
        /// How long our own budget or breaker held it back.
        waited: Duration,
    },
    /// A status report came back.
    InquiryAnswered {
        /// The attempt that was asked about.
        attempt: u32,
        /// When the inquiry was sent: what makes "not found" a proof or not.
        sent_at: Mono,
        /// What it says.
        report: Report,
    },
    /// A request that was sent again, as an inquiry, came back.
    ResendAnswered {
        /// Of which attempt.
        attempt: u32,
        /// When its first byte went out; `None` if none did.
        sent_at: Option<Mono>,
        /// What the answer says. "Not executed" speaks of this sending only.
        report: Report,
    },
    /// A webhook that the profile trusts.
    WebhookArrived {
        /// The provider that sent it.
        provider: String,
        /// The attempt that it names, if it names one.
        attempt: Option<u32>,
        /// What makes it the same event (bounded by the reader), where that can be told.
        event_id: Option<String>,
        /// What it says.
        report: Report,
    },
    /// A webhook that nobody vouches for: a reason to ask, never evidence.
    HintArrived,
    /// A timer was due.
    TimerFired(Timer),
    /// A delivery to the app came back.
    NotificationAnswered {
        /// The version of the transaction that was told.
        version: u64,
        /// What the app said.
        result: DeliveryResult,
    },
    /// An app or a person acted.
    Acted(Act),
    /// The actor was rebuilt from the journal after a crash, a panic or a change of owner.
    Recovered,
    /// The process is about to stop.
    Stopping,
}

impl Event {
    /// The word in logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::SubmissionPermitted { .. } => "submission_permitted",
            Self::SubmissionUnrenderable { .. } => "submission_unrenderable",
            Self::SubmissionAnswered { .. } => "submission_answered",
            Self::InquiryPermitted { .. } => "inquiry_permitted",
            Self::InquiryAnswered { .. } => "inquiry_answered",
            Self::ResendAnswered { .. } => "resend_answered",
            Self::WebhookArrived { .. } => "webhook_arrived",
            Self::HintArrived => "hint_arrived",
            Self::TimerFired(_) => "timer_fired",
            Self::NotificationAnswered { .. } => "notification_answered",
            Self::Acted(_) => "acted",
            Self::Recovered => "recovered",
            Self::Stopping => "stopping",
        }
    }
}

/// What came of one delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeliveryResult {
    /// 2xx.
    Acknowledged {
        /// The HTTP status, where the notifier says.
        status: Option<u16>,
        /// How long the app took to answer, where the notifier says.
        took: Option<Duration>,
    },
    /// Anything else, or nothing.
    Failed {
        /// Why, for people.
        why: String,
        /// What the app asked for by `Retry-After`.
        retry_after: Option<Duration>,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// How long the attempt to deliver took, where the notifier says.
        took: Option<Duration>,
    },
    /// 410: the app wants no more of it.
    Gone {
        /// How long the app took to answer, where the notifier says.
        took: Option<Duration>,
    },
    /// The app's endpoint gets nothing any more.
    Disabled {
        /// Why, for people.
        why: String,
    },
    /// Nothing went out: it was not this delivery's turn.
    HeldBack {
        /// When to ask again.
        wait: Duration,
    },
}

impl DeliveryResult {
    /// A delivery that failed before there was an answer.
    #[must_use]
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            retry_after: None,
            status: None,
            took: None,
        }
    }

    /// The same, after the app had taken so long.
    #[must_use]
    pub fn after(mut self, duration: Duration) -> Self {
        match &mut self {
            Self::Acknowledged { took, .. } | Self::Failed { took, .. } | Self::Gone { took } => {
                *took = Some(duration);
            }
            Self::Disabled { .. } | Self::HeldBack { .. } => {}
        }
        self
    }

    /// The HTTP status of the app's answer, if there was one and it is known.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Acknowledged { status, .. } | Self::Failed { status, .. } => *status,
            Self::Gone { .. } => Some(410),
            Self::Disabled { .. } | Self::HeldBack { .. } => None,
        }
    }

    /// How long the delivery took, if that is known.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        match self {
            Self::Acknowledged { took, .. } | Self::Failed { took, .. } | Self::Gone { took } => {
                *took
            }
            Self::Disabled { .. } | Self::HeldBack { .. } => None,
        }
    }
}

/// Something that a person or an app wants done. May be refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Act {
    /// Who.
    pub by: String,
    /// Why, in their words.
    pub why: String,
    /// The version that they saw (`If-Match`); another present one refuses the act.
    pub seen: Option<u64>,
    /// What.
    pub command: Command,
}

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Give it up, if nothing can have been executed.
    Cancel,
    /// Ask the provider now.
    Inquire,
    /// Start the next attempt now, if no earlier one may execute.
    Resubmit,
    /// Say how it ended.
    Resolve {
        /// How.
        outcome: Outcome,
        /// Named consent to resolve while a call is out or a ghost window is open.
        while_open: bool,
    },
    /// Tell the app once more what it was told last, whatever became of that.
    Redeliver,
}

impl Command {
    /// The word in URLs, records and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Inquire => "inquire",
            Self::Resubmit => "resubmit",
            Self::Resolve { .. } => "resolve",
            Self::Redeliver => "redeliver",
        }
    }
}

/// Work for the shell, once the records are durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Ask the gate for a submission permit.
    AskToSubmit,
    /// Send the request of this attempt, exactly as its intent says.
    Submit {
        /// Its number.
        attempt: u32,
    },
    /// Ask the gate for an inquiry within the budget.
    AskToInquire,
    /// Ask the provider about this attempt.
    Inquire {
        /// Its number.
        attempt: u32,
    },
    /// Send the request of this attempt again, byte for byte, within the inquiry's permit.
    Resend {
        /// Its number.
        attempt: u32,
    },
    /// Tell the app.
    Notify,
    /// Withdraw what the gate was asked for.
    LeaveGate,
    /// Look whether webhooks under the references that the provider gave came before anybody knew
    /// whose they were, and take them.
    ClaimInbox,
}
