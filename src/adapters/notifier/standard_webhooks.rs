//! The body of notifications in the form of Standard Webhooks.

use serde::Serialize;

use crate::ports::Notification;
use crate::transaction::{Amount, Status, Timestamp};

/// Characters of the reason that are told: with them the body stays far below the 20 kB that the
/// standard allows, whatever has to be escaped in it.
const REASON_MAX_CHARS: usize = 1_000;

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: String,
    app: &'a str,
    provider: &'a str,
    status: Status,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<&'a Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The body: the same bytes at every delivery of the same news.
pub(super) fn body(notification: &Notification) -> Result<String, serde_json::Error> {
    let notice = &notification.notice;
    let resolution = notification.resolution.as_ref();
    serde_json::to_string(&Body {
        kind: format!("transaction.{}", notice.status.as_str()),
        timestamp: notice.since,
        data: Data {
            id: notification.key.id.to_string(),
            app: notification.key.app.as_str(),
            provider: &notification.request.provider,
            status: notice.status,
            version: notice.version,
            amount: notification.request.amount.as_ref(),
            source: resolution.map(|resolution| resolution.source.as_str()),
            reason: resolution
                .map(|resolution| resolution.why.chars().take(REASON_MAX_CHARS).collect()),
        },
    })
}
