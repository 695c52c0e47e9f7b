//! The apps' door.

use std::future::Future;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, Header, IfNoneMatch};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::view::{self, Line, View};
use super::{Caller, Doors, Problem, binding, body, forward, idempotency, intake, prefer};
use crate::actors::messages::{Accepted, Found, Until};
use crate::actors::router::Unanswered;
use crate::ports::{ListQuery, Owner};
use crate::transaction::{Key, Status, Transaction};

/// Rows of a list, unless the client says.
const LIST_DEFAULT: usize = 50;
/// Rows of a list, at most.
pub(super) const LIST_MAX: usize = 100;

/// `POST /v1/transactions` and `POST /transaction`.
pub(super) async fn submit(
    caller: Caller,
    doors: web::Data<Doors>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let app = caller.asking()?;
    body::expect_json(&request)?;
    let idempotency_key = idempotency::key(&request)?;
    let body = body::read(
        &request,
        payload,
        doors.bounds.body_bytes,
        doors.bounds.body_deadline,
    )
    .await?;
    let mut acceptance = intake::read(
        &doors,
        app,
        &body,
        idempotency_key.as_deref(),
        traceparent(&request),
    )?;
    if let Some(idempotency_key) = idempotency_key {
        acceptance.key.id = binding::resolve(&doors, &acceptance.key, &idempotency_key).await?;
    }
    let key = acceptance.key.clone();
    let accepted = within(doors.bounds.commit_deadline, doors.house.accept(acceptance)).await?;
    let (mut transaction, replayed) = match accepted {
        Accepted::New(transaction) => (transaction, false),
        Accepted::Replayed(transaction) => (transaction, true),
        Accepted::OtherPayload => return Err(Problem::other_payload(key.id)),
        Accepted::Elsewhere => return Err(Problem::moving()),
        Accepted::Unavailable(why) => return Err(Problem::unavailable(why)),
    };
    let wait = prefer::wait(&request);
    let (mut awaited, mut waited) = (None, wait.is_some());
    if let Some(wait) = wait.filter(|_| !transaction.state.is_final()) {
        if doors.house.ownership.owner(key.partition()) == Owner::Here {
            match wait_for(&doors, &key, Until::Final, wait).await {
                Ok(known) => transaction = known.unwrap_or(transaction),
                Err(problem) if doors.neighbours.is_none() => return Err(problem),
                // It may have moved meanwhile; what was accepted stays accepted.
                Err(_) => waited = false,
            }
        } else {
            awaited = forward::wait_at_owner(&doors, &caller, &key, wait).await;
            waited = awaited.is_some();
        }
    }
    let mut response = match &awaited {
        Some(awaited) => awaited.answer(),
        None => view::answer(&transaction, StatusCode::ACCEPTED),
    };
    response.insert_header((header::LOCATION, format!("/v1/transactions/{}", key.id)));
    if replayed {
        response.insert_header(("Idempotent-Replayed", "true"));
    }
    if waited {
        response.insert_header(("Preference-Applied", "wait"));
    }
    Ok(match awaited {
        Some(awaited) => response.body(awaited.body),
        None => response.json(View::of(&transaction)),
    })
}

/// `GET /v1/transactions/{id}`.
pub(super) async fn read(
    caller: Caller,
    doors: web::Data<Doors>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let key = caller.key(&doors, &request, &path)?;
    if let Some(answer) = forward::to_owner(&doors, &caller, &request, &key, Bytes::new()).await? {
        return Ok(answer);
    }
    let mut transaction = find(&doors, &key).await?;
    let known = IfNoneMatch::parse(&request)
        .ok()
        .and_then(|header| match header {
            IfNoneMatch::Any => Some(transaction.version),
            IfNoneMatch::Items(tags) => tags
                .iter()
                .filter_map(view::version)
                .find(|&version| version == transaction.version),
        });
    let wait = prefer::wait(&request);
    let until = known.map_or(Until::Final, Until::Changed);
    // Whoever names a version that is not the present one has news to read, and nothing to wait for.
    let has_news = known.is_none() && request.headers().contains_key(header::IF_NONE_MATCH);
    if let Some(wait) = wait.filter(|_| !has_news && !until.is_met(&transaction)) {
        transaction = wait_for(&doors, &key, until, wait)
            .await?
            .unwrap_or(transaction);
    }
    let mut response = view::answer(&transaction, StatusCode::OK);
    if wait.is_some() {
        response.insert_header(("Preference-Applied", "wait"));
    }
    if known == Some(transaction.version) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    Ok(response.json(View::of(&transaction)))
}

/// The query of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    app: Option<String>,
    status: Option<String>,
    provider: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
}

