//! What an app asked for, and what an attempt is committed to do about it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::time::{Timestamp, millis};

/// A transaction as the app asked for it, checked at the edge.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The provider that it goes to.
    pub provider: String,
    /// The amount, where the app states it outside of the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// No attempt starts after this moment.
    pub submit_by: Timestamp,
    /// Whatever else the provider's templates need.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub payload: Value,
    /// The W3C trace context that the request came with, sent on to the provider and the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// Money: an integer of minor units and an ISO 4217 code. Never a float.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Amount {
    /// Minor units (cents for EUR, yen for JPY).
    pub value: i64,
    /// Three capital letters.
    pub currency: String,
}

/// What one attempt will do, made durable before it does it and never changed after.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Intent {
    /// The provider that this attempt goes to; `None`: the request's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The id under which the provider knows this attempt.
    pub reference: String,
    /// The request, byte for byte.
    pub request: Rendered,
    /// The ghost window at the time of sending; `None` if the profile states none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<GhostWindow>,
    /// For how long after its start the same request may be sent again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resend_safe_for_ms: Option<u64>,
    /// SHA-256 of the profile, hexadecimal: which rules this attempt went out under.
    pub profile_hash: String,
}

/// How long a ghost may still appear.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GhostWindow {
    /// From the moment of sending.
    #[serde(rename = "ghost_ms", with = "millis")]
    pub ghost: Duration,
    /// Added for the request's way to the provider.
    #[serde(rename = "margin_ms", with = "millis")]
    pub margin: Duration,
}

impl GhostWindow {
    /// The whole of it.
    #[must_use]
    pub fn whole(self) -> Duration {
        self.ghost + self.margin
    }
}

/// An HTTP request, rendered. Holds no credentials: those are added at sending.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// `POST` and the like.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body, empty for none.
    pub body: String,
}

/// Payloads stay out of logs: only the shape is shown.
impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes of body)", self.method, self.body.len())
    }
}
