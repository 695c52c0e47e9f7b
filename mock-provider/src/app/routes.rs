//! The app's HTTP interface.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::{self, Bytes, Data, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, rt};
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::record::{FailMode, Form, Notification, Sent, TellerAnswer};
use super::state::State;
use crate::clock::epoch_ms;
use crate::host::MAX_BODY_BYTES;
use crate::torn;

/// The headers of a delivery that are worth keeping.
const KEPT_HEADERS: [&str; 4] = [
    "content-type",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
        .service(
            web::resource("/transaction")
                .route(web::post().to(request))
                .route(web::put().to(callback)),
        )
        .route("/notify", web::post().to(notify))
        .route("/notifications", web::get().to(notifications))
        .route("/fail", web::post().to(fail))
        .route("/sent", web::get().to(sent))
        .route("/healthz", web::get().to(healthz));
}

/// Asks teller for a transaction.
async fn request(body: Bytes, state: Data<State>) -> HttpResponse {
    let fields = if body.is_empty() {
        Ok(Map::new())
    } else {
        serde_json::from_slice::<Map<String, Value>>(&body)
    };
    let mut fields = match fields {
        Ok(fields) => fields,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &format!("no JSON object: {error}")),
    };
    let id = fields
        .entry("id")
        .or_insert_with(|| Uuid::new_v4().to_string().into());
    let Some(id) = id.as_str().map(str::to_owned) else {
        return problem(StatusCode::BAD_REQUEST, "`id` is a string");
    };
    let times = state.times(&id);
    let body = Value::Object(fields);
    let text = body.to_string();
    let record = Sent {
        at_ms: epoch_ms(),
        id,
        body,
        times,
        answers: Vec::new(),
    };
    let index = match state.sending(record, text.len()) {
        Ok(index) => index,
        Err(full) => return problem(StatusCode::INSUFFICIENT_STORAGE, &full.to_string()),
    };
    // A task of its own: teller's answers are worth keeping even if whoever asked has hung up.
    match rt::spawn(tap(state, index, text, times)).await {
        Ok(Some(answer)) => passed_on(answer),
        Ok(None) | Err(_) => problem(StatusCode::BAD_GATEWAY, "teller didn't answer"),
    }
}

/// Sends the same request so many times at once, as a nervous finger does, and returns the first
/// answer.
async fn tap(state: Data<State>, index: usize, body: String, times: u32) -> Option<TellerAnswer> {
    let calls: Vec<_> = (0..times)
        .map(|_| rt::spawn(ask_teller(state.clone(), body.clone())))
        .collect();
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        answers.push(call.await.ok().flatten());
    }
    let first = answers.iter().flatten().next().cloned();
    state.answered(index, answers);
    first
}

async fn ask_teller(state: Data<State>, body: String) -> Option<TellerAnswer> {
    let mut request = state
        .client
        .post(state.target.clone())
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    if let Some(token) = state.bearer() {
        request = request.bearer_auth(token);
    }
    let answer = async {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let body = response.text().await?;
        Ok::<_, reqwest::Error>(TellerAnswer {
            status,
            content_type,
            body,
        })
    };
    answer
        .await
        .inspect_err(|error| tracing::warn!(%error, "teller didn't answer"))
        .ok()
}

fn passed_on(answer: TellerAnswer) -> HttpResponse {
    let status =
        StatusCode::from_u16(answer.status).expect("a status that was received can be sent");
    let mut response = HttpResponse::build(status);
    if let Some(content_type) = answer.content_type {
        response.content_type(content_type);
    }
    response.body(answer.body)
}

async fn callback(request: HttpRequest, body: Bytes, state: Data<State>) -> HttpResponse {
    deliver(Form::Callback, &request, &body, &state).await
}

async fn notify(request: HttpRequest, body: Bytes, state: Data<State>) -> HttpResponse {
    deliver(Form::Standard, &request, &body, &state).await
}

async fn deliver(form: Form, request: &HttpRequest, body: &[u8], state: &State) -> HttpResponse {
    let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let (id_at, status_at) = form.pointers();
    let text = |pointer| Some(json.pointer(pointer)?.as_str()?.to_owned());
    let (id, status) = (text(id_at), text(status_at));
    let code = if id.is_some() && status.is_some() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    let delivery = Notification {
        at_ms: epoch_ms(),
        form,
        id,
        status,
        body: String::from_utf8_lossy(body).into_owned(),
        headers: KEPT_HEADERS
            .into_iter()
            .filter_map(|name| {
                let value = request.headers().get(name)?.to_str().ok()?;
                Some((name.to_owned(), value.to_owned()))
            })
            .collect(),
        answered: Some(code.as_u16()),
    };
    match state.deliver(delivery) {
        Err(full) => problem(StatusCode::INSUFFICIENT_STORAGE, &full.to_string()),
        Ok(Some(mode)) => failed(mode).await,
        Ok(None) if code == StatusCode::OK => HttpResponse::Ok().json(json!({"ok": true})),
        Ok(None) => problem(
            code,
            &format!("`{id_at}` and `{status_at}` are wanted, both strings"),
        ),
    }
}

async fn failed(mode: FailMode) -> HttpResponse {
    match mode {
        FailMode::Status500 => problem(StatusCode::INTERNAL_SERVER_ERROR, "as requested"),
        FailMode::Status410 => problem(StatusCode::GONE, "as requested"),
        FailMode::Status429 => HttpResponse::TooManyRequests()
            .insert_header((RETRY_AFTER, "1"))
            .json(json!({"error": "as requested"})),
        FailMode::Hang => std::future::pending().await,
        FailMode::Close => torn::closed(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    id: Option<String>,
}

async fn notifications(filter: Query<Filter>, state: Data<State>) -> HttpResponse {
    let mut list = state.notifications();
    if let Some(id) = &filter.id {
        list.retain(|notification| notification.id.as_ref() == Some(id));
    }
    HttpResponse::Ok().json(list)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FailRequest {
    next: u32,
    mode: FailMode,
}

async fn fail(body: Bytes, state: Data<State>) -> HttpResponse {
    match serde_json::from_slice::<FailRequest>(&body) {
        Ok(FailRequest { next, mode }) => {
            state.fail(next, mode);
            HttpResponse::Ok().json(json!({"next": next, "mode": mode}))
        }
        Err(error) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn sent(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.sent())
}

async fn healthz() -> &'static str {
    "ok\n"
}

fn problem(status: StatusCode, why: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({"error": why}))
}
