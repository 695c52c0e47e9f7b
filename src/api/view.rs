//! What apps see of a transaction.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, EntityTag};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use crate::ports::Summary;
use crate::transaction::{Amount, Outcome, Source, Status, Timestamp, Transaction, TransactionId};

/// One transaction, whole.
#[derive(Serialize)]
pub(super) struct View<'a> {
    id: TransactionId,
    status: Status,
    state: &'static str,
    version: u64,
    provider: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<&'a Amount>,
    attempts: u32,
    accepted_at: Timestamp,
    changed_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    final_at: Option<Timestamp>,
    /// Since when only the outcome is left here: the history went to the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<Timestamp>,
    submit_by: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeView<'a>>,
    needs_review: bool,
}

#[derive(Serialize)]
struct OutcomeView<'a> {
    outcome: Outcome,
    source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    why: &'a str,
}

impl<'a> View<'a> {
    pub(super) fn of(transaction: &'a Transaction) -> Self {
        Self {
            id: transaction.key.id,
            status: transaction.state.status(),
            state: transaction.state.name(),
            version: transaction.version,
            provider: transaction.provider(),
            amount: transaction.request.amount.as_ref(),
            attempts: transaction.attempt_no(),
            accepted_at: transaction.accepted_at,
            changed_at: transaction.changed_at,
            final_at: transaction.final_at,
            archived_at: transaction.archived_at,
            submit_by: transaction.request.submit_by,
            outcome: transaction
                .resolution
                .as_ref()
                .map(|resolution| OutcomeView {
                    outcome: resolution.outcome,
                    source: resolution.source,
                    attempt: resolution.attempt,
                    why: &resolution.why,
                }),
            needs_review: transaction.needs_review(),
        }
    }
}

/// One line of a list.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    id: TransactionId,
    app: &'a str,
    status: Status,
    state: &'static str,
    version: u64,
    provider: &'a str,
    attempts: u32,
    accepted_at: Timestamp,
    changed_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    final_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    needs_review: bool,
}

impl<'a> Line<'a> {
    pub(super) fn of(summary: &'a Summary) -> Self {
        Self {
            id: summary.key.id,
            app: summary.key.app.as_str(),
            status: summary.status,
            state: summary.state.name(),
            version: summary.version,
            provider: &summary.provider,
            attempts: summary.attempts,
            accepted_at: summary.accepted_at,
            changed_at: summary.changed_at,
            final_at: summary.final_at,
            due_at: summary.due_at,
            needs_review: summary.needs_review,
        }
    }
}

/// The answer that shows a transaction: 200 once it is final, else `unfinished`.
pub(super) fn answer(transaction: &Transaction, unfinished: StatusCode) -> HttpResponseBuilder {
    let status = if transaction.state.is_final() {
        StatusCode::OK
    } else {
        unfinished
    };
    let mut response = HttpResponse::build(status);
    response.insert_header(header::ETag(tag(transaction.version)));
    response
}

/// A version as an entity tag.
pub(super) fn tag(version: u64) -> EntityTag {
    EntityTag::new_strong(format!("v{version}"))
}

/// The version that an entity tag names.
pub(super) fn version(tag: &EntityTag) -> Option<u64> {
    tag.tag().strip_prefix('v')?.parse().ok()
}
