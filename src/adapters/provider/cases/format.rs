//! A file of recorded cases, as it is written.
//!
//! One flat table for each case, of which `request`, `answer` or `webhook` says what kind it is and
//! so which other keys belong to it: a tagged enum would lose the lines of mistakes.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use toml::Spanned;
use uuid::Uuid;

use crate::adapters::provider::outcome::OneOrMany;
use crate::transaction::{Amount, AppId, ReportedAmount, Timestamp, TransactionId};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseFile {
    /// Where the recordings come from.
    pub(super) about: String,
    #[serde(default)]
    pub(super) settings: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, OneOrMany<String>>,
    pub(super) environment: Option<String>,
    #[serde(rename = "case")]
    pub(super) cases: Vec<Spanned<Case>>,
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) request: Option<AnswerOf>,
    pub(super) answer: Option<AnswerOf>,
    #[serde(default)]
    pub(super) webhook: bool,
    pub(super) now: Option<Timestamp>,
    pub(super) transaction: Option<CaseTransaction>,
    pub(super) attempt: Option<u32>,
    pub(super) provider_reference: Option<String>,
    pub(super) token: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) headers: Option<BTreeMap<String, String>>,
    pub(super) body: Option<String>,
    pub(super) method: Option<String>,
    pub(super) url: Option<String>,
    pub(super) sign: Option<String>,
    pub(super) acknowledged: Option<Acknowledged>,
    pub(super) expect: Option<Expect>,
}

/// Which call of a profile a case is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerOf {
    /// The submission.
    Submit,
    /// The inquiry.
    Inquiry,
    /// The inquiry while the provider's own id is not known.
    Lost,
}

impl AnswerOf {
    /// The table of the profile.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Inquiry => "inquiry",
            Self::Lost => "lost",
        }
    }
}

/// The transaction that a request is made for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CaseTransaction {
    pub(super) id: TransactionId,
    pub(super) app: AppId,
    pub(super) amount: Option<CaseAmount>,
    pub(super) payload: Value,
}

impl Default for CaseTransaction {
    fn default() -> Self {
        Self {
            id: TransactionId(Uuid::from_u128(0x7d4f_0c1e_52a8_4b0e_9f0e_3f1a_0d6f_9a01)),
            app: AppId::parse("shop").expect("a legal name"),
            amount: None,
            payload: Value::Null,
        }
    }
}

/// An amount, in minor units.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseAmount {
    pub(super) value: i64,
    pub(super) currency: String,
}

impl CaseAmount {
    pub(super) fn amount(&self) -> Amount {
        Amount {
            value: self.value,
            currency: self.currency.clone(),
        }
    }

    pub(super) fn is(&self, reported: &ReportedAmount) -> bool {
        *reported == ReportedAmount::Read(self.amount())
    }
}

/// The answer that a webhook gets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Acknowledged {
    pub(super) status: Option<u16>,
    pub(super) body: Option<String>,
}

/// What a case expects.
#[derive(Debug)]
pub(super) enum Expect {
    /// Of a request, of an answer, or of a webhook that is refused.
    One(Box<ExpectOne>),
    /// Of a webhook: its events.
    Events(Vec<ExpectEvent>),
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Expect;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table, or for a webhook a list of the events that it has")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Expect, A::Error> {
                ExpectOne::deserialize(MapAccessDeserializer::new(map))
                    .map(|one| Expect::One(Box::new(one)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Expect, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Expect::Events)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// The table of an expectation; which keys go together depends on the kind of case.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExpectOne {
    pub(super) method: Option<String>,
    pub(super) url: Option<String>,
    pub(super) headers: Option<BTreeMap<String, String>>,
    pub(super) body: Option<String>,
    pub(super) finding: Option<FindingWord>,
    pub(super) word: Option<String>,
    pub(super) provider_reference: Option<String>,
    pub(super) amount: Option<CaseAmount>,
    pub(super) retry_after_s: Option<u64>,
    pub(super) rejected: Option<RejectedWord>,
}

/// One event of a webhook.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectEvent {
    pub(super) trusted: Option<bool>,
    pub(super) finding: Option<FindingWord>,
    pub(super) id: Option<TransactionId>,
    pub(super) attempt: Option<u32>,
    pub(super) vouched: Option<bool>,
    pub(super) provider_reference: Option<String>,
    pub(super) event_id: Option<String>,
    pub(super) word: Option<String>,
    pub(super) amount: Option<CaseAmount>,
}

/// What evidence can say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FindingWord {
    Completed,
    Declined,
    Pending,
    NotFound,
    NotExecuted,
    Unclear,
}

impl FindingWord {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Declined => "declined",
            Self::Pending => "pending",
            Self::NotFound => "not_found",
            Self::NotExecuted => "not_executed",
            Self::Unclear => "unclear",
        }
    }
}

/// Why a webhook is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RejectedWord {
    NotSigned,
    Unreadable,
    MediaType,
    Method,
}

impl RejectedWord {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NotSigned => "not_signed",
            Self::Unreadable => "unreadable",
            Self::MediaType => "media_type",
            Self::Method => "method",
        }
    }
}
