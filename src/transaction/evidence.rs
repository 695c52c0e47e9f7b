//! What can be known about an attempt, and from whom.
//!
//! A [`Finding`] is what one message says once a profile has read it. Only [`Finding::Completed`],
//! [`Finding::Declined`] and, for an answer, [`Finding::NotExecuted`] prove anything at once;
//! [`Finding::NotFound`] proves something only after the ghost window (law 3); everything else
//! leaves what was unknown unknown.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::request::Amount;
use super::time::millis;

/// How a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The provider executed it: money moved.
    Completed,
    /// The provider processed it and refused: no money moved.
    Declined,
    /// It was surely never executed, and teller has given it up.
    Failed,
}

impl Outcome {
    /// The word that apps and operators see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Declined => "declined",
            Self::Failed => "failed",
        }
    }
}

/// Where a claim comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The answer to the submission itself.
    Answer,
    /// A webhook that the profile trusts.
    Webhook,
    /// The status report that an inquiry brought.
    Inquiry,
    /// A person, with name and reason.
    Operator,
    /// teller itself: proven absence, a cancelled or expired transaction that was never out.
    Teller,
}

impl Source {
    /// The word in records and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Webhook => "webhook",
            Self::Inquiry => "inquiry",
            Self::Operator => "operator",
            Self::Teller => "teller",
        }
    }
}

/// What one answer, webhook or status report says about an attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// Executed; money moved.
    Completed,
    /// Processed and refused.
    Declined,
    /// The provider has it and has not decided.
    Pending,
    /// The provider doesn't know it (now).
    NotFound,
    /// Surely never executed: the connection was never made, or the profile's word for the answer.
    NotExecuted {
        /// Why, for people.
        why: String,
        /// What the provider asked for by `Retry-After`.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            with = "optional_millis"
        )]
        retry_after: Option<Duration>,
    },
    /// It may have been executed, or not: a time-out, a 5xx, a torn or unreadable answer.
    Unclear {
        /// Why, for people.
        why: String,
    },
}

impl Finding {
    /// The word in records and logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Declined => "declined",
            Self::Pending => "pending",
            Self::NotFound => "not_found",
            Self::NotExecuted { .. } => "not_executed",
            Self::Unclear { .. } => "unclear",
        }
    }

    /// The outcome, if this finding is one.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Completed => Some(Outcome::Completed),
            Self::Declined => Some(Outcome::Declined),
            Self::Pending | Self::NotFound | Self::NotExecuted { .. } | Self::Unclear { .. } => {
                None
            }
        }
    }
}

/// A finding with what was read beside it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// What it says.
    #[serde(flatten)]
    pub finding: Finding,
    /// The provider's own word for it, or the HTTP status, as it stood there (bounded by the reader).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
    /// The provider's own reference, where it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_reference: Option<String>,
    /// The amount that it speaks of, where the profile says where that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<ReportedAmount>,
}

/// The amount that a message speaks of.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedAmount {
    /// This much.
    Read(Amount),
    /// Something stands where the amount belongs, and it is none.
    Unreadable {
        /// What stands there (bounded by the reader).
        text: String,
    },
}

impl Report {
    /// A report that carries a finding and nothing else.
    #[must_use]
    pub fn bare(finding: Finding) -> Self {
        Self {
            finding,
            word: None,
            provider_reference: None,
            amount: None,
        }
    }

    /// Whether it speaks of another amount than the app asked for. Where either of them states none,
    /// nothing is compared.
    #[must_use]
    pub fn differs_from(&self, asked: Option<&Amount>) -> bool {
        match (&self.amount, asked) {
            (None, _) | (_, None) => false,
            (Some(ReportedAmount::Read(amount)), Some(asked)) => amount != asked,
            (Some(ReportedAmount::Unreadable { .. }), Some(_)) => true,
        }
    }
}

/// The outcome of a transaction and what it rests on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resolution {
    /// How it ended.
    pub outcome: Outcome,
    /// Who said so.
    pub source: Source,
    /// The attempt that it speaks of, where the evidence can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Why, for people.
    pub why: String,
}

/// Two claims that can't both be true, or should never both be true. Kept, shown and counted (law 5).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Conflict {
    /// Of which kind.
    pub kind: ConflictKind,
    /// Who brought the contradicting claim.
    pub source: Source,
    /// The attempt that the claim speaks of, where it can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The outcome that it claimed; `None` if it claimed that the outcome is still open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<Outcome>,
}

/// The kinds of contradiction, gravest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Two attempts were both executed.
    ExecutedTwice,
    /// One attempt was executed while a later one is out.
    MayBeExecutedTwice,
    /// One source says completed, another declined. The first is kept.
    CompletedAgainstDeclined,
    /// It was given up as surely not executed, and then the provider said that it was. Corrected.
    FailedButExecuted,
    /// It had ended, and then the provider said that it was executed for another amount.
    AmountMismatch,
    /// It had ended, and then the provider said that it has an attempt which counted as not executed. It may
    /// be executed yet.
    PendingAfterEnd,
}

impl ConflictKind {
    /// The word in records, logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExecutedTwice => "executed_twice",
            Self::MayBeExecutedTwice => "may_be_executed_twice",
            Self::CompletedAgainstDeclined => "completed_against_declined",
            Self::FailedButExecuted => "failed_but_executed",
            Self::AmountMismatch => "amount_mismatch",
            Self::PendingAfterEnd => "pending_after_end",
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} claims {}",
            self.kind.as_str(),
            self.source.as_str(),
            self.claimed.map_or("pending", Outcome::as_str)
        )?;
        self.attempt
            .map_or(Ok(()), |attempt| write!(f, " for attempt {attempt}"))
    }
}

mod optional_millis {
    use super::{Duration, millis};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => millis::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}
