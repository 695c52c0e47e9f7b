//! Counters of one acorn.

use serde::{Deserialize, Serialize};

use crate::server::Inquiries;

/// What `GET /admin/stats` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Access tokens.
    pub tokens: TokenStats,
    /// Calls with a missing, unknown or expired token.
    pub unauthorized: u64,
    /// Requests for a charge that came with a valid token.
    pub charges: ChargeStats,
    /// Inquiries that came with a valid token, by their answer.
    pub inquiries: Inquiries,
    /// Events and batches.
    pub webhooks: WebhookStats,
}

/// Requests for an access token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenStats {
    /// All of them.
    pub requested: u64,
    /// Answered with a token.
    pub issued: u64,
    /// Answered 503 as requested.
    pub failed: u64,
    /// Answered 400 or 401.
    pub refused: u64,
}

/// Requests for a charge, by what they met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeStats {
    /// New entries of the ledger.
    pub entered: u64,
    /// Answered again with what was stored.
    pub replayed: u64,
    /// Answered 409, because an earlier one with the key isn't through yet.
    pub in_progress: u64,
    /// Answered 422, because an earlier one with the key had another body.
    pub key_reuse: u64,
    /// Answered 400.
    pub malformed: u64,
}

/// Events and the batches that deliver them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookStats {
    /// Events put into batches, those of other kinds and forged ones included.
    pub events: u64,
    /// Events dropped, because there was no address for them or too many wait.
    pub dropped: u64,
    /// Batches, forged ones included.
    pub batches: u64,
    /// Deliveries of batches.
    pub deliveries: u64,
    /// Batches acknowledged.
    pub acknowledged: u64,
    /// Batches given up after their last delivery.
    pub given_up: u64,
}
