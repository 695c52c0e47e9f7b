//! `GET /v1/transactions/{id}/events`: the history, as JSON, or as server-sent events that go on
//! while the transaction does.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::{Caller, Doors, Problem, forward, transactions};
use crate::actors::messages::Until;
use crate::transaction::{Fact, Key, Record};

/// A comment after this long without an event, so that proxies keep the line open.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The pause before a transaction is looked at again that has as many watchers as it can have: it
/// answers at once then.
const UNWATCHED_PAUSE: Duration = Duration::from_secs(1);
/// How long the client's browser waits before it connects again.
const RECONNECT_MS: u32 = 3_000;

pub(super) async fn events(
    caller: Caller,
    doors: web::Data<Doors>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let key = caller.key(&doors, &request, &path)?;
    if let Some(answer) = forward::to_owner(&doors, &caller, &request, &key, Bytes::new()).await? {
        return Ok(answer);
    }
    let records = history(&doors, &key).await?;
    let accepts = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !accepts.contains("text/event-stream") {
        let data: Vec<Value> = records.iter().map(shown).collect();
        return Ok(HttpResponse::Ok().json(json!({ "data": data, "has_more": false })));
    }
    let last = request
        .headers()
        .get("last-event-id")
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    Ok(stream(doors, key, records, last))
}

async fn history(doors: &Doors, key: &Key) -> Result<Vec<Record>, Problem> {
    let loaded = doors
        .house
        .journal
        .load(key)
        .await
        .map_err(|error| Problem::unavailable(error.to_string()))?;
    loaded.ok_or_else(|| Problem::unknown_transaction(key.id))
}

/// A record as it may be shown: the rendered request holds the payload and the webhook's token.
fn shown(record: &Record) -> Value {
    let mut value = serde_json::to_value(record).unwrap_or(Value::Null);
    if let Fact::AttemptStarted { intent, .. } = &record.fact {
        value["intent"]["request"] =
            json!({ "method": intent.request.method, "body_bytes": intent.request.body.len() });
    }
    value
}

struct Following {
    doors: web::Data<Doors>,
    key: Key,
    waiting: Vec<Record>,
    last: u64,
}

fn stream(doors: web::Data<Doors>, key: Key, records: Vec<Record>, last: u64) -> HttpResponse {
    // A client can't have seen what is still to come.
    let last = last.min(records.last().map_or(0, |record| record.version));
    let waiting: Vec<Record> = records
        .into_iter()
        .filter(|record| record.version > last)
        .collect();
    let following = Following {
        doors,
        key,
        waiting,
        last,
    };
    let head = futures_util::stream::once(async {
        Ok::<_, Infallible>(Bytes::from(format!("retry: {RECONNECT_MS}\n\n")))
    });
    let body = futures_util::stream::unfold(following, |mut following| async move {
        let chunk = following.next().await?;
        Some((Ok::<_, Infallible>(chunk), following))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Box::pin(futures_util::StreamExt::chain(head, body)))
}

impl Following {
    /// The next piece of the stream: what waits, or what comes, or a heartbeat. The stream ends when
    /// teller drains or can't read; the browser comes back with `Last-Event-ID`.
    async fn next(&mut self) -> Option<Bytes> {
        if self.waiting.is_empty() {
            if self.doors.house.is_draining() {
                return None;
            }
            let (until, before) = (Until::Changed(self.last), Instant::now());
            let changed = transactions::wait_for(&self.doors, &self.key, until, HEARTBEAT)
                .await
                .ok()??;
            if changed.version <= self.last {
                if before.elapsed() < HEARTBEAT {
                    tokio::time::sleep(UNWATCHED_PAUSE).await;
                }
                return Some(Bytes::from_static(b": still here\n\n"));
            }
            let records = history(&self.doors, &self.key).await.ok()?;
            self.waiting = records
                .into_iter()
                .filter(|record| record.version > self.last)
                .collect();
        }
        let mut text = String::new();
        for record in self.waiting.drain(..) {
            self.last = record.version;
            let data = serde_json::to_string(&shown(&record)).unwrap_or_default();
            text.push_str(&format!(
                "id: {}\nevent: {}\ndata: {data}\n\n",
                record.version,
                record.fact.name()
            ));
        }
        Some(Bytes::from(text))
    }
}
