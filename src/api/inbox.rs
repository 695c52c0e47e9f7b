//! The operators' view of the inbox: trusted webhooks that belong to nothing known yet.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::transactions::{LIST_MAX, cursor, limit, next_page};
use super::{Doors, Problem};
use crate::ports::{InboxQuery, Kept};
use crate::transaction::Statement;

/// The query of the inbox.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    provider: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
}

/// `GET /v1/inbox`: what is kept, newest first.
pub(super) async fn list(
    _: Operator,
    doors: web::Data<Doors>,
    request: HttpRequest,
    filter: Result<web::Query<Filter>, actix_web::Error>,
) -> Result<HttpResponse, Problem> {
    let filter = filter
        .map_err(|error| Problem::invalid_field("query", error.to_string()))?
        .into_inner();
    let query = InboxQuery {
        provider: filter.provider,
        cursor: filter.cursor.as_deref().map(cursor).transpose()?,
        limit: filter.limit.as_deref().map_or(Ok(LIST_MAX), limit)?,
    };
    let page = doors.house.journal.inbox(query).await;
    let page = page.map_err(|error| Problem::unavailable(error.to_string()))?;
    let data: Vec<Value> = page.rows.iter().map(shown).collect();
    let next = page.next.map(|next| next.to_string());
    let mut response = HttpResponse::Ok();
    if let Some(next) = &next {
        response.insert_header((header::LINK, next_page(&request, next)));
    }
    Ok(response.json(json!({
        "data": data,
        "has_more": next.is_some(),
        "next_cursor": next,
        "total": page.total,
    })))
}

fn shown(kept: &Kept) -> Value {
    json!({
        "provider": kept.provider,
        "event_id": kept.event_id,
        "statement": kept.statement().as_str(),
        "references": kept.references,
        "received_at": kept.received_at,
        "attempt": kept.attempt,
        "report": kept.report,
        "body": kept.body,
    })
}

/// The query of a dismissal.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dismissal {
    statement: Option<String>,
}

/// `POST /v1/inbox/{provider}/{event_id}/dismiss?statement=`: it belongs to nothing of ours. Without a
/// statement, whatever is kept under this event id is dismissed; with one, only the webhook that states it.
pub(super) async fn dismiss(
    Operator(caller): Operator,
    doors: web::Data<Doors>,
    path: web::Path<(String, String, String)>,
    dismissal: Result<web::Query<Dismissal>, actix_web::Error>,
) -> Result<HttpResponse, Problem> {
    let dismissal = dismissal
        .map_err(|error| Problem::invalid_field("query", error.to_string()))?
        .into_inner();
    let (provider, event_id, _) = path.into_inner();
    let statement = dismissal.statement.as_deref().map(Statement::from_text);
    let journal = &doors.house.journal;
    let released = journal.release(&provider, &event_id, statement.as_ref());
    let released = tokio::time::timeout(doors.bounds.commit_deadline, released).await;
    released
        .map_err(|_| Problem::unconfirmed())?
        .map_err(|error| Problem::unavailable(error.to_string()))?;
    let by = caller.signed(None).unwrap_or_default();
    let statement = statement.as_ref().map(Statement::as_str);
    tracing::info!(
        provider,
        event_id,
        statement,
        by,
        "a kept webhook was dismissed"
    );
    Ok(HttpResponse::NoContent().finish())
}
