//! Acorn's HTTP interface for merchants.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, ContentType, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::charging::{Met, NotTaken, Stored, Taken};
use super::deliver;
use super::form;
use super::request::{Malformed, Wanted};
use super::state::{Acorn, TokenAnswer};
use crate::inquiry::Inquiry;
use crate::ledger::Answer;
use crate::limit::retry_after_s;
use crate::torn::{DRIP_GAP_MS, closed, tell};

/// What says that an answer was stored.
const REPLAYED: (&str, &str) = ("idempotent-replayed", "true");

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/oauth/token", web::post().to(token))
        .route("/v2/charges", web::post().to(charge))
        .route("/v2/charges/{id}", web::get().to(inquire));
}

async fn token(request: HttpRequest, body: Bytes, acorn: Data<Acorn>) -> HttpResponse {
    if acorn.is_down() {
        return closed();
    }
    let at_ms = acorn.clock.now_ms() + acorn.options.token_delay_ms;
    acorn.clock.sleep_until(at_ms).await;
    let client = basic(&request);
    let client = client.as_ref().and_then(|client| client.split_once(':'));
    let oauth_error = |error| json!({"error": error});
    match acorn.token(client, form::parse(&body)) {
        TokenAnswer::Issued { token, lifetime } => HttpResponse::Ok()
            .insert_header(("cache-control", "no-store"))
            .json(json!({
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": lifetime.as_secs(),
            })),
        TokenAnswer::Failed => {
            HttpResponse::ServiceUnavailable().json(oauth_error("temporarily_unavailable"))
        }
        TokenAnswer::WrongClient => HttpResponse::Unauthorized()
            .insert_header((WWW_AUTHENTICATE, "Basic realm=\"acorn\""))
            .json(oauth_error("invalid_client")),
        TokenAnswer::WrongRequest(error) => HttpResponse::BadRequest().json(oauth_error(error)),
    }
}

/// What follows the scheme in the request's authorization, if it is this scheme.
fn authorization<'a>(request: &'a HttpRequest, scheme: &str) -> Option<&'a str> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (said, rest) = header.split_once(' ')?;
    said.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn basic(request: &HttpRequest) -> Option<String> {
    let encoded = authorization(request, "Basic")?;
    String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()
}

/// Refuses a caller without a valid token.
fn unauthorized(request: &HttpRequest, acorn: &Acorn) -> Option<HttpResponse> {
    (!acorn.is_authorized(authorization(request, "Bearer"))).then(|| {
        HttpResponse::Unauthorized()
            .insert_header((WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""))
            .json(json!({"error": "invalid_token"}))
    })
}

async fn charge(request: HttpRequest, body: Bytes, acorn: Data<Acorn>) -> HttpResponse {
    if acorn.is_down() {
        return closed();
    }
    if let Some(refusal) = unauthorized(&request, &acorn) {
        return refusal;
    }
    let met = match Wanted::read(&request, &body, acorn.options.require_digest) {
        Ok(wanted) => acorn.charge(wanted),
        Err(wrong) => return malformed(&acorn, &wrong),
    };
    match met {
        Ok(Met::Taken(taken)) => {
            deliver::schedule(&acorn, &taken);
            let at_ms = taken.at_ms.saturating_add(taken.plan.answer_after_ms);
            acorn.clock.sleep_until(at_ms).await;
            answer(&acorn, taken).await
        }
        Ok(Met::Replay(stored)) => {
            let mut response = HttpResponse::build(code_of(&stored));
            response.insert_header(REPLAYED).json(stored.body)
        }
        Ok(Met::InProgress) => problem(StatusCode::CONFLICT, "request_in_progress"),
        Ok(Met::KeyReuse) => problem(StatusCode::UNPROCESSABLE_ENTITY, "key_reuse"),
        Err(NotTaken::BadScript(error)) => {
            let wrong = Malformed::new("invalid_script", "script", error.to_string());
            malformed(&acorn, &wrong)
        }
        Err(NotTaken::LedgerFull) => problem(StatusCode::INSUFFICIENT_STORAGE, "ledger_full"),
    }
}

async fn answer(acorn: &Acorn, taken: Taken) -> HttpResponse {
    match taken.plan.answer {
        Answer::Timeout => HttpResponse::GatewayTimeout()
            .content_type(ContentType::plaintext())
            .body("upstream request timeout"),
        Answer::Error500 => problem(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        Answer::Refuse503 => problem(StatusCode::SERVICE_UNAVAILABLE, "maintenance"),
        Answer::Refuse429 => later(
            StatusCode::TOO_MANY_REQUESTS,
            Duration::ZERO,
            "rate_limited",
        ),
        other => {
            let mut usual = HttpResponse::build(code_of(&taken.answer));
            usual.content_type(ContentType::json());
            let body = taken.answer.body.to_string();
            tell(usual, body, other, acorn.clock.real(DRIP_GAP_MS)).await
        }
    }
}

fn code_of(stored: &Stored) -> StatusCode {
    StatusCode::from_u16(stored.code).expect("201 and 402 are statuses")
}

async fn inquire(id: Path<String>, request: HttpRequest, acorn: Data<Acorn>) -> HttpResponse {
    if acorn.is_down() {
        return closed();
    }
    if let Some(refusal) = unauthorized(&request, &acorn) {
        return refusal;
    }
    match acorn.inquire(&id) {
        Inquiry::Found(body) => HttpResponse::Ok().json(body),
        Inquiry::NotFound => problem(StatusCode::NOT_FOUND, "not_found"),
        Inquiry::TooMany { retry_after } => {
            later(StatusCode::TOO_MANY_REQUESTS, retry_after, "rate_limited")
        }
        Inquiry::Blocked { retry_after } => later(StatusCode::FORBIDDEN, retry_after, "blocked"),
        Inquiry::Code(code) => problem(
            StatusCode::from_u16(code).expect("faults and scripts hold valid codes only"),
            "as_requested",
        ),
    }
}

fn malformed(acorn: &Acorn, wrong: &Malformed) -> HttpResponse {
    acorn.count_malformed();
    let Malformed {
        code,
        param,
        message,
    } = wrong;
    HttpResponse::BadRequest()
        .json(json!({"error": {"code": code, "param": param, "message": message}}))
}

fn error_body(code: &str) -> Value {
    json!({"error": {"code": code}})
}

fn problem(status: StatusCode, code: &str) -> HttpResponse {
    HttpResponse::build(status).json(error_body(code))
}

fn later(status: StatusCode, wait: Duration, code: &str) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((RETRY_AFTER, retry_after_s(wait)))
        .json(error_body(code))
}
