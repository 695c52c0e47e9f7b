//! The provider's HTTP interface, and the one for those who test with it.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, RETRY_AFTER};
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde_json::{Map, Value, json};

use super::state::{NotTaken, Posted, Provider, Taken};
use super::webhooks::{self, Target};
use crate::faults::Faults;
use crate::host::MAX_BODY_BYTES;
use crate::inquiry::Inquiry;
use crate::ledger::Answer;
use crate::limit::retry_after_s;
use crate::torn::{DRIP_GAP_MS, closed, tell};

/// The longest id that is accepted, in bytes; a UUID has 36.
const MAX_ID_BYTES: usize = 256;

/// The header that carries a script.
const SCRIPT_HEADER: &str = "x-mock-script";

pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
        .route("/transaction", web::post().to(post))
        .route("/transaction/{id}", web::get().to(inquire))
        .route("/ledger", web::get().to(ledger))
        .route("/stats", web::get().to(stats))
        .route("/faults", web::post().to(set_faults))
        .route("/healthz", web::get().to(healthz));
}

async fn post(request: HttpRequest, body: Bytes, provider: Data<Provider>) -> HttpResponse {
    if provider.is_down() {
        return closed();
    }
    let (posted, target) = match read(&request, &body) {
        Ok(read) => read,
        Err(why) => return refused(StatusCode::BAD_REQUEST, &why),
    };
    let id = posted.id.clone();
    let taken = match provider.post(posted) {
        Ok(taken) => taken,
        Err(error @ NotTaken::BadScript(_)) => {
            return refused(StatusCode::BAD_REQUEST, &error.to_string());
        }
        Err(error @ NotTaken::LedgerFull) => {
            return refused(StatusCode::INSUFFICIENT_STORAGE, &error.to_string());
        }
    };
    if let Some(target) = &target {
        webhooks::schedule(&provider, &id, target, &taken);
    }
    provider
        .clock
        .sleep_until(taken.at_ms.saturating_add(taken.plan.answer_after_ms))
        .await;
    answer(&provider, &id, target.as_ref(), &taken).await
}

/// Takes the body apart, or says what is wrong with it.
fn read(request: &HttpRequest, body: &[u8]) -> Result<(Posted, Option<Target>), String> {
    let mut payload: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| format!("no JSON object: {error}"))?;
    let id = match payload.remove("id") {
        Some(Value::String(id)) if (1..=MAX_ID_BYTES).contains(&id.len()) => id,
        _ => return Err(format!("`id` is a string of 1 to {MAX_ID_BYTES} bytes")),
    };
    let target = match payload.remove("webhookUrl") {
        None | Some(Value::Null) => None,
        Some(Value::String(url)) => {
            Some(Target::parse(url).map_err(|error| format!("`webhookUrl`: {error}"))?)
        }
        Some(_) => return Err("`webhookUrl` is a string".to_owned()),
    };
    let script = match request.headers().get(SCRIPT_HEADER) {
        Some(header) => Some(
            serde_json::from_slice(header.as_bytes())
                .map_err(|error| format!("`{SCRIPT_HEADER}`: {error}"))?,
        ),
        None => payload.get("script").cloned(),
    };
    let posted = Posted {
        id,
        payload,
        script,
        body_bytes: body.len(),
    };
    Ok((posted, target))
}

async fn answer(
    provider: &Provider,
    id: &str,
    target: Option<&Target>,
    taken: &Taken,
) -> HttpResponse {
    let (usual, body) = match taken.plan.told {
        Some(status) => {
            let mut response = HttpResponse::Ok();
            response.content_type(ContentType::json());
            let webhook_url = target.map(Target::as_given);
            let body = json!({"id": id, "status": status, "webhookUrl": webhook_url});
            (response, body.to_string())
        }
        None => (HttpResponse::GatewayTimeout(), "Timeout".to_owned()),
    };
    match taken.plan.answer {
        Answer::Error500 => refused(StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
        Answer::Refuse503 => refused(StatusCode::SERVICE_UNAVAILABLE, "not now"),
        Answer::Refuse429 => HttpResponse::TooManyRequests()
            .insert_header((RETRY_AFTER, "1"))
            .json(json!({"error": "too many requests"})),
        other => tell(usual, body, other, provider.clock.real(DRIP_GAP_MS)).await,
    }
}

async fn inquire(id: Path<String>, provider: Data<Provider>) -> HttpResponse {
    if provider.is_down() {
        return closed();
    }
    match provider.inquire(&id) {
        Inquiry::Found(status) => {
            HttpResponse::Ok().json(json!({"id": id.as_str(), "status": status}))
        }
        Inquiry::NotFound => refused(StatusCode::NOT_FOUND, "transaction not found"),
        Inquiry::TooMany { retry_after } => later(
            HttpResponse::TooManyRequests(),
            retry_after,
            "too many inquiries",
        ),
        Inquiry::Blocked { retry_after } => {
            later(HttpResponse::Forbidden(), retry_after, "blocked")
        }
        Inquiry::Code(code) => refused(
            StatusCode::from_u16(code).expect("faults and scripts hold valid codes only"),
            "as requested",
        ),
    }
}

async fn ledger(provider: Data<Provider>) -> HttpResponse {
    HttpResponse::Ok().json(provider.ledger())
}

async fn stats(provider: Data<Provider>) -> HttpResponse {
    HttpResponse::Ok().json(provider.stats())
}

async fn set_faults(body: Bytes, provider: Data<Provider>) -> HttpResponse {
    let faults = Faults::from_json(&body);
    match faults.and_then(|faults| provider.set_faults(faults.clone()).map(|()| faults)) {
        Ok(faults) => HttpResponse::Ok().json(faults),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn healthz() -> &'static str {
    "ok\n"
}

fn refused(status: StatusCode, why: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({"error": why}))
}

fn later(mut response: HttpResponseBuilder, after: Duration, why: &str) -> HttpResponse {
    response
        .insert_header((RETRY_AFTER, retry_after_s(after)))
        .json(json!({"error": why}))
}
