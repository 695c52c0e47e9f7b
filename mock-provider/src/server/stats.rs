//! Counters of one provider.

use serde::{Deserialize, Serialize};

/// What `GET /stats` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Inquiries, by their answer.
    pub inquiries: Inquiries,
    /// POSTs that were kept in the ledger.
    pub posts: u64,
    /// Webhooks.
    pub webhooks: Webhooks,
}

/// Inquiries, by their answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquiries {
    /// All of them.
    pub total: u64,
    /// Answered with a status.
    #[serde(rename = "200")]
    pub found: u64,
    /// Answered "not found".
    #[serde(rename = "404")]
    pub not_found: u64,
    /// Over the limit.
    #[serde(rename = "429")]
    pub limited: u64,
    /// Blocked after too many over the limit.
    #[serde(rename = "403")]
    pub blocked: u64,
    /// Faults and scripted answers.
    pub other: u64,
}

/// Webhooks that were sent, forged ones included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhooks {
    /// Requests made.
    pub sent: u64,
    /// Those of them that weren't answered 2xx.
    pub failed: u64,
}

impl Inquiries {
    pub(crate) fn count(&mut self, code: u16) {
        self.total += 1;
        *match code {
            200 => &mut self.found,
            404 => &mut self.not_found,
            429 => &mut self.limited,
            403 => &mut self.blocked,
            _ => &mut self.other,
        } += 1;
    }
}
