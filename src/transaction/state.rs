//! The states of a transaction and everything that is known of it.
//!
//! The durable part is folded from records and nothing else; [`Volatile`] is what lives on the
//! monotonic clock of this process and starts anew after a restart.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::attempts::Attempt;
use super::evidence::{Conflict, Outcome, Report, Resolution};
use super::identity::{Key, PayloadHash};
use super::request::Request;
use super::statement::Statement;
use super::time::{Mono, Timestamp};
use super::timers::Timers;

/// Where a transaction is on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum State {
    /// Durable; waits for the gate's permit.
    Accepted,
    /// The request of this attempt is out.
    Submitting {
        /// Its number, from 1.
        attempt: u32,
    },
    /// The provider says that it has this attempt.
    Pending {
        /// Its number, from 1.
        attempt: u32,
    },
    /// This attempt may have been executed.
    Unknown {
        /// Its number, from 1.
        attempt: u32,
    },
    /// This attempt was surely not executed; the next one is armed.
    BackingOff {
        /// Its number, from 1.
        attempt: u32,
    },
    /// A person is asked; slow inquiries go on.
    InReview {
        /// What for.
        why: ReviewReason,
    },
    /// Executed.
    Completed,
    /// Processed and refused by the provider.
    Declined,
    /// Surely never executed, and given up.
    Failed,
}

/// Why a person is asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewReason {
    /// The time in doubt went over the profile's bound.
    Deadline,
    /// The provider says that it executed it, for another amount than the app asked for.
    AmountMismatch,
    /// The provider says that it executed it, under another id of its own than the one that it gave
    /// before: a retry of the provider's own, or a second payment.
    OtherReference,
    /// The provider says that it has an attempt which counted as surely not executed, after a later one
    /// has started: both may be executed.
    EarlierAttempt,
}

impl State {
    /// The state's name, without its attempt.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Submitting { .. } => "submitting",
            Self::Pending { .. } => "pending",
            Self::Unknown { .. } => "unknown",
            Self::BackingOff { .. } => "backing_off",
            Self::InReview { .. } => "in_review",
            Self::Completed => "completed",
            Self::Declined => "declined",
            Self::Failed => "failed",
        }
    }

    /// What the app sees.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Self::Accepted
            | Self::Submitting { .. }
            | Self::Pending { .. }
            | Self::Unknown { .. }
            | Self::BackingOff { .. } => Status::Pending,
            Self::InReview { .. } => Status::InReview,
            Self::Completed => Status::Completed,
            Self::Declined => Status::Declined,
            Self::Failed => Status::Failed,
        }
    }

    /// Whether an outcome is known.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Declined | Self::Failed)
    }

    /// The final state for an outcome.
    #[must_use]
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Completed => Self::Completed,
            Outcome::Declined => Self::Declined,
            Outcome::Failed => Self::Failed,
        }
    }
}

/// What an app sees of a state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not known yet.
    Pending,
    /// Not known yet, and a person is asked.
    InReview,
    /// Money moved.
    Completed,
    /// The provider refused.
    Declined,
    /// Surely never executed.
    Failed,
}

impl Status {
    /// All of them, in the order of a transaction's life.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::InReview,
        Self::Completed,
        Self::Declined,
        Self::Failed,
    ];

    /// The word in JSON, queries and notifications.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InReview => "in_review",
            Self::Completed => "completed",
            Self::Declined => "declined",
            Self::Failed => "failed",
        }
    }

    /// The status for a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// One transaction, as its actor holds it.
#[derive(Clone, PartialEq, Debug)]
pub struct Transaction {
    /// Its name.
    pub key: Key,
    /// The number of records behind it; each record raises it by one.
    pub version: u64,
    /// Where it is on its way.
    pub state: State,
    /// What the app asked for.
    pub request: Arc<Request>,
    /// The hash of what the app asked for, for law 7.
    pub payload_hash: PayloadHash,
    /// When it became durable.
    pub accepted_at: Timestamp,
    /// When the last record was made.
    pub changed_at: Timestamp,
    /// When it first became final.
    pub final_at: Option<Timestamp>,
    /// When its earlier history went to an archive, payload included.
    pub archived_at: Option<Timestamp>,
    /// Its attempts in order; number 1 first. At most [`super::policy::MAX_ATTEMPTS_EVER`].
    pub attempts: Vec<Attempt>,
    /// How it ended, once it has.
    pub resolution: Option<Resolution>,
    /// Contradictions, oldest first. At most [`super::policy::MAX_CONFLICTS`].
    pub conflicts: Vec<Conflict>,
    /// Whether a contradiction waits for a person, on a final transaction too.
    pub conflict_open: bool,
    /// The notification that the app has to acknowledge, or has.
    pub notice: Option<Notice>,
    /// Status reports recorded so far.
    pub inquiries: u32,
    /// The last status report.
    pub last_report: Option<Report>,
    /// Times that a request was sent again, as an inquiry. At most [`super::policy::MAX_RESENDS`].
    pub resends: u32,
    /// Whether a person or the app has acted on what happens to it: nothing is sent again after that.
    pub acted_on: bool,
    /// Webhooks recorded so far.
    pub webhooks: u32,
    /// What recorded webhooks said under which event id, oldest first. At most
    /// [`super::policy::MAX_RECORDED_WEBHOOKS`].
    pub webhook_events: Vec<KnownEvent>,
    /// What lives on this process's clock.
    pub volatile: Volatile,
}

