//! The records of which a transaction consists. One step of a transaction is one or two records,
//! committed together.
//!
//! A record says what happened ([`Fact`]) and where that led ([`Record::to`]): folding needs no
//! decisions, so a later release with other rules still reads an older history as it was.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::archived::Remains;
use super::attempts::Fate;
use super::event::DeliveryResult;
use super::evidence::{Conflict, Outcome, Report, Resolution, Source};
use super::identity::PayloadHash;
use super::request::{Intent, Request};
use super::state::State;
use super::time::{LastingInstant, Timestamp};

/// The version of the record format. A reader refuses newer ones by name.
pub const RECORD_FORMAT: u32 = 1;

/// One entry of a transaction's history.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The format's version, [`RECORD_FORMAT`].
    #[serde(rename = "v")]
    pub format: u32,
    /// The transaction's version that this record makes: 1, 2, 3 …
    pub version: u64,
    /// When it was made.
    pub at: Timestamp,
    /// The state that it led to.
    pub to: State,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
    /// What is known of an attempt from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fate: Option<AttemptFate>,
    /// The outcome, where this record brings or changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// A contradiction that this record brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
    /// Whether the app has to be told of the state that this record led to.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tell: bool,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference to skip_serializing_if"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// A change in what is known of one attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AttemptFate {
    /// Its number.
    pub attempt: u32,
    /// What is known now.
    pub fate: Fate,
}

/// What happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Fact {
    /// The app's request became durable.
    Accepted {
        /// What it asked for.
        request: Arc<Request>,
        /// The hash for law 7.
        payload_hash: PayloadHash,
    },
    /// An attempt is about to be sent.
    AttemptStarted {
        /// Its number.
        attempt: u32,
        /// What it will do.
        intent: Arc<Intent>,
    },
    /// The submission's call came back, or that of a request that was sent again.
    Answered {
        /// Of which attempt.
        attempt: u32,
        /// What it says.
        report: Report,
        /// Whether it answers a request that was sent again.
        #[serde(default, skip_serializing_if = "is_false")]
        resend: bool,
        /// When the first byte of the request left, on a timeline that outlives the process; `None` if
        /// none left, if that is not known, or where it has no meaning any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sent: Option<LastingInstant>,
    },
    /// The attempt's request is about to be sent again, as an inquiry.
    Resent {
        /// Its number.
        attempt: u32,
    },
    /// Nobody will hear the answer of this attempt any more.
    AnswerLost {
        /// Its number.
        attempt: u32,
        /// Why.
        why: String,
    },
    /// A status report came back.
    Inquired {
        /// The attempt that was asked about.
        attempt: u32,
        /// What it says.
        report: Report,
        /// Whether the inquiry was sent after the end of the ghost window.
        after_window: bool,
    },
    /// A trusted webhook came in.
    Webhook {
        /// The provider that sent it; `None` in records from before it was written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
        /// The attempt that it names, if it names one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
        /// What makes it the same event: a second one with this id that says the same changes nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event_id: Option<String>,
        /// What it says.
        report: Report,
    },
    /// The time in doubt was used up.
    ReviewOpened {
        /// Why.
        why: String,
    },
    /// `submit_by` was reached and nothing can have been executed.
    Expired,
    /// The request can't be rendered for the provider.
    Unrenderable {
        /// The template's complaint.
        why: String,
    },
    /// Somebody acted.
    Acted {
        /// Who.
        by: String,
        /// Why, in their words.
        why: String,
        /// What was done.
        command: String,
        /// With which outcome, for `resolve`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<Outcome>,
        /// Whether that was done against an open window or a call that was out.
        #[serde(default, skip_serializing_if = "is_false")]
        while_open: bool,
    },
    /// A delivery to the app came back.
    Notified {
        /// The version that was told.
        told_version: u64,
        /// What the app said.
        #[serde(flatten)]
        delivery: DeliveryRecord,
        /// The HTTP status, if there was an answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// How long the delivery took, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took_ms: Option<u64>,
    },
    /// All that happened before went to an archive; a history begins with it, in place of the acceptance.
    Archived {
        /// What is still known.
        remains: Arc<Remains>,
    },
}

/// A delivery's result, as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "delivery", rename_all = "snake_case")]
pub enum DeliveryRecord {
    /// The app knows.
    Acknowledged,
    /// It will be told again.
    Failed {
        /// Why.
        why: String,
    },
    /// It will not be told again.
    GivenUp {
        /// Why.
        why: String,
    },
}

impl DeliveryRecord {
    /// What is kept of `result`, given whether the schedule goes on; nothing of what never went out.
    #[must_use]
    pub fn of(result: &DeliveryResult, goes_on: bool) -> Option<Self> {
        Some(match result {
            DeliveryResult::Acknowledged { .. } => Self::Acknowledged,
            DeliveryResult::Failed { why, .. } if goes_on => Self::Failed { why: why.clone() },
            DeliveryResult::Failed { why, .. } => Self::GivenUp { why: why.clone() },
            DeliveryResult::Gone { .. } => Self::GivenUp {
                why: "the app answered 410 Gone".to_owned(),
            },
            DeliveryResult::Disabled { why } => Self::GivenUp { why: why.clone() },
            DeliveryResult::HeldBack { .. } => return None,
        })
    }
}

impl Fact {
    /// The word in logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::Answered { .. } => "answered",
            Self::Resent { .. } => "resent",
            Self::AnswerLost { .. } => "answer_lost",
            Self::Inquired { .. } => "inquired",
            Self::Webhook { .. } => "webhook",
            Self::ReviewOpened { .. } => "review_opened",
            Self::Expired => "expired",
            Self::Unrenderable { .. } => "unrenderable",
            Self::Acted { .. } => "acted",
            Self::Notified { .. } => "notified",
            Self::Archived { .. } => "archived",
        }
    }

    /// What the provider said, and of which attempt, where it said so.
    #[must_use]
    pub fn report(&self) -> Option<(Option<u32>, &Report)> {
        match self {
            Self::Answered {
                attempt, report, ..
            }
            | Self::Inquired {
                attempt, report, ..
            } => Some((Some(*attempt), report)),
            Self::Webhook {
                attempt, report, ..
            } => Some((*attempt, report)),
            Self::Accepted { .. }
            | Self::AttemptStarted { .. }
            | Self::Resent { .. }
            | Self::AnswerLost { .. }
            | Self::ReviewOpened { .. }
            | Self::Expired
            | Self::Unrenderable { .. }
            | Self::Acted { .. }
            | Self::Notified { .. }
            | Self::Archived { .. } => None,
        }
    }

    /// Who brought the fact.
    #[must_use]
    pub fn source(&self) -> Source {
        match self {
            Self::Answered { .. } => Source::Answer,
            Self::Inquired { .. } => Source::Inquiry,
            Self::Webhook { .. } => Source::Webhook,
            Self::Acted { .. } => Source::Operator,
            Self::Accepted { .. }
            | Self::AttemptStarted { .. }
            | Self::Resent { .. }
            | Self::AnswerLost { .. }
            | Self::ReviewOpened { .. }
            | Self::Expired
            | Self::Unrenderable { .. }
            | Self::Notified { .. }
            | Self::Archived { .. } => Source::Teller,
        }
    }
}