/// `GET /v1/transactions`.
pub(super) async fn list(
    caller: Caller,
    doors: web::Data<Doors>,
    request: HttpRequest,
    filter: Result<web::Query<Filter>, actix_web::Error>,
) -> Result<HttpResponse, Problem> {
    let filter = filter
        .map_err(|error| Problem::invalid_field("query", error.to_string()))?
        .into_inner();
    let query = ListQuery {
        app: caller
            .listing(filter.app.as_deref())?
            .map(|app| app.as_str().to_owned()),
        status: filter.status.as_deref().map(status).transpose()?,
        provider: filter.provider,
        needs_review: false,
        cursor: filter.cursor.as_deref().map(cursor).transpose()?,
        limit: filter.limit.as_deref().map_or(Ok(LIST_DEFAULT), limit)?,
    };
    page(&doors, &request, query).await
}

/// Answers one page of a list.
pub(super) async fn page(
    doors: &Doors,
    request: &HttpRequest,
    query: ListQuery,
) -> Result<HttpResponse, Problem> {
    Ok(answer_page(request, &rows(doors, query).await?))
}

/// One page of a list, as it is answered.
pub(super) async fn rows(doors: &Doors, query: ListQuery) -> Result<Value, Problem> {
    let page = doors
        .house
        .journal
        .list(query)
        .await
        .map_err(|error| Problem::unavailable(error.to_string()))?;
    let lines: Vec<Line<'_>> = page.rows.iter().map(Line::of).collect();
    let next = page.next.map(|next| next.to_string());
    Ok(json!({
        "data": lines,
        "has_more": next.is_some(),
        "next_cursor": next,
        "as_of": page.as_of,
    }))
}

/// Answers a page, with the link to the next.
pub(super) fn answer_page(request: &HttpRequest, page: &Value) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if let Some(next) = page["next_cursor"].as_str() {
        response.insert_header((header::LINK, next_page(request, next)));
    }
    response.json(page)
}

/// The link to the page that begins at `next`, with the rest of the query as it is.
pub(super) fn next_page(request: &HttpRequest, next: &str) -> String {
    let others = request
        .query_string()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query: Vec<&str> = others.collect();
    let separator = if query.is_empty() { "" } else { "&" };
    format!(
        "<{}?{}{separator}cursor={next}>; rel=\"next\"",
        request.path(),
        query.join("&")
    )
}

fn status(word: &str) -> Result<Status, Problem> {
    Status::parse(word).ok_or_else(|| {
        let words: Vec<&str> = Status::ALL.into_iter().map(Status::as_str).collect();
        Problem::invalid_field(
            "query:status",
            format!("{word:?} is no status; there is {}", words.join(", ")),
        )
    })
}

pub(super) fn cursor(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| {
        Problem::invalid_field(
            "query:cursor",
            "a cursor comes from next_cursor of the page before",
        )
    })
}

pub(super) fn limit(text: &str) -> Result<usize, Problem> {
    text.parse()
        .ok()
        .filter(|limit| (1..=LIST_MAX).contains(limit))
        .ok_or_else(|| {
            Problem::invalid_field(
                "query:limit",
                format!("a limit is a number from 1 to {LIST_MAX}; got {text:?}"),
            )
        })
}

/// The transaction, or 404, or 503.
pub(super) async fn find(doors: &Doors, key: &Key) -> Result<Box<Transaction>, Problem> {
    match within(
        doors.bounds.commit_deadline,
        doors.house.router.read(key.clone()),
    )
    .await?
    {
        Found::Here(transaction) => Ok(transaction),
        Found::Nowhere => Err(Problem::unknown_transaction(key.id)),
        Found::Unavailable(why) => Err(Problem::unavailable(why)),
    }
}

/// Waits until the transaction is as `until` says; `None` when the time is over.
pub(super) async fn wait_for(
    doors: &Doors,
    key: &Key,
    until: Until,
    wait: Duration,
) -> Result<Option<Box<Transaction>>, Problem> {
    let watched = doors.house.router.watch(key.clone(), until);
    match tokio::time::timeout(wait, watched).await {
        Err(_) => Ok(Some(find(doors, key).await?)),
        Ok(Ok(Found::Here(transaction))) => Ok(Some(transaction)),
        Ok(Ok(Found::Nowhere)) => Err(Problem::unknown_transaction(key.id)),
        Ok(Ok(Found::Unavailable(why))) => Err(Problem::unavailable(why)),
        // The actor left memory or was rebuilt while somebody watched: tell what is known now.
        Ok(Err(Unanswered::Interrupted)) => Ok(Some(find(doors, key).await?)),
        Ok(Err(unanswered)) => Err(unanswered.into()),
    }
}

/// An answer within the commit deadline, or 503 that says that nothing is known.
pub(super) async fn within<T>(
    deadline: Duration,
    answer: impl Future<Output = Result<T, Unanswered>>,
) -> Result<T, Problem> {
    match tokio::time::timeout(deadline, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Problem::unconfirmed()),
    }
}

/// A well-formed W3C trace context; anything else is dropped, as the standard says.
fn traceparent(request: &HttpRequest) -> Option<String> {
    let text = request.headers().get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let [version, trace, span, flags] = parts.as_slice() else {
        return None;
    };
    (hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2)).then(|| text.to_owned())
}
