//! What remains of a finished transaction once its history has gone to an archive: enough to answer
//! whoever asks for it again, and to recognize a contradiction that comes late (laws 5 and 7).
//!
//! It is one record, in the place of all that it stands for and with the version of the last of them. A
//! history may begin with it and go on from there.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::attempts::{Attempt, Fate};
use super::evidence::Conflict;
use super::identity::{Key, PayloadHash};
use super::record::{Fact, RECORD_FORMAT, Record};
use super::request::{Intent, Rendered, Request};
use super::state::{Delivery, KnownEvent, Notice, Status, Transaction, Volatile};
use super::time::Timestamp;

/// What is kept of a transaction whose history was archived.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Remains {
    /// When its history went.
    pub archived_at: Timestamp,
    /// What the app asked for, without its payload.
    pub request: Request,
    /// The hash of what the app asked for, payload included, for law 7.
    pub payload_hash: PayloadHash,
    /// When it became durable.
    pub accepted_at: Timestamp,
    /// When it first became final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_at: Option<Timestamp>,
    /// Its attempts in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<PastAttempt>,
    /// The contradictions that a person has settled: the same again is nothing new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Conflict>,
    /// What the app was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<PastNotice>,
    /// Status reports recorded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub inquiries: u32,
    /// Times that a request was sent again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub resends: u32,
    /// Whether a person or the app has acted on what happened to it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub acted_on: bool,
    /// Webhooks recorded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub webhooks: u32,
    /// Their event ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhook_events: Vec<KnownEvent>,
}

/// What is kept of an attempt.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PastAttempt {
    /// The id under which the provider knows it.
    pub reference: String,
    /// The provider that it went to; `None`: the request's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// When its intent was recorded.
    pub started_at: Timestamp,
    /// What is known of it.
    pub fate: Fate,
    /// The provider's own reference, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_reference: Option<String>,
}

/// What is kept of the last notification.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PastNotice {
    /// The id that stays the same across deliveries.
    pub id: Uuid,
    /// The version that it told.
    pub version: u64,
    /// The status that it told.
    pub status: Status,
    /// When that became so.
    pub since: Timestamp,
    /// How its delivery ended.
    pub delivery: Delivery,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference to skip_serializing_if"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference to skip_serializing_if"
)]
fn is_false(value: &bool) -> bool {
    !value
}

impl Transaction {
    /// The record that may stand for the whole history, archived at that moment; `None` while anything
    /// remains to be done, by teller or by a person.
    #[must_use]
    pub fn archived(&self, archived_at: Timestamp) -> Option<Record> {
        if self.is_open() || self.needs_review() {
            return None;
        }
        let attempt = |attempt: &Attempt| PastAttempt {
            reference: attempt.intent.reference.clone(),
            provider: attempt.intent.provider.clone(),
            started_at: attempt.started_at,
            fate: attempt.fate,
            provider_reference: attempt.provider_reference.clone(),
        };
        let notice = |notice: &Notice| PastNotice {
            id: notice.id,
            version: notice.version,
            status: notice.status,
            since: notice.since,
            delivery: notice.delivery,
        };
        let remains = Remains {
            archived_at,
            request: Request {
                provider: self.request.provider.clone(),
                amount: self.request.amount.clone(),
                submit_by: self.request.submit_by,
                payload: Value::Null,
                traceparent: None,
            },
            payload_hash: self.payload_hash,
            accepted_at: self.accepted_at,
            final_at: self.final_at,
            attempts: self.attempts.iter().map(attempt).collect(),
            conflicts: self.conflicts.clone(),
            notice: self.notice.as_ref().map(notice),
            inquiries: self.inquiries,
            resends: self.resends,
            acted_on: self.acted_on,
            webhooks: self.webhooks,
            webhook_events: self.webhook_events.clone(),
        };
        Some(Record {
            format: RECORD_FORMAT,
            version: self.version,
            at: self.changed_at,
            to: self.state,
            fact: Fact::Archived {
                remains: Arc::new(remains),
            },
            fate: None,
            resolution: self.resolution.clone(),
            conflict: None,
            tell: false,
        })
    }

    /// The transaction that `record` stands for. It can end in no other way any more than it could
    /// before; a request that is gone can't be sent again.
    pub(super) fn from_remains(key: &Key, record: &Record, remains: &Remains) -> Self {
        let attempt = |past: &PastAttempt| {
            let intent = Intent {
                provider: past.provider.clone(),
                reference: past.reference.clone(),
                request: Rendered {
                    method: String::new(),
                    url: String::new(),
                    headers: Vec::new(),
                    body: String::new(),
                },
                window: None,
                resend_safe_for_ms: None,
                profile_hash: String::new(),
            };
            Attempt {
                fate: past.fate,
                provider_reference: past.provider_reference.clone(),
                ..Attempt::started(Arc::new(intent), past.started_at)
            }
        };
        let notice = |past: &PastNotice| Notice {
            id: past.id,
            version: past.version,
            status: past.status,
            since: past.since,
            failures: 0,
            delivery: past.delivery,
        };
        Self {
            key: key.clone(),
            version: record.version,
            state: record.to,
            request: Arc::new(remains.request.clone()),
            payload_hash: remains.payload_hash,
            accepted_at: remains.accepted_at,
            changed_at: record.at,
            final_at: remains.final_at,
            archived_at: Some(remains.archived_at),
            attempts: remains.attempts.iter().map(attempt).collect(),
            resolution: record.resolution.clone(),
            conflicts: remains.conflicts.clone(),
            conflict_open: false,
            notice: remains.notice.as_ref().map(notice),
            inquiries: remains.inquiries,
            last_report: None,
            resends: remains.resends,
            acted_on: remains.acted_on,
            webhooks: remains.webhooks,
            webhook_events: remains.webhook_events.clone(),
            volatile: Volatile::default(),
        }
    }
}