impl Transaction {
    /// Whether anything remains to be done: not final, or final and the app doesn't know it yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.state.is_final()
            || self
                .notice
                .as_ref()
                .is_some_and(|notice| notice.delivery == Delivery::Open)
    }

    /// Whether this provider has said the same under this event id before. The ids live in the
    /// transaction's own history, so that they are as durable as what they brought, and no webhook can use
    /// up the id of another transaction's. The same id with another statement is a contradiction and no
    /// repetition (law 5).
    #[must_use]
    pub fn knows_event(&self, provider: &str, event_id: &str, report: &Report) -> bool {
        let known = |event: &KnownEvent| event.repeats(provider, event_id, report);
        self.webhook_events.iter().any(known)
    }

    /// Whether the provider said that it was executed, though not quite as the app asked (another amount,
    /// or under another id), and no person has settled that.
    #[must_use]
    pub fn execution_is_disputed(&self) -> bool {
        match self.state {
            State::InReview { why } => match why {
                ReviewReason::AmountMismatch | ReviewReason::OtherReference => true,
                ReviewReason::Deadline | ReviewReason::EarlierAttempt => false,
            },
            State::Accepted
            | State::Submitting { .. }
            | State::Pending { .. }
            | State::Unknown { .. }
            | State::BackingOff { .. }
            | State::Completed
            | State::Declined
            | State::Failed => false,
        }
    }

    /// Whether a person has to look at it.
    #[must_use]
    pub fn needs_review(&self) -> bool {
        self.conflict_open || matches!(self.state, State::InReview { .. })
    }
}

/// What one webhook said under its event id. Written as one text, which an earlier release reads as an id.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum KnownEvent {
    /// From before providers and statements were kept beside the id: it stands for all of them.
    IdOnly(String),
    /// With what makes it the same statement.
    Stated {
        /// The provider that sent it. Event ids count per provider.
        provider: String,
        /// The provider's id of the event.
        id: String,
        /// What it stated.
        statement: Statement,
    },
}

/// Between the parts of a [`KnownEvent`]'s text: no provider's name and no event id holds a control character.
const PARTS_APART: char = '\u{1f}';

impl From<KnownEvent> for String {
    fn from(event: KnownEvent) -> Self {
        match event {
            KnownEvent::IdOnly(id) => id,
            KnownEvent::Stated {
                provider,
                id,
                statement,
            } => [&provider, &id, statement.as_str()].join(&PARTS_APART.to_string()),
        }
    }
}

impl From<String> for KnownEvent {
    fn from(text: String) -> Self {
        let mut parts = text.splitn(3, PARTS_APART);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(provider), Some(id), Some(statement)) => Self::Stated {
                provider: provider.to_owned(),
                id: id.to_owned(),
                statement: Statement::from_text(statement),
            },
            (_, _, _) => Self::IdOnly(text),
        }
    }
}

impl KnownEvent {
    /// What is kept of a recorded webhook.
    pub(super) fn of(provider: Option<&str>, id: &str, report: &Report) -> Self {
        match provider {
            None => Self::IdOnly(id.to_owned()),
            Some(provider) => Self::Stated {
                provider: provider.to_owned(),
                id: id.to_owned(),
                statement: Statement::of(report),
            },
        }
    }

    fn repeats(&self, by: &str, event_id: &str, report: &Report) -> bool {
        match self {
            Self::IdOnly(id) => id == event_id,
            Self::Stated {
                provider,
                id,
                statement,
            } => provider == by && id == event_id && *statement == Statement::of(report),
        }
    }
}

/// What the app has to be told: the newest version of the outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The id that stays the same across deliveries.
    pub id: Uuid,
    /// The version of the transaction that it tells.
    pub version: u64,
    /// The status that it tells.
    pub status: Status,
    /// When that became so.
    pub since: Timestamp,
    /// Deliveries that failed so far.
    pub failures: u32,
    /// Whether it still has to be delivered.
    pub delivery: Delivery,
}

/// How far a notification is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Not acknowledged yet.
    Open,
    /// The app said 2xx.
    Acknowledged,
    /// The schedule is used up, or the app said that it wants no more. Shown to operators.
    GivenUp,
}

/// What lives on this process's monotonic clock. Never stored: a restart begins with the default and
/// `Event::Recovered` fills it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Volatile {
    /// The armed timers.
    pub timers: Timers,
    /// End of the last attempt's ghost window, margin included. `None`: not sent, or no window.
    pub window_ends: Option<Mono>,
    /// Since when the last attempt has been in doubt.
    pub doubt_since: Option<Mono>,
    /// When the provider was last asked.
    pub last_asked: Option<Mono>,
    /// Inquiries on the present ladder.
    pub rung: u32,
    /// Time that our own budget or breaker held an inquiry back, not yet added to the review deadline.
    pub held: Duration,
    /// The submission's way through the gate. A call that was given up stays [`Errand::Out`] until it is
    /// home: its first byte may still leave.
    pub submission: Errand,
    /// The inquiry's way through the gate.
    pub inquiry: Errand,
    /// Where the last repetition of the request is.
    pub repetition: Repetition,
    /// The notification's delivery.
    pub delivery: Errand,
    /// The version that the delivery which is out tells.
    pub telling: Option<u64>,
}

/// Whether a piece of work is under way outside of the core.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Errand {
    /// Nothing is asked for.
    #[default]
    Idle,
    /// The gate has been asked for a permit.
    Queued,
    /// The call is out.
    Out,
}

/// Where a request is that was sent again, as an inquiry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Repetition {
    /// None is out.
    #[default]
    Home,
    /// It is the inquiry that is out.
    Out,
    /// It was given up as an inquiry, and has not come back: its first byte may still leave.
    GivenUp,
}

impl Volatile {
    /// Whether a request of ours that may be executed has not come back yet: the submission itself or its
    /// repetition. While this is so, no inquiry proves absence and no attempt follows (law 2).
    #[must_use]
    pub fn own_request_is_out(&self) -> bool {
        self.submission == Errand::Out || self.repetition != Repetition::Home
    }
}
