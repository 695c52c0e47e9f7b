//! What the app writes down.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One delivery of an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// When it came, in ms since 1970.
    pub at_ms: u64,
    /// Which door it came through.
    pub form: Form,
    /// The transaction it names, if it could be read.
    pub id: Option<String>,
    /// The status it claims, word for word, if it could be read.
    pub status: Option<String>,
    /// The body as it came; bytes that aren't UTF-8 are replaced.
    pub body: String,
    /// Those of the headers `content-type`, `webhook-id`, `webhook-timestamp` and
    /// `webhook-signature` that it had.
    pub headers: BTreeMap<String, String>,
    /// The HTTP status it was answered with; `None` = no answer.
    pub answered: Option<u16>,
}

/// The two forms in which the app understands outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `PUT /transaction` with `{"status": {"id", "status"}}`.
    Callback,
    /// `POST /notify` with `{"data": {"id", "status"}}`.
    Standard,
}

impl Form {
    /// Where id and status stand.
    pub(super) const fn pointers(self) -> (&'static str, &'static str) {
        match self {
            Self::Callback => ("/status/id", "/status/status"),
            Self::Standard => ("/data/id", "/data/status"),
        }
    }
}

/// How a delivery fails on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailMode {
    /// Answered 500.
    #[serde(rename = "status_500")]
    Status500,
    /// Answered 410: don't come back.
    #[serde(rename = "status_410")]
    Status410,
    /// Answered 429 with `Retry-After: 1`.
    #[serde(rename = "status_429")]
    Status429,
    /// Never answered.
    Hang,
    /// The connection is closed instead of an answer.
    Close,
}

impl FailMode {
    /// The HTTP status it answers with, if it answers.
    #[must_use]
    pub const fn code(self) -> Option<u16> {
        match self {
            Self::Status500 => Some(500),
            Self::Status410 => Some(410),
            Self::Status429 => Some(429),
            Self::Hang | Self::Close => None,
        }
    }
}

/// One transaction that the app asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// When, in ms since 1970.
    pub at_ms: u64,
    /// Its id.
    pub id: String,
    /// The body that was sent.
    pub body: Value,
    /// How many times it was sent at once.
    pub times: u32,
    /// The answers that came, in the order of sending; `None` = none came.
    pub answers: Vec<Option<TellerAnswer>>,
}

/// What teller answered to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TellerAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The media type, if it said one.
    pub content_type: Option<String>,
    /// The body; bytes that aren't UTF-8 are replaced.
    pub body: String,
}
